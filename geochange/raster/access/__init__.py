"""Access to what holds pixels: open handles, retries, servers, and what cannot be read."""

"""Access to rasters: open handles, retries, servers, and records of unreadable areas."""

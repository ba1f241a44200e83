"""The environment that geochange runs in: made, named, and described."""

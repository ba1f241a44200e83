"""The command `geochange`: from arguments to options, and from errors to exit codes."""

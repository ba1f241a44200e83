"""The command `geochange`: words to options, errors to exit codes."""

"""The command `geochange`: parses options, and turns errors into exit codes."""

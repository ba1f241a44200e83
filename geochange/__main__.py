"""`python -m geochange`: the command, where its script is not on the path."""

from geochange.cli.main import main

if __name__ == "__main__":
    main()

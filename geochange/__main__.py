"""`python -m geochange`: the command, if its script is not on the path."""

from geochange.cli.import_path import leave_current_folder_out

if __name__ == "__main__":
    # This comes before other imports, because Python has the current folder first on its path.
    leave_current_folder_out()
    from geochange.cli.main import main

    main()

"""The module search path of this command and its child processes: without the current folder.

A folder of data may hold files with the names of libraries (numexpr.py, socket.py). This module
imports only modules that Python itself has already loaded.
"""

import os
import sys


def leave_current_folder_out() -> None:
    """Remove the current folder from the module search path, here and in all child processes.

    Python puts it first for `python -m`, with which multiprocessing and torch also start processes. The
    folder of a script stays, and so does a folder from which geochange itself is imported.
    """
    if sys.flags.safe_path or os.environ.get("PYTHONSAFEPATH"):
        return  # the path has no such entry, or it is already removed
    first = sys.path[0] if sys.path else None
    if first is not None and not _is_script_folder(first) and not _holds_geochange(first):
        if _is_current(first):
            del sys.path[0]
        first = None
    os.environ["PYTHONSAFEPATH"] = "1"
    if first is not None:
        # A child process that runs the same script finds the modules beside it.
        given = [os.path.abspath(first), *filter(None, [os.environ.get("PYTHONPATH")])]
        os.environ["PYTHONPATH"] = os.pathsep.join(given)


def _is_script_folder(folder: str) -> bool:
    main = sys.modules["__main__"]
    script = getattr(main, "__file__", None)
    if script is None or getattr(main, "__spec__", None) is not None:
        return False
    return bool(os.path.dirname(os.path.realpath(script)) == os.path.realpath(folder))


def _holds_geochange(folder: str) -> bool:
    package = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    return os.path.dirname(package) == os.path.realpath(folder)


def _is_current(folder: str) -> bool:
    try:
        return folder == "" or os.path.realpath(folder) == os.path.realpath(os.getcwd())
    except FileNotFoundError:  # the current folder was deleted
        return folder == ""

"""Where this command and the processes it starts look for modules: not in the current folder.

A folder of data may hold files with the names of libraries (numexpr.py, socket.py). This module
imports what Python itself has loaded by then, and nothing else.
"""

import os
import sys


def leave_current_folder_out() -> None:
    """Take the current folder off the module search path, here and in all child processes.

    Python puts it first for `python -m`, which is also how multiprocessing and torch start theirs.
    The folder of a script stays, and so does a folder that geochange itself is imported from.
    """
    if sys.flags.safe_path or os.environ.get("PYTHONSAFEPATH"):
        return  # nothing was put first, or it was taken off already
    first = sys.path[0] if sys.path else None
    if first is not None and not _is_script_folder(first) and not _holds_geochange(first):
        if _is_current(first):
            del sys.path[0]
        first = None
    os.environ["PYTHONSAFEPATH"] = "1"
    if first is not None:
        # A child that runs the same script finds the modules beside it.
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

"""The variables of a command: those of the user, without what QGIS set for its own Python."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePath, PurePosixPath, PureWindowsPath

DROPPED_VARIABLES = {
    # Python's own: another Python would look for its modules in QGIS.
    *("PYTHONPATH", "PYTHONHOME", "PYTHONEXECUTABLE", "PYTHONUSERBASE", "PYTHONSTARTUP"),
    # Data of QGIS's GDAL and PROJ: other versions cannot read them.
    *("GDAL_DATA", "GDAL_DRIVER_PATH", "GDAL_PYTHON_DRIVER_PATH", "OGR_DRIVER_PATH"),
    *("PROJ_LIB", "PROJ_DATA", "GEOTIFF_CSV", "GDAL_FILENAME_IS_UTF8"),
    # Libraries of the bundle: loaded instead of the right ones.
    *("DYLD_LIBRARY_PATH", "DYLD_FRAMEWORK_PATH", "DYLD_FALLBACK_LIBRARY_PATH"),
    *("DYLD_INSERT_LIBRARIES", "DYLD_VERSIONED_LIBRARY_PATH", "LD_LIBRARY_PATH", "LD_PRELOAD"),
    # Of OSGeo4W, GRASS, and another virtual environment.
    *("OSGEO4W_ROOT", "GISBASE", "GISRC", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__"),
}
"""Variables that are dropped, by name."""

DROPPED_PREFIXES = ("QT_", "QML", "QGIS_")
"""Variables that are dropped, by how their names begin."""

RESTORED_VARIABLES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""Bundles keep the user's value of these as NAME_ORIG."""

PATH_VARIABLES = ("PATH", "XDG_DATA_DIRS")
"""Variables of which only the folders of the bundle are dropped."""

SET_VARIABLES = {
    "PYTHONUNBUFFERED": "1",  # progress comes when it is made
    "PYTHONUTF8": "1",  # names of files, whatever the code page
    "PYTHONNOUSERSITE": "1",  # packages of the user's other Pythons stay out
    "PYTHONSAFEPATH": "1",  # no module is taken from the current folder
}
"""What every command is given."""


def child_environment(
    environ: Mapping[str, str], bundle: Iterable[str] = (), windows: bool = os.name == "nt"
) -> dict[str, str]:
    """The variables of a command.

    bundle: folders that hold QGIS and its own Python; see `bundle_of`.
    """
    roots = [_path(root, windows) for root in bundle]
    kept = {name: value for name, value in environ.items() if not _is_own(name)}
    for name in RESTORED_VARIABLES:
        if environ.get(f"{name}_ORIG"):
            kept[name] = environ[f"{name}_ORIG"]
    for name, value in list(kept.items()):
        if name.upper() in PATH_VARIABLES:
            kept[name] = _paths_outside(value, roots, windows)
        elif _is_below(value, roots, windows):
            del kept[name]
    return {**kept, **SET_VARIABLES}


def bundle_of(environ: Mapping[str, str], prefix: str, platform: str) -> tuple[str, ...]:
    """The folders of a QGIS that brings its own Python along; none where it is the system's.

    prefix: of QGIS (QgsApplication.prefixPath). platform: as sys.platform has it.
    """
    return tuple(dict.fromkeys(filter(None, _roots(environ, prefix, platform))))


def _roots(environ: Mapping[str, str], prefix: str, platform: str) -> Iterator[str]:
    if platform == "win32":
        # C:\OSGeo4W\apps\qgis, or C:\Program Files\QGIS 3.34\apps\qgis
        yield environ.get("OSGEO4W_ROOT", "")
        folders = PureWindowsPath(prefix).parts
        if "apps" in folders:
            yield str(PureWindowsPath(*folders[: folders.index("apps")]))
    elif platform == "darwin":
        # /Applications/QGIS.app/Contents/MacOS
        app = [path for path in PurePosixPath(prefix).parents if path.suffix == ".app"]
        yield from map(str, app[:1])
    else:
        yield environ.get("APPDIR", "")
        yield environ.get("SNAP", "")


def _is_own(name: str) -> bool:
    upper = name.upper()
    return upper in DROPPED_VARIABLES or upper.startswith(DROPPED_PREFIXES)


def _path(text: str, windows: bool) -> PurePath:
    return PureWindowsPath(text) if windows else PurePosixPath(text)


def _is_below(text: str, roots: list[PurePath], windows: bool) -> bool:
    path = _path(text, windows)
    return any(root == path or root in path.parents for root in roots)


def _paths_outside(folders: str, roots: list[PurePath], windows: bool) -> str:
    sign = ";" if windows else ":"
    return sign.join(one for one in folders.split(sign) if not _is_below(one, roots, windows))

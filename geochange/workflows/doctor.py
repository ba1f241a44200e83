"""The story of `doctor`: whether this installation works, and what a report of a fault should say."""

from __future__ import annotations

import getpass
import importlib
import importlib.metadata
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from geochange import __version__
from geochange.errors import GeochangeError, one_line

LIBRARIES = (
    "torch",
    "torchvision",
    "open_clip",
    "rasterio",
    "pyogrio",
    "pyproj",
    "shapely",
    "google_crc32c",
)
"""What is loaded on trial: libraries with code of their own for each system."""

VARIABLES = (
    *("GDAL_DATA", "GDAL_DRIVER_PATH", "PROJ_LIB", "PROJ_DATA", "PYTHONPATH", "PYTHONHOME"),
    *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS"),
    *("GEOCHANGE_WEIGHTS", "GDAL_CACHEMAX", "GDAL_NUM_THREADS"),
)
"""Variables that are shown where they are set. None of them holds a secret."""

IMPORT_ERRORS = (ImportError, OSError, RuntimeError, AttributeError, ValueError, TypeError)
"""What a library raises that is damaged, or that another library is in the way of."""


@dataclass(frozen=True)
class Check:
    """One check: whether it passed, and what was found, or what is wrong with its cure."""

    name: str
    passed: bool
    found: str


@dataclass(frozen=True)
class Diagnosis:
    """An installation: the machine, the packages and the variables by name, and all checks."""

    system: Mapping[str, str]
    packages: Mapping[str, str]
    variables: Mapping[str, str]
    checks: tuple[Check, ...]

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if not check.passed)

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values."""
        return asdict(self)


def examine() -> Diagnosis:
    """Look at this installation. Nothing is written but a file in the temporary folder."""
    checks = [_run_check(name, _importing(name), "install geochange again") for name in LIBRARIES]
    checks += [
        _run_check("GDAL", _gdal, "unset GDAL_DATA and PROJ_LIB, or install rasterio again"),
        _run_check("PROJ", _proj, "unset PROJ_LIB and PROJ_DATA, or install pyproj again"),
        _run_check("weights", _weights, "install geochange again"),
        _run_check("device", _device, "choose --device cpu, or install torch for this machine"),
        _run_check("temporary folder", _temporary, "make room there, or set TMPDIR"),
    ]
    return Diagnosis(_system(), _packages(), _variables(), tuple(checks))


def anonymous(text: str) -> str:
    """A text without the name of the user: the home folder is ~."""
    home = os.path.expanduser("~")
    text = text.replace(home, "~") if len(home) > 1 else text
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # an account without a name, as in a container
        return text
    return re.sub(rf"(?<=[\\/]){re.escape(user)}(?=[\\/]|$)", "USER", text)


def _run_check(name: str, check: Callable[[], str], cure: str) -> Check:
    try:
        return Check(name, True, anonymous(check()))
    except (*IMPORT_ERRORS, GeochangeError) as error:
        reason = one_line(error) or type(error).__name__
        return Check(name, False, anonymous(f"{reason}; {cure}"))


def _importing(name: str) -> Callable[[], str]:
    return lambda: str(getattr(importlib.import_module(name), "__version__", "loaded"))


def _gdal() -> str:
    from geochange.raster.gdal_check import check_gdal

    return check_gdal()


def _proj() -> str:
    import pyproj

    pyproj.Transformer.from_crs(4326, 32632)
    return f"{pyproj.proj_version_str}, {pyproj.datadir.get_data_dir()}"


def _weights() -> str:
    from geochange.models.weights.locate import SHIPPED

    sizes = {name: Path(file).stat().st_size for name, file in SHIPPED.items()}
    return ", ".join(f"{name}, {size / 1e6:.0f} MB" for name, size in sizes.items())


def _device() -> str:
    from geochange.models.inference.devices import describe_devices

    return describe_devices()


def _temporary() -> str:
    with tempfile.TemporaryFile() as file:
        file.write(bytes(1024))
    folder = tempfile.gettempdir()
    return f"{folder}, {shutil.disk_usage(folder).free / 1e9:,.0f} GB free"


def _system() -> dict[str, str]:
    import psutil

    return {
        "geochange": __version__,
        "Python": platform.python_version(),
        "executable": anonymous(sys.executable),
        "system": platform.platform(),
        "machine": platform.machine(),
        "cores": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 1e9:,.0f} GB",
    }


def _packages() -> dict[str, str]:
    """The version of each package that geochange needs, or `missing`."""
    try:
        needed = importlib.metadata.requires("geochange") or []
    except importlib.metadata.PackageNotFoundError:  # run from a folder of source code
        needed = list(LIBRARIES)
    names = (re.match(r"[\w.-]+", line) for line in needed if "extra ==" not in line)
    return {found[0]: _version(found[0]) for found in names if found}


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _variables() -> dict[str, str]:
    return {name: anonymous(os.environ[name]) for name in VARIABLES if name in os.environ}

"""The variables of a command: nothing that QGIS set for its own Python is left in them."""

from __future__ import annotations

import pytest
from geochange_plugin.command.environment import SET_VARIABLES, bundle_of, child_environment

USER = {"HOME": "/home/ann", "AWS_PROFILE": "ann", "GDAL_HTTP_HEADERS": "X: y", "LANG": "C.UTF-8"}


def test_what_qgis_set_is_gone_and_what_the_user_set_stays() -> None:
    theirs = {
        "PYTHONPATH": "/usr/share/qgis/python",
        "PYTHONHOME": "/app",
        "GDAL_DATA": "/app/gdal",
        "PROJ_LIB": "/app/proj",
        "Proj_Data": "/app/proj",
        "QT_PLUGIN_PATH": "/app/qt",
        "QGIS_PREFIX_PATH": "/app",
        "LD_LIBRARY_PATH": "/app/lib",
    }
    made = child_environment({**USER, **theirs, "PATH": "/usr/bin:/bin"}, (), windows=False)
    assert made == {**USER, "PATH": "/usr/bin:/bin", **SET_VARIABLES}


def test_osgeo4w_leaves_neither_its_folders_nor_its_python() -> None:
    root = r"C:\OSGeo4W"
    environ = {
        "OSGEO4W_ROOT": root,
        "PYTHONHOME": rf"{root}\apps\Python312",
        "SSL_CERT_FILE": rf"{root}\bin\curl-ca-bundle.crt",
        "Path": rf"{root}\bin;C:\Windows\System32;{root}\apps\Qt5\bin;c:\osgeo4w\apps\qgis\bin",
        "APPDATA": r"C:\Users\ann\AppData\Roaming",
    }
    bundle = bundle_of(environ, f"{root}/apps/qgis", "win32")
    assert bundle == (root,)
    made = child_environment(environ, bundle, windows=True)
    assert made == {
        "Path": r"C:\Windows\System32",
        "APPDATA": r"C:\Users\ann\AppData\Roaming",
        **SET_VARIABLES,
    }


def test_the_installer_of_windows_is_found_by_its_prefix() -> None:
    prefix = r"C:\Program Files\QGIS 3.34.0\apps\qgis-ltr"
    assert bundle_of({}, prefix, "win32") == (r"C:\Program Files\QGIS 3.34.0",)


def test_a_bundle_of_macos() -> None:
    inside = "/Applications/QGIS.app/Contents/MacOS"
    environ = {
        "PATH": f"{inside}/bin:/usr/bin",
        "DYLD_LIBRARY_PATH": f"{inside}/lib",
        "PROJ_DATA": "/Applications/QGIS.app/Contents/Resources/proj",
        "SSL_CERT_FILE": "/Applications/QGIS.app/Contents/Resources/cert.pem",
    }
    bundle = bundle_of(environ, inside, "darwin")
    assert bundle == ("/Applications/QGIS.app",)
    assert child_environment(environ, bundle, windows=False) == {
        "PATH": "/usr/bin",
        **SET_VARIABLES,
    }


def test_an_appimage_gives_back_what_the_user_had() -> None:
    environ = {
        "APPDIR": "/tmp/.mount_QGIS",
        "PATH": "/tmp/.mount_QGIS/usr/bin:/usr/bin",
        "LD_LIBRARY_PATH": "/tmp/.mount_QGIS/usr/lib",
        "LD_LIBRARY_PATH_ORIG": "/opt/cuda/lib",
    }
    bundle = bundle_of(environ, "/tmp/.mount_QGIS/usr", "linux")
    made = child_environment(environ, bundle, windows=False)
    assert made["LD_LIBRARY_PATH"] == "/opt/cuda/lib" and made["PATH"] == "/usr/bin"
    assert "APPDIR" not in made


@pytest.mark.parametrize("prefix", ["/usr", "/usr/local"])
def test_a_qgis_of_the_system_hides_no_folder(prefix: str) -> None:
    bundle = bundle_of({"PATH": "/usr/bin"}, prefix, "linux")
    assert child_environment({"PATH": "/usr/bin"}, bundle, windows=False)["PATH"] == "/usr/bin"

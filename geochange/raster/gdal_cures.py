"""Commands of GDAL that give a file other metadata, by what its driver can do."""

from __future__ import annotations

from geochange.raster.access.remote import is_remote

EDITABLE = ("GTiff", "HFA", "ENVI", "VRT")
"""Drivers that change nodata, CRS and transform in a file itself. Others refuse (JPEG, PNG), drop the
change without an error (Sentinel-2, ESRI grids), or keep it in a second file only if they may."""

CRS_OPTION, CORNERS_OPTION = "-a_srs EPSG:CODE", "-a_ullr LEFT TOP RIGHT BOTTOM"


def edit_command(path: str, driver: str, options: str) -> str:
    """The command that sets the options of gdal_edit which gdal_translate has, too (-a_nodata, -a_srs).

    driver: GDAL's name, as in `Origin`. Where it cannot change a file, a VRT beside the file can say so.
    """
    if driver in EDITABLE and not is_remote(path) and not path.startswith("/vsi"):
        return f"gdal_edit.py {options}"
    return f"gdal_translate -of VRT {options} IN OUT.vrt, then name OUT.vrt"

"""Changes in degrees, as GeoJSON needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pyproj.exceptions import ProjError

from geochange.grid.grid import LONLAT
from geochange.grid.lonlat import cut_at_180, to_wgs84

if TYPE_CHECKING:
    import geopandas as gpd

EDGE_TOLERANCE_DEG: Final = 1e-6
"""Edges that bend in degrees are cut until they lie as near as this, some 10 cm, in GeoJSON."""


def in_degrees(changes: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Changes in longitudes and latitudes, cut at the antimeridian.

    Raises DataSourceError for a CRS without them.
    """
    import geopandas as gpd
    from pyogrio.errors import DataSourceError

    try:
        outlines = to_wgs84(changes.geometry.to_numpy(), changes.crs, EDGE_TOLERANCE_DEG)
    except ProjError as error:
        raise DataSourceError(f"{changes.crs.name} has no longitudes and latitudes") from error
    cut = gpd.GeoSeries([cut_at_180(each) for each in outlines], changes.index, LONLAT)
    return changes.set_geometry(cut)

"""Properties of a CRS: its own longitudes and latitudes, and its units."""

from __future__ import annotations

from functools import lru_cache

from pyproj import CRS, Transformer


@lru_cache(64)
def transformer(source: CRS, target: CRS) -> Transformer:
    """From coordinates in one CRS to those in another, x being the first. Raises ProjError."""
    return Transformer.from_crs(source, target, always_xy=True)


def horizontal(crs: CRS) -> CRS:
    """A CRS without the heights and the datum shift that it may carry."""
    if crs.is_bound and crs.source_crs is not None:
        crs = crs.source_crs
    return crs.sub_crs_list[0] if crs.is_compound else crs


def geographic_of(crs: CRS) -> CRS:
    """The longitudes and latitudes below a CRS: on its own datum, in its own unit.

    Those of a rotated pole are not rotated. Raises ValueError where there are none.
    """
    crs = horizontal(crs)
    if is_derived(crs) and crs.source_crs is not None:
        crs = crs.source_crs
    if crs.geodetic_crs is None:
        raise ValueError(f"{crs.name} has no longitudes and latitudes")
    return crs.geodetic_crs.to_2d()


def is_derived(crs: CRS) -> bool:
    """Whether the coordinates of a CRS are longitudes and latitudes round other poles."""
    return horizontal(crs).type_name.startswith("Derived Geographic")


def to_geographic(crs: CRS) -> Transformer:
    """From coordinates in a CRS to its own longitudes and latitudes, no datum shift between."""
    return transformer(horizontal(crs), geographic_of(crs))


def radians_of(crs: CRS) -> float:
    """The angle of one unit of a geographic CRS, in radians."""
    return float(crs.axis_info[0].unit_conversion_factor)


def metres_of(crs: CRS) -> float:
    """The length of one unit of a CRS at its true scale, in metres."""
    if crs.is_geographic:
        return radians_of(crs) * equator_m(crs)
    return float(crs.axis_info[0].unit_conversion_factor)


def equator_m(crs: CRS) -> float:
    """The equatorial radius of a CRS's ellipsoid, in metres."""
    assert crs.ellipsoid is not None
    return float(crs.ellipsoid.semi_major_metre)

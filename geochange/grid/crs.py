"""Properties of a CRS: its longitudes and latitudes, its units, and the x of one full turn."""

from __future__ import annotations

from functools import lru_cache
from math import pi

import numpy as np
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

PROBE_STEP_DEG = 30
"""Maps are asked at so many degrees of longitude where a step of theirs is constant."""

TURN_DIGITS = 9
"""A turn is rounded to so many decimals: of grads there are 400, not 400.0000000000004."""

STEP_TOLERANCE = 1e-9
"""How far two equal steps differ, as a share of one: rounding, no more."""

FALSE_EASTING, ORIGIN = "False easting", "Longitude of natural origin"
"""What EPSG calls the parameters of a map that move it along x."""


@lru_cache(64)
def transformer(source: CRS, target: CRS) -> Transformer:
    """From coordinates in one CRS to those in another, x being the first. Raises ProjError."""
    return Transformer.from_crs(source, target, always_xy=True)


@lru_cache(64)
def authority_of(crs: CRS) -> tuple[str, str] | None:
    """The name and code of a CRS, such as ("EPSG", "32632"), or None.

    For a CRS without a code PROJ searches its database, which takes over 0.1 s each time.
    """
    authority: tuple[str, str] | None = crs.to_authority()
    return authority


def horizontal_crs(crs: CRS) -> CRS:
    """A CRS without the heights and the datum shift that it may carry."""
    if crs.is_bound and crs.source_crs is not None:
        crs = crs.source_crs
    return crs.sub_crs_list[0] if crs.is_compound else crs


def geographic_of(crs: CRS) -> CRS:
    """The longitudes and latitudes below a CRS: on its own datum, in its own unit.

    Those of a rotated pole are not rotated. Raises ValueError where there are none.
    """
    crs = horizontal_crs(crs)
    if is_derived(crs) and crs.source_crs is not None:
        crs = crs.source_crs
    if crs.geodetic_crs is None:
        raise ValueError(f"{crs.name} has no longitudes and latitudes")
    return crs.geodetic_crs.to_2d()


def is_derived(crs: CRS) -> bool:
    """Whether the coordinates of a CRS are longitudes and latitudes round other poles."""
    return horizontal_crs(crs).type_name.startswith("Derived Geographic")


def to_geographic(crs: CRS) -> Transformer:
    """From coordinates in a CRS to its own longitudes and latitudes, no datum shift between."""
    return transformer(horizontal_crs(crs), geographic_of(crs))


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


def same_crs(one: CRS, other: CRS) -> bool:
    """Whether coordinates in two CRSs are the same, x being the first."""
    return one is other or bool(one.equals(other, ignore_axis_order=True))


@lru_cache(256)
def full_turn(crs: CRS) -> float | None:
    """How far along x a CRS comes to the same ground again, once round the Earth, in its units.

    360 for degrees, 400 for grads, the width of the world on a cylindrical map (Mercator); None for
    maps that do not go round.
    """
    if crs.is_geographic:
        return round(2 * pi / radians_of(crs), TURN_DIGITS)
    geographic = geographic_of(crs)
    turn = 2 * pi / radians_of(geographic)
    lon = np.arange(0, 360, PROBE_STEP_DEG) / 360 * turn
    try:
        to_map = transformer(geographic, crs)
        rows = np.array(
            [to_map.transform(lon, np.full(len(lon), lat))[0] for lat in (0.0, turn / 9)]
        )
    except ProjError:
        return None
    if not np.isfinite(rows).all():
        return None
    steps = np.diff(rows, axis=1)
    width = float(np.median(steps))
    # All steps are alike but the one over the edge of the map, and meridians are upright.
    odd = np.abs(steps - width) > STEP_TOLERANCE * width
    if (
        width <= 0
        or np.ptp(rows, axis=0).max() > STEP_TOLERANCE * width
        or odd.sum(axis=1).max() > 1
    ):
        return None
    return width * len(lon)


def central_x(crs: CRS) -> float:
    """The x in the middle of the world, half a turn from where a CRS that goes round has its ends."""
    crs = horizontal_crs(crs)
    if crs.is_geographic or crs.coordinate_operation is None:
        return 0.0
    easts = (p for p in crs.coordinate_operation.params if p.name == FALSE_EASTING)
    unit = crs.axis_info[0].unit_conversion_factor
    return sum(float(east.value) * east.unit_conversion_factor for east in easts) / unit


@lru_cache(64)
def with_central_meridian_moved(crs: CRS, degrees: float) -> CRS | None:
    """A CRS whose x is counted from so many degrees further east, on the same datum.

    It jumps half a turn from there, and nowhere else. None where a CRS cannot be turned.
    """
    said = horizontal_crs(crs).to_2d().to_json_dict()
    if is_derived(crs):
        return None
    if crs.is_geographic:
        # A rotated pole that stands where it stood: a prime meridian would be another datum.
        turn = {"o_lat_p": 90, "o_lon_p": 0, "lon_0": degrees}
        said = {
            "type": "DerivedGeographicCRS",
            "name": f"{crs.name} around {degrees:g}",
            "base_crs": {key: value for key, value in said.items() if key != "$schema"},
            "conversion": {
                "name": "turn",
                "method": {"name": "PROJ ob_tran o_proj=longlat"},
                "parameters": [
                    {"name": name, "value": value, "unit": "degree"} for name, value in turn.items()
                ],
            },
            "coordinate_system": said["coordinate_system"],
        }
        return CRS.from_json_dict(said)
    origins = [p for p in said["conversion"]["parameters"] if p["name"] == ORIGIN]
    if len(origins) != 1 or origins[0]["unit"] != "degree":
        return None
    origins[0]["value"] += degrees
    said["name"] = f"{crs.name} around {degrees:g}"
    for part in (said, said["conversion"]):
        part.pop("id", None)
    return CRS.from_json_dict(said)

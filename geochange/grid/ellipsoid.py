"""Points of an ellipsoid in space: on the ellipsoid itself, and on the sphere of the same areas."""

from __future__ import annotations

from dataclasses import dataclass
from math import atanh, sqrt

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid of revolution: its equatorial radius in metres, and its flattening."""

    equatorial_m: float
    flattening: float

    @classmethod
    def of(cls, crs: CRS) -> Ellipsoid:
        """That of a CRS, whatever its coordinates are."""
        assert crs.ellipsoid is not None
        inverse = crs.ellipsoid.inverse_flattening
        return cls(crs.ellipsoid.semi_major_metre, 1 / inverse if inverse else 0.0)

    @property
    def authalic_m(self) -> float:
        """The radius of the sphere with the same surface (Snyder 1987, eq. 3-13)."""
        e = sqrt(self.flattening * (2 - self.flattening))
        share = 1.0 if e == 0 else (1 + (1 - e**2) * atanh(e) / e) / 2
        return self.equatorial_m * sqrt(share)

    def positions_m(self, lon: Floats, lat: Floats) -> Floats:
        """(3, point) metres from the centre of the Earth, of longitudes and latitudes in radians."""
        e2 = self.flattening * (2 - self.flattening)
        sin, cos = np.sin(lat), np.cos(lat)
        radius = self.equatorial_m / np.sqrt(1 - e2 * sin**2)
        return _turned(radius * cos, radius * (1 - e2) * sin, lon)

    def directions(self, lon: Floats, lat: Floats) -> Floats:
        """(3, point) unit vectors: the same points on the sphere of the same areas.

        By the authalic latitude, whose series to the fourth order is exact to 1e-14 for the Earth
        (Karney 2024, "On auxiliary latitudes", doi 10.1080/00396265.2023.2217604).
        """
        n = self.flattening / (2 - self.flattening)
        second = n * (-4 / 3 + n * (-4 / 45 + n * (88 / 315 + n * 538 / 4725)))
        fourth = n**2 * (34 / 45 + n * (8 / 105 - n * 2482 / 14175))
        sixth = n**3 * (-1532 / 2835 - n * 898 / 14175)
        eighth = n**4 * 6007 / 14175
        # Clenshaw's sum of these times the sines of 2, 4, 6 and 8 latitudes.
        twice = 2 * np.cos(2 * lat)
        upper = sixth + twice * eighth
        middle = fourth + twice * upper - eighth
        authalic = lat + np.sin(2 * lat) * (second + twice * middle - upper)
        return _turned(np.cos(authalic), np.sin(authalic), lon)


def _turned(out: Floats, up: Floats, lon: Floats) -> Floats:
    """Points so far out from the axis and up along it, by longitude."""
    return np.stack([out * np.cos(lon), out * np.sin(lon), up])

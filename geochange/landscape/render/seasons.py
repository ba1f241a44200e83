"""The two dates: where the sun stands, how the air and the sensor colour what it lights."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Season:
    """One flight over the landscape.

    autumn: 0 in early summer, 1 in early autumn, turns every leaf and crop.
    sun_azimuth_deg: clockwise from north; sun_elevation_deg: above the horizon.
    haze: share of sky light mixed in; balance: gain of red, green, blue; gamma: of the film.
    noise_dn: deviation of the sensor's noise; blur_px: of its point spread.
    shift_px: (row, col) by which the whole picture is displaced.
    """

    autumn: float
    sun_azimuth_deg: float
    sun_elevation_deg: float
    haze: float
    balance: tuple[float, float, float]
    gamma: float
    noise_dn: float
    blur_px: float
    shift_px: tuple[float, float] = (0.0, 0.0)


EARLY_SUMMER = Season(
    autumn=0.0,
    sun_azimuth_deg=146.0,
    sun_elevation_deg=52.0,
    haze=0.03,
    balance=(1.0, 1.0, 1.0),
    gamma=1.0,
    noise_dn=2.0,
    blur_px=0.62,
)
EARLY_AUTUMN = Season(
    autumn=1.0,
    sun_azimuth_deg=172.0,
    sun_elevation_deg=43.0,
    haze=0.06,
    balance=(1.04, 0.99, 0.92),
    gamma=0.96,
    noise_dn=2.6,
    blur_px=0.7,
    shift_px=(0.6, -0.4),
)

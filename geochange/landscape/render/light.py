"""Light: sun, shade and sky on a canvas, then the air and the camera."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d, gaussian_filter

from geochange.landscape.render.canvas import Canvas
from geochange.landscape.render.noise import Floats
from geochange.landscape.render.seasons import Season

SKY = np.array([0.27, 0.30, 0.36], np.float32)
"""Light that reaches shade, as a share of full light, for red, green, blue."""
HAZE = np.array([0.50, 0.56, 0.64], np.float32)
PENUMBRA_PX = 1.2
SATURATION = 0.9


def photograph(canvas: Canvas, season: Season, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The canvas as the season's flight sees it: (row, col, 3) uint8."""
    sunlit = incidence(canvas.height_px, season) * (1 - cast_shadow(canvas.height_px, season))
    sky = sky_view(canvas.height_px)
    picture = np.empty_like(canvas.colour)
    for band in range(3):
        light = SKY[band] * sky + (1 - SKY[band]) * sunlit
        # Colours are as the eye has them; light adds up in their squares.
        radiance = np.square(canvas.colour[..., band] / 255) * light
        radiance = radiance * (1 - season.haze) + season.haze * HAZE[band]
        tone = np.clip(season.balance[band] * radiance, 0, 1) ** np.float32(season.gamma / 2)
        picture[..., band] = expose(tone * 255, season)
    # Half a kilometre of air takes colour away, though little of the contrast.
    grey = picture.mean(axis=2, keepdims=True)
    picture = grey + SATURATION * (picture - grey)
    picture += season.noise_dn * rng.standard_normal(picture.shape, dtype=np.float32)
    return np.asarray(np.clip(np.rint(picture), 0, 255), dtype=np.uint8)


def sun_direction(season: Season) -> tuple[float, float, float]:
    """Unit vector towards the sun as (row, col, up)."""
    azimuth, elevation = np.deg2rad([season.sun_azimuth_deg, season.sun_elevation_deg])
    flat = np.cos(elevation)
    return float(-np.cos(azimuth) * flat), float(np.sin(azimuth) * flat), float(np.sin(elevation))


def incidence(height_px: Floats, season: Season) -> Floats:
    """(row, col) sunlight on each surface, 1 on level ground."""
    to_row, to_col, up = sun_direction(season)
    fall, right = gentle_slope(height_px, 0), gentle_slope(height_px, 1)
    facing = (up - fall * to_row - right * to_col) / np.sqrt(1 + fall**2 + right**2)
    return np.asarray(np.clip(facing / up, 0, 1.45), dtype=np.float32)


def gentle_slope(height_px: Floats, axis: int) -> Floats:
    """The gentler of the slopes before and behind each pixel, 0 where they disagree in sign.

    So walls stay vertical, without the bright and dark rims of central differences, and a
    ridge is level.
    """
    steps = np.diff(height_px, axis=axis)
    pad = [(0, 0), (0, 0)]
    pad[axis] = (1, 1)
    padded = np.pad(steps, pad, mode="edge")
    count = height_px.shape[axis]
    behind = padded.take(range(count), axis=axis)
    ahead = padded.take(range(1, count + 1), axis=axis)
    gentler = np.where(np.abs(behind) < np.abs(ahead), behind, ahead)
    return np.asarray(np.where(behind * ahead > 0, gentler, 0), dtype=np.float32)


def cast_shadow(height_px: Floats, season: Season) -> Floats:
    """(row, col) share of the sun hidden by what stands towards it, 0 .. 1."""
    to_row, to_col, up = sun_direction(season)
    flat = float(np.hypot(to_row, to_col))
    reach_px = int(np.ceil(height_px.max() * flat / up))
    hidden = np.zeros_like(height_px)
    for step in range(1, reach_px + 1):
        offset = round(to_row / flat * step), round(to_col / flat * step)
        rows, rows_sunward = overlap(height_px.shape[0], offset[0])
        cols, cols_sunward = overlap(height_px.shape[1], offset[1])
        ray = height_px[rows_sunward, cols_sunward] - np.float32(step * up / flat)
        part = hidden[rows, cols]
        np.maximum(part, ray, out=part)
    return np.asarray(np.clip((hidden - height_px) / PENUMBRA_PX, 0, 1), dtype=np.float32)


def overlap(length: int, offset: int) -> tuple[slice, slice]:
    """The slices of one axis that pair each place with the place offset further on."""
    here = slice(max(0, -offset), length - max(0, offset))
    return here, slice(max(0, offset), length + min(0, offset))


def sky_view(height_px: Floats) -> Floats:
    """(row, col) share of the sky seen, lower at the foot of walls and between crowns."""
    around = gaussian_filter(height_px, 4.0, truncate=2.5)
    return np.asarray(1 / (1 + 0.09 * np.clip(around - height_px, 0, None)), dtype=np.float32)


def expose(band: Floats, season: Season) -> Floats:
    """Blur one (row, col) band by the lens and displace it by the season's shift, in one go."""
    for axis, shift_px in enumerate(season.shift_px):
        taps = np.arange(-4, 5)
        kernel = np.exp(-0.5 * ((taps + shift_px) / season.blur_px) ** 2)
        band = correlate1d(band, kernel / kernel.sum(), axis=axis, mode="nearest")
    return band

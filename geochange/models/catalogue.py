"""The models that come with geochange: what they are made for, and what they were measured at.

README and model card show these figures; a test compares them. benchmarks/accuracy.py makes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from geochange.models import BUILTIN, described, kind_of

Range = tuple[float, float]
"""The smallest and the largest pixel, in metres on the ground."""

NEAR_FACTOR: Final = 2.0
"""A pixel is near to a range if it is at most this many times smaller or larger.

Training enlarges and shrinks pictures by about as much (`training.data.zoom_ranges`).
"""

DEFAULT: Final = "changeclip-small"


@dataclass(frozen=True)
class Figures:
    """What a model was measured at.

    f1: of the pixels of change, by data set, 0 to 1. false_alarms: the share of pixels that are called
    changed where hardly anything changed. mpx_per_s: megapixels of ground a second on two cores.
    """

    f1: Mapping[str, float]
    false_alarms: float
    mpx_per_s: float


@dataclass(frozen=True)
class KnownModel:
    """A model that comes with geochange.

    bands: their names in order; empty takes any. pixels_m: the pixels that it has learnt from; empty
    for models that learn from the pair itself. names_m: the same for the names of what stands on a
    pixel. data: what it learnt from, with its terms; empty for models that are not trained.
    licence: of the model.
    """

    about: str
    figures: Figures
    bands: tuple[str, ...] = ()
    pixels_m: tuple[Range, ...] = ()
    names_m: tuple[Range, ...] = ()
    data: str = ""
    licence: str = "Apache-2.0"

    def to_json(self) -> dict[str, Any]:
        """Its fields as values for JSON."""
        return {**vars(self), "figures": vars(self.figures)}


def _figures(levir: float, oscd: float, sztaki: float, false_alarms: float, mpx: float) -> Figures:
    return Figures({"LEVIR-CD": levir, "OSCD": oscd, "SZTAKI": sztaki}, false_alarms, mpx)


KNOWN: Final[Mapping[str, KnownModel]] = {
    DEFAULT: KnownModel(
        about="a small ChangeCLIP, shipped; quiet, and it names what stands there",
        figures=_figures(0.365, 0.320, 0.312, 0.01, 0.4),
        bands=("red", "green", "blue"),
        pixels_m=((0.3, 1.5), (10, 10)),
        names_m=((0.1, 1),),
        data="NAIP and UC Merced (US public domain, crops CC BY 4.0), Sentinel-2 (Copernicus, open), "
        "open pictures of towns with land classes (NOTICE); no label of change",
    ),
    "cva": KnownModel(
        about="standardised change vectors, Otsu's threshold",
        figures=_figures(0.233, 0.204, 0.196, 0.24, 5.6),
    ),
    "irmad": KnownModel(
        about="iteratively reweighted MAD (Nielsen 2007)",
        figures=_figures(0.173, 0.211, 0.192, 0.30, 1.4),
    ),
}
"""By the names that --model takes, the default first."""


@dataclass(frozen=True)
class ModelScope:
    """What a model is made for, as far as it is known.

    pixels_m, names_m: as in KnownModel; empty where any pixel will do, or nothing is known. adapts:
    whether it learns from the pair itself, so that other light at one date does not matter.
    """

    model: str
    pixels_m: tuple[Range, ...] = ()
    names_m: tuple[Range, ...] = ()
    adapts: bool = False

    def warnings(self, pixel_m: float) -> tuple[str, ...]:
        """What pixels of this size mean for the result, and what to do; nothing where they are near."""
        here = f"pixels of {pixel_m:.3g} m: {self.model}"
        if self.pixels_m and not is_near(pixel_m, self.pixels_m):
            return (f"{here} learnt from {range_text(self.pixels_m)}{self._cure(pixel_m)}",)
        if self.names_m and not is_near(pixel_m, self.names_m):
            return (
                f"{here} learnt from {range_text(self.names_m)} what stands there, so its class names "
                "are guesses here; do not rely on them, nor on --only",
            )
        return ()

    def _cure(self, pixel_m: float) -> str:
        least = min(low for low, _ in self.pixels_m)
        if pixel_m < least:
            return (
                ", so things look larger than it knows and are missed; resample both dates to "
                f"{least:g} m (gdalwarp -tr)"
            )
        return (
            ", so most things are missed and others are wrong; --model cva and irmad fit any pixel, "
            "or train on chips of such pixels"
        )


def scope_of(name: str) -> ModelScope:
    """What a model is made for, by the name that --model takes. Raises as `described`."""
    if (known := KNOWN.get(name)) is not None:
        return ModelScope(name, known.pixels_m, known.names_m, adapts=not known.pixels_m)
    if kind_of(name) == "onnx" and (size := described(name).options.pixel_m):
        return ModelScope(Path(name).name, ((size[0], size[-1]),))
    return ModelScope(name, adapts=name in BUILTIN)


def is_near(pixel_m: float, ranges: tuple[Range, ...]) -> bool:
    """Whether a pixel is in a range, or at most NEAR_FACTOR times smaller or larger."""
    return any(low / NEAR_FACTOR <= pixel_m <= high * NEAR_FACTOR for low, high in ranges)


def range_text(ranges: tuple[Range, ...]) -> str:
    """Ranges as text, such as "0.3 to 1.5 m and 10 m"."""
    return " and ".join(
        f"{low:g} m" if low == high else f"{low:g} to {high:g} m" for low, high in ranges
    )

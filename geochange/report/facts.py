"""Facts: everything in a report, as plain values, before it becomes a page or a file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import Any

from geochange.raster.sources.band_stack import STACK_SEPARATOR, split_stack

Point = tuple[float, float]
Ring = tuple[Point, ...]

PATH_SEPARATOR = STACK_SEPARATOR
"""Between the paths of a raster of several files."""


@dataclass(frozen=True)
class GroundPlace:
    """Where the pair lies.

    Outlines are rings of (longitude, latitude), empty where there is no lon/lat.
    bounds: west, south, east, north in degrees, west the greater one over 180.
    centre: (longitude, latitude).
    shape: (rows, cols) of the common grid. size_m: its size on the ground.
    pixel: (height, width) of a pixel in `unit`.
    common_m2: the common ground. seen_m2: its part with data at both dates.
    """

    crs: str
    centre: Point | None
    bounds: tuple[float, float, float, float] | None
    outline: Ring
    outline_before: Ring
    outline_after: Ring
    shape: tuple[int, int]
    size_m: tuple[float, float]
    pixel: tuple[float, float]
    unit: str
    common_m2: float
    seen_m2: float


@dataclass(frozen=True)
class Source:
    """One of the two dates.

    path: of a raster, or of several joined by PATH_SEPARATOR. date: ISO 8601, or None if unknown.
    """

    path: str
    date: str | None
    bands: str

    @property
    def name(self) -> str:
        """The last part of its path or URL, or of each."""
        return PATH_SEPARATOR.join(PurePosixPath(part).name or part for part in self.parts)

    @property
    def parts(self) -> list[str]:
        """The paths of all rasters."""
        return split_stack(self.path)


@dataclass(frozen=True)
class ChangeGroup:
    """A group of changes: its name, their number and area."""

    name: str
    polygons: int
    area_m2: float


@dataclass(frozen=True)
class Change:
    """One change. centre: (longitude, latitude) of a point in it; None where there is no lon/lat.

    confidence: the probability that it is a change; None of a model that is not calibrated.
    before_class, after_class, change: class names by the network, such as "farmland -> building";
    None without names.
    """

    id: int
    area_m2: float
    perimeter_m: float
    confidence_mean: float
    confidence_max: float
    touches_edge: bool
    centre: Point | None
    confidence: float | None = None
    before_class: str | None = None
    after_class: str | None = None
    change: str | None = None


Box = tuple[float, float, float, float]
"""The first row and column, the height and the width, each as a share of the scene's."""


@dataclass(frozen=True)
class ListedChange:
    """A change in the list of a page.

    confidence: the probability that it is a change, or the mean probability of its pixels where the
    model is not calibrated. change: as in Change. centre: (longitude, latitude) of a point in it, or
    None. box: where it lies in the scene.
    """

    id: int
    area_m2: float
    confidence: float
    change: str | None
    centre: Point | None
    box: Box


@dataclass(frozen=True)
class Stage:
    """A stage of the run and its duration."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Facts:
    """All facts of a report.

    histogram: the number of changes in equal steps of confidence from 0 to 1. options: by name, as
    texts; `unusual` are those that differ from the defaults. files: names of the outputs beside the
    report, by their kind.
    """

    title: str
    before: Source
    after: Source
    place: GroundPlace
    polygons: int
    changed_m2: float
    threshold: float
    by_change: tuple[ChangeGroup, ...]
    by_size: tuple[ChangeGroup, ...]
    histogram: tuple[int, ...]
    top: tuple[Change, ...]
    warnings: tuple[str, ...]
    model: str
    options: dict[str, str]
    unusual: tuple[str, ...]
    versions: dict[str, str]
    stages: tuple[Stage, ...]
    started: str
    finished: str
    files: dict[str, str] = field(default_factory=dict)

    @property
    def changed_share(self) -> float:
        """The changed share of the ground seen at both dates, 0 to 1."""
        return self.changed_m2 / self.place.seen_m2 if self.place.seen_m2 else 0.0

    def to_json(self) -> dict[str, Any]:
        """The facts as plain JSON."""
        return {**asdict(self), "changed_share": self.changed_share}

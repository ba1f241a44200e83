"""The meaning of label values. 255 is change in some data sets and unknown in others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geochange.chip import CHANGED, UNCHANGED, UNKNOWN
from geochange.errors import InputError
from geochange.raster.pictures.label_image import WHITE_MIN, Label, read_label

CHIPS_FILE = "chips.json"
"""A file in the root of a data set that may declare its label values; `data chips` writes it."""

_DECLARATION = {"label_values": {"0": "none", "1": "change", "255": "unknown"}}

_MOST_LISTED = 4
"""The largest number of unexpected values that an error lists."""


@dataclass(frozen=True)
class LabelCode:
    """The meaning of the label values of a split.

    change: 1 or 255. If it is 1, 255 is unknown.
    values: the values that the labels of the split hold, sorted.
    rest: the meaning of pixels without a value: UNKNOWN, or UNCHANGED if the labels hold only change.
    """

    change: int
    values: tuple[int, ...]
    rest: int = UNKNOWN

    def decode(self, label: Label) -> NDArray[np.uint8]:
        """A label (height, width) as 1, 0 and 255 (unknown)."""
        numbers = label.numbers
        if numbers.dtype == np.bool_:
            decoded = numbers.astype(np.uint8)
        else:
            decoded = np.asarray(numbers == self.change, np.uint8)
            if self.change != UNKNOWN:
                decoded[numbers == UNKNOWN] = UNKNOWN
        decoded[~label.valid] = self.rest
        return decoded


@dataclass(frozen=True, slots=True)
class LabelValues:
    """What was found in one label, or in several.

    label: the path of the first label.
    values: which of 0, 1 and 255 it holds, if their meaning can be in doubt.
    changes: whether it holds change, where the meaning is not in doubt.
    hidden: which of 1 and 255 its pixels hold but its nodata value hides. nodata: that nodata value.
    gaps: whether some pixels have no value. lossy: whether it was saved with lossy compression.
    faint: the largest value of a lossy label that is too dark for change.
    turned: whether it draws change dark on light.
    """

    label: str
    values: frozenset[int] = frozenset()
    changes: bool = False
    hidden: frozenset[int] = frozenset()
    nodata: float | None = None
    gaps: bool = False
    lossy: bool = False
    faint: int = 0
    turned: bool = False

    @property
    def holds(self) -> frozenset[int]:
        """All its values. Change that is not in doubt counts as 1."""
        return self.values | ({CHANGED} if self.changes else frozenset())

    def __or__(self, other: LabelValues) -> LabelValues:
        """The union with another window or label."""
        return LabelValues(
            self.label,
            self.values | other.values,
            self.changes or other.changes,
            self.hidden | other.hidden,
            other.nodata if self.nodata is None else self.nodata,
            self.gaps or other.gaps,
            self.lossy or other.lossy,
            max(self.faint, other.faint),
            self.turned or other.turned,
        )


def read_label_values(path: Path) -> LabelValues:
    """Read the label of a chip. Raises InputError for other values."""
    return inspect_label(str(path), read_label(path))


def inspect_label(path: str, label: Label) -> LabelValues:
    """What a label, or a window of it, holds. Raises InputError, which lists unexpected values."""
    numbers, valid, coding = label.numbers, label.valid, label.coding
    gaps = not valid.all()
    kept, hidden = numbers[valid] if gaps else numbers, frozenset[int]()
    if coding.nodata is not None and gaps:
        gone = numbers[label.raw == coding.nodata]
        hidden = frozenset(value for value in (CHANGED, UNKNOWN) if (gone == value).any())
    if numbers.dtype == np.bool_:
        values, changes = frozenset({UNCHANGED} if not kept.all() else ()), bool(kept.any())
        used = {CHANGED, UNKNOWN} if changes else set[int]()
    else:
        values, changes = _values(path, kept), False
        used = set(values)
    faint = 0
    if coding.lossy:
        dark = label.raw[valid & (label.raw < WHITE_MIN)]
        faint = int(dark.max(initial=0))
    turned = bool(coding.dark & used)
    nodata = coding.nodata if hidden else None
    return LabelValues(path, values, changes, hidden, nodata, gaps, coding.lossy, faint, turned)


def _values(path: str, kept: NDArray[Any]) -> frozenset[int]:
    """Which of 0, 1 and 255 are present. Raises InputError for other values."""
    there = {value: kept == value for value in (UNCHANGED, CHANGED, UNKNOWN)}
    if not (there[UNCHANGED] | there[CHANGED] | there[UNKNOWN]).all():
        found = [value for value in np.unique(kept).tolist() if value not in there]
        told = ", ".join(f"{value:g}" for value in found[:_MOST_LISTED])
        more = f" and {len(found) - _MOST_LISTED} more" if len(found) > _MOST_LISTED else ""
        raise InputError(
            f"{path}: holds the label {told}{more}; save change as 1 or 255 and all else as 0 "
            "(beside 1, 255 is unknown), without loss (PNG, GeoTIFF)"
        )
    return frozenset(value for value, where in there.items() if where.any())


def code_of(
    own: Sequence[LabelValues],
    others: Callable[[], Iterable[LabelValues]] = tuple,
    declared: int | None = None,
) -> LabelCode:
    """The meaning of the label values of a split.

    own: the labels of the split. others: reads labels of the other splits; it is called only if needed.
    declared: the value of change that the data set declares; see `declared_in`. Without it, 255 is
    change if no label of the set holds a 1, and unknown if each label with 255 also holds a 1.

    Raises InputError if both meanings are possible; the error names a file of each kind. Raises it also
    if change is lost by a nodata value or by lossy compression.
    """
    whole = reduce(LabelValues.__or__, own)
    seen = [*own, *others()] if _is_ambiguous(whole, declared) else list(own)
    change = _guess_change_value(seen, whole) if declared is None else declared
    is_unknown = change == CHANGED and (
        declared == CHANGED or any(CHANGED in s.values for s in seen)
    )
    _need_numbers(seen, {CHANGED} if is_unknown else {CHANGED, UNKNOWN})
    _need_bright_pixel(own, seen)
    values = set(whole.values) | ({change} if whole.changes else set())
    is_all_change = UNCHANGED not in whole.values and change in values
    return LabelCode(change, tuple(sorted(values)), UNCHANGED if is_all_change else UNKNOWN)


def label_warnings(own: Sequence[LabelValues], code: LabelCode) -> Iterator[str]:
    """Warnings about labels that are readable, but that people may read in another way."""
    if any(each.lossy and each.changes for each in own):
        yield f"labels were saved with loss (JPEG): numbers from {WHITE_MIN} on are change, all else none"
    if turned := [each.label for each in own if each.turned]:
        yield (
            f"labels are drawn dark on light ({turned[0]}); their numbers count, not their colours: "
            "0 is none"
        )
    if code.rest != UNKNOWN and any(each.gaps for each in own):
        yield (
            "labels hold only change; pixels without a value (nodata, mask, alpha) count as unchanged; "
            "save change as 1 and unknown as 255"
        )


def _is_ambiguous(whole: LabelValues, declared: int | None) -> bool:
    """Whether the meaning depends on the other splits."""
    return whole.faint > 0 or (declared is None and UNKNOWN in whole.values | whole.hidden)


def _guess_change_value(seen: Sequence[LabelValues], whole: LabelValues) -> int:
    if UNKNOWN not in whole.values:
        return CHANGED if CHANGED in whole.values or not whole.changes else UNKNOWN
    one = next((each for each in seen if CHANGED in each.values), None)
    white = next((e for e in seen if UNKNOWN in e.values and CHANGED not in e.values), None)
    if one is None:
        return UNKNOWN
    if white is None:
        return CHANGED
    raise InputError(
        f"{white.label}: holds 255 and no 1, but {one.label} holds a 1, so 255 may be change or "
        f"unknown; save change alike in all labels, or declare it in {CHIPS_FILE} in the folder of the "
        f"data set: {json.dumps(_DECLARATION)}"
    )


def _need_numbers(seen: Sequence[LabelValues], changes: set[int]) -> None:
    """Refuse a nodata value that may be change. Raises InputError."""
    lost = next((each for each in seen if each.hidden & changes), None)
    if lost is not None:
        raise InputError(
            f"{lost.label}: its nodata value {lost.nodata:g} may mean change, which would be "
            "lost; remove the nodata value (gdal_translate -a_nodata none OLD NEW), or, if those "
            "pixels are unknown, make it another number (gdalwarp -dstnodata 2)"
        )


def _need_bright_pixel(own: Sequence[LabelValues], seen: Sequence[LabelValues]) -> None:
    """Refuse lossy labels without any bright pixel. Raises InputError."""
    faint = max(own, key=lambda each: each.faint)
    if faint.faint and not any(each.lossy and each.changes for each in seen):
        raise InputError(
            f"{faint.label}: was saved with loss (JPEG), and no number in it is above "
            f"{faint.faint}, so change cannot be recognized; save change as 255, or without loss (PNG)"
        )


def declared_in(root: Path, own: Sequence[LabelValues]) -> int | None:
    """The value of change that the file CHIPS_FILE of a data set declares, if it does.

    Raises InputError if the file cannot be read, or if the labels contradict it.
    """
    file = root / CHIPS_FILE
    change = _read_declared(file)
    if change == UNKNOWN:
        odd = next((seen.label for seen in own if CHANGED in seen.values), None)
        if odd is not None:
            raise InputError(
                f"{odd}: holds a 1, but {file} says that change is 255; correct one of them"
            )
    return change


def _read_declared(file: Path) -> int | None:
    if not file.is_file():
        return None
    try:
        told: Any = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{file}: cannot be read as JSON; mend it, or take it away") from error
    values = told.get("label_values") if isinstance(told, Mapping) else None
    if not isinstance(values, Mapping):
        return None
    for change in (CHANGED, UNKNOWN):
        if values.get(str(change)) == "change":
            return change
    raise InputError(f"{file}: its label_values name no change; say {json.dumps(_DECLARATION)}")

"""Meaning: what labels say, above all with 255, which is change to some and unknown to others."""

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
from geochange.raster.pictures.label import HALF, Label, read_label

ACCOUNT = "chips.json"
"""In the root of a data set: may say what the values of its labels mean, as `data chips` does."""

_SAID = {"label_values": {"0": "none", "1": "change", "255": "unknown"}}

_NAMED = 4
"""So many odd values of a label are named."""


@dataclass(frozen=True)
class LabelCode:
    """What the values in the labels of a split mean.

    change: 1 or 255; where it is 1, 255 is unknown.
    values: those that the labels of the split hold, in order.
    rest: what is where a label has no number: UNKNOWN, or UNCHANGED in labels of nothing but change.
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
    """What was seen of a label, or of several.

    label: its path, or that of the first. values: which of 0, 1 and 255 it holds, as far as they
    may mean one thing or another. changes: whether it holds change whatever they mean.
    hidden: those of 1 and 255 that pixels hold and its nodata value takes away. nodata: that value,
    where it takes one away. gaps: whether
    pixels hold no number. lossy: whether it was saved with loss. faint: the largest number of such
    a label that is too dark for change. turned: whether change is drawn dark on light.
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
        """All its numbers, with 1 for a change that could not be another."""
        return self.values | ({CHANGED} if self.changes else frozenset())

    def __or__(self, other: LabelValues) -> LabelValues:
        """Of this label, and another window or label."""
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
    return look_at(str(path), read_label(path))


def look_at(path: str, label: Label) -> LabelValues:
    """What a label, or a window of it, holds. Raises InputError for other values, which it names."""
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
        dark = label.raw[valid & (label.raw < HALF)]
        faint = int(dark.max(initial=0))
    turned = bool(coding.dark & used)
    nodata = coding.nodata if hidden else None
    return LabelValues(path, values, changes, hidden, nodata, gaps, coding.lossy, faint, turned)


def _values(path: str, kept: NDArray[Any]) -> frozenset[int]:
    """Which of 0, 1 and 255 numbers are. Raises InputError for others."""
    there = {value: kept == value for value in (UNCHANGED, CHANGED, UNKNOWN)}
    if not (there[UNCHANGED] | there[CHANGED] | there[UNKNOWN]).all():
        found = [value for value in np.unique(kept).tolist() if value not in there]
        told = ", ".join(f"{value:g}" for value in found[:_NAMED])
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
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
    """What the labels of a split mean.

    own: the labels of the split. others: looks at those of other splits, where it matters.
    declared: the value that is change, where the data set says so; see `declared_in`. Else 255 is
    change where no label of the set holds a 1, and unknown where every label that holds it holds a
    1, too.

    Raises InputError where both may be meant, which names a file of each kind, and where a nodata
    value or a loss takes the change away.
    """
    whole = reduce(LabelValues.__or__, own)
    seen = [*own, *others()] if _matters(whole, declared) else list(own)
    change = _guessed(seen, whole) if declared is None else declared
    is_unknown = change == CHANGED and (
        declared == CHANGED or any(CHANGED in s.values for s in seen)
    )
    _need_numbers(seen, {CHANGED} if is_unknown else {CHANGED, UNKNOWN})
    _need_shades(own, seen)
    values = set(whole.values) | ({change} if whole.changes else set())
    is_all_change = UNCHANGED not in whole.values and change in values
    return LabelCode(change, tuple(sorted(values)), UNCHANGED if is_all_change else UNKNOWN)


def remarks(own: Sequence[LabelValues], code: LabelCode) -> Iterator[str]:
    """What should be known of labels that are read, and could be meant otherwise."""
    if any(each.lossy and each.changes for each in own):
        yield f"labels were saved with loss (JPEG): numbers from {HALF} on are change, all else none"
    if turned := [each.label for each in own if each.turned]:
        yield (
            f"labels are drawn dark on light ({turned[0]}); their numbers count, not how they are "
            "drawn: 0 is none"
        )
    if code.rest != UNKNOWN and any(each.gaps for each in own):
        yield (
            "labels hold no number but change; where they hold none (nodata, mask, alpha), nothing "
            "changed; save what is unknown as 255 beside 1"
        )


def _matters(whole: LabelValues, declared: int | None) -> bool:
    """Whether other splits have a say in what a split means."""
    return whole.faint > 0 or (declared is None and UNKNOWN in whole.values | whole.hidden)


def _guessed(seen: Sequence[LabelValues], whole: LabelValues) -> int:
    if UNKNOWN not in whole.values:
        return CHANGED if CHANGED in whole.values or not whole.changes else UNKNOWN
    one = next((each for each in seen if CHANGED in each.values), None)
    white = next((e for e in seen if UNKNOWN in e.values and CHANGED not in e.values), None)
    if one is None:
        return UNKNOWN
    if white is None:
        return CHANGED
    raise InputError(
        f"{white.label}: holds 255 and no 1, and {one.label} holds a 1, so that 255 may be change "
        f"or unknown; save change alike in all labels, or say so in {ACCOUNT} in the folder of the "
        f"data set: {json.dumps(_SAID)}"
    )


def _need_numbers(seen: Sequence[LabelValues], changes: set[int]) -> None:
    """Refuse a nodata value that may be change. Raises InputError."""
    lost = next((each for each in seen if each.hidden & changes), None)
    if lost is not None:
        raise InputError(
            f"{lost.label}: its nodata value {lost.nodata:g} is a number of change, which would be "
            "lost; take the nodata value off (gdal_edit.py -unsetnodata), or, if those pixels are "
            "unknown, make it another number (gdalwarp -dstnodata 2)"
        )


def _need_shades(own: Sequence[LabelValues], seen: Sequence[LabelValues]) -> None:
    """Refuse labels that were saved with loss and hold no white at all. Raises InputError."""
    faint = max(own, key=lambda each: each.faint)
    if faint.faint and not any(each.lossy and each.changes for each in seen):
        raise InputError(
            f"{faint.label}: was saved with loss (JPEG), and no number in it is above "
            f"{faint.faint}, so that change is not told from none; save change as 255, or without "
            "loss (PNG)"
        )


def declared_in(root: Path, own: Sequence[LabelValues]) -> int | None:
    """The value that is change, if the account of a data set says it.

    Raises InputError for one that cannot be read, or that the labels are at odds with.
    """
    file = root / ACCOUNT
    change = _declared(file)
    if change == UNKNOWN:
        odd = next((seen.label for seen in own if CHANGED in seen.values), None)
        if odd is not None:
            raise InputError(
                f"{odd}: holds a 1, and change is 255 as {file} has it; correct one of them"
            )
    return change


def _declared(file: Path) -> int | None:
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
    raise InputError(f"{file}: its label_values name no change; say {json.dumps(_SAID)}")

"""Meaning: what labels say, above all with 255, which is change to some and unknown to others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geochange.dataset.chip_files import CHANGE, NONE, UNKNOWN, LabelEncoding, read_values
from geochange.errors import InputError

ACCOUNT = "chips.json"
"""In the root of a data set: may say what the values of its labels mean, as `data chips` does."""

_SAID = {"label_values": {"0": "none", "1": "change", "255": "unknown"}}


@dataclass(frozen=True, slots=True)
class LabelValues:
    """A label and which of 0, 1 and 255 it holds."""

    label: Path
    values: frozenset[int]


def read_label_values(label: Path) -> LabelValues:
    """Read a label. Raises InputError for other values."""
    values, _ = read_values(label)
    return LabelValues(label, frozenset(v for v in (NONE, CHANGE, UNKNOWN) if (values == v).any()))


def code_of(
    root: Path, own: Sequence[LabelValues], others: Callable[[], Iterable[LabelValues]]
) -> LabelEncoding:
    """What the labels of a split mean.

    What the account in `root` says counts. Without one, 255 is change where no label of the set
    holds a 1, and unknown where every label that holds it holds a 1, too. own: the labels of the
    split. others: looks at those of other splits, where it matters.

    Raises InputError where both may be meant, which names a file of each kind.
    """
    values = frozenset[int]().union(*(seen.values for seen in own))
    change = _declared(root)
    if change is None:
        change = _guessed(root, own, others) if UNKNOWN in values else CHANGE
    elif change == UNKNOWN and CHANGE in values:
        odd = next(seen.label for seen in own if CHANGE in seen.values)
        raise InputError(
            f"{odd}: holds a 1, and change is 255 as {root / ACCOUNT} has it; correct one of them"
        )
    return LabelEncoding(change, tuple(sorted(values)))


def _guessed(
    root: Path, own: Sequence[LabelValues], others: Callable[[], Iterable[LabelValues]]
) -> int:
    seen = [*own, *others()]
    one = next((each for each in seen if CHANGE in each.values), None)
    white = next((e for e in seen if UNKNOWN in e.values and CHANGE not in e.values), None)
    if one is None:
        return UNKNOWN
    if white is None:
        return CHANGE
    raise InputError(
        f"{white.label}: holds 255 and no 1, and {one.label} holds a 1, so that 255 may be change "
        f"or unknown; save change alike in all labels, or say so in {root / ACCOUNT}: "
        f"{json.dumps(_SAID)}"
    )


def _declared(root: Path) -> int | None:
    """The value that is change, if the account of the data set says it. Raises InputError."""
    file = root / ACCOUNT
    if not file.is_file():
        return None
    try:
        told: Any = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{file}: cannot be read as JSON; mend it, or take it away") from error
    values = told.get("label_values") if isinstance(told, Mapping) else None
    if not isinstance(values, Mapping):
        return None
    for change in (CHANGE, UNKNOWN):
        if values.get(str(change)) == "change":
            return change
    raise InputError(f"{file}: its label_values name no change; say {json.dumps(_SAID)}")

"""InputBands: the bands that a network was taught, as its card holds them. It does not import torch."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from geochange.errors import InputError
from geochange.files.bounded_read import parse_json

Unit = Literal["raw", "db"]
"""What the values are: as they are in the raster, or decibels of a radar."""

MOST_BANDS = 1024
"""The largest number of bands of a network."""

LONGEST_NAME = 60
"""The most letters of a band's name."""

MOST_HEADER_BYTES = 2**24
"""The largest header of a file of weights that is read."""

_UNNAMED = re.compile(r"band [0-9]+")


@dataclass(frozen=True, slots=True)
class InputBands:
    """The bands of each date, in the order of the network's input.

    names: their descriptions in the files of the training, or "band N" for those without.
    numbers: their 1-based numbers in those files. mean, std: of the training split, in the unit of
    the values; the network subtracts the one and divides by the other. rgb: the places of red, green
    and blue among the bands, from 0; empty where there are none.
    """

    names: tuple[str, ...]
    numbers: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    unit: Unit = "raw"
    rgb: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def is_named(self, place: int) -> bool:
        """Whether the files of the training name a band."""
        return _UNNAMED.fullmatch(self.names[place]) is None

    def to_json(self) -> dict[str, Any]:
        """Values for `from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Any) -> InputBands:
        """The bands in a card. Raises InputError for values that make no sense."""
        if not isinstance(values, Mapping):
            raise InputError("its bands are not a table")
        try:
            tuples: dict[str, Any] = {
                k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
            }
            bands = cls(**tuples)
            wrong = _fault(bands)
        except TypeError as error:
            raise InputError(f"its bands cannot be read ({str(error)[:100]})") from error
        if wrong:
            raise InputError(f"its bands are not valid: {wrong}")
        return bands


def _fault(bands: InputBands) -> str:
    """What is wrong with bands of a card; empty if nothing is."""
    count = len(bands.names)
    columns = (bands.names, bands.numbers, bands.mean, bands.std)
    if not all(isinstance(column, tuple) for column in (*columns, bands.rgb)):
        return "a list is missing"
    if not 0 < count <= MOST_BANDS or any(len(column) != count for column in columns):
        return f"lists of {', '.join(str(len(column)) for column in columns)} bands"
    if not all(isinstance(name, str) and 0 < len(name) <= LONGEST_NAME for name in bands.names):
        return "a name"
    if not all(type(number) is int and number > 0 for number in bands.numbers):
        return "a number"
    values = (*bands.mean, *bands.std)
    if not all(type(value) in (int, float) and math.isfinite(value) for value in values):
        return "a mean or deviation that is not finite"
    if min(bands.std) <= 0:
        return "a deviation of 0"
    if bands.unit not in get_args(Unit):
        return f"unit {str(bands.unit)[:20]}"
    right = all(type(place) is int and 0 <= place < count for place in bands.rgb)
    return "" if right and len(set(bands.rgb)) == len(bands.rgb) in (0, 3) else "rgb"


def bands_of_file(path: Path) -> InputBands | None:
    """The bands in the card of a checkpoint; None for RGB, and for files of others.

    Only the header is read. A damaged one gives None: who reads the tensors says so. Raises InputError
    for bands that make no sense.
    """
    try:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 0 < length <= MOST_HEADER_BYTES:
                return None
            header = stream.read(length)
        if not header.startswith(b"{"):
            return None
        card = parse_json(parse_json(header)["__metadata__"]["geochange"])
        values = card["options"].get("bands")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    try:
        return None if values is None else InputBands.from_json(values)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error

"""Tensors of an ONNX file: what they claim to hold, and what the file holds of them."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

from geochange.errors import InputError
from geochange.models.onnx.protobuf_wire import Span, Value, WireReader

BITS = {
    **{1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64},
    **{14: 64, 15: 128, 16: 16, 17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8},
}
"""Bits of a number by data type (onnx.proto, TensorProto.DataType). Texts, type 8, are not here."""

_DIMS, _TYPE, _SEGMENT, _RAW, _EXTERNAL, _LOCATION = 1, 2, 3, 9, 13, 14
_TYPED = {4, 5, 7, 10, 11}
"""Fields with numbers of one type each. A packed number takes a byte or more."""

MOST_DIMS = 16


@dataclass
class _Claim:
    """What a tensor says of itself, and the bytes of numbers that lie in its message."""

    dims: list[int] = field(default_factory=list)
    kind: int = 0
    raw: int | None = None
    typed: int = 0
    external: dict[str, str] = field(default_factory=dict)
    outside: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """The bytes that a tensor takes, and the file beside that holds them, if any."""

    size: int
    file: Path | None = None


def check_tensor(wire: WireReader, span: Span, folder: Path) -> Held:
    """Refuse a tensor whose numbers are not all in the file, or beside it. Raises InputError."""
    claim = _read(wire, span)
    if claim.kind == 8:
        raise InputError("it holds texts, which no network of pictures needs; export it without")
    if claim.kind not in BITS:
        raise InputError(f"numbers of a type {claim.kind} that is not known here")
    if len(claim.dims) > MOST_DIMS or any(not 0 <= side < 2**40 for side in claim.dims):
        raise InputError(f"a tensor of the shape {claim.dims[:MOST_DIMS]}, which cannot be")
    count = math.prod(claim.dims)
    size = -(-count * BITS[claim.kind] // 8)
    if claim.outside:
        return Held(size, _beside(claim.external, folder, size))
    held = claim.typed * 8 if claim.raw is None else claim.raw
    if (claim.raw is None and count > claim.typed) or (claim.raw is not None and size != held):
        raise InputError(
            f"a tensor claims {count:,} numbers and holds {held:,} bytes; export or download it again"
        )
    return Held(size)


def _read(wire: WireReader, span: Span) -> _Claim:
    claim = _Claim()
    for number, value in wire.fields(span):
        if number == _DIMS:
            claim.dims += wire.numbers(value)
        elif number == _TYPE and isinstance(value, int):
            claim.kind = value
        elif number == _RAW and isinstance(value, Span):
            claim.raw = len(value)
        elif number in _TYPED:
            claim.typed += len(value) if isinstance(value, Span) else 1
        elif number == _EXTERNAL and isinstance(value, Span):
            key, text = read_pair(wire, value)
            claim.external[key] = text
        elif number == _LOCATION:
            claim.outside = value == 1
        elif number == _SEGMENT:
            raise InputError("a tensor in segments, which onnxruntime does not read")
    return claim


def read_pair(wire: WireReader, span: Span, most: int = 2**16) -> tuple[str, str]:
    """Key and value of a StringStringEntryProto."""
    found: dict[int, Value] = dict(wire.fields(span))
    texts = (wire.raw(found[i], most, "a text") if i in found else "" for i in (1, 2))
    key, value = texts
    return key, value


def _beside(entries: Mapping[str, str], folder: Path, size: int) -> Path:
    """The file beside the network that holds a tensor. Raises InputError for any other place."""
    name = entries.get("location", "")
    file = folder / name
    if _leads_away(name, file, folder):
        raise InputError(
            f"its weights lie in {name[:80]!r}; they must be in a file beside it, named without a "
            "folder"
        )
    if not file.is_file():
        raise InputError(f"its weights lie in {name[:80]!r}, which is not beside it; put it there")
    try:
        offset, length = int(entries.get("offset") or 0), int(entries.get("length") or size)
    except ValueError as error:
        raise InputError(f"the place of a tensor in {name[:80]!r} is no number") from error
    if length != size or offset < 0 or offset + length > file.stat().st_size:
        raise InputError(
            f"a tensor takes {size:,} bytes at {offset:,} of {name[:80]!r}, which has "
            f"{file.stat().st_size:,}; download it again"
        )
    return file


def _leads_away(name: str, file: Path, folder: Path) -> bool:
    """Whether a name is none of a file in the folder itself, links included."""
    parts = (PurePosixPath(name), PureWindowsPath(name))
    if not name or "\0" in name or any(len(part.parts) != 1 for part in parts) or name == "..":
        return True
    return Path(os.path.realpath(file)).parent != Path(os.path.realpath(folder))

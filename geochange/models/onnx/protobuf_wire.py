"""Protobuf's wire format, read with bounded work and without building messages.

A message that protobuf builds may take a hundred times the bytes of its file: each empty submessage
has two bytes there. So a file is looked through by this reader before any library parses it.
Source: protobuf.dev, "Encoding".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from geochange.errors import InputError

MOST_FIELDS = 2**19
"""The most fields that are looked at; large published networks have some fifty thousand."""

LONGEST_TEXT = 2**16
"""The largest number of bytes of a name."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes `start` to `stop` of a file."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


Value = int | Span
"""A number, or the place of a text, a message or packed numbers."""


class WireReader:
    """Reads fields of messages in place. All readings of a file share one limit.

    data: the bytes of the file, in memory or mapped.
    """

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.whole = Span(0, len(data))
        self._left = MOST_FIELDS

    def fields(self, span: Span) -> Iterator[tuple[int, Value]]:
        """The fields of a message: number and value. Raises InputError for damage."""
        place = span.start
        while place < span.stop:
            self._count()
            tag, place = self._varint(place, span.stop)
            number, kind = tag >> 3, tag & 7
            value, place = self._value(kind, place, span.stop)
            yield number, value

    def messages(self, span: Span, number: int) -> Iterator[Span]:
        """The submessages of one field."""
        for found, value in self.fields(span):
            if found == number and isinstance(value, Span):
                yield value

    def numbers(self, value: Value) -> Iterator[int]:
        """The signed integers of a repeated field, packed or one by one."""
        if isinstance(value, int):
            yield _signed(value)
            return
        place = value.start
        while place < value.stop:
            self._count()
            number, place = self._varint(place, value.stop)
            yield _signed(number)

    def text(self, value: Value) -> str:
        """A name. Raises InputError if it is too long or is not UTF-8."""
        return self.raw(value, LONGEST_TEXT, "a name")

    def raw(self, value: Value, most: int, what: str) -> str:
        """A text of at most `most` bytes. Raises InputError."""
        if isinstance(value, int):
            raise damaged("a number in the place of a text")
        if len(value) > most:
            raise InputError(f"{what} of {len(value):,} bytes; the limit is {most:,}")
        try:
            return bytes(self.data[value.start : value.stop]).decode()
        except UnicodeDecodeError as error:
            raise damaged("a text that is not UTF-8") from error

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise InputError(
                f"it has more than {MOST_FIELDS:,} parts, which no network needs; store weights as "
                "raw data (onnx.save does)"
            )

    def _value(self, kind: int, place: int, stop: int) -> tuple[Value, int]:
        if kind == _VARINT:
            return self._varint(place, stop)
        if kind == _BYTES:
            length, place = self._varint(place, stop)
        elif kind in _FIXED:
            length = _FIXED[kind]
        else:
            raise damaged(f"a field of kind {kind}")
        if length > stop - place:
            raise damaged("it ends in the middle")
        return Span(place, place + length), place + length

    def _varint(self, place: int, stop: int) -> tuple[int, int]:
        number = 0
        for shift in range(0, 70, 7):
            if place >= stop:
                raise damaged("it ends in the middle")
            byte = self.data[place]
            place += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number & (2**64 - 1), place
        raise damaged("a number of more than ten bytes")


def damaged(why: str) -> InputError:
    """The refusal of a file that is no whole ONNX file."""
    return InputError(f"no ONNX file, or a damaged one ({why}); export or download it again")


def _signed(number: int) -> int:
    return number - 2**64 if number >= 2**63 else number

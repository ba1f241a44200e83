"""What an ONNX file and its description say together: all that a run must know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from geochange.config.onnx import ARROW, OnnxOptions, description_of, read_onnx_options
from geochange.errors import InputError
from geochange.formatting import printable
from geochange.land_cover import NO_LAND_CLASS
from geochange.models.onnx.file_checks import Outline, Port, Side, read_outline

Layout = Literal["two", "stacked", "dates"]
"""Both dates as two inputs (B, C, H, W), as one (B, 2 C, H, W), or as one (B, 2, C, H, W)."""

LARGEST_PX = 4096
"""The largest fixed side of a network's input, which is that of --tile."""

MOST_BANDS = 1024

FLOATS = ("float32", "float16", "float64")


@dataclass(frozen=True, slots=True)
class Description:
    """An ONNX file with what is said of it.

    inputs: one or two. bands: of a date; None where nobody says it. sides: height and width of the
    input, None where any is taken. output: that tells change, if any.
    """

    path: Path
    outline: Outline
    options: OnnxOptions
    inputs: tuple[Port, ...]
    layout: Layout
    bands: int | None
    sides: tuple[int | None, int | None]
    output: Port | None

    @property
    def tile_px(self) -> int | None:
        """The tile size that the network asks for."""
        fixed = [side for side in self.sides if side is not None]
        return min(fixed) if fixed else self.options.tile

    @property
    def says(self) -> str | None:
        """What its output is; None where nobody says it."""
        if self.output is not None and self.output.kind not in (*FLOATS, "other"):
            return "labels"
        return self.options.says

    def missing(self) -> list[str]:
        """What must be known and is not, by the names of OnnxOptions."""
        unknown = {
            "bands": self.bands is None,
            "scale": self.inputs[0].kind in FLOATS and self.options.scale is None,
            "says": self.output is not None and self.says is None,
        }
        return [name for name, is_missing in unknown.items() if is_missing]


def describe(path: Path, options: OnnxOptions | None = None) -> Description:
    """All that a run must know of a network. Raises InputError and OptionError.

    options: in the place of the file beside it and of its metadata.
    """
    known = outlined(path, options)
    if missing := known.missing():
        raise InputError(
            f"{path}: nobody says {', '.join(missing)}; geochange weights show {path} --write makes "
            f"{description_of(path).name} with a guess, which you then check"
        )
    return known


def outlined(path: Path, options: OnnxOptions | None = None) -> Description:
    """What is known of a network, complete or not; see `describe`."""
    outline = read_outline(path)
    options = options or read_onnx_options(path, outline.metadata)
    try:
        inputs = _inputs(outline, options)
        layout = _layout(inputs)
        return Description(
            *(path, outline, options, inputs, layout),
            bands=_bands(inputs, layout, options),
            sides=_sides(inputs),
            output=_output(outline, options),
        )
    except InputError as error:
        raise InputError(f"{path}: {printable(str(error))}") from error


def _named(ports: Sequence[Port], name: str, what: str) -> Port:
    found = next((port for port in ports if port.name == name), None)
    if found is None:
        there = ", ".join(port.name[:40] for port in ports[:9])
        raise InputError(f"has no {what} {name[:40]!r}; it has {there}")
    return found


def _inputs(outline: Outline, options: OnnxOptions) -> tuple[Port, ...]:
    found = tuple(outline.inputs)
    if len(found) not in (1, 2):
        raise InputError(
            f"takes {len(found)} inputs; both dates are given as two, or as one; export it so"
        )
    if options.inputs:
        if len(options.inputs) != len(found):
            raise InputError(f"takes {len(found)} inputs; inputs must name each")
        found = tuple(_named(found, name, "input") for name in options.inputs)
    for port in found:
        if port.kind not in (*FLOATS, "uint8"):
            raise InputError(f"its input {port.name[:40]!r} is of {port.kind}, not float or uint8")
        if port.shape and isinstance(port.shape[0], int) and port.shape[0] != 1:
            raise InputError(
                f"takes {port.shape[0]} pictures at once; export it for one, or for any number"
            )
    if len({(port.kind, port.shape and port.shape[1:]) for port in found}) > 1:
        raise InputError("its two inputs differ; both dates are given alike")
    return found


def _layout(inputs: Sequence[Port]) -> Layout:
    shape = inputs[0].shape
    if shape is None or len(shape) == 4:
        return "two" if len(inputs) == 2 else "stacked"
    if len(inputs) == 1 and len(shape) == 5 and (shape[1] == 2 or not isinstance(shape[1], int)):
        return "dates"
    raise InputError(
        f"takes an input of shape {_shown(shape)}; it must be (B, C, H, W) for each date, (B, 2 C, H, "
        "W) or (B, 2, C, H, W)"
    )


def _shown(shape: tuple[Side, ...]) -> str:
    return f"({', '.join('?' if side is None else str(side)[:20] for side in shape[:9])})"


def _bands(inputs: Sequence[Port], layout: Layout, options: OnnxOptions) -> int | None:
    shape = inputs[0].shape
    channels = None if shape is None else shape[-3]
    if not isinstance(channels, int):
        count = len(options.bands) or None
    elif layout == "stacked" and channels % 2:
        raise InputError(f"takes {channels} channels, which are no two dates of equal bands")
    else:
        count = channels // 2 if layout == "stacked" else channels
    if count is not None and not 0 < count <= MOST_BANDS:
        raise InputError(f"takes {count:,} bands; the limit is {MOST_BANDS:,}")
    if options.bands and len(options.bands) != count:
        raise InputError(f"takes {count} bands of a date; bands names {len(options.bands)}")
    for name, numbers in (("mean", options.mean), ("std", options.std)):
        if len(numbers) not in (0, 1, count):
            raise InputError(
                f"takes {count} bands of a date; {name} has {len(numbers)} numbers: give one for all, or "
                "one a band"
            )
    return count


def _sides(inputs: Sequence[Port]) -> tuple[int | None, int | None]:
    shape = inputs[0].shape or (None, None)
    height, width = (side if isinstance(side, int) else None for side in shape[-2:])
    if max(height or 0, width or 0) > LARGEST_PX:
        raise InputError(f"takes {height} x {width} px; the limit is {LARGEST_PX}")
    return height, width


def _output(outline: Outline, options: OnnxOptions) -> Port | None:
    if not outline.outputs:
        raise InputError("has no output")
    for name in filter(None, (options.before, options.after)):
        _named(outline.outputs, name, "output")
    if options.output:
        return _named(outline.outputs, options.output, "output")
    taken = (options.before, options.after)
    left = [port for port in outline.outputs if port.name not in taken]
    return left[0] if left else None


@dataclass(frozen=True, slots=True)
class LandTable:
    """Names of land classes, and their numbers by channel or label; NO_LAND_CLASS has no name."""

    names: tuple[str, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]


NO_LAND = LandTable((), (), ())


def land_table(options: OnnxOptions) -> LandTable:
    """What stood and stands there, from the names of classes; of dates, or of changes with an arrow."""
    if options.before:
        pairs = [(name, name) for name in options.classes]
    else:
        pairs = [_parted(name) for name in options.classes]
        pairs = [("", "") if i in options.unchanged else pair for i, pair in enumerate(pairs)]
    names = tuple(dict.fromkeys(name for pair in pairs for name in pair if name))
    if not names:
        return NO_LAND
    return LandTable(names, *(tuple(_numbers(pairs, date, names)) for date in (0, 1)))


def _parted(name: str) -> tuple[str, str]:
    before, arrow, after = name.partition(ARROW)
    return (before.strip(), after.strip()) if arrow else ("", "")


def _numbers(pairs: Sequence[tuple[str, str]], date: int, names: tuple[str, ...]) -> Iterator[int]:
    for pair in pairs:
        yield names.index(pair[date]) if pair[date] else NO_LAND_CLASS

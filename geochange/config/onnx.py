"""OnnxOptions: what an ONNX file does not say of its network, as FILE.onnx.yaml or its metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from geochange.config.base import Options, first_error
from geochange.config.yaml_files import read_options
from geochange.errors import InputError, OptionError
from geochange.files.bounded_read import parse_json
from geochange.land_cover import is_colour

METADATA = "geochange"
"""The key of an ONNX file's metadata whose value is OnnxOptions as an object of JSON."""

MOST_CLASSES = 254
"""The largest number of classes; class numbers are stored as uint8."""

ARROW = " -> "
"""Between the class before and the class after, in the name of a class of change."""


class OnnxOptions(Options):
    """What an ONNX file does not say of its network."""

    help_group: ClassVar[str] = "The network"

    inputs: tuple[str, ...] = Field(
        (), max_length=2, description="its inputs, before first; left out: in the order of the file"
    )
    bands: tuple[str, ...] = Field(
        (), description="bands of a date in their order, such as [red, green, blue]"
    )
    pixels: Literal["8-bit", "raw"] = Field(
        "8-bit", description="8-bit: 0-255, stretched if need be; raw: as they are in the raster"
    )
    scale: float | None = Field(
        None, gt=0, description="pixels are divided by it first: 255 gives 0 to 1"
    )
    mean: tuple[float, ...] = Field(
        (), description="then subtracted: one number a band, or one for all"
    )
    std: tuple[float, ...] = Field((), description="then divided by: one a band, or one for all")
    output: str = Field(
        "", description="the output that tells change; left out: the first, or none beside classes"
    )
    says: Literal["probability", "logits", "labels"] | None = Field(
        None, description="probability, logits, or labels (class numbers)"
    )
    unchanged: tuple[int, ...] = Field(
        (0,), description="channels or labels that are no change; the others are change"
    )
    before: str = Field("", description="the output with the classes of the date before, if any")
    after: str = Field("", description="the output with the classes of the date after, if any")
    classes: tuple[str, ...] = Field(
        (),
        max_length=MOST_CLASSES,
        description='names of classes in their order, of dates, or of changes as "water -> road"; '
        '"" has none',
    )
    colours: tuple[str, ...] = Field(
        (), max_length=MOST_CLASSES, description='colours of the classes of dates, as "#rrggbb"'
    )
    threshold: float = Field(0.5, gt=0, lt=1, description="probability that is change")
    tile: int | None = Field(None, ge=32, le=4096, description="tile size in pixels, if any")
    multiple: int = Field(1, ge=1, le=1024, description="sides must be multiples of it")
    pixel_m: tuple[float, ...] = Field(
        (), max_length=2, description="pixels that it learnt from, in metres: smallest and largest"
    )
    licence: str = Field("", description="under which the weights may be used")
    source: str = Field("", description="where the network is from")

    @field_validator("mean", "std")
    @classmethod
    def _finite(cls, numbers: tuple[float, ...]) -> tuple[float, ...]:
        if not all(abs(number) < float("inf") for number in numbers):
            raise ValueError("numbers must be finite")
        return numbers

    @field_validator("std")
    @classmethod
    def _above_0(cls, numbers: tuple[float, ...]) -> tuple[float, ...]:
        if any(number <= 0 for number in numbers):
            raise ValueError("numbers must be above 0")
        return numbers

    @field_validator("pixel_m")
    @classmethod
    def _sizes(cls, sizes: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < size < float("inf") for size in sizes) or list(sizes) != sorted(sizes):
            raise ValueError("name the smallest and the largest pixel in metres, above 0")
        return sizes

    @field_validator("classes")
    @classmethod
    def _one_line_each(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if any(not name.isprintable() or len(name) > 200 for name in names):
            raise ValueError("names must be of one line and at most 200 characters")
        return names

    @field_validator("colours")
    @classmethod
    def _are_colours(cls, colours: tuple[str, ...]) -> tuple[str, ...]:
        if any(not is_colour(colour.lower()) for colour in colours):
            raise ValueError('write each as "#rrggbb"')
        return tuple(colour.lower() for colour in colours)

    @model_validator(mode="after")
    def _a_colour_for_each(self) -> OnnxOptions:
        if self.colours and (not self.before or len(self.colours) != len(self.classes)):
            raise ValueError("colours are of the classes of before and after, one for each of them")
        return self

    @model_validator(mode="after")
    def _dates_come_in_twos(self) -> OnnxOptions:
        if bool(self.before) != bool(self.after):
            raise ValueError("name both outputs with classes, before and after, or none")
        if self.before and not self.classes:
            raise ValueError(
                "before and after need the names of their classes; list them in classes"
            )
        return self


def description_of(network: Path) -> Path:
    """The file beside a network that describes it."""
    return network.with_name(f"{network.name}.yaml")


def read_onnx_options(network: Path, metadata: Mapping[str, str]) -> OnnxOptions:
    """What is said of a network: by the file beside it, and for the rest by its metadata.

    Raises InputError and OptionError.
    """
    own = _own(network, metadata)
    beside = description_of(network)
    if beside.exists():
        return read_options(OnnxOptions, beside, {}, own)
    try:
        return OnnxOptions(**own)
    except ValidationError as error:
        raise OptionError(
            f"{network}: its metadata {METADATA}: {first_error(error, OnnxOptions, sign='')}; say it "
            f"right in {beside.name}"
        ) from error


def to_metadata(options: OnnxOptions) -> dict[str, str]:
    """Metadata from which `read_onnx_options` reads the same."""
    return {METADATA: json.dumps(options.model_dump(mode="json"))}


def _own(network: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    try:
        own = parse_json(metadata.get(METADATA, "{}"))
    except ValueError as error:
        raise InputError(f"{network}: its metadata {METADATA} is no JSON ({error})") from error
    if not isinstance(own, dict):
        raise InputError(f"{network}: its metadata {METADATA} is no object of JSON")
    return own

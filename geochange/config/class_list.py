"""ClassList: what the values of the labels of a data set mean, as classes.yaml in its folder."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field, field_validator, model_validator

from geochange.chip import UNKNOWN
from geochange.config.base import Options
from geochange.config.onnx import MOST_CLASSES
from geochange.land_cover import is_colour

CLASS_LIST = "classes.yaml"
"""The file in the folder of a data set."""

MOST_VALUE = 2**31
"""Values of labels are below it."""


def _collapse(name: str) -> str:
    """A name with single spaces."""
    return " ".join(name.split())


NameInList = Annotated[str, AfterValidator(_collapse)]
"""The name of a class of the list, in another place."""


class ClassOptions(Options):
    """A class: its name, its value in labels of both dates, and its colour."""

    name: str = Field(min_length=1, max_length=200, description="what it is called")
    value: int | None = Field(
        None, ge=0, lt=MOST_VALUE, description="in images of numbers; null: its place in the list"
    )
    colour: str | None = Field(None, description='as "#rrggbb"')

    @field_validator("name")
    @classmethod
    def _one_line(cls, name: str) -> str:
        if not name.isprintable() or " -> " in name or "," in name:
            raise ValueError("names are of one line, without commas and arrows")
        if not (collapsed := _collapse(name)):
            raise ValueError("a name holds more than spaces")
        return collapsed

    @field_validator("colour", mode="before")
    @classmethod
    def _is_a_colour(cls, colour: Any) -> str | None:
        if colour is None:
            return None
        if not isinstance(colour, str) or not is_colour(colour.lower()):
            raise ValueError('write a colour in quotes, as "#rrggbb"')
        return colour.lower()


class ChangeOptions(Options):
    """A value of a label of changes, with the classes of both dates; without them, no change."""

    value: int = Field(ge=0, lt=MOST_VALUE, description="in the label")
    before: NameInList | None = Field(None, description="the class before")
    after: NameInList | None = Field(None, description="the class after")

    @model_validator(mode="after")
    def _both_or_none(self) -> ChangeOptions:
        if self.value == UNKNOWN:
            raise ValueError("a change has the value 255, which is unknown; give it another value")
        if (self.before is None) != (self.after is None):
            raise ValueError(f"the change of value {self.value} needs both classes, or none")
        return self


class ClassList(Options):
    """The classes of a data set, and of one label of changes what each of its values means."""

    classes: tuple[ClassOptions, ...] = Field(
        min_length=2, max_length=MOST_CLASSES, description="in the order of their numbers"
    )
    unchanged: NameInList | None = Field(
        None, description="the name that means no change instead of a class"
    )
    unknown: tuple[NameInList, ...] = Field(
        (), description="names that are no class, such as clouds"
    )
    changes: tuple[ChangeOptions, ...] = Field(
        (), description="of one label of changes: the meaning of each value"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> ClassList:
        names = [each.name for each in self.classes]
        values = [change.value for change in self.changes] if self.changes else list(self.values)
        told: list[tuple[str, list[str]]] = [("class", names), ("value", list(map(str, values)))]
        told += [("colour", [colour for colour in self.colours if colour is not None])]
        for what, listed in told:
            if twice := [one for one in listed if listed.count(one) > 1]:
                raise ValueError(f"the {what} {twice[0]} occurs twice")
        if self.colours and None in self.colours:
            bare = names[self.colours.index(None)]
            raise ValueError(f"{bare} has no colour and others have; give one to each or to none")
        used = [self.unchanged, *self.unknown]
        used += [name for each in self.changes for name in (each.before, each.after)]
        if odd := [name for name in used if name is not None and name not in names]:
            raise ValueError(f"{odd[0]} is no class of the list; it has {', '.join(names)}")
        if len(set(names) - {self.unchanged, *self.unknown}) < 2:
            raise ValueError("fewer than two classes are left without unchanged and unknown")
        return self

    @property
    def values(self) -> tuple[int, ...]:
        """The value of each class in images of numbers."""
        return tuple(
            number if each.value is None else each.value for number, each in enumerate(self.classes)
        )

    @property
    def colours(self) -> tuple[str | None, ...]:
        """The colour of each class; empty where none has one."""
        colours = tuple(each.colour for each in self.classes)
        return colours if any(colours) else ()

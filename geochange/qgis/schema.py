"""The fields of a change: their aliases and descriptions, in whatever program shows them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

STATUSES: Final = ("unset", "accept", "reject")
"""The values of the review status; the first is the default."""

STATUS: Final = "status"
"""The field of the review status."""


@dataclass(frozen=True, slots=True)
class Field:
    """The alias and the description of a field."""

    alias: str
    description: str


FIELDS: Final[Mapping[str, Field]] = MappingProxyType(
    {
        "id": Field("Number", "Counts changes from the top left on"),
        "area_m2": Field("Area (m²)", "Square metres on the ellipsoid, holes taken off"),
        "perimeter_m": Field("Perimeter (m)", "Metres on the ellipsoid, holes included"),
        "confidence_mean": Field("Confidence, mean", "Mean probability of its pixels, 0 to 1"),
        "confidence_max": Field("Confidence, highest", "Highest probability of a pixel, 0 to 1"),
        "confidence": Field(
            "Confidence", "Probability that it is a change; null if the model is not calibrated"
        ),
        "touches_edge": Field("Touches edge", "May go on outside of what was seen"),
        "before_class": Field(
            "Class before", "What was there, by pixel or tile; null if not named"
        ),
        "after_class": Field(
            "Class after", "What is there now, by pixel or tile; null if not named"
        ),
        "change": Field("Change", "Class before -> class after; within, where both are the same"),
        "before_score": Field("Score before", "How well the class before fits, 0 to 1"),
        "after_score": Field("Score after", "How well the class after fits, 0 to 1"),
        "before_place": Field(
            "Place before", "What the tile around it showed, where the class is by pixel"
        ),
        "after_place": Field(
            "Place after", "What the tile around it shows now, where the class is by pixel"
        ),
        STATUS: Field("Review", "What a reviewer says of it: unset, accept or reject"),
    }
)
"""The fields of the layer of changes."""

COVERAGE_FIELDS: Final[Mapping[str, Field]] = MappingProxyType(
    {
        "id": Field("Number", "Counts areas from the top left on"),
        "area_m2": Field("Area (m²)", "Square metres on the ellipsoid that were seen"),
    }
)
"""The fields of the layer of coverage."""


def form_of(fields: Mapping[str, Field]) -> list[ET.Element]:
    """The XML of a layer's fields: widgets, aliases and defaults.

    The status is chosen from a list; all other fields are read-only.
    """
    widgets, aliases = ET.Element("fieldConfiguration"), ET.Element("aliases")
    defaults, editable = ET.Element("defaults"), ET.Element("editable")
    for index, (name, field) in enumerate(fields.items(), start=1):  # field 0 is the fid
        widget = ET.SubElement(widgets, "field", name=name, configurationFlags="None")
        widget.append(_list_of_statuses() if name == STATUS else ET.Element("editWidget", type=""))
        ET.SubElement(aliases, "alias", field=name, index=str(index), name=field.alias)
        expression = f"'{STATUSES[0]}'" if name == STATUS else ""
        ET.SubElement(defaults, "default", field=name, expression=expression, applyOnUpdate="0")
        ET.SubElement(editable, "field", name=name, editable=str(int(name == STATUS)))
    return [widgets, aliases, defaults, editable]


def _list_of_statuses() -> ET.Element:
    widget = ET.Element("editWidget", type="ValueMap")
    options = ET.SubElement(ET.SubElement(widget, "config"), "Option", type="Map")
    listed = ET.SubElement(options, "Option", name="map", type="List")
    for status in STATUSES:
        entry = ET.SubElement(listed, "Option", type="Map")
        ET.SubElement(entry, "Option", name=status, type="QString", value=status)
    return widget

"""Documents of QGIS as text."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Final

_DOCTYPE: Final = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"

_NO_XML: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that no XML may hold. Files, CRSs and classes can have them in their names."""


def to_text(root: ET.Element) -> str:
    """A style or a project as text, indented; `?` stands for what no XML may hold."""
    for element in root.iter():
        element.text = element.text and _NO_XML.sub("?", element.text)
        for key, value in element.attrib.items():
            element.set(key, _NO_XML.sub("?", value))
    ET.indent(root)
    return _DOCTYPE + ET.tostring(root, encoding="unicode")


def from_text(document: str) -> ET.Element:
    """The root of what `to_text` gave."""
    return ET.fromstring(document.removeprefix(_DOCTYPE))

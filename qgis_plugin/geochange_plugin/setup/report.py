"""The report of the diagnostics, as text to paste into an issue. No QGIS in here."""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Mapping


def report_of(sections: Mapping[str, str]) -> str:
    """Sections under their titles; the name of the user is left out."""
    parts = [f"## {title}\n{text.strip() or 'nothing'}" for title, text in sections.items()]
    return anonymous("\n\n".join(parts) + "\n")


def anonymous(text: str) -> str:
    """A text without the name of the user: the home folder is ~."""
    home = os.path.expanduser("~")
    text = text.replace(home, "~") if len(home) > 1 else text
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # an account without a name
        return text
    return re.sub(rf"(?<=[\\/]){re.escape(user)}(?=[\\/]|\s|$)", "USER", text)

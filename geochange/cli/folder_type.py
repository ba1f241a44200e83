"""The type of arguments that name a folder. It imports no pydantic, so refusals stay fast."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from geochange.files.archives import gdal_name


class Folder(click.Path):
    """The path of a folder as a pathlib.Path. An empty name is refused, as it is the current folder.

    A URI (file://, zip://) becomes a plain path, because pathlib would drop one of its slashes.
    """

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path. Fails for an empty name."""
        if value == "":
            self.fail("an empty text names no folder; the current one is called .", param, ctx)
        named = gdal_name(value) if isinstance(value, str) and "://" in value else value
        return super().convert(named, param, ctx)

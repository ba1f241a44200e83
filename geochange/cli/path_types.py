"""The types of arguments that name files and folders. They import no pydantic, so refusals stay fast."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from geochange.files.archives import gdal_name
from geochange.storage.object_client import is_object_url


class File(click.Path):
    """The path of a file as a pathlib.Path. Whether it can be read is said later, with a cure.

    dir_okay, file_okay: whether an existing folder or file is accepted.
    """

    def __init__(self, *, dir_okay: bool = True, file_okay: bool = True) -> None:
        super().__init__(path_type=Path, readable=False, dir_okay=dir_okay, file_okay=file_okay)


class FileOrAddress(File):
    """The path of a file, or an address of object storage as text: pathlib would drop a slash of it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path or the address."""
        if isinstance(value, str) and is_object_url(value):
            return value
        return super().convert(value, param, ctx)


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

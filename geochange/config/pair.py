"""PairOptions: what is compared; CheckOptions: how `check` looks at it."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from geochange.config.base import Options


class PairOptions(Options):
    """Which pixels of two rasters are compared."""

    help_group: ClassVar[str] = "What is compared"

    bands: str | None = Field(None, description="bands to compare, such as 4,3,2 or 4,3,2:3,2,1")
    grid: str = Field("before", description="before, after, or a raster whose grid is taken")
    aoi: str | None = Field(
        None, description="file of polygons, any CRS: only what lies in them is read and worked"
    )


class CheckOptions(PairOptions):
    """How `check` looks at a pair; the defaults are those of the command."""

"""Where the default network fails: pairs that hardly changed, and what it reports as change.

python benchmarks/failures.py DATA OUT.jpg [MODEL]: DATA holds revisits/naip. It shows the six held-out
places with the most false alarms.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from affine import Affine
from PIL import Image
from pyproj import CRS

from geochange.grid.grid import Grid
from geochange.raster.pictures.image import write_picture
from geochange.report.canvas import resize_photo, scale_bar_of
from geochange.report.panels import Panel, side_by_side
from geochange.report.run.change_drawing import ChangeDrawing
from geochange.training.planting import Place, read_library
from geochange.workflows.detect import detect

SIDE_PX, PIXEL_M = 290, 0.6
GRID = Grid(CRS.from_epsg(32611), Affine(PIXEL_M, 0, 361_000, 0, -PIXEL_M, 3_766_000), (256, 256))


def share_of(place: Place, model: str, folder: Path) -> tuple[float, Image.Image]:
    """The share of a place that is called change, and its last image with the outlines."""
    paths = folder / "before.tif", folder / "after.tif"
    for path, photo in zip(paths, (place.visits[0], place.visits[-1]), strict=True):
        write_picture(path, photo, GRID)
    found = detect(
        *paths, folder / "c.gpkg", model=model, report="none", skip_checks=True, overwrite=True
    ).changes
    sketcher = ChangeDrawing(GRID, GRID.full_window, (SIDE_PX, SIDE_PX), 1.6, filled=False)
    sketcher.add(found)
    share = float(found.area.sum()) / (GRID.full_window.pixels * PIXEL_M**2)
    return share, sketcher.overlay.over(resize_photo(place.visits[-1], sketcher.shape))


def main() -> None:
    data, out = Path(sys.argv[1]), Path(sys.argv[2])
    model = sys.argv[3] if len(sys.argv) > 3 else "changeclip-small"
    places = [
        p for p in read_library(data, kept_out=True).places if len(p.visits) > 1 and not p.far
    ]
    with tempfile.TemporaryDirectory() as scratch:
        found = [(place, *share_of(place, model, Path(scratch))) for place in places]
    found.sort(key=lambda each: -each[1])
    sheets = []
    for place, share, picture in found[:6]:
        name = Path(place.names[0]).stem.rsplit("_", 2)
        first = resize_photo(place.visits[0], (SIDE_PX, SIDE_PX))
        last = resize_photo(place.visits[-1], (SIDE_PX, SIDE_PX))
        years = [Path(n).stem.rsplit("_", 2)[1] for n in (place.names[0], place.names[-1])]
        panels = [Panel(first, years[0]), Panel(last, years[1]), Panel(picture, "Called change")]
        sheets.append(
            side_by_side(
                f"{name[0].replace('_', ' ').title()} {name[2]}",
                f"{100 * share:.0f} % of it is called change",
                panels,
                (),
                scale_bar_of(256 * PIXEL_M),
            )
        )
    paper = Image.new("RGB", (sheets[0].width, sum(sheet.height for sheet in sheets)), "white")
    top = 0
    for sheet in sheets:
        paper.paste(sheet, (0, top))
        top += sheet.height
    paper.save(out, quality=84, optimize=True)
    for place, share, _ in found[:20]:
        print(f"{share:.3f} {place.names[0]} {place.names[-1]}")


if __name__ == "__main__":
    main()

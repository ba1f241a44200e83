"""Pictures of docs/pipelines.md: a pipeline run on a made-up landscape, and drawn.

python docs/pictures.py FOLDER [NAME ...]: FOLDER keeps what was made and found. NAME is
finetune, cluster, monitor or reproduce; all without one. Five minutes on two cores.
"""

from __future__ import annotations

import runpy
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import geopandas as gpd
import numpy as np
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from pyproj import CRS
from roofs import CHIP_PX, Ground, cut, make_ground, teach

import geochange
from geochange.grid.grid import Grid, to_ground
from geochange.landscape import PIXEL_M, make_landscape
from geochange.landscape.plan.layout import plan_landscape
from geochange.landscape.plan.parcels import divide_into_fields
from geochange.landscape.plan.plan_objects import Building, Plan, Stands
from geochange.landscape.plan.trees import plan_trees
from geochange.landscape.render.light import photograph
from geochange.landscape.render.seasons import EARLY_SUMMER
from geochange.landscape.scene import render_ground
from geochange.raster.pictures.image import write_picture
from geochange.report.canvas import Overlay, desaturate, resize_photo, scale_bar_of
from geochange.report.panels import Panel, side_by_side

ROOT = Path(__file__).resolve().parents[1]
PAPER_PX, QUALITY = 940, 84
"""How wide a picture is, and what its JPEG keeps."""

CORNER_M = (691_000.0, 5_335_000.0)

# Okabe and Ito's colours, which all kinds of colour vision tell apart.
VERMILION, BLUE, YELLOW = PALETTE = (213, 94, 0), (0, 114, 178), (240, 228, 66)

Photo = NDArray[np.uint8]
Window = tuple[slice, slice]
"""Rows and columns of a landscape."""


def grid_of(size: int) -> Grid:
    transform = Affine.translation(*CORNER_M) @ Affine.scale(PIXEL_M, -PIXEL_M)
    return Grid(CRS.from_epsg(32632), transform, (size, size))


def make_pair(folder: Path, size: int, seed: int) -> tuple[Path, Path]:
    """A landscape at two seasons, as before.tif and after.tif."""
    land = make_landscape(size, seed)
    return write_pair(folder, land.before, land.after)


def write_pair(folder: Path, *photos: Photo) -> tuple[Path, Path]:
    """Both dates, as before.tif and after.tif in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "before.tif", folder / "after.tif"
    for path, photo in zip(paths, photos, strict=True):
        write_picture(path, photo, grid_of(len(photo)))
    return paths


def run_pipeline(name: str, *words: object) -> None:
    """Run a pipeline of this repository as the command line does."""
    command: click.Command = runpy.run_path(str(ROOT / "pipelines" / f"{name}.py"))[name]
    command.main([str(word) for word in words], standalone_mode=False)


def photo_of(path: Path, window: Window) -> Photo:
    with rasterio.open(path) as raster:
        pixels: Photo = np.moveaxis(raster.read(), 0, -1)[window]
        return pixels


def outlines(file: Path) -> Sequence[shapely.Geometry]:
    """Polygons in (col, row) of the grid they were made on."""
    table = gpd.read_file(file, layer="changes")
    shapes = to_ground(np.asarray(table.geometry, dtype=np.object_), ~grid_of(1).transform)
    return list(shapely.get_parts(shapes))


def drawn(
    photo: Photo,
    window: Window,
    shapes: Sequence[shapely.Geometry],
    colours: Sequence[int],
    side: int,
    pale: bool = False,
) -> Image.Image:
    """A photo of a window, `side` wide, with polygons on it in colours by number."""
    scale = side / photo.shape[1]
    overlay = Overlay((round(photo.shape[0] * scale), side), PALETTE, 1.6)
    corner = np.array([window[1].start or 0, window[0].start or 0])
    rings = [
        [(np.asarray(ring.coords)[:, :2] - corner) * scale for ring in (s.exterior, *s.interiors)]
        for s in shapes
    ]
    overlay.add(rings, colours)
    ground = resize_photo(photo, overlay.shape)
    return overlay.over(desaturate(ground) if pale else ground)


def panel_px(count: int) -> int:
    """How wide each of some panels is, for the paper to be PAPER_PX."""
    return (PAPER_PX - 4 * 13 - (count - 1) * 12) // count


def keep(name: str, title: str, subtitle: str, panels: list[Panel], **more: Any) -> None:
    sheet = side_by_side(title, subtitle, panels, more.get("legend", ()), more.get("scale"))
    sheet.save(ROOT / "docs" / f"{name}.jpg", quality=QUALITY, optimize=True, subsampling=0)


# Finetune: a model that calls all that is new a change is told that only roofs are meant.


def finetune(folder: Path) -> None:
    """What a model finds at a new place, before and after it was told."""
    model, folder, side = teach(folder / "roofs"), folder / "finetune", panel_px(3)
    here, new = make_ground(512, 40, 33), make_ground(512, 24, 34)
    pairs = [write_pair(folder / n, g.before, g.after) for n, g in (("here", here), ("new", new))]
    status = review(*pairs[0], model, here, folder)
    words = ["--reviewed", "--from", model, "--out", folder / "tuned", "--size", CHIP_PX]
    run_pipeline("finetune", *pairs[0], folder / "reviewed.geojson", *words, "--new", *pairs[1])
    geochange.detect(*pairs[1], folder / "untuned.gpkg", model=str(model), overwrite=True)
    window = np.s_[0:512, 0:512]
    roofs = sum(thing.is_roof for thing in new.things)
    note = f"{roofs} roofs and {len(new.things) - roofs} ponds are new"
    panels = [Panel(resize_photo(new.after, (side, side)), "After", note)]
    for name, file in (("before", "untuned.gpkg"), ("after", "tuned/changes.gpkg")):
        found = outlines(folder / file)
        picture = drawn(new.after, window, found, [0] * len(found), side)
        panels.append(Panel(picture, f"Found {name} tuning", f"{len(found)} polygons"))
    keep(
        "finetune",
        "Roofs, not ponds",
        f"of another place {status.count('accept')} changes were accepted in review, "
        f"{status.count('reject')} rejected",
        panels,
        legend=[("found", VERMILION)],
        scale=scale_bar_of(512 * PIXEL_M),
    )


def review(before: Path, after: Path, model: Path, ground: Ground, folder: Path) -> list[str]:
    """reviewed.geojson: what the model finds, roofs accepted and all else rejected, as in QGIS."""
    found = geochange.detect(before, after, folder / "found.gpkg", model=str(model), overwrite=True)
    roofs = shapely.union_all([thing.box for thing in ground.things if thing.is_roof])
    shapes = outlines(found.out)
    status = ["accept" if shape.intersects(roofs) else "reject" for shape in shapes]
    found.changes.assign(status=status).to_file(folder / "reviewed.geojson", driver="GeoJSON")
    return status


# Reproduce: WHU-CD in one piece, as its official split has it; made-up ground stands in for it.


def reproduce(folder: Path) -> None:
    """The whole area beside its label, and where the two differ."""
    model, folder, side = teach(folder / "roofs"), folder / "reproduce", panel_px(3)
    ground = make_ground(512, 40, 35)
    data, weights = folder / "data" / "WHU-CD", folder / "weights"
    whole = data / "whole"
    write_pair(whole, ground.before, ground.after)
    label = np.repeat(ground.label[..., None], 3, axis=2)
    write_picture(whole / "label.tif", label, grid_of(512))
    cut(ground, data / "test")
    weights.mkdir(exist_ok=True)
    shutil.copy(model, weights / "WHU-CD.safetensors")
    out = folder / "table"
    shutil.rmtree(out, ignore_errors=True)
    run_pipeline("reproduce", "--data", data.parent, "--checkpoints", weights, "--out", out)
    with rasterio.open(out / "whole.tif") as raster:
        found = raster.read(1) >= 127
    changed = ground.label > 0
    judged = np.array(desaturate(resize_photo(ground.after, (512, 512))))
    for which, colour in (
        (changed & found, BLUE),
        (found & ~changed, YELLOW),
        (changed & ~found, VERMILION),
    ):
        judged[which] = colour
    keep(
        "reproduce",
        "A whole area beside its label",
        "stitched from overlapping tiles, at a probability of one half (made-up ground)",
        [
            Panel(resize_photo(ground.after, (side, side)), "After"),
            Panel(resize_photo(label, (side, side)), "Label"),
            Panel(resize_photo(judged, (side, side)), "Judged"),
        ],
        legend=[("right", BLUE), ("false alarm", YELLOW), ("missed", VERMILION)],
        scale=scale_bar_of(512 * PIXEL_M),
    )


# Cluster: the blocks that are shared out, and what comes of them.


TILE, OVERLAP, BLOCK = 128, 32, 2


def cluster(folder: Path) -> None:
    """Changes of a pair, and the blocks that two processes shared."""
    size = 1536
    pair, side = make_pair(folder / "wide", size, 7), panel_px(2)
    out = folder / "cluster" / "changes.gpkg"
    out.parent.mkdir(exist_ok=True)
    options = {"tile": TILE, "overlap": OVERLAP, "block": BLOCK, "overwrite": True}
    settings = [word for name, n in options.items() for word in ("--set", f"{name}={n}")]
    run_pipeline("cluster", *pair, "--out", out, "--workers", 2, *settings)
    step = BLOCK * (TILE - OVERLAP)
    starts = range(0, size - OVERLAP, step)
    squares = [
        shapely.box(c, r, min(size, c + step), min(size, r + step)) for r in starts for c in starts
    ]
    window = np.s_[0:size, 0:size]
    photo, found = photo_of(pair[1], window), outlines(out)
    blocks = drawn(photo, window, squares, [1] * len(squares), side, pale=True)
    changes = drawn(photo, window, found, [0] * len(found), side)
    keep(
        "cluster",
        "Many workers, one answer",
        "each worker takes the next block of tiles; the polygons know nothing of blocks",
        [
            Panel(blocks, "Shared out", f"{len(squares)} blocks"),
            Panel(changes, "Put together", f"{len(found)} polygons"),
        ],
        legend=[("block of tiles", BLUE), ("changed", VERMILION)],
        scale=scale_bar_of(size * PIXEL_M),
    )


# Monitor: an estate that grows from year to year.

HOUSE_PX = 1200
"""A new building that is larger is a hall, and lies apart."""

DAYS = ("2021-06-12", "2022-06-18", "2023-06-09", "2024-06-15")


def is_new_house(each: Building) -> bool:
    """Whether it is built between the dates of the landscape, and no hall."""
    return each.stands is Stands.NEW and each.box.outline().area < HOUSE_PX


def as_of(plan: Plan, year: int, years: int) -> Plan:
    """The plan in a year: of the new houses a share stands, of those that go none goes."""
    new = [each for each in plan.buildings if is_new_house(each)]
    built = set(map(id, new[: round(len(new) * year / (years - 1))]))

    def now(each: Building) -> bool:
        return not is_new_house(each) or id(each) in built

    roads = [road for road in plan.roads if year or road.stands is not Stands.NEW]
    return replace(
        plan,
        buildings=tuple(
            replace(each, stands=Stands.ALWAYS) for each in plan.buildings if now(each)
        ),
        roads=tuple(replace(road, stands=Stands.ALWAYS) for road in roads),
    )


def years(folder: Path, size: int, seed: int) -> Window:
    """A raster of each day, and the window of what is built in them."""
    plan = plan_landscape(size, seed)
    parcels = divide_into_fields(plan)
    trees = plan_trees(plan, parcels.outlines)
    for year, day in enumerate(DAYS):
        haze = replace(EARLY_SUMMER, haze=0.03 + 0.01 * year, balance=(1, 1, 1 - 0.01 * year))
        then = as_of(plan, year, len(DAYS))
        photo = photograph(render_ground(then, parcels, trees, 0.0), haze, plan.stream(20 + year))
        write_picture(folder / f"place_{day}.tif", photo, grid_of(size))
    new = [each.box.outline() for each in plan.buildings if is_new_house(each)]
    left, top, right, bottom = shapely.union_all(new).bounds
    half, row, col = int(max(right - left, bottom - top) / 2) + 24, top + bottom, left + right
    row, col = (int(min(max(middle / 2 - half, 0), size - 2 * half)) for middle in (row, col))
    return slice(row, row + 2 * half), slice(col, col + 2 * half)


def monitor(folder: Path) -> None:
    """A strip of days, with what appeared at each."""
    scenes, watch = folder / "scenes", folder / "watch"
    scenes.mkdir(exist_ok=True)
    window = years(scenes, 1024, 7)
    run_pipeline("monitor", scenes, "--out", watch, "--set", "min_area=20", "--overwrite")
    side, panels = panel_px(len(DAYS)), []
    for number, day in enumerate(DAYS):
        photo = photo_of(scenes / f"place_{day}.tif", window)
        pair = watch / "pairs" / f"{DAYS[number - 1]}_{day}.gpkg"
        found = outlines(pair) if number else []
        here = shapely.box(window[1].start, window[0].start, window[1].stop, window[0].stop)
        found = [each for each in found if each.intersects(here)]
        note = f"{len(found)} new" if number else ""
        panels.append(Panel(drawn(photo, window, found, [0] * len(found), side), day, note))
    keep(
        "monitor",
        "An estate grows",
        "changes.gpkg: each change with date_from and date_to, which QGIS plays",
        panels,
        legend=[("changed since the date to its left", VERMILION)],
        scale=scale_bar_of((window[1].stop - window[1].start) * PIXEL_M),
    )


PIPELINES: dict[str, Callable[[Path], None]] = {
    each.__name__: each for each in (finetune, cluster, monitor, reproduce)
}


def main() -> None:
    folder = Path(sys.argv[1]).absolute()
    for name in sys.argv[2:] or PIPELINES:
        PIPELINES[name](folder)


if __name__ == "__main__":
    main()

"""Small data sets in every layout, with the chips that were planted in them.

A generator writes a data set and returns its chips by split, as pixels before, after, and the label of
0, 1 and 255.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from makers import make_raster, noise
from numpy.typing import NDArray
from PIL import Image

SIZE = 16
GROUND = np.s_[2:7, 3:11]
"""Where there is change, in rows and columns."""

MASK = np.zeros((SIZE, SIZE), np.uint8)
MASK[GROUND] = 1


@dataclass(frozen=True)
class Planted:
    """A chip as it must be read."""

    name: str
    before: NDArray[Any]
    after: NDArray[Any]
    label: NDArray[np.uint8]


Chips = dict[str, list[Planted]]
Make = Callable[[Path], Chips]


def save(path: Path, pixels: NDArray[Any], **options: Any) -> Path:
    """Save a picture: a GeoTIFF without a CRS for .tif, else by PIL."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".tif":
        return make_raster(path, pixels, crs=None)
    Image.fromarray(pixels).save(path, **options)
    return path


def write_json(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def pictures(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """(SIZE, SIZE, 3) before and after."""
    return noise((SIZE, SIZE, 3), seed), noise((SIZE, SIZE, 3), seed + 1000)


def folders(before: str, after: str, label: str, suffix: str = ".png", **options: Any) -> Make:
    """A layout of three folders; all masks are saved as 0 and 255."""

    def make(root: Path) -> Chips:
        chips: Chips = {}
        for number, split in enumerate(("train", "val")):
            one, two = pictures(number)
            for folder, pixels in ((before, one), (after, two)):
                save(root / split / folder / "a.png", pixels)
            save(root / split / label / f"a{suffix}", MASK * np.uint8(255), **options)
            chips[split] = [Planted("a", one, two, MASK)]
        return chips

    return make


def s2looking(root: Path) -> Chips:
    """Masks of new and of demolished buildings lie beside the masks of change."""
    chips = folders("Image1", "Image2", "label")(root)
    for split in chips:
        for kind in ("label1", "label2"):
            save(root / split / kind / "a.png", MASK * np.uint8(255))
    return chips


WHITE, BUILDING, TREE, GREY = (255, 255, 255), (128, 0, 0), (0, 255, 0), (128, 128, 128)


def second(root: Path) -> Chips:
    """Trees became buildings, ground another ground; all else is white."""
    one, two = pictures(0)
    classes = [np.full((SIZE, SIZE, 3), 255, np.uint8) for _ in range(2)]
    classes[0][GROUND], classes[1][GROUND] = TREE, BUILDING
    for image in classes:
        image[12:14, 0:4] = GREY
    label = MASK.copy()
    label[12:14, 0:4] = 1
    named = zip(("im1", "im2", "label1", "label2"), (one, two, *classes), strict=True)
    for folder, pixels in named:
        save(root / "train" / folder / "00001.png", pixels)
        save(root / "test" / folder / "00001.png", pixels[::-1].copy())
    flipped = Planted("00001", one[::-1], two[::-1], label[::-1])
    return {"train": [Planted("00001", one, two, label)], "test": [flipped]}


BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
NAME = "Onera Satellite Change Detection dataset - "


def oscd(root: Path) -> Chips:
    """Two cities, with masks of 0 and 255, and of 1 and 2; 8 bits instead of 16."""
    chips: Chips = {}
    for number, (split, city) in enumerate((("train", "paris"), ("test", "rio"))):
        dates = [noise((SIZE, SIZE, 13), 2 * number + date) for date in range(2)]
        for folder, pixels in zip(("imgs_1_rect", "imgs_2_rect"), dates, strict=True):
            for band, name in enumerate(BANDS):
                save(root / f"{NAME}Images" / city / folder / f"{name}.tif", pixels[..., band])
        (root / f"{NAME}Images" / f"{split}.txt").write_text(f"{city}\n")
        place = root / f"{NAME}{split.title()} Labels" / city / "cm"
        save(place / f"{city}-cm.tif", MASK + np.uint8(1))
        if split == "train":
            save(place / "cm.png", MASK * np.uint8(255))
        before, after = (pixels[..., [3, 2, 1]] for pixels in dates)
        chips[split] = [Planted(city, before, after, MASK)]
    return chips


def hrscd(root: Path) -> Chips:
    """Two places, in pictures wider than a chip of 1000 px, with unknown ground at one date."""
    chips: Chips = {}
    for number, (split, where) in enumerate((("train", "0415-6890"), ("val", "0420-6890"))):
        before, after = (noise((4, 1010, 3), 10 * number + date) for date in range(2))
        cover = np.full((4, 1010), 2, np.uint8)
        cover[:, :5] = 0
        change = np.zeros((4, 1010), np.uint8)
        change[1:3, 2:1005] = 1
        for folder, name, pixels in (
            ("images_2006", f"14-2005-{where}-LA93", before),
            ("images_2012", f"14-2012-{where}-LA93-0M50-E080", after),
            ("labels_land_cover_2006", f"14-2005-{where}-LA93", cover),
            ("labels_land_cover_2012", f"14-2012-{where}-LA93-0M50-E080", change + np.uint8(2)),
            ("labels_change", f"14-2012-{where}-LA93-0M50-E080", change),
        ):
            save(root / folder / folder[-4:] / "D14" / f"{name}.tif", pixels)
        (root / f"{split}.txt").write_text(f"14-{where}\n")
        label = np.where(cover == 0, np.uint8(255), change)
        parts = ((0, np.s_[:, :1000]), (1000, np.s_[:, 1000:]))
        chips[split] = [
            Planted(f"14-{where}_0_{col}", before[part], after[part], label[part])
            for col, part in parts
        ]
    return chips


def dynamic_earth_net(root: Path) -> Chips:
    """Three months of one cube, of which the last has no label, and two of another."""
    chips: Chips = {}
    dates = ("2018-12-01", "2019-01-01", "2019-02-01")
    for number, (split, cube) in enumerate((("train", "1311_3077_13"), ("val", "2029_3764_13"))):
        seen = [noise((SIZE, SIZE, 4), 5 * number + month) for month in range(3)]
        cover = [np.zeros((SIZE, SIZE, 7), np.uint8) for _ in range(2)]
        for classes in cover:
            classes[..., 2] = 255
            classes[15] = 0
        cover[1][GROUND] = np.eye(7, dtype=np.uint8)[0] * 255
        for date, pixels in zip(dates, seen, strict=True):
            save(root / "planet.10N" / cube / "PF-SR" / f"{date}.tif", pixels)
        for date, classes in zip(dates, cover, strict=False):
            name = f"10N-122W-40N-L3H-SR-{date.replace('-', '_')}.tif"
            save(root / "labels" / f"{cube}_10N" / "Labels" / "Raster" / name[:19] / name, classes)
        lists = root / "split_info"
        lists.mkdir(exist_ok=True)
        (lists / f"{split}.txt").write_text(
            f"/planet.10N/{cube}/PF-SR /labels/{cube}_10N 2018-12\n"
        )
        label = MASK.copy()
        label[15] = 255
        before, after = (pixels[..., [2, 1, 0]] for pixels in seen[:2])
        chips[split] = [Planted(f"{cube}_2018-12", before, after, label)]
    return chips


def square(rows: tuple[int, int], cols: tuple[int, int]) -> str:
    """A rectangle of whole pixels as WKT."""
    (top, bottom), (left, right) = rows, cols
    corners = ((left, top), (right, top), (right, bottom), (left, bottom), (left, top))
    return f"POLYGON (({', '.join(f'{x} {y}' for x, y in corners)}))"


def building(subtype: str, rows: tuple[int, int], cols: tuple[int, int]) -> dict[str, Any]:
    properties = {"feature_type": "building", "subtype": subtype, "uid": "1"}
    return {"properties": properties, "wkt": square(rows, cols)}


def xbd(root: Path) -> Chips:
    """A destroyed building, one without damage and one that nobody could classify."""
    label = MASK.copy()
    label[9:11, 0:2] = 255
    listed = [
        building("destroyed", (2, 7), (3, 11)),
        building("no-damage", (12, 14), (4, 9)),
        building("un-classified", (9, 11), (0, 2)),
    ]
    chips: Chips = {}
    for number, split in enumerate(("train", "hold")):
        name, (one, two) = f"hurricane-x_0000000{number}", pictures(number)
        for date, pixels in (("pre", one), ("post", two)):
            save(root / split / "images" / f"{name}_{date}_disaster.png", pixels)
            for_date = listed if date == "post" else []
            told = {"features": {"lng_lat": [], "xy": for_date}, "metadata": {}}
            write_json(root / split / "labels" / f"{name}_{date}_disaster.json", told)
        chips[split] = [Planted(name, one, two, label)]
    return chips


def coco_of(names: Sequence[str], crowd: bool = True) -> dict[str, Any]:
    """One object as a polygon and one as run lengths on the first picture; a crowd on it, too."""
    images = [
        {"id": number, "file_name": name, "width": SIZE, "height": SIZE}
        for number, name in enumerate(names, 1)
    ]
    ring = [3, 2, 11, 2, 11, 7, 3, 7]
    corner = {"size": [SIZE, SIZE], "counts": [0, 2, SIZE * SIZE - 2]}
    low = {"size": [SIZE, SIZE], "counts": [SIZE * SIZE - 3, 3]}
    objects: list[dict[str, Any]] = [{"segmentation": [ring]}, {"segmentation": corner}]
    objects += [{"segmentation": low, "iscrowd": 1}] if crowd else []
    return {
        "info": {},
        "images": images,
        "annotations": [
            {"id": n, "image_id": 1, "category_id": 1, **each} for n, each in enumerate(objects)
        ],
        "categories": [{"id": 1, "name": "building"}],
    }


COCO_LABEL = MASK.copy()
COCO_LABEL[0:2, 0] = 1
COCO_LABEL[13:16, 15] = 255
"""Run lengths go down the columns."""


def coco(root: Path) -> Chips:
    """The file beside the folders, or in annotations/."""
    chips: Chips = {}
    for number, split in enumerate(("train", "val")):
        one, two = pictures(number)
        save(root / split / "A" / "a.png", one)
        save(root / split / "B" / "a.png", two)
        file = root / (
            "train/labels.json" if split == "train" else "annotations/instances_val.json"
        )
        write_json(file, coco_of(["a.png" if split == "train" else "B/a.png"]))
        chips[split] = [Planted("a", one, two, COCO_LABEL)]
    return chips


def roboflow(root: Path) -> Chips:
    """Objects in train/, masks in valid/."""
    one, two = pictures(0)
    place = root / "train"
    before, after = "town_before_png.rf.0a1b.png", "town_after_png.rf.2c3d.png"
    save(place / before, one)
    save(place / after, two)
    write_json(place / "_annotations.coco.json", coco_of([after, before]))
    three, four = pictures(1)
    place = root / "valid"
    save(place / "city_t1.png", three)
    save(place / "city_t2.png", four)
    save(place / "city_t2_mask.png", MASK * np.uint8(2))
    (place / "_classes.csv").write_text("Pixel Value, Class\n0, background\n1, road\n2, building\n")
    return {
        "train": [Planted("town", one, two, COCO_LABEL)],
        "val": [Planted("city", three, four, MASK)],
    }


def yolo(root: Path) -> Chips:
    """Polygons on the picture after, and on that before."""
    chips: Chips = {}
    corners = [3, 2, 11, 2, 11, 7, 3, 7]
    line = f"0 {' '.join(str(corner / SIZE) for corner in corners)}\n"
    for number, (split, date) in enumerate((("train", "after"), ("val", "before"))):
        one, two = pictures(number)
        save(root / split / "images" / "town_before.png", one)
        save(root / split / "images" / "town_after.png", two)
        file = root / split / "labels" / f"town_{date}.txt"
        file.parent.mkdir()
        file.write_text(line)
        chips[split] = [Planted("town", one, two, MASK)]
    return chips


def stac_item(name: str, when: str, href: str) -> dict[str, Any]:
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "geometry": None,
        "properties": {"datetime": when},
        "links": [],
        "assets": {"visual": {"href": href, "type": "image/tiff; application=geotiff"}},
    }


def label_item(name: str, sources: Sequence[str], labels: str, split: str) -> dict[str, Any]:
    return {
        **stac_item(name, "2024-01-01T00:00:00Z", labels),
        "properties": {
            "datetime": "2024-01-01T00:00:00Z",
            "label:type": "vector",
            "label:description": "changes",
            "ml-aoi:split": split,
        },
        "links": [{"rel": "source", "href": href, "label:assets": ["visual"]} for href in sources],
        "assets": {"labels": {"href": labels, "type": "application/geo+json"}},
    }


def stac(root: Path) -> Chips:
    """Polygons in UTM; the items of the dates are listed later date first."""
    chips: Chips = {}
    write_json(root / "catalog.json", {"type": "Catalog", "stac_version": "1.0.0", "id": "x"})
    for number, (split, told) in enumerate((("train", "train"), ("val", "validate"))):
        before, after = (noise((256, 256, 3), 2 * number + date) for date in range(2))
        place = root / f"item{number}"
        place.mkdir(parents=True)
        for date, pixels, when in (("a", before, "2019-05-01"), ("b", after, "2021-05-01")):
            make_raster(place / f"{date}.tif", pixels)
            write_json(place / f"{date}.json", stac_item(date, f"{when}T10:00:00Z", f"{date}.tif"))
        x, y = 500_000 + 10 * 20, 5_000_000 - 10 * 30
        ring = [[x, y], [x + 400, y], [x + 400, y - 500], [x, y - 500], [x, y]]
        crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32632"}}
        geometry = {"type": "Polygon", "coordinates": [ring]}
        feature = {"type": "Feature", "properties": {}, "geometry": geometry}
        write_json(
            place / "labels.geojson",
            {"type": "FeatureCollection", "name": "labels", "crs": crs, "features": [feature]},
        )
        item = label_item(f"place{number}", ("b.json", "a.json"), "labels.geojson", told)
        write_json(place / "item.json", item)
        label = np.zeros((256, 256), np.uint8)
        label[30:80, 20:60] = 1
        chips[split] = [Planted(f"place{number}_0_0", before, after, label)]
    return chips


def pairs(root: Path) -> Chips:
    """Rasters on a grid, and their masks."""
    chips: Chips = {}
    for number, split in enumerate(("train", "val")):
        before, after = (noise((256, 256, 3), 2 * number + date) for date in range(2))
        label = np.zeros((256, 256), np.uint8)
        label[30:80, 20:60] = 1
        place = root / split / "town"
        place.mkdir(parents=True)
        for name, pixels in (("before", before), ("after", after), ("labels", label)):
            make_raster(place / f"{name}.tif", pixels)
        chips[split] = [Planted("town_0_0", before, after, label)]
    return chips


SETS: Mapping[str, Make] = {
    "sysu": folders("time1", "time2", "label"),
    "levir": folders("A", "B", "label"),
    "cdd": folders("A", "B", "OUT", ".jpg", quality=90),
    "dsifn": folders("t1", "t2", "mask", ".tif"),
    "s2looking": s2looking,
    "second": second,
    "oscd": oscd,
    "hrscd": hrscd,
    "dynamicearthnet": dynamic_earth_net,
    "xbd": xbd,
    "coco": coco,
    "roboflow": roboflow,
    "yolo": yolo,
    "stac": stac,
    "pairs": pairs,
}
"""A generator for each layout, by the name that looking finds."""


def zipped(folder: Path, archive: Path, top: str = "") -> Path:
    """A zip archive of a folder, below a folder `top` in it."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                file.write(path, f"{top}{path.relative_to(folder).as_posix()}")
    return archive

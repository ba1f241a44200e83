"""What is damaged, how, and by which commands it is then read."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import mutations as m
from chip_folders import make_chips
from makers import make_raster, noise
from mutations import Mutator
from onnx_files import siamese
from polygon_files import make_polygons, square

OUT = "--out out.gpkg --report none --quiet"
FAST = "--threads 1 --skip-checks --min-area 0"


@dataclass(frozen=True)
class Kind:
    """Files that are damaged alike.

    sources: by name, in a folder of which a copy is made for each; the first is tried most.
    commands: which read them, by suffix; INPUT is the file. lay_out: makes the folder.
    """

    lay_out: Callable[[Path], object]
    sources: tuple[str, ...]
    commands: Mapping[str, tuple[str, ...]]
    mutators: tuple[Mutator, ...] = ()


def _pair(folder: Path) -> None:
    before = noise((40, 60, 3))
    after = before.copy()
    after[5:15, 8:24] = 255 - after[5:15, 8:24]
    make_raster(folder / "before.tif", before)
    make_raster(folder / "after.tif", after)


def _rasters(folder: Path) -> None:
    _pair(folder)
    pixels = noise((40, 60, 3), 1)
    mask = noise((40, 60)) > 20
    tiled = {"tiled": True, "blockxsize": 16, "blockysize": 16}
    make_raster(folder / "deflate.tif", pixels, mask=mask, compress="deflate", **tiled)
    make_raster(folder / "lzw.tif", pixels, nodata=0, compress="lzw", predictor=2)
    make_raster(folder / "jpeg.tif", pixels, compress="jpeg", **tiled)
    floats = pixels.astype("float32")
    make_raster(folder / "float.tif", floats, nodata=-9999, compress="zstd", interleave="band")
    make_raster(folder / "alpha.tif", noise((40, 60, 4), dtype="uint16"), alpha=True)
    make_raster(folder / "a.png", pixels, driver="PNG")
    (folder / "a.vrt").write_text(_VRT)


_VRT = """<VRTDataset rasterXSize="60" rasterYSize="40"><SRS>EPSG:32632</SRS>
<GeoTransform>500000, 10, 0, 5000000, 0, -10</GeoTransform>
<VRTRasterBand dataType="Byte" band="1"><NoDataValue>0</NoDataValue><SimpleSource>
<SourceFilename relativeToVRT="1">before.tif</SourceFilename><SourceBand>1</SourceBand>
<SrcRect xOff="0" yOff="0" xSize="60" ySize="40"/><DstRect xOff="0" yOff="0" xSize="60" ySize="40"/>
</SimpleSource></VRTRasterBand></VRTDataset>
"""


def _areas(folder: Path) -> None:
    _pair(folder)
    shapes = [square(2, 2, 12), square(20, 20, 15), square(1, 40, 9)]
    for suffix in (".gpkg", ".geojson", ".fgb"):
        make_polygons(folder / f"area{suffix}", shapes, columns={"name": ["a", "b", "c"]})
    corners = "9,45.1,0 9,45.15,0 9.006,45.15,0 9.006,45.1,0 9,45.1,0"
    (folder / "area.kml").write_text(
        '<kml xmlns="http://www.opengis.net/kml/2.2"><Document><Placemark><Polygon><outerBoundaryIs>'
        f"<LinearRing><coordinates>{corners}</coordinates></LinearRing></outerBoundaryIs></Polygon>"
        "</Placemark></Document></kml>"
    )


def _results(folder: Path) -> None:
    from limited_process import command

    _pair(folder)
    pair = f"run {folder}/before.tif {folder}/after.tif --model cva {FAST} --quiet --out {folder}/"
    for name in ("changes.gpkg", "other.geojson"):
        code, _, said = command(*f"{pair}{name}".split())
        assert code == 0, said
    from reviewed_pairs import set_status

    shutil.copy(folder / "changes.gpkg", folder / "reviewed.gpkg")
    set_status(folder / "reviewed.gpkg", {1: "accept", 2: "reject"})


def _item(folder: Path) -> None:
    _pair(folder)
    for name, colour in zip(("b", "g", "r"), ("blue", "green", "red"), strict=True):
        make_raster(folder / f"{name}.tif", noise((40, 60)), compress=None)
        assert colour
    told = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": "one",
        "bbox": [9.0, 45.1, 9.006, 45.15],
        "properties": {"datetime": "2020-05-06T10:11:12Z"},
        "assets": {
            "red": {"href": "r.tif", "type": "image/tiff", "eo:bands": [{"common_name": "red"}]},
            "green": {"href": "./g.tif", "type": "image/tiff", "roles": ["data"]},
            "blue": {"href": "b.tif", "bands": [{"name": "blue"}]},
        },
    }
    (folder / "item.json").write_text(json.dumps(told))
    told["assets"] = {"visual": {"href": "before.tif", "type": "image/tiff"}}
    (folder / "visual.json").write_text(json.dumps(told))


def _indexes(folder: Path) -> None:
    _pair(folder)
    shapes, there = [square(0, 0, 40, 60)], {"location": ["before.tif"]}
    make_polygons(folder / "index.gti.gpkg", shapes, columns=there)
    make_polygons(folder / "index.gti.geojson", shapes, columns=there)
    (folder / "index.gti").write_text(
        "<GDALTileIndexDataset><IndexDataset>index.gti.gpkg</IndexDataset></GDALTileIndexDataset>"
    )
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.write(folder / "before.tif", "deep/before.tif")


CONFIG = """data: {name: x, layout: auto}
network: {variant: tiny, start: null}
prompts: {mode: fixed}
augment: {size: 64}
optim: {loss: cross_entropy+dice, lr: 1.0e-3, steps: 12, batch: 2}
validation: {every: 6}
device: {threads: 1}
"""


def _configs(folder: Path) -> None:
    configs = Path(__file__).parents[2] / "configs"
    for name in ("smoke", "lite", "finetune"):
        shutil.copy(configs / f"{name}.yaml", folder)
    (folder / "short.yaml").write_text(CONFIG)


def _weights(folder: Path) -> None:
    import torch
    from planted_network import write_planted

    from geochange.models.weights.checkpoint import read_checkpoint

    _pair(folder)
    write_planted(folder / "ours.safetensors")
    tensors = dict(read_checkpoint(folder / "ours.safetensors").tensors)
    torch.save({"state_dict": tensors, "meta": {"iter": 3}}, folder / "theirs.pth")
    few = {name: tensors[name] for name in sorted(tensors)[:40]}
    torch.save(few, folder / "old.pth", _use_new_zipfile_serialization=False)
    torch.save(few, folder / "few.pt")


def _cards(folder: Path) -> None:
    from planted_network import write_planted

    _pair(folder)
    write_planted(folder / "ours.safetensors")


def _network(folder: Path) -> None:
    _pair(folder)
    siamese(folder / "net.onnx")
    (folder / "net.onnx.yaml").write_text("scale: 255\nmean: [0.5]\nthreshold: 0.5\ntile: 32\n")


def _chips(folder: Path) -> None:
    make_chips(folder / "chips", {"train": 3, "val": 1, "test": 1}, size=32)
    (folder / "names.txt").write_text("a building\na road\nwater\na tree\n")


_RASTER = (
    f"run INPUT after.tif --model cva {FAST} {OUT}",
    f"run before.tif INPUT --model cva {FAST} --skip-unreadable {OUT}",
    "check INPUT after.tif --quiet",
)
_AREA = (
    f"run before.tif after.tif --aoi INPUT --model cva --dry-run {OUT}",
    "data chips before.tif after.tif INPUT --out chips --size 32 --val 0 --quiet",
)
_READ = (
    "weights show INPUT",
    f"run before.tif after.tif --model INPUT --prompts fixed --dry-run {OUT}",
    "weights convert INPUT new.safetensors --half",
)

KINDS: Mapping[str, Kind] = {
    "rasters": Kind(
        _rasters,
        (
            *("deflate.tif", "lzw.tif", "jpeg.tif", "float.tif", "alpha.tif", "before.tif"),
            *("a.png", "a.vrt"),
        ),
        {"": _RASTER},
        (m.tiff_entry, m.tiff_entry, *m.BYTES),
    ),
    "indexes": Kind(
        _indexes,
        ("index.gti.gpkg", "index.gti", "index.gti.geojson", "a.zip"),
        {
            "": ("check INPUT after.tif --quiet", f"run INPUT after.tif --model cva {FAST} {OUT}"),
        },
        (m.sqlite_table, m.zip_member, m.json_tree, m.any_bytes),
    ),
    "areas": Kind(
        _areas,
        ("area.gpkg", "area.geojson", "area.fgb", "area.kml"),
        {"": _AREA},
        (m.sqlite_table, m.json_tree, m.any_bytes),
    ),
    "reviews": Kind(
        _results,
        ("reviewed.gpkg",),
        {
            "": (
                "data chips before.tif after.tif INPUT --out chips --size 32 --val 0 --reviewed --quiet",
                f"run before.tif after.tif --model cva {FAST} --report none --quiet --out INPUT",
                "evaluate INPUT other.geojson",
            )
        },
        (m.sqlite_table, m.sqlite_table, m.any_bytes),
    ),
    "results": Kind(
        _results,
        ("changes.gpkg", "changes.tif", "other.geojson"),
        {
            ".tif": ("polygonize INPUT --out out.gpkg --quiet", "check INPUT after.tif --quiet"),
            "": ("preview INPUT --out out.png --quiet", "evaluate other.geojson INPUT"),
        },
        (m.sqlite_table, m.json_tree, m.tiff_entry, m.any_bytes),
    ),
    "items": Kind(
        _item,
        ("item.json", "visual.json"),
        {
            "": (
                "check INPUT after.tif --quiet",
                f"run INPUT#red after.tif --model cva {FAST} --bands 1 {OUT}",
            )
        },
        (m.json_tree, m.json_tree, m.json_tree, m.any_bytes),
    ),
    "configs": Kind(
        _configs,
        ("short.yaml", "smoke.yaml", "lite.yaml", "finetune.yaml"),
        {"": ("train INPUT --show", "train INPUT --data nowhere --out t --quiet")},
        (m.yaml_tree, m.yaml_tree, m.yaml_line, m.yaml_line, m.any_bytes),
    ),
    "weights": Kind(
        _weights,
        ("theirs.pth", "ours.safetensors", "old.pth", "few.pt"),
        {"": _READ},
        (m.zip_member, m.zip_member, m.safetensors_header, m.any_bytes),
    ),
    "cards": Kind(_cards, ("ours.safetensors",), {"": _READ}, (m.card,)),
    "networks": Kind(
        _network,
        ("net.onnx", "net.onnx.yaml"),
        {
            ".yaml": ("weights show net.onnx",),
            "": (
                "weights show INPUT",
                f"run before.tif after.tif --model INPUT --device cpu --skip-checks --dry-run {OUT}",
            ),
        },
        (m.any_bytes, m.any_bytes, m.yaml_tree),
    ),
    "chips": Kind(
        _chips,
        ("chips/train/time1/000.png", "chips/test/label/000.png", "chips/test/time2/000.png"),
        {"": ("data check chips --quiet", "evaluate cva chips --split test --batch 1")},
        (m.any_bytes,),
    ),
}
"""By name."""

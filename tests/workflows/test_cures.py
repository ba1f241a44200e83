"""Each cure that a refusal names, followed once: it works, and nothing of the user's is lost.

A row makes one refusal. Each of its cures starts from that place: it does what the line says, and
gives the command that then has to pass.
"""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import metadata
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from chip_folders import make_chips
from filelock import FileLock
from makers import make_raster, noise
from odd_outputs import write_foreign, write_reviewed
from polygon_files import make_polygons, square
from rasterio.control import GroundControlPoint
from rasterio.vrt import WarpedVRT
from reviewed_pairs import set_status
from rights import bound_by_access_rights
from tiff_damage import overwrite_tiles

import geochange
from geochange.cli.main import _exit_code
from geochange.vector.files.writers import read_changes

pytestmark = pytest.mark.slow

CVA = "--model cva --threads 1 --min-area 0 --skip-checks --quiet"
RUN = f"run before.tif after.tif {CVA} --report none"
TILED = {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate"}
CONFIG = """data: {workers: 0}
network: {variant: tiny, start: null}
prompts: {mode: fixed}
augment: {size: 64}
optim: {steps: 2, warmup_steps: 1, batch: 2}
validation: {every: 2, sheet: 1}
device: {threads: 1}
"""
TRAIN = "train short.yaml --data chips --quiet"

Act = Callable[[Path], object]


def nothing(folder: Path) -> None:
    """What most cures need beside the command."""


@dataclass(frozen=True)
class Refusal:
    """What is refused, the words of the line that name its cures, and what then has to pass.

    cures: by name, what is done and the command after it. kept: files whose bytes stay, whatever
    is done. code: 2, or 1 where work had begun.
    """

    words: str
    says: str
    cures: dict[str, tuple[Act, str]]
    make: Act = nothing
    kept: tuple[str, ...] = ()
    code: int = 2
    lost: tuple[str, ...] = field(default=())


def reviewed(folder: Path) -> None:
    write_reviewed(folder / "r.gpkg", "accept", "unset", "reject")
    shutil.copy(folder / "r.gpkg", folder / "copy.gpkg")


def cut_reviewed(folder: Path) -> None:
    reviewed(folder)
    data = (folder / "r.gpkg").read_bytes()
    (folder / "r.gpkg").write_bytes(data[: len(data) // 2])


def restore(folder: Path) -> None:
    shutil.copy(folder / "copy.gpkg", folder / "r.gpkg")


def ruined(folder: Path) -> None:
    shutil.copy(folder / "after.tif", folder / "whole.tif")
    overwrite_tiles(folder / "after.tif", (1, 1))


def fetch_again(folder: Path) -> None:
    shutil.copy(folder / "whole.tif", folder / "after.tif")


def cut_off(folder: Path) -> None:
    data = (folder / "after.tif").read_bytes()
    shutil.copy(folder / "after.tif", folder / "whole.tif")
    (folder / "after.tif").write_bytes(data[: len(data) // 2])


def found(folder: Path) -> None:
    """A run, whose report says where its rasters are."""
    assert _exit_code(f"run before.tif after.tif {CVA} --out c.gpkg".split()) == 0


def moved(folder: Path) -> None:
    found(folder)
    (folder / "elsewhere").mkdir()
    shutil.move(folder / "before.tif", folder / "elsewhere")


def zipped(folder: Path) -> None:
    found(folder)
    for name in ("c.tif", "c.gpkg"):
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
            archive.write(folder / name, name)


def damaged_beside(folder: Path) -> None:
    found(folder)
    data = (folder / "c.gpkg").read_bytes()
    shutil.copy(folder / "c.gpkg", folder / "copy.gpkg")
    (folder / "c.gpkg").write_bytes(data[:3000])


def unreviewed(folder: Path) -> None:
    assert _exit_code(f"{RUN} --out c.gpkg".split()) == 0
    assert len(read_changes(folder / "c.gpkg")) > 0


def bare(folder: Path) -> None:
    make_raster(folder / "bare.tif", noise((40, 60, 3)), crs=None)


def assign(folder: Path) -> None:
    """What gdal_edit.py -a_srs -a_ullr does."""
    with (
        rasterio.open(folder / "before.tif") as like,
        rasterio.open(folder / "bare.tif", "r+") as to,
    ):
        to.crs, to.transform = like.crs, like.transform


def points(folder: Path) -> None:
    """The corners of before.tif as ground control points, in place of its transform."""
    with rasterio.open(folder / "before.tif") as like:
        rows, cols = like.shape
        corners = [(r, c, *(like.transform @ (c, r))) for r in (0, rows) for c in (0, cols)]
        gcps = [GroundControlPoint(*corner) for corner in corners]
        profile = {k: like.profile[k] for k in ("driver", "width", "height", "count", "dtype")}
        with rasterio.open(folder / "points.tif", "w", **profile) as to:
            to.gcps = gcps, like.crs
            to.write(like.read())


def warp(folder: Path) -> None:
    """What gdalwarp -t_srs does."""
    with (
        rasterio.open(folder / "points.tif") as dataset,
        WarpedVRT(dataset, src_crs=dataset.gcps[1], crs=dataset.gcps[1]) as warped,
    ):
        rasterio.shutil.copy(warped, folder / "warped.tif", driver="GTiff")


def item(folder: Path) -> None:
    (folder / "item.json").write_text(
        '{"type": "Feature", "properties": {}, "assets": '
        '{"a": {"href": "before.tif"}, "b": {"href": "after.tif"}}}'
    )


def index(folder: Path) -> None:
    make_polygons(folder / "i.gpkg", [square(0, 0, 40)], columns={"location": ["before.tif"]})
    (folder / "i.gti").write_text(
        "<I><IndexDataset>i.gpkg</IndexDataset><SortField>date</SortField></I>"
    )


def polygons(folder: Path) -> None:
    make_polygons(folder / "one.gpkg", [square(5, 5, 12)])
    make_polygons(folder / "other.gpkg", [square(6, 6, 12)])


def no_area(folder: Path) -> None:
    make_polygons(folder / "area.gpkg", [])


def draw_area(folder: Path) -> None:
    make_polygons(folder / "area.gpkg", [square(2, 2, 30)])


def configured(folder: Path) -> None:
    make_chips(folder / "chips", {"train": 2, "val": 1})
    (folder / "short.yaml").write_text(CONFIG)


def trained(folder: Path) -> None:
    """Takes seconds: see the fixture `training`, of which the tests get copies."""
    configured(folder)
    make_chips(folder / "others", {"train": 3, "val": 1})
    assert _exit_code(f"{TRAIN} --out t".split()) == 0


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        trained(folder)
    return folder


def two_bands(folder: Path) -> None:
    for name in ("time1", "time2", "label"):
        (folder / "chips" / "train" / name).mkdir(parents=True)
        shape = (32, 32) if name == "label" else (32, 32, 2)
        pixels = noise(shape) * (name != "label")
        make_raster(folder / "chips" / "train" / name / "a.tif", pixels.astype(np.uint8))


def own_page(folder: Path) -> None:
    (folder / "c.html").write_text("<p>mine</p>")


def touch(name: str) -> Act:
    return lambda folder: (folder / name).write_text("somebody's")


def remove(name: str) -> Act:
    return lambda folder: (folder / name).unlink()


REFUSALS = {
    "reviews": Refusal(
        f"{RUN} --out r.gpkg",
        "give another --out, or add --overwrite to lose the reviews",
        {
            "another --out": (nothing, f"{RUN} --out c.gpkg"),
            "--overwrite": (nothing, f"{RUN} --out r.gpkg --overwrite"),
        },
        reviewed,
        ("before.tif", "after.tif", "copy.gpkg", "r.gpkg"),
        lost=("r.gpkg --overwrite",),
    ),
    "a file of others": Refusal(
        f"{RUN} --out p.gpkg",
        "holds parcels, which would be lost; give another --out, or add --overwrite",
        {
            "another --out": (nothing, f"{RUN} --out c.gpkg"),
            "--overwrite": (nothing, f"{RUN} --out p.gpkg --overwrite"),
        },
        lambda folder: write_foreign(folder / "p.gpkg"),
        ("before.tif", "p.gpkg"),
        lost=("p.gpkg --overwrite",),
    ),
    "a damaged file": Refusal(
        f"{RUN} --out r.gpkg",
        "restore it from a copy, give another --out, or add --overwrite to lose it",
        {
            "another --out": (nothing, f"{RUN} --out c.gpkg"),
            "--overwrite": (nothing, f"{RUN} --out r.gpkg --overwrite"),
            "a copy": (restore, "evaluate r.gpkg copy.gpkg --pixel 1"),
        },
        cut_reviewed,
        ("copy.gpkg",),
    ),
    "an input as output": Refusal(
        f"{RUN} --out before.gpkg",
        "would overwrite the input before.tif; give another name",
        {"another name": (nothing, f"{RUN} --out c.gpkg")},
        kept=("before.tif", "after.tif"),
    ),
    "no folder": Refusal(
        f"{RUN} --out new/c.gpkg",
        "create it",
        {"create it": (lambda folder: (folder / "new").mkdir(), f"{RUN} --out new/c.gpkg")},
    ),
    "somebody's page": Refusal(
        f"run before.tif after.tif {CVA} --out c.gpkg",
        "move it, give another --out, or add --report none",
        {
            "--report none": (nothing, f"{RUN} --out c.gpkg"),
            "another --out": (nothing, f"run before.tif after.tif {CVA} --out d.gpkg"),
            "move it": (
                lambda folder: shutil.move(folder / "c.html", folder / "mine.html"),
                f"run before.tif after.tif {CVA} --out c.gpkg",
            ),
        },
        own_page,
        ("c.html",),
        lost=("c.html moved",),
    ),
    "another format": Refusal(
        f"{RUN} --out c.shp", ".gpkg", {".gpkg": (nothing, f"{RUN} --out c.gpkg")}
    ),
    "too little memory": Refusal(
        f"{RUN} --out c.gpkg --max-memory 0.1",
        "allow it more, or use a smaller --block, --batch or --tile, or fewer --workers",
        {"allow it more": (nothing, f"{RUN} --out c.gpkg --max-memory 16")},
    ),
    "no such device": Refusal(
        f"{RUN} --out c.gpkg --device cuda:77",
        "choose cpu or auto",
        {
            "cpu": (nothing, f"{RUN} --out c.gpkg --device cpu"),
            "auto": (nothing, f"{RUN} --out c.gpkg --device auto"),
        },
    ),
    "an overlap too large": Refusal(
        f"{RUN} --out c.gpkg --tile 64 --overlap 64",
        "does not fit",
        {"less": (nothing, f"{RUN} --out c.gpkg --tile 64 --overlap 16")},
    ),
    "no classes": Refusal(
        f"{RUN} --out c.gpkg --only building",
        "this model names no classes",
        {"without": (nothing, f"{RUN} --out c.gpkg")},
    ),
    "pixels that cannot be read": Refusal(
        f"{RUN} --out c.gpkg",
        "fetch the file again, or add --skip-unreadable",
        {
            "fetch it again": (fetch_again, f"{RUN} --out c.gpkg"),
            "--skip-unreadable": (nothing, f"{RUN} --out c.gpkg --skip-unreadable"),
        },
        ruined,
        ("before.tif",),
        code=1,
    ),
    "a raster cut off": Refusal(
        f"{RUN} --out c.gpkg",
        "fetch it again",
        {"fetch it again": (fetch_again, f"{RUN} --out c.gpkg")},
        cut_off,
    ),
    "no CRS": Refusal(
        "check bare.tif after.tif --quiet",
        "gdal_edit.py -a_srs EPSG:CODE -a_ullr LEFT TOP RIGHT BOTTOM",
        {"gdal_edit": (assign, "check bare.tif after.tif --quiet")},
        bare,
    ),
    "ground control points": Refusal(
        "check points.tif after.tif --quiet",
        "gdalwarp -t_srs EPSG:CODE",
        {"gdalwarp": (warp, "check warped.tif after.tif --quiet")},
        points,
        ("points.tif",),
    ),
    "which asset": Refusal(
        "check item.json after.tif --quiet",
        "name one as item.json#a",
        {"#a": (nothing, "check item.json#a after.tif --quiet")},
        item,
    ),
    "an index that says more": Refusal(
        "check i.gti after.tif --quiet",
        "name the index itself, as GTI:index.gpkg",
        {"GTI:": (nothing, "check GTI:i.gpkg after.tif --quiet")},
        index,
    ),
    "an area without polygons": Refusal(
        f"{RUN} --out c.gpkg --aoi area.gpkg",
        "draw the area in it, or leave --aoi out",
        {
            "draw it": (draw_area, f"{RUN} --out c.gpkg --aoi area.gpkg"),
            "leave it out": (nothing, f"{RUN} --out c.gpkg"),
        },
        no_area,
    ),
    "polygons without a grid": Refusal(
        "evaluate one.gpkg other.gpkg",
        "give the size of a pixel in metres (--pixel 0.5), or a raster of that grid (--extent)",
        {
            "--pixel": (nothing, "evaluate one.gpkg other.gpkg --pixel 5"),
            "--extent": (nothing, "evaluate one.gpkg other.gpkg --extent before.tif"),
        },
        polygons,
    ),
    "rasters that were moved": Refusal(
        "preview c.gpkg --quiet",
        "name it with --before FILE",
        {"--before": (nothing, "preview c.gpkg --before elsewhere/before.tif --quiet")},
        moved,
        ("c.gpkg", "c.tif"),
    ),
    "a picture of another kind": Refusal(
        "preview c.gpkg --out c.jpg --quiet",
        "end its name in .png",
        {".png": (nothing, "preview c.gpkg --out c.png --quiet")},
        found,
        ("c.gpkg",),
    ),
    "somebody's picture": Refusal(
        "preview c.gpkg --out mine.png --quiet",
        "--out",
        {"another --out": (nothing, "preview c.gpkg --out c.png --quiet")},
        lambda folder: (found(folder), touch("mine.png")(folder)),
        ("mine.png", "c.gpkg"),
    ),
    "changes in an archive": Refusal(
        "preview /vsizip/c.gpkg.zip/c.gpkg --quiet",
        "--out: needed",
        {"--out": (nothing, "preview /vsizip/c.gpkg.zip/c.gpkg --out c.png --quiet")},
        zipped,
        ("c.gpkg.zip",),
    ),
    "a raster in an archive": Refusal(
        "polygonize zip://c.tif.zip!c.tif --quiet",
        "--out: needed",
        {"--out": (nothing, "polygonize zip://c.tif.zip!c.tif --out d.gpkg --quiet")},
        zipped,
        ("c.tif.zip", "c.gpkg"),
    ),
    "a run's threshold that is lost": Refusal(
        "polygonize c.tif --quiet",
        "or give --threshold, as that of the run is not known",
        {"--threshold": (nothing, "polygonize c.tif --threshold 0.5 --quiet")},
        damaged_beside,
        ("c.tif", "c.gpkg", "copy.gpkg"),
    ),
    "polygons over reviews": Refusal(
        "polygonize c.tif --out r.gpkg --quiet",
        "give another --out, or add --overwrite",
        {
            "another --out": (nothing, "polygonize c.tif --out d.gpkg --quiet"),
            "--overwrite": (nothing, "polygonize c.tif --out r.gpkg --overwrite --quiet"),
        },
        lambda folder: (found(folder), reviewed(folder)),
        ("c.tif", "c.gpkg", "copy.gpkg", "r.gpkg"),
        lost=("r.gpkg --overwrite",),
    ),
    "no review": Refusal(
        "data chips before.tif after.tif c.gpkg --out chips --size 32 --val 0 --reviewed --quiet",
        "set status to accept or reject in QGIS, save, and try again",
        {
            "review": (
                lambda folder: set_status(folder / "c.gpkg", {1: "accept"}),
                "data chips before.tif after.tif c.gpkg --out chips --size 32 --val 0 --reviewed --quiet",
            ),
        },
        unreviewed,
    ),
    "no status": Refusal(
        "data chips before.tif after.tif one.gpkg --out chips --size 32 --val 0 --reviewed --quiet",
        "or leave --reviewed out to take all as change",
        {
            "leave it out": (
                nothing,
                "data chips before.tif after.tif one.gpkg --out chips --size 32 --val 0 --quiet",
            )
        },
        polygons,
        ("one.gpkg",),
    ),
    "a pair too small for two splits": Refusal(
        "data chips before.tif after.tif one.gpkg --out chips --size 32 --quiet",
        "choose a smaller --block or --size, or fewer splits (--val 0)",
        {
            "--val 0": (
                nothing,
                "data chips before.tif after.tif one.gpkg --out chips --size 32 --val 0 --quiet",
            )
        },
        polygons,
    ),
    "two bands": Refusal(
        "data check chips --quiet",
        "--bands 1,2,2",
        {"--bands 1,2,2": (nothing, "data check chips --bands 1,2,2 --quiet")},
        two_bands,
    ),
    "a training": Refusal(
        f"{TRAIN} --out t",
        "continue it with --resume, or name another --out",
        {
            "--resume": (nothing, f"{TRAIN} --out t --resume"),
            "another --out": (nothing, f"{TRAIN} --out u"),
        },
        trained,
        ("t/best.safetensors", "t/last.safetensors"),
    ),
    "a training of other chips": Refusal(
        "train short.yaml --data others --quiet --out t --resume",
        "train into another --out",
        {
            "another --out": (nothing, "train short.yaml --data others --quiet --out u"),
            "the same": (nothing, f"{TRAIN} --out t --resume"),
        },
        trained,
        ("t/best.safetensors", "t/last.safetensors"),
    ),
}

CURES = [(name, cure) for name, refusal in REFUSALS.items() for cure in refusal.cures]


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    before = noise((40, 60, 3))
    after = before.copy()
    after[5:15, 8:24] = 255 - after[5:15, 8:24]
    make_raster(tmp_path / "before.tif", before, **TILED)
    make_raster(tmp_path / "after.tif", after, **TILED)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("name", "cure"), CURES)
def test_a_cure_that_is_followed_holds(
    name: str,
    cure: str,
    scene: Path,
    request: pytest.FixtureRequest,
    capfd: pytest.CaptureFixture[str],
) -> None:
    refusal = REFUSALS[name]
    if refusal.make is trained:
        shutil.copytree(request.getfixturevalue("training"), scene, dirs_exist_ok=True)
    else:
        refusal.make(scene)
    there = {path: (scene / path).read_bytes() for path in refusal.kept}
    capfd.readouterr()
    assert _exit_code(refusal.words.split()) == refusal.code
    said = [line for line in capfd.readouterr().err.splitlines() if line.startswith("geochange: ")]
    assert len(said) == 1 and refusal.says in said[0], said
    assert there == {path: (scene / path).read_bytes() for path in refusal.kept}
    act, words = refusal.cures[cure]
    act(scene)
    assert _exit_code(words.split()) == 0, capfd.readouterr().err
    given_up = {each.split()[0] for each in refusal.lost if each.split()[1] in (cure, "moved")}
    kept = {path: data for path, data in there.items() if path not in given_up}
    assert kept == {path: (scene / path).read_bytes() for path in kept}


def test_the_run_that_another_one_keeps_from_writing(
    scene: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lock = FileLock(scene / ".c.tif.lock")
    with lock:
        assert _exit_code(f"{RUN} --out c.gpkg".split()) == 2
        said = capfd.readouterr().err
        assert "wait for it to end, or give another --out" in said
        assert _exit_code(f"{RUN} --out d.gpkg".split()) == 0
    assert _exit_code(f"{RUN} --out c.gpkg".split()) == 0


def area(folder: Path) -> None:
    make_polygons(folder / "a.gpkg", [square(0, 0, 30)])
    (folder / "out").mkdir()


def foreign_area(folder: Path) -> None:
    make_polygons(folder / "a.geojson", [square(0, 0, 30)])


def written(folder: Path) -> None:
    assert _exit_code(f"{RUN} --out c.gpkg".split()) == 0


FORBIDDEN = {
    "a raster": ("before.tif", nothing, f"{RUN} --out c.gpkg", "check its access rights"),
    "an area": (
        *("a.geojson", foreign_area, f"{RUN} --aoi a.geojson --out c.gpkg"),
        "change its access rights (chmod u+r)",
    ),
    "a GeoPackage": (
        *("a.gpkg", area, f"{RUN} --aoi a.gpkg --out c.gpkg"),
        "change its access rights (chmod u+r)",
    ),
    "an output": (
        *("c.gpkg", written, f"{RUN} --out c.gpkg --overwrite"),
        "change its access rights (chmod u+w), or name another",
    ),
    "a folder": ("out", area, f"{RUN} --out out/c.gpkg", "change its access rights"),
    "a configuration": ("short.yaml", configured, f"{TRAIN} --out t", "change its access rights"),
}


@pytest.mark.parametrize("kind", FORBIDDEN)
def test_access_rights_that_are_changed(
    kind: str, scene: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    name, make, words, says = FORBIDDEN[kind]
    make(scene)
    path = scene / name
    rights = path.stat().st_mode
    path.chmod(0o500 if path.is_dir() else 0o400 if kind == "an output" else 0)
    capfd.readouterr()
    assert bound_by_access_rights(lambda: _exit_code(words.split())) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert name in line and says in line
    path.chmod(rights)
    code = bound_by_access_rights(lambda: _exit_code(words.split()))
    assert code == 0, capfd.readouterr().err


def test_space_that_is_freed(
    scene: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    there = shutil.disk_usage(scene)
    with monkeypatch.context() as full:
        full.setattr(shutil, "disk_usage", lambda folder: there._replace(free=1000))
        assert _exit_code(f"{RUN} --out c.gpkg".split()) == 2
        assert "free some space, or put --out on another disk" in capfd.readouterr().err
    assert sorted(path.name for path in scene.iterdir()) == ["after.tif", "before.tif"]
    assert _exit_code(f"{RUN} --out c.gpkg".split()) == 0


def test_extras_that_are_named_exist() -> None:
    """What `pip install "geochange[NAME]"` in a message asks for."""
    house = Path(geochange.__file__).parent
    named = {
        extra
        for path in house.rglob("*.py")
        for extra in re.findall(r'pip install \\?"geochange\[(\w+)\]', path.read_text())
    }
    assert named and named <= set(metadata("geochange").get_all("Provides-Extra", []))

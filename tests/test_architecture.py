"""Imports point one way, each library has one home, and files and functions stay small."""

from __future__ import annotations

import ast
import runpy
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "geochange"
FILES = sorted(PACKAGE.rglob("*.py"))

GROUND = {
    *(
        "errors",
        "chip",
        "land_cover",
        "progress",
        "formatting",
        "memory",
        "parallelism",
        "picture_drawing",
    ),
    *("files", "interrupt", "storage"),
}
"""Below every room: values, words and files. They import nothing of geochange but each other."""

ROOMS = {
    # room: the rooms that it may import besides GROUND; one row a room, top to bottom.
    "cli": {
        *("workflows", "running", "trainer", "dataset", "inputs", "vector", "training", "models"),
        "config",
    },
    "workflows": {
        *(
            "running",
            "trainer",
            "report",
            "dataset",
            "inputs",
            "cluster",
            "mosaic",
            "raster",
            "vector",
        ),
        *("qgis", "training", "models", "grid", "config", "landscape"),
    },
    "running": {
        *("report", "inputs", "cluster", "mosaic", "raster", "vector", "qgis", "models", "grid"),
        "config",
    },
    "trainer": {"dataset", "inputs", "training", "models", "config"},
    "report": {"inputs", "raster", "vector", "qgis", "grid", "config"},
    "dataset": {"inputs", "raster", "vector", "qgis", "training", "grid", "config"},
    "inputs": {"raster", "vector", "qgis", "models", "grid", "config"},
    "cluster": set(),
    "mosaic": {"raster", "grid"},
    "raster": {"vector", "qgis", "grid"},
    "vector": {"qgis", "grid"},
    "qgis": {"grid"},
    "training": set(),
    "models": {"config"},
    "grid": set(),
    "config": set(),
    "landscape": set(),
}

PURE = {
    *("geochange.grid.tiling", "geochange.grid.probability_bytes"),
    "geochange.raster.pictures.thumbnail",
}
"""What mosaic/ may take from grid/ and raster/: integers and bytes, no raster library behind them."""

STREAMS = ("report/run/", "running/write_outputs.py")
"""Tables of changes pass through; they are made and read in vector/ alone."""

DASK = (
    *("cluster/dask_jobs.py", "cluster/dask_clusters.py", "cluster/tls.py"),
    *("cluster/failures.py", "cluster/worker_versions.py"),
    "cluster/monitoring/performance_page.py",
)
"""Where jobs and their cluster are."""

HOMES = {
    "rasterio": ("raster/", "dataset/raster_labels.py", "vector/files/polygon_reader.py"),
    "pyogrio": ("vector/", "raster/sources/tile_index.py", "dataset/reviewed_labels.py"),
    "pyproj": ("grid/", "vector/", "qgis/", "raster/", "workflows/"),
    "geopandas": ("vector/", "qgis/", "workflows/", *STREAMS),
    "torch": ("models/", "training/"),
    "torchvision": ("models/", "training/"),
    "safetensors": ("models/weights/tensor_file.py",),
    "open_clip": ("models/weights/openclip.py",),
    "onnxruntime": ("models/onnx/session.py",),
    "onnx": ("models/onnx/export/",),
    "zarr": ("mosaic/checked_array.py", "mosaic/chunk_store.py"),
    "obstore": ("storage/",),
    "filelock": ("files/output_paths.py",),
    "dask": DASK,
    "distributed": DASK,
    "click": ("cli/",),
    "rich": ("cli/",),
    "pydantic": ("config/", "cli/options.py"),
    "yaml": ("config/",),
    "lightning_fabric": ("training/fabric_devices.py",),
    "tensorboardX": ("training/journals/tensorboard.py",),
    "mlflow": ("training/journals/mlflow_store.py",),
    # Letters, translucent lines and JPEG, for what people look at: sheets, reports, previews.
    "PIL": ("picture_drawing.py", "report/", "training/"),
    "jinja2": ("report/page.py",),
    "pystac": ("report/stac_item.py",),
}
"""The only places a library may be imported in: to swap it is to touch them and nothing else."""

LANDSCAPE = {"numpy", "scipy", "skimage", "shapely", "geochange"}

LINES, FUNCTION_LINES, ARGUMENTS, FILES_IN_A_FOLDER = 300, 40, 6, 15


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def room_of(path: Path) -> str:
    """The folder or module directly in the package; "" for its __init__."""
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


@cache
def nodes_of(path: Path) -> list[ast.AST]:
    """Every node of a file's syntax tree."""
    return list(ast.walk(ast.parse(path.read_text(), str(path))))


@pytest.fixture(scope="module", autouse=True)
def _forget() -> Iterator[None]:
    """Syntax trees are a million objects. The tests of other files need not keep them."""
    yield
    nodes_of.cache_clear()


def imports_of(path: Path) -> Iterator[str]:
    """Every imported name in full, wherever in the file, in type checking too."""
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}:{node.lineno}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def libraries_of(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports_of(path)}


def functions_of(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in nodes_of(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_there_is_something_to_look_at() -> None:
    assert {"raster/reader.py", "models/protocol.py", "mosaic/stitch.py"} <= set(
        map(name_of, FILES)
    )


def test_every_room_has_its_row() -> None:
    rooms = {room_of(path) for path in FILES} - {"", "__main__"}
    assert rooms == ROOMS.keys() | GROUND, "say in tests/test_architecture.py what it may import"


def test_rows_point_down_only() -> None:
    order = list(ROOMS)
    astray = {
        (room, other)
        for room, others in ROOMS.items()
        for other in others
        if order.index(other) <= order.index(room)
    }
    assert astray == set()


def test_rooms_import_what_their_row_says() -> None:
    astray = {}
    for path in FILES:
        room, name = room_of(path), name_of(path)
        if room in ("", "__main__"):
            continue
        ours = {name.split(".")[1] for name in imports_of(path) if name.startswith("geochange.")}
        astray[name] = ours - ROOMS.get(room, set()) - GROUND - {room, "__version__"}
    assert {name: rooms for name, rooms in astray.items() if rooms} == {}


def test_every_library_stays_at_home() -> None:
    astray = [
        (name_of(path), library)
        for path in FILES
        for library in libraries_of(path) & HOMES.keys()
        if not name_of(path).startswith(HOMES[library])
    ]
    assert astray == []


def test_the_mosaic_takes_only_what_is_pure() -> None:
    joining = [path for path in FILES if room_of(path) == "mosaic"]
    assert len(joining) > 3
    taken = {name.rpartition(".")[0] for path in joining for name in imports_of(path)}
    assert {
        name for name in taken if name.startswith(("geochange.grid", "geochange.raster"))
    } <= PURE
    for module in PURE:
        path = ROOT / f"{module.replace('.', '/')}.py"
        assert libraries_of(path) <= {"numpy", "geochange"} | sys.stdlib_module_names
        ours = {
            name.rpartition(".")[0] for name in imports_of(path) if name.startswith("geochange")
        }
        assert ours <= PURE


def test_the_landscape_is_made_of_numbers_and_shapes() -> None:
    used = set().union(*(libraries_of(path) for path in FILES if room_of(path) == "landscape"))
    assert used - sys.stdlib_module_names <= LANDSCAPE
    assert "numpy" in used


def test_files_stay_small() -> None:
    lines = {name_of(path): len(path.read_text().splitlines()) for path in FILES}
    assert {name: count for name, count in lines.items() if count > LINES} == {}


def test_folders_stay_small() -> None:
    files = Counter(path.parent for path in FILES if path.name != "__init__.py")
    crowded = {
        name_of(folder): count for folder, count in files.items() if count > FILES_IN_A_FOLDER
    }
    assert crowded == {}, "give the folder rooms"


def test_functions_stay_small() -> None:
    lines = {
        (name_of(path), f.name): (f.end_lineno or 0) - f.lineno + 1
        for path in FILES
        for f in functions_of(path)
    }
    assert {name: count for name, count in lines.items() if count > FUNCTION_LINES} == {}


def test_signatures_stay_small() -> None:
    counts = {
        (name_of(path), f.name): count_arguments(f) for path in FILES for f in functions_of(path)
    }
    assert {name: count for name, count in counts.items() if count > ARGUMENTS} == {}


def count_arguments(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    gathered = [arg for arg in (arguments.vararg, arguments.kwarg) if arg is not None]
    return len([arg for arg in named if arg.arg not in ("self", "cls")]) + len(gathered)


def test_the_library_never_prints() -> None:
    calls = [
        (name_of(path), node.lineno)
        for path in FILES
        for node in nodes_of(path)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
    ]
    assert calls == []


def test_no_failure_is_hidden() -> None:
    """Whoever catches everything raises something; only the command turns it into an exit code."""
    hiding = {
        name_of(path)
        for path in FILES
        for node in nodes_of(path)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"))
        and not isinstance(node.body[-1], ast.Raise)
    }
    assert hiding == {"cli/main.py"}


HEAVY = ("torch", "rasterio", "geopandas", "dask", "zarr", "pydantic", "numpy")

LATER = (
    *("torch", "onnxruntime", "dask", "zarr", "scipy", "skimage"),
    *("pandas", "geopandas", "pyogrio", "jinja2", "PIL", "pystac"),
)
"""What a run imports where it is needed, after its first refusals."""


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import geochange", HEAVY),
        ("import geochange.cli.main", HEAVY),
        *(
            pytest.param(f"import geochange.{names}", absent, marks=pytest.mark.slow)
            for names, absent in (
                ("cli.commands.run, geochange.workflows.detect", LATER),
                ("cli.commands.check, geochange.workflows.inspect_pair", LATER),
                ("models.weights.checkpoint", ("open_clip", "torchvision", "timm")),
            )
        ),
    ],
)
def test_importing_stays_light(statement: str, absent: tuple[str, ...]) -> None:
    probe = f"import sys; {statement}; print(*[m for m in {absent!r} if m in sys.modules])"
    told = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert told.stdout.split() == []


def test_the_picture_is_that_of_the_code() -> None:
    script = runpy.run_path(str(ROOT / "docs" / "architecture.py"))
    assert set(script["BASE"]) == GROUND
    drawn, kept = script["draw"](), script["PICTURE"].read_text("utf-8")
    assert drawn == kept, "draw it again: python docs/architecture.py"

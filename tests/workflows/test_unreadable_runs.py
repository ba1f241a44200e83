"""Unreadable pixels and inputs that change: reported, separate, never part of a result."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from affine import Affine
from makers import NORTH_UP, make_raster, noise
from tiff_damage import overwrite_tiles, truncate_in_tile

from geochange.cli.main import _exit_code
from geochange.errors import RunError
from geochange.grid.tiling import Window
from geochange.models.classical import ChangeVector
from geochange.raster.access import retry
from geochange.workflows.detect import Result, detect

pytestmark = pytest.mark.slow

SIZE, TILE = 256, 32
WHOLE = Window(0, 0, SIZE, SIZE)
TILED = {"tiled": True, "blockxsize": TILE, "blockysize": TILE}


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "sleep", lambda pause_s: None)


class Counted(ChangeVector):
    """A change vector model that counts its batches."""

    calls = 0

    def change_logits(self, batch: Any) -> Any:
        """Count."""
        Counted.calls += 1
        return super().change_logits(batch)


def lay_out(folder: Path, transform: Affine = NORTH_UP, compress: str = "deflate") -> None:
    """A smooth pair, suitable for JPEG, with a bright field at the date after."""
    rows, cols = np.indices((SIZE, SIZE))
    before = (60 + rows // 8 + cols // 16)[..., None].repeat(3, 2) + noise((SIZE, SIZE, 3)) // 20
    after = before + noise((SIZE, SIZE, 3), 1) // 20
    after[150:190, 20:70] += 90
    make_raster(folder / "before.tif", before.astype(np.uint8), compress=compress, **TILED)
    make_raster(
        folder / "after.tif",
        after.astype(np.uint8),
        transform=transform,
        compress=compress,
        **TILED,
    )


def run(folder: Path, name: str = "changes.gpkg", **options: Any) -> Result:
    small = {"tile": 64, "overlap": 16, "block": 2, "threads": 2, "min_area": 0, "report": "none"}
    options = {"model": "cva", **small, **options}
    return detect(folder / "before.tif", folder / "after.tif", folder / name, **options)


def probability(result: Result) -> np.ndarray:
    with rasterio.open(result.raster) as raster:
        return np.asarray(raster.read(1))


def told(result: Result, name: str) -> Any:
    table = gpd.read_file(result.out, layer="geochange_run").set_index("key")["value"]
    return json.loads(table[name])


def at(*windows: Window) -> np.ndarray:
    marked = np.zeros((SIZE, SIZE), bool)
    for window in windows:
        marked[window.within(WHOLE)] = True
    return marked


BEFORE, AFTER = Window(32, 192, TILE, TILE), Window(160, 96, TILE, TILE)
"""The windows of the damaged tiles, one of each date."""


def damage(folder: Path) -> None:
    overwrite_tiles(folder / "before.tif", (1, 6))
    truncate_in_tile(folder / "after.tif", (5, 3))


@pytest.mark.parametrize("compress", ["deflate", "lzw", "jpeg"])
def test_unreadable_ground_of_either_date_is_nodata_from_any_blocks(
    tmp_path: Path, compress: str, caplog: pytest.LogCaptureFixture
) -> None:
    lay_out(tmp_path, compress=compress)
    damage(tmp_path)
    first = run(tmp_path, "one.gpkg", block=1, skip_unreadable=True)
    found = probability(first)
    np.testing.assert_array_equal(found == 255, at(BEFORE, AFTER))
    assert (first.unreadable.before, first.unreadable.after) == ((BEFORE,), (AFTER,))
    expected = {"before": [[32, 192, 32, 32]], "after": [[160, 96, 32, 32]]}
    assert told(first, "unreadable") == told(first, "unsampled") == expected
    warned = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert any("before.tif: pixels of rows 32-63, columns 192-223" in line for line in warned)
    assert warned[-1].endswith("nodata in the output")
    other = run(tmp_path, "4.gpkg", block=4, skip_unreadable=True)
    assert other.raster.read_bytes() == first.raster.read_bytes()
    assert other.changes.geometry.to_wkb().equals(first.changes.geometry.to_wkb())
    assert other.unreadable == first.unreadable


def faint(size: int, seed: int) -> np.ndarray:
    """Noise without a change: each pixel has its probability, and there are no polygons to draw."""
    return (120 + noise((size, size, 3), seed) // 20).astype(np.uint8)


def test_unreadable_ground_of_a_warped_date_is_nodata_from_any_blocks(tmp_path: Path) -> None:
    size = 600
    make_raster(tmp_path / "before.tif", faint(size, 0))
    shifted = NORTH_UP @ Affine.translation(-4.5, -4.5)
    pixels = faint(size + 20, 1)
    after = make_raster(tmp_path / "after.tif", pixels, transform=shifted, compress="lzw", **TILED)
    overwrite_tiles(after, (18, 18))
    results = [
        run(tmp_path, f"{block}.gpkg", block=block, tile=128, skip_unreadable=True)
        for block in (1, 4)
    ]
    expected = np.zeros((size, size), bool)
    expected[512:, 512:] = True
    for result in results:
        assert result.unreadable.after == (Window(512, 512, size - 512, size - 512),)
        np.testing.assert_array_equal(probability(result) == 255, expected)
        assert np.unique(probability(result)).size > 20
    assert results[0].raster.read_bytes() == results[1].raster.read_bytes()


def test_the_rest_is_kept_and_the_option_needs_only_what_is_missing(tmp_path: Path) -> None:
    lay_out(tmp_path)
    damage(tmp_path)
    model = f"{Counted.__module__}:{Counted.__name__}"
    options = {"model": model, "block": 1, "batch": 1, "min_area": 0}
    whole = run(tmp_path, "other.gpkg", skip_unreadable=True, **options)
    Counted.calls = 0
    line = (
        r"before\.tif: pixels of rows 32-63, columns 192-223 cannot be read \(around 502080 4999520"
        r" in WGS 84 / UTM zone 32N\); .*after\.tif: pixels of rows 160-191, columns 96-127 .*"
        r"tried 3 times, .* fetch the file again, or add --skip-unreadable"
    )
    for _ in range(2):
        with pytest.raises(RunError, match=line) as caught:
            run(tmp_path, **options)
        assert "\n" not in str(caught.value)
        # 25 tiles; one damaged area is in 2 x 2 of them, the other in 1 x 2.
        assert Counted.calls == 25 - 6
    assert {path.name for path in tmp_path.glob("*changes*")} == {".changes.gpkg.work"}
    resumed = run(tmp_path, skip_unreadable=True, **options)
    assert resumed.resumed
    assert Counted.calls == 25
    assert resumed.raster.read_bytes() == whole.raster.read_bytes()
    assert resumed.changes.geometry.to_wkb().equals(whole.changes.geometry.to_wkb())
    assert not list(tmp_path.glob(".*"))


def test_what_was_skipped_is_not_taken_for_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lay_out(tmp_path)
    damage(tmp_path)
    skipped = run(tmp_path, skip_unreadable=True, keep_work=True)
    again = run(tmp_path, skip_unreadable=True, keep_work=True)
    assert again.resumed
    assert again.unreadable == skipped.unreadable
    with pytest.raises(RunError, match="cannot be read"):
        run(tmp_path)
    assert "skipped unreadable pixels: starting afresh" in caplog.text


def test_a_file_fetched_again_gives_what_it_always_would(tmp_path: Path) -> None:
    lay_out(tmp_path)
    sound = run(tmp_path, "sound.gpkg")
    kept = {name: (tmp_path / name).read_bytes() for name in ("before.tif", "after.tif")}
    damage(tmp_path)
    with pytest.raises(RunError, match="cannot be read"):
        run(tmp_path)
    for name, content in kept.items():
        (tmp_path / name).write_bytes(content)
    mended = run(tmp_path)
    assert mended.raster.read_bytes() == sound.raster.read_bytes()
    assert not mended.unreadable
    assert told(mended, "unreadable") == {"before": [], "after": []}


def test_the_command_ends_with_1_and_then_says_what_it_left_out(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lay_out(tmp_path)
    damage(tmp_path)
    words = [
        "run",
        "--model",
        "cva",
        *(str(tmp_path / name) for name in ("before.tif", "after.tif")),
    ]
    words += ["--out", str(tmp_path / "changes.gpkg"), "--tile", "64", "--overlap", "16"]
    assert _exit_code([*words, "--quiet"]) == 1
    said = capfd.readouterr().err.splitlines()[-1]
    assert said.startswith(f"geochange: {tmp_path}/before.tif: pixels of rows 32-63")
    assert _exit_code([*words, "--skip-unreadable"]) == 0
    assert "2 places, nodata in the output" in capfd.readouterr().out
    assert _exit_code([*words, "--skip-unreadable", "--log-json"]) == 0
    last = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert last["unreadable"]["before"] == [[32, 192, 32, 32]]


def test_an_input_that_changes_meanwhile_is_noticed_and_nothing_written(tmp_path: Path) -> None:
    lay_out(tmp_path)

    def disturb(stage: str, done: int, total: int) -> None:
        os.utime(tmp_path / "after.tif", ns=(1, 1))

    with pytest.raises(RunError, match=r"after\.tif: changed while the run read it"):
        run(tmp_path, progress=disturb)
    assert {path.name for path in tmp_path.glob("*changes*")} == {".changes.gpkg.work"}
    assert not run(tmp_path).resumed


def test_what_another_program_lays_beside_an_input_is_no_change(tmp_path: Path) -> None:
    lay_out(tmp_path)
    run(tmp_path, keep_work=True)
    for name in ("after.tif.aux.xml", "after.tif.ovr"):
        (tmp_path / name).write_text("<PAMDataset></PAMDataset>")
    (tmp_path / "after.tif.ovr").unlink()
    assert run(tmp_path, keep_work=True).resumed

"""The workflow of `data chips`: cuts a labelled pair into chips, and splits them by blocks."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geochange import __version__
from geochange.chip import CHANGED, UNKNOWN, Chip
from geochange.config.cut import CutOptions
from geochange.dataset.chip_writer import ChipWriter, SplitTotals
from geochange.dataset.label_values import CHIPS_FILE
from geochange.dataset.labelled_pairs import RAW, Reviewed, Scene, open_scene
from geochange.dataset.labels import holds_change
from geochange.dataset.reviewed_labels import REJECT, ReviewedLabels
from geochange.dataset.split_assignment import assign_blocks
from geochange.errors import InputError, OptionError, OutputError
from geochange.files.output_paths import check_folder, output_path, target_of
from geochange.grid.spatial_blocks import SpatialBlocks
from geochange.grid.tiling import Index, TilePlan, Window
from geochange.progress import Progress, no_progress
from geochange.raster.bands import Bands
from geochange.raster.sources.resolve import PathLike
from geochange.training.data.chip_source import SPLITS

logger = logging.getLogger(__name__)

CURE = "try another --seed or --block, less --overlap or --gap, or a lower --min-valid"
"""The cure if too few chips are left."""

READ_PX = 2048
"""The approximate size of the windows from which chips are cut. Each window is read once."""


@dataclass(frozen=True)
class CutResult:
    """A data set of chips: its folder and the counts of its splits.

    label_values: the meaning of each value in the labels.
    left_out: the number of chips that were not written, by reason.
    """

    root: Path
    splits: Mapping[str, SplitTotals]
    label_values: Mapping[int, str]
    left_out: Mapping[str, int]


def cut(
    before: PathLike,
    after: PathLike,
    labels: PathLike,
    out: PathLike,
    progress: Progress = no_progress,
    **options: Any,
) -> CutResult:
    """Cut a pair and its labels into chips: OUT/SPLIT/{time1,time2,label}/NAME_row_col.png.

    With `stretch` raw, pictures are GeoTIFFs of any number of bands, with the values of the rasters.

    before, after: rasters as for `run`, read and stretched in the same way. labels: polygons or a
    raster; see ReviewedLabels for `reviewed`. out: a new or empty folder. options: of CutOptions.
    Chips of different splits share no pixel. Labels are 0 and 255; if any pixel of the set is unknown,
    0, 1 and 255 = unknown. OUT/chips.json records the position and the source of each chip.

    Raises InputError, OptionError or OutputError; then nothing is written.
    """
    chosen = CutOptions.parse(options)
    root = target_of(output_path(out))
    check_root(root)
    bands = None if chosen.bands is None else Bands.parse(chosen.bands)
    drawn = Reviewed(labels) if chosen.reviewed else labels
    scene = open_scene(before, after, drawn, bands, chosen.grid, chosen.stretch)
    names = _band_names(scene) if chosen.stretch == RAW else None
    blocks, chosen = assign_blocks(scene, chosen)
    with _folder_aside(root) as part:
        digits = len(str(max(scene.pair.grid.shape)))
        chips = ChipWriter(part, chosen.name or _name_of(before), digits, names)
        cutter = _Cutter(scene, chosen, blocks, chips)
        cutter.work(progress)
        splits = chips.totals_by_split(blocks.splits)
        _check(splits, chips.unknown)
        _warn_without_change(root, scene, splits)
        result = CutResult(root, splits, chips.mark_change_white(), dict(cutter.left_out))
        account = {**_chips_json(scene, chosen), **_result_json(result), "chips": chips.to_json()}
        text = json.dumps(account, indent=1, ensure_ascii=False)
        (part / CHIPS_FILE).write_text(f"{text}\n", encoding="utf-8")
    return result


def check_root(root: Path) -> None:
    """Refuse a folder in which chips cannot be written. Raises OutputError."""
    check_folder(root)
    if root.exists() and not root.is_dir():
        raise OutputError(f"{root}: is a file; name a new folder for the chips")
    if root.is_dir() and any(root.iterdir()):
        raise OutputError(f"{root}: is not empty; name a new folder for the chips")


@contextmanager
def _folder_aside(root: Path) -> Iterator[Path]:
    """A temporary folder that is renamed to `root` at the end. An error in the body deletes it."""
    part = root.with_name(f".{root.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir()
        yield part
        if root.is_dir():
            root.rmdir()
        os.replace(part, root)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"cannot write {root} ({error.strerror}): name another place") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _name_of(before: PathLike) -> str:
    """The file's name without its suffix. Other characters than ASCII letters and digits become -."""
    stem = Path(before).stem
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in stem)


def _warn_without_change(root: Path, scene: Scene, splits: Mapping[str, SplitTotals]) -> None:
    if not any(tally.changed_px for tally in splits.values()) and holds_change(scene.labels):
        logger.warning("%s: holds no change: all chips with change were left out; %s", root, CURE)


def _band_names(scene: Scene) -> tuple[str, ...]:
    """The names of the bands of chips; empty for those without one.

    Raises OptionError where nothing would say afterwards which bands of the raster they were.
    """
    date = scene.pair.before
    names = tuple(date.info.bands[number - 1].name for number in date.bands)
    if not all(names) and date.bands != tuple(range(1, len(names) + 1)):
        raise OptionError(
            f"--bands {','.join(map(str, date.bands))}: with --stretch raw, bands are known by their "
            f"names, and {date.info.path} has none; name them (rio edit-info --bidx 1 --description "
            "red), or take the first bands"
        )
    return names


@dataclass
class _Cutter:
    """Cuts the chips of a scene that belong to one split, and counts the others by reason."""

    scene: Scene
    options: CutOptions
    blocks: SpatialBlocks
    chips: ChipWriter
    left_out: Counter[str] = field(default_factory=Counter)

    def work(self, progress: Progress) -> None:
        """Cut all chips. Each date is read once per window of READ_PX."""
        size, overlap = self.options.size, self.options.overlap
        together = max(1, READ_PX // (size - overlap))
        plan = TilePlan(self.scene.pair.grid.shape, size, overlap, together)
        done, total = 0, plan.full_window.pixels
        progress("cut", done, total)
        with self.scene.reader() as read:
            for block in plan.blocks():
                tiles = list(product(*plan.block_tile_ranges(block)))
                owned = self._owned(plan, tiles)
                if owned:
                    around = plan.block_window(block)
                    ground = read(around)
                    for window, split in owned:
                        self._take(_part(ground, window.within(around)), split, window)
                done += len(tiles)
                progress("cut", total * done // plan.tile_count, total)

    def _owned(self, plan: TilePlan, tiles: list[Index]) -> list[tuple[Window, str]]:
        """The windows that lie in one split only, each with the name of its split."""
        windows = [plan.tile_window(tile) for tile in tiles]
        splits = [self.blocks.split_of(window) for window in windows]
        self.left_out["at a border of splits"] += splits.count(None)
        return [(w, split) for w, split in zip(windows, splits, strict=True) if split is not None]

    def _take(self, chip: Chip, split: str, window: Window) -> None:
        label = label_of(chip)
        if chip.valid.mean() < self.options.min_valid:
            self.left_out["too little data"] += 1
        elif (label == UNKNOWN).all():
            self.left_out["no label"] += 1
        elif split == SPLITS[0] and not (label == CHANGED).any() and not self._stays(window):
            self.left_out["without change"] += 1
        else:
            self.chips.add(chip, label, split, window)

    def _stays(self, window: Window) -> bool:
        """Whether a chip without change is kept. This depends on its position, not on other chips.

        A chip with a rejected polygon is always kept, because a false alarm is the best negative example.
        """
        labels = self.scene.labels
        if isinstance(labels, ReviewedLabels) and labels.holds(REJECT, window):
            return True
        chance = np.random.default_rng((self.options.seed, window.row, window.col)).random()
        return bool(chance < self.options.empty)


def _part(ground: Chip, place: tuple[slice, slice]) -> Chip:
    label = label_of(ground)[place]
    return Chip(ground.before[place], ground.after[place], ground.valid[place], label)


def label_of(chip: Chip) -> NDArray[np.uint8]:
    """The label of a chip. Raises ValueError if it has none."""
    if chip.label is None:
        raise ValueError("the chip has no label")
    return chip.label


def _check(splits: Mapping[str, SplitTotals], unknown: bool) -> None:
    for split, tally in splits.items():
        if tally.chips == 0:
            raise InputError(f"no chip is left for {split}; {CURE}")
        if unknown and tally.changed_px == 0:
            # Without the record, the value 255 of such labels would count as change.
            raise InputError(f"the chips of {split} hold unknown pixels and no change; {CURE}")


def _chips_json(scene: Scene, options: CutOptions) -> dict[str, Any]:
    pair = scene.pair
    return {
        "geochange": __version__,
        "before": pair.before.info.path,
        "after": pair.after.info.path,
        "labels": str(scene.labels.path),
        "options": options.model_dump(),
        "bands": {"before": pair.before.bands, "after": pair.after.bands},
        "radiometry": repr(scene.radiometry),
        "crs": pair.grid.crs.to_string(),
        "transform": list(pair.grid.transform)[:6],
        "shape": pair.grid.shape,
    }


def _result_json(result: CutResult) -> dict[str, Any]:
    return {"label_values": dict(result.label_values), "left_out": dict(result.left_out)}

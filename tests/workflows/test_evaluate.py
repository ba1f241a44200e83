"""Scores of models and polygons: the library, the command, and its files."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from changeclip_cases import SMALL, small, small_clip
from makers import noise
from numpy.typing import NDArray
from PIL import Image
from polygon_files import make_polygons, square
from safetensors.torch import save_file

from geochange.cli.main import _exit_code
from geochange.dataset import open_split
from geochange.errors import InputError, OptionError
from geochange.models.inference.batch import Batch
from geochange.models.weights.checkpoint import Checkpoint, write_checkpoint
from geochange.models.weights.model_card import Card
from geochange.trainer import evaluated_model as candidates
from geochange.trainer.chip_names import name_chips, stored_names
from geochange.training.metrics.counts import Counts
from geochange.workflows.evaluate import Evaluation, evaluate

SIDE, CHIPS = 32, 5


class Reader:
    """Finds the labelled change: chips that changed are 50 brighter afterwards.

    It misses the left quarter of every chip, and its probability is always 0.7.
    """

    bands = None
    threshold = 0.6

    def fit(self, sample: Any) -> dict[str, Any]:
        return {"chips": len(sample)}

    def adopt(self, statistics: Any) -> None:
        pass

    def change_logits(self, batch: Batch) -> torch.Tensor:
        rise = batch.after[:, 0].float() - batch.before[:, 0].float()
        rise[:, :, : SIDE // 4] = 0
        return torch.where(rise > 25, 0.8473, -0.8473)


class Corner(Reader):
    """Predicts change in the left half, however a chip is rotated."""

    def change_logits(self, batch: Batch) -> torch.Tensor:
        logits = torch.full(batch.valid.shape, -2.0)
        logits[:, :, : SIDE // 2] = 1.0
        return logits


class Broken(Reader):
    """Predicts NaN."""

    def change_logits(self, batch: Batch) -> torch.Tensor:
        return torch.full(batch.valid.shape, torch.nan)


class Hungry(Reader):
    bands = 4


READER, CORNER, BROKEN, HUNGRY = (
    f"{__name__}:{name}" for name in ("Reader", "Corner", "Broken", "Hungry")
)


def label_of(number: int) -> NDArray[np.uint8]:
    """0 unchanged, 1 change; one chip without change, and one with two unknown rows."""
    label = np.zeros((SIDE, SIDE), np.uint8)
    if number != 2:
        label[4 : 8 + 3 * number, :] = 1
    if number == 1:
        label[-2:] = 255
    return label


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("chips")
    for folder in ("time1", "time2", "label"):
        (root / "test" / folder).mkdir(parents=True)
    for number in range(CHIPS):
        label = label_of(number)
        before = 60 + noise((SIDE, SIDE, 3), number) // 4
        after = before + np.uint8(50) * (label == 1)[..., None]
        for folder, pixels in (("time1", before), ("time2", after), ("label", label)):
            Image.fromarray(pixels).save(root / "test" / folder / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def found(root: Path) -> Evaluation:
    return evaluate(READER, root)


def run(*arguments: Any) -> int:
    return _exit_code(["evaluate", *(str(argument) for argument in arguments)])


@pytest.mark.slow
def test_figures_are_those_of_the_pixels(found: Evaluation) -> None:
    labels = [label_of(number) for number in range(CHIPS)]
    overlooked = np.zeros((SIDE, SIDE), bool)
    overlooked[:, : SIDE // 4] = True
    expected = [Counts.of((label == 1) & ~overlooked, label) for label in labels]
    assert [chip.counts for chip in found.chips] == expected
    assert [chip.name for chip in found.chips] == [str(number) for number in range(CHIPS)]
    assert found.figures["recall"].value == 0.75
    assert found.figures["precision"].value == 1.0
    assert (found.threshold, found.names) == (0.6, "none")
    assert found.spec.statistics == {"chips": CHIPS}


def test_figures_have_intervals_and_the_calibration_error_is_right(found: Evaluation) -> None:
    iou = found.figures["iou"]
    assert iou.low is not None and iou.high is not None
    assert iou.low <= iou.value <= iou.high <= 1
    p, counts = 1 / (1 + np.exp(-0.8473)), found.counts
    stated_low = abs(1 - p - counts.fn / (counts.fn + counts.tn)) * (counts.fn + counts.tn)
    expected = (stated_low + abs(p - 1) * counts.tp) / (counts.fn + counts.tn + counts.tp)
    assert found.figures["ece"].value == pytest.approx(expected, abs=1e-3)
    # The missed quarter removes the boundary there, and adds one of its own.
    edge = {name: found.figures[f"boundary_{name}"].value for name in ("precision", "recall")}
    assert all(0.7 < value < 1 for value in edge.values())
    assert edge == {"precision": found.boundary.precision, "recall": found.boundary.recall}


@pytest.mark.slow
def test_the_threshold_that_is_given_is_the_one_that_counts(root: Path) -> None:
    assert evaluate(READER, root, threshold=0.71).counts.tp == 0
    assert evaluate(READER, root, threshold=0.29).counts.tn == 0
    assert evaluate(READER, root, threshold=0.69).counts.tp > 0


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 2, 3, 64])
def test_batches_change_nothing(root: Path, found: Evaluation, batch: int) -> None:
    told: list[tuple[str, int, int]] = []
    again = evaluate(READER, root, lambda *step: told.append(step), batch=batch)
    assert again.chips == found.chips
    steps = sorted({*range(0, CHIPS, batch), CHIPS})
    assert told == [("evaluate", done, CHIPS) for done in steps]


@pytest.mark.slow
def test_turning_is_for_all_chips(root: Path) -> None:
    # Over all symmetries, every pixel is in the left half equally often: logit -0.5.
    turned = evaluate(CORNER, root, tta=True, threshold=0.38)
    assert turned.counts.tp + turned.counts.fp == 0
    assert evaluate(CORNER, root, tta=True, threshold=0.37).counts.tn == 0
    assert evaluate(CORNER, root, threshold=0.38).counts.fp > 0


@pytest.mark.slow
def test_the_worst_chips_come_first(root: Path) -> None:
    found = evaluate(READER, root, worst=3)
    wrong = {chip.name: chip.wrong_px for chip in found.chips}
    names = [row.name for row in found.worst]
    assert names == sorted(wrong, key=lambda name: -wrong[name])[:3]
    row = found.worst[0]
    assert row.note.startswith(f"{wrong[names[0]]:,} px wrong, IoU 0.")
    assert np.ptp(row.probability) == pytest.approx(0.4, abs=1e-3)


@pytest.mark.slow
def test_a_perfect_chip_without_change_has_no_share_of_nothing(
    found: Evaluation, root: Path, tmp_path: Path
) -> None:
    found.write_csv(tmp_path / "a.csv")
    with (tmp_path / "a.csv").open() as stream:
        rows = {row["name"]: row for row in csv.DictReader(stream)}
    assert (rows["2"]["iou"], rows["2"]["boundary_f1"], rows["2"]["accuracy"]) == ("", "", "1.0")
    assert rows["0"]["iou"] == "0.75"
    shown = [row.name for row in evaluate(READER, root, worst=CHIPS).worst]
    assert len(shown) == CHIPS - 1 and "2" not in shown


@pytest.mark.slow
def test_the_own_baseline_learns_the_scene_first(root: Path) -> None:
    found = evaluate("cva", root)
    assert found.figures["f1"].value > 0.6
    assert found.spec.statistics["cut"] > 0


def test_a_model_of_other_bands_is_refused(root: Path) -> None:
    with pytest.raises(OptionError, match="takes 4 bands, but chips have 3"):
        evaluate(HUNGRY, root)


@pytest.mark.slow
def test_what_is_no_number_is_a_fault_and_not_no_change(root: Path) -> None:
    with pytest.raises(FloatingPointError, match="not finite"):
        evaluate(BROKEN, root)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    card = Card(SMALL["vit"], threshold=0.4, temperature=2.0)
    write_checkpoint(folder / "m.safetensors", Checkpoint(card, small("vit").state_dict()))
    save_file(small_clip().state_dict(), folder / "clip.safetensors")
    return folder


def logits_of(found: Evaluation) -> NDArray[np.int64]:
    return found.histogram.pixels


@pytest.mark.slow
def test_names_beside_the_data_are_used_and_clip_is_not(
    root: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = f"ViT-B-16-quickgelu@{weights / 'clip.safetensors'}"
    model, given = str(weights / "m.safetensors"), {"clip": clip, "precision": "float32"}
    asked = evaluate(model, root, **given)
    source = open_split(root, "test")
    try:
        name_chips(source, root, "test", clip)
        monkeypatch.setattr(candidates, "cached_model", None)
        stored = evaluate(model, root, **given)
        assert (asked.names, stored.names) == ("CLIP", "stored")
        assert asked.threshold == stored.threshold == 0.4
        np.testing.assert_array_equal(logits_of(asked), logits_of(stored))
        published = evaluate(model, root, prompts="published", **given)
        names = stored_names(root, "test", source, clip)
        assert names is not None and any(before != after for before, after in names)
        assert (logits_of(published) != logits_of(stored)).any()
    finally:
        for file in (root / "test").glob("*.json"):
            file.unlink()


@pytest.mark.slow
def test_fixed_prompts_need_no_clip(root: Path, weights: Path) -> None:
    found = evaluate(str(weights / "m.safetensors"), root, prompts="fixed", precision="bfloat16")
    told = found.to_json()
    assert (found.names, told["device"], told["precision"]) == ("none", "cpu", "bfloat16")
    assert evaluate(READER, root).to_json()["precision"] == "float32"
    assert np.isfinite(found.figures["ece"].value)


@pytest.mark.slow
def test_the_command_writes_everything_whole(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["--json", tmp_path / "a.json", "--csv", tmp_path / "a.csv", "--plots", tmp_path / "p"]
    assert run("cva", root, *files) == 0
    shown = " ".join(capsys.readouterr().out.split())
    told = json.loads((tmp_path / "a.json").read_text())
    for name, words in (("iou", "IoU of change"), ("boundary_f1", "boundary F1, 2 px")):
        figure = told["figures"][name]
        low, high = figure["low"], figure["high"]
        assert f"{words} │ {figure['value']:.4f} │ {low:.4f} to {high:.4f}" in shown
    with (tmp_path / "a.csv").open() as stream:
        table = list(csv.DictReader(stream))
    assert [row["before"] for row in table] == [f"test/time1/{n}.png" for n in range(CHIPS)]
    assert sum(int(row["tp"]) for row in table) == told["counts"]["tp"]
    assert sum(told["reliability"]["pixels"]) == sum(told["counts"].values())
    for name in ("reliability.png", "worst.png"):
        with Image.open(tmp_path / "p" / name) as picture:
            assert min(picture.size) > 200
    here = sorted(path.name for path in tmp_path.rglob("*"))
    assert here == ["a.csv", "a.json", "p", "reliability.png", "worst.png"]


@pytest.mark.slow
def test_lines_of_json_and_silence(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(READER, root, "--log-json") == 0
    *_, last = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert last["event"] == "result" and last["figures"]["recall"]["value"] == 0.75
    assert run(READER, root, "--quiet") == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


@pytest.fixture
def polygons(tmp_path: Path) -> tuple[Path, Path]:
    make_polygons(tmp_path / "found.gpkg", [square(2, 2, 10), square(30, 30, 10)])
    make_polygons(tmp_path / "true.geojson", [square(2, 2, 10), square(60, 5, 10)])
    return tmp_path / "found.gpkg", tmp_path / "true.geojson"


@pytest.mark.slow
def test_polygons_are_compared(
    polygons: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.json"
    assert run(*polygons, "--pixel", 10, "--tolerance", 1, "--json", file) == 0
    told = json.loads(file.read_text())
    assert told["pixels"]["precision"] == pytest.approx(0.5, abs=0.02)
    assert told["objects"]["iou_0.5"]["all"]["recall"] == 0.5
    assert told["boundary"]["tolerance_px"] == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert f"precision │ {told['pixels']['precision']:.4f} │" in shown
    assert "│ all │ 2 │ 2 │ 0.500 │ 0.500 │ 0.500 │" in shown
    assert "boundary F1, 1 px" in shown


REFUSED = {
    "model that is not known": ("best ROOT", "choose changeclip-small, cva"),
    "weights that are not there": ("no.safetensors ROOT", "no weights at"),
    "no such folder": ("cva nowhere", "no such folder"),
    "split that is not there": ("cva ROOT --split val", "has test"),
    "layout that is not known": ("cva ROOT --layout x", "layout x is not known"),
    "threshold of one": ("cva ROOT --threshold 1", "--threshold 1.0: input should be less than 1"),
    "prompts that are not known": ("cva ROOT --prompts x", "choose per-date"),
    "precision that is not known": ("cva ROOT --precision x", "choose auto"),
    "no batch": ("cva ROOT --batch 0", "--batch 0"),
    "device that is not here": ("cva ROOT --device cuda:99", "choose cpu or auto"),
    "vocabulary that is not there": ("cva ROOT --vocabulary x.txt", "no such file"),
    "two bands": ("cva ROOT --bands 1,2", "three bands"),
    "json of another name": ("cva ROOT --json a.txt", "ends in .json"),
    "json in no folder": ("cva ROOT --json none/a.json", "create it"),
    "csv over the weights": ("cva ROOT --csv m.safetensors", "ends in .csv"),
    "plots over a file": ("cva ROOT --plots text.txt", "is a file"),
    "options of polygons": ("cva ROOT --pixel 2", "--pixel is for files of polygons"),
    "one file of polygons": ("FOUND ROOT", "give two of them"),
    "polygons and a model": ("cva TRUE", "give two of them"),
    "polygons that are not there": ("FOUND none.gpkg", "no such file"),
    "options of chips": ("FOUND TRUE --tta", "--tta is for models"),
    "plots of polygons": ("FOUND TRUE --plots p", "--plots is for models"),
    "json over an input": ("FOUND true.json --json true.json", "would overwrite the input"),
    "no grid": ("FOUND TRUE", "--pixel 0.5"),
    "an empty name": ("cva EMPTY", "names no folder"),
    "pixels of no size": ("FOUND TRUE --pixel 0", "--pixel 0.0: input should be greater than 0"),
    "nothing": ("cva", "ROOT|REFERENCE"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", sorted(REFUSED))
def test_what_cannot_be_is_refused_in_one_line(
    case: str,
    root: Path,
    polygons: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words, part = REFUSED[case]
    places = {"EMPTY": "", "ROOT": root, "FOUND": polygons[0], "TRUE": polygons[1]}
    (tmp_path / "text.txt").touch()
    (tmp_path / "true.json").write_bytes(polygons[1].read_bytes())
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert run(*(places.get(word, word) for word in words.split())) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    assert part in captured.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.slow
def test_a_damaged_chip_is_named_and_nothing_is_written(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("time1", "time2", "label"):
        (tmp_path / "test" / folder).mkdir(parents=True)
        for file in (root / "test" / folder).iterdir():
            (tmp_path / "test" / folder / file.name).write_bytes(file.read_bytes())
    (tmp_path / "test" / "time2" / "3.png").write_bytes(b"\x89PNG no more")
    assert run("cva", tmp_path, "--json", tmp_path / "a.json") == 2
    assert "3.png" in capsys.readouterr().err
    assert not (tmp_path / "a.json").exists()


def test_a_missing_folder_is_refused_by_the_library_too(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        evaluate("cva", tmp_path / "none")

"""`train`: from labelled chips to a checkpoint for `run`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from affine import Affine
from chip_folders import built, make_chips
from makers import make_raster
from PIL import Image
from scipy.special import expit

from geochange.cli.main import _exit_code
from geochange.config import RunOptions, TrainOptions
from geochange.dataset import open_split
from geochange.errors import GeochangeError, InputError, OptionError, OutputError
from geochange.interrupt import raise_on_termination
from geochange.models import PromptingOptions, weights_spec
from geochange.models.inference.predict import predict
from geochange.models.prompts import FIXED_NAMES
from geochange.models.weights.checkpoint import read_checkpoint
from geochange.models.weights.resume_state import read_resume_state
from geochange.trainer.checkpoint_to_resume import CHANGEABLE_OPTIONS
from geochange.trainer.validation import Validator
from geochange.workflows.detect import detect
from geochange.workflows.train import Trained, train

pytestmark = pytest.mark.slow

SMALL: Mapping[str, Any] = {
    "network": {"variant": "tiny", "start": None},
    "prompts": {"mode": "fixed"},
    "augment": {"size": 64},
    "optim": {"lr": 1e-4, "steps": 6, "warmup_steps": 2, "batch": 4},
    "validation": {"every": 2, "sheet": 2},
    "data": {"workers": 0},
    "device": {"threads": 1},
    "log_every": 3,
}


@pytest.fixture(scope="module")
def chips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_chips(tmp_path_factory.mktemp("chips"), {"train": 6, "val": 3})


def options(root: Path, **changes: Mapping[str, Any]) -> TrainOptions:
    values = {**SMALL, "data": {**SMALL["data"], "root": str(root)}}
    for section, some in changes.items():
        values[section] = {**values.get(section, {}), **some}
    return TrainOptions.parse(values)


@pytest.fixture(scope="module")
def trained(chips: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Trained]:
    out = tmp_path_factory.mktemp("runs") / "deep" / "small"
    return out, train(options(chips), out)


def test_everything_that_is_promised_lies_in_the_folder(trained: tuple[Path, Trained]) -> None:
    out, result = trained
    assert sorted(path.name for path in out.iterdir()) == [
        *("best.safetensors", "last.safetensors", "metrics.csv", "sheets", "tensorboard"),
    ]
    sheets = sorted((out / "sheets").iterdir())
    assert [sheet.stem for sheet in sheets] == ["0000002", "0000004", "0000006"]
    assert Image.open(sheets[0]).width > 4 * 64
    assert result.best == out / "best.safetensors" and result.steps == 6
    assert 0 <= result.waiting <= 1


def test_the_card_says_what_came_of_it(trained: tuple[Path, Trained]) -> None:
    out, result = trained
    card = read_checkpoint(out / "best.safetensors").card
    assert card.prompts == "fixed"
    assert 0 < card.threshold < 1 and card.temperature != 1.0
    assert {"iou", "f1", "miou", "kappa", "val_loss", "ece_before", "ece_after"} <= set(
        card.metrics
    )
    assert card.metrics["ece_after"] <= card.metrics["ece_before"] + 0.02
    assert dict(card.metrics) == dict(result.figures)
    assert card.provenance["variant"] == "tiny"
    facts = read_resume_state(out / "last.safetensors").facts
    assert facts["step"] == 6
    assert facts["options"]["optim"]["steps"] == 6


def test_a_chip_gets_the_same_bits_from_train_and_run(
    trained: tuple[Path, Trained], chips: Path
) -> None:
    """Read as a labelled chip during validation, or predicted from the saved checkpoint."""
    out, _ = trained
    source = open_split(chips, "val")
    checkpoint = read_checkpoint(out / "best.safetensors")
    network = checkpoint.build()
    spec = weights_spec(
        str(out / "best.safetensors"), "cpu", PromptingOptions(precision="float32"), None
    )
    by_run = predict(spec, [source[0], source[1]], 2).logits
    examiner = Validator(
        source, [(FIXED_NAMES, FIXED_NAMES)] * 3, [0, 1], frozenset([0, 1]), batch=2
    )
    verdict = examiner.examine(network.train(), checkpoint.card, "cpu")
    by_training = [row.probability for row in verdict.rows]
    assert network.training
    for logits, probability in zip(by_run, by_training, strict=True):
        assert np.array_equal(expit(logits), probability)


def test_run_takes_the_checkpoint(trained: tuple[Path, Trained], tmp_path: Path) -> None:
    out, result = trained
    metre = Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)
    before, after, _ = built(300, 5)
    pair = [
        make_raster(tmp_path / f"{n}.tif", date, transform=metre)
        for n, date in (("before", before), ("after", after))
    ]
    model = {"model": str(out / "best.safetensors"), "report": "none"}
    found = detect(*pair, tmp_path / "changes.gpkg", **model)
    assert found.raster.is_file()
    assert RunOptions().threshold is None  # so that it must be the checkpoint's own
    again = detect(*pair, tmp_path / "same.gpkg", **model, threshold=result.threshold)
    assert found.polygons == again.polygons and found.changed_m2 == again.changed_m2


def weights(file: Path) -> dict[str, torch.Tensor]:
    memory = {f"training/{n}": x for n, x in read_resume_state(file).tensors.items()}
    return dict(read_checkpoint(file).tensors) | memory


def same(one: Path, other: Path) -> bool:
    a, b = weights(one), weights(other)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("after", [1, 3])
def test_going_on_gives_the_weights_of_never_having_stopped(
    trained: tuple[Path, Trained], chips: Path, tmp_path: Path, after: int
) -> None:
    whole, _ = trained

    def watch(stage: str, done: int, total: int, note: str) -> None:
        if stage == "learn" and done == after:
            raise RuntimeError("the power went")

    with pytest.raises(RuntimeError, match="the power went"):
        train(options(chips), tmp_path / "out", watch=watch)
    begun = (tmp_path / "out" / "last.safetensors").is_file()
    assert begun is (after > 2)
    train(options(chips), tmp_path / "out", resume=True)
    for name in ("last.safetensors", "best.safetensors"):
        assert same(whole / name, tmp_path / "out" / name)
        theirs, ours = (read_checkpoint(p / name).card for p in (whole, tmp_path / "out"))
        assert (theirs.threshold, theirs.temperature) == (ours.threshold, ours.temperature)
        assert theirs.metrics == ours.metrics
    lines = [
        [line.rsplit(",", 1)[0] for line in (p / "metrics.csv").read_text().splitlines()]
        for p in (whole, tmp_path / "out")
    ]
    assert lines[0] == lines[1]


def test_an_averaged_network_goes_on_as_well(chips: Path, tmp_path: Path) -> None:
    with_ema = options(chips, optim={"ema": 0.5, "steps": 4})

    def watch(stage: str, done: int, total: int, note: str) -> None:
        if stage == "learn" and done == 3 and not (tmp_path / "stopped").exists():
            (tmp_path / "stopped").touch()
            raise RuntimeError("the power went")

    with pytest.raises(RuntimeError):
        train(with_ema, tmp_path / "a", watch=watch)
    train(with_ema, tmp_path / "a", resume=True)
    train(with_ema, tmp_path / "b")
    assert same(tmp_path / "a" / "last.safetensors", tmp_path / "b" / "last.safetensors")


def test_the_journal_goes_on_as_if_it_had_never_stopped(
    trained: tuple[Path, Trained], chips: Path, tmp_path: Path
) -> None:
    """Stopped by Ctrl-C between two lines; the second covers all steps since the first."""
    whole, _ = trained

    def watch(stage: str, done: int, total: int, note: str) -> None:
        if stage == "learn" and done == 5:
            os.kill(os.getpid(), 2)

    with pytest.raises(KeyboardInterrupt):
        train(options(chips), tmp_path / "stopped", watch=watch)
    assert read_resume_state(tmp_path / "stopped" / "last.safetensors").facts["step"] == 5
    train(options(chips), tmp_path / "stopped", resume=True)
    for name in ("last.safetensors", "best.safetensors"):
        assert same(whole / name, tmp_path / "stopped" / name)
    through, stopped = (
        [line.split(",") for line in (out / "metrics.csv").read_text().splitlines()]
        for out in (whole, tmp_path / "stopped")
    )
    assert [line[:-1] for line in through] == [line[:-1] for line in stopped]
    seconds = [float(line[-1]) for line in stopped[1:] if line[-1]]
    assert len(seconds) == 2 and seconds == sorted(seconds)


def test_other_chips_are_no_training_to_go_on_with(
    trained: tuple[Path, Trained], tmp_path: Path
) -> None:
    whole, _ = trained
    other = make_chips(tmp_path / "chips", {"train": 6, "val": 3})
    label = Image.open(other / "val" / "label" / "002.png")
    label.putpixel((0, 0), 255)
    label.save(other / "val" / "label" / "002.png")
    before = {path: path.read_bytes() for path in whole.glob("*.safetensors")}
    with pytest.raises(OptionError, match=r"begun with other chips than .*, val: give the same"):
        train(options(other), whole, resume=True)
    assert {path: path.read_bytes() for path in whole.glob("*.safetensors")} == before


def test_a_training_that_came_to_its_end_is_left_alone(
    trained: tuple[Path, Trained], tmp_path: Path
) -> None:
    whole, result = trained
    moved = make_chips(tmp_path / "moved", {"train": 6, "val": 3})
    times = {path: path.stat().st_mtime_ns for path in whole.rglob("*")}
    again = train(options(moved), whole, resume=True)
    assert {path: path.stat().st_mtime_ns for path in whole.rglob("*")} == times
    assert again.already and not result.already
    assert (again.figures, again.steps) == (result.figures, result.steps)


def test_a_training_that_diverges_stops_at_once_and_keeps_no_broken_weights(
    chips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "options.yaml"
    file.write_text(json.dumps(options(chips, validation={"every": 6}).model_dump(mode="json")))
    told = ["train", str(file), "--set", "optim.lr=1e30", "--set", "optim.warmup_steps=0"]
    assert _exit_code([*told, "--out", str(tmp_path / "out"), "--quiet"]) == 1
    said = capsys.readouterr().err
    assert "the training diverges: lower optim.lr" in said and said.count("\n") == 1
    assert "same command" not in said and "fault" not in said
    assert not list((tmp_path / "out").glob("*.safetensors"))


def test_what_stops_before_the_first_step_leaves_no_folder(
    chips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise InputError("CLIP's weights were not found")

    monkeypatch.setattr("geochange.trainer.preparation.name_chips", refuse)
    prompted = options(chips, prompts={"mode": "per-date"})
    with pytest.raises(InputError, match="not found"):
        train(prompted, tmp_path / "deep" / "out")
    assert list(tmp_path.iterdir()) == []


def test_chips_of_several_sizes_are_learnt_from_and_validated_on(tmp_path: Path) -> None:
    root = make_chips(tmp_path / "chips", {"train": 4, "val": 3})
    for split in ("train", "val"):
        for folder in ("time1", "time2", "label"):
            picture = root / split / folder / "001.png"
            Image.open(picture).resize((80, 96), Image.Resampling.NEAREST).save(picture)
    result = train(options(root, optim={"steps": 2}), tmp_path / "out")
    assert np.isfinite(list(result.figures.values())).all()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_end_keeps_the_step_it_came_in(
    chips: Path, tmp_path: Path, number: int
) -> None:
    def watch(stage: str, done: int, total: int, note: str) -> None:
        if stage == "learn" and done == 1:
            os.kill(os.getpid(), number)

    with raise_on_termination(), pytest.raises(KeyboardInterrupt) as ended:
        train(options(chips), tmp_path, watch=watch)
    assert getattr(ended.value, "number", None) == number
    assert read_resume_state(tmp_path / "last.safetensors").facts["step"] == 1


def test_weights_without_their_training_are_not_replaced(chips: Path, tmp_path: Path) -> None:
    (tmp_path / "best.safetensors").write_text("kept from another training")
    with pytest.raises(OutputError, match=r"holds a training already; .*name another --out"):
        train(options(chips), tmp_path)
    train(options(chips, optim={"steps": 2}), tmp_path / "another")


def test_loading_processes_change_nothing(
    trained: tuple[Path, Trained], chips: Path, tmp_path: Path
) -> None:
    whole, _ = trained
    train(options(chips, data={"workers": 2}), tmp_path)
    assert same(whole / "last.safetensors", tmp_path / "last.safetensors")


STILL: Mapping[str, Any] = {
    "network": {"dropout": 0.0, "drop_path": 0.0, "tower_drop_path": 0.0, "batch_norm": "frozen"},
    "optim": {"steps": 2},
}
"""Nothing is drawn at random, and no chip changes how others are seen."""


@pytest.fixture(scope="module")
def still(chips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training in one process with whole batches."""
    out = tmp_path_factory.mktemp("still")
    train(options(chips, **STILL), out)
    return out


def furthest(one: Path, other: Path) -> float:
    """The largest difference between weights of two folders."""
    a, b = (read_checkpoint(folder / "last.safetensors").tensors for folder in (one, other))
    return max((a[name].float() - b[name].float()).abs().max().item() for name in a)


def test_two_processes_learn_what_one_does_with_the_whole_batch(
    still: Path, chips: Path, tmp_path: Path
) -> None:
    # Adam takes full steps even for gradients that are only rounding (a key's bias has none).
    # So a large rate would show those, and not the effect under test.
    file, out = tmp_path / "options.yaml", tmp_path / "2"
    values = options(chips, **STILL, device={"devices": 2})
    file.write_text(json.dumps(values.model_dump(mode="json")))
    script = str(Path(sys.executable).with_name("geochange"))
    command = [script, "train", str(file), "--out", str(out)]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1200)
    assert told.returncode == 0, told.stderr
    assert told.stdout.count("checkpoint ") == 1
    assert furthest(still, out) < 1e-5
    one, two = (read_checkpoint(each / "last.safetensors").card.metrics for each in (still, out))
    assert one["val_loss"] == pytest.approx(two["val_loss"], abs=1e-5)


def test_micro_batches_are_only_a_matter_of_memory(
    still: Path, chips: Path, tmp_path: Path
) -> None:
    optim = {**STILL["optim"], "micro_batch": 1}
    train(options(chips, **{**STILL, "optim": optim}), tmp_path)
    assert furthest(still, tmp_path) < 1e-5


def test_half_precision_learns_too(chips: Path, tmp_path: Path) -> None:
    changed = options(chips, device={"precision": "bfloat16"}, optim={"steps": 2})
    assert np.isfinite(list(train(changed, tmp_path).figures.values())).all()


def test_a_small_network_learns_what_is_planted(tmp_path: Path) -> None:
    root = make_chips(tmp_path / "chips", {"train": 8, "val": 4})
    long = options(root, optim={"lr": 2e-3, "steps": 60, "batch": 4}, validation={"every": 60})
    assert train(long, tmp_path / "out").figures["f1"] > 0.8


CHIPS = os.environ.get("GEOCHANGE_CHIPS")
"""Where real chips are. They are measured on request: it takes minutes."""

NOTHING = dict.fromkeys(("rotate", "flip", "photometric"), 0.0)


@pytest.mark.skipif(CHIPS is None, reason="GEOCHANGE_CHIPS names no folder of chips")
def test_eight_real_chips_are_learnt_by_heart(tmp_path: Path) -> None:
    """The chips of LEVIR-CD with the most change, all at every step, without augmentation."""
    labels = sorted(
        (Path(CHIPS or "") / "levir").glob("*/label/*"),
        key=lambda p: -np.asarray(Image.open(p)).mean(),
    )
    for label in labels[:8]:
        for split in ("train", "val"):
            for folder in ("time1", "time2", "label"):
                (tmp_path / split / folder).mkdir(parents=True, exist_ok=True)
                place = tmp_path / split / folder / label.name
                place.symlink_to(label.parent.parent / folder / label.name)
    by_heart = options(
        tmp_path,
        network={"dropout": 0.0, "drop_path": 0.0, "batch_norm_dates": "together"},
        augment={"size": 256, "crop_share": 1.0, **NOTHING},
        optim={
            **{"lr": 6e-3, "steps": 110, "warmup_steps": 10, "batch": 8, "clip_norm": 1.0},
            **{"loss": "cross_entropy+dice", "betas": [0.9, 0.95], "power": 0.7},
        },
        validation={"every": 110},
        device={"threads": 2},
    )
    trained = train(by_heart, tmp_path / "out")
    assert trained.figures["f1"] >= 0.95
    assert trained.steps == 110


def test_class_names_that_are_stored_are_taught(chips: Path, tmp_path: Path) -> None:
    """Training with prompts needs no CLIP if the names are stored with the chips."""
    from geochange.models.prompts import published_vocabulary
    from geochange.training.data.class_file import write_classes

    root = make_chips(tmp_path / "chips", {"train": 2, "val": 2})
    vocabulary = published_vocabulary()
    for split in ("train", "val"):
        for date, names in (("time1", vocabulary), ("time2", vocabulary[::-1])):
            entries = [
                (f"/elsewhere/{date}/{n:03d}.png", [(name, 1 / 56) for name in names])
                for n in range(2)
            ]
            write_classes(root / split / f"{date}_clipcls_56_vit16.json", entries)
    prompted = options(root, prompts={"mode": "per-date"}, optim={"steps": 2, "batch": 2})
    result = train(prompted, tmp_path / "out")
    assert read_checkpoint(result.best).card.prompts == "per-date"


def refused(kind: type[GeochangeError], told: str, values: TrainOptions, out: Path) -> None:
    with pytest.raises(kind, match=told) as error:
        train(values, out)
    assert "\n" not in str(error.value)
    assert not (out / "last.safetensors").exists()


def test_what_cannot_be_trained_is_refused_before_the_first_step(
    chips: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    refused(InputError, "missing", options(tmp_path / "missing"), out)
    refused(InputError, "no weights at", options(chips, network={"start": "x.pth"}), out)
    refused(OptionError, "optim.loss hinge", options(chips, optim={"loss": "hinge"}), out)
    refused(OptionError, "tiny has no CLIP", options(chips, network={"start": "clip"}), out)
    refused(
        InputError,
        "no such file",
        options(chips, prompts={"mode": "per-date", "vocabulary": "none.txt"}),
        out,
    )
    refused(OptionError, r"data\.bands: .* no band 9", options(chips, data={"bands": "1,2,9"}), out)
    refused(OptionError, "layout x is not known", options(chips, data={"layout": "x"}), out)
    on_cpu = {"accelerator": "cpu", "precision": "float16"}
    refused(OptionError, "float16: needs a GPU", options(chips, device=on_cpu), out)
    refused(OptionError, "batch", options(chips, device={"devices": 2}, optim={"batch": 3}), out)


def test_a_folder_that_holds_a_training_is_not_begun_anew(
    trained: tuple[Path, Trained], chips: Path, tmp_path: Path
) -> None:
    whole, _ = trained
    with pytest.raises(OutputError, match="continue it with --resume"):
        train(options(chips), whole)
    with pytest.raises(OptionError, match=r"optim\.lr 0\.0001, but now it is 0\.5"):
        train(options(chips, optim={"lr": 0.5}), whole, resume=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file"):
        train(options(chips), tmp_path / "file")


def test_what_may_change_between_are_options() -> None:
    def leaves(values: Mapping[str, Any], prefix: str = "") -> set[str]:
        return {
            name
            for key, value in values.items()
            for name in (leaves(value, f"{key}.") if isinstance(value, dict) else {prefix + key})
        }

    assert leaves(TrainOptions().model_dump()) >= CHANGEABLE_OPTIONS


def test_the_command_trains_by_a_file_of_options(
    chips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "options.yaml"
    file.write_text(json.dumps({**options(chips).model_dump(mode="json")}))
    arguments = ["train", str(file), "--set", "optim.steps=2", "--out", str(tmp_path / "out")]
    assert _exit_code([*arguments, "--log-json"]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["event"] == "result" and last["steps"] == 2
    assert _exit_code(arguments) == 2
    assert "continue it with --resume" in capsys.readouterr().err
    assert _exit_code([*arguments, "--resume"]) == 0
    told = capsys.readouterr().out
    assert "threshold 0." in told and "F1 of change" in told and "nothing to do" in told
    assert _exit_code(["train", str(file), "--show", "--set", "seed=9"]) == 0
    assert "seed: 9  # " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere.yaml"], "cannot be read"),
        (["{file}", "--set", "optim.lr"], "NAME=VALUE"),
        (["{file}", "--set", "optim.lrr=1"], "no option optim.lrr"),
        (["{file}", "--data", "nowhere"], "nowhere"),
        (["{file}"], "CDPATH"),
        (["{file}", "--data", ""], "names no folder"),
    ],
)
def test_refusals_of_the_command(
    arguments: list[str],
    told: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CDPATH", raising=False)
    (tmp_path / "options.yaml").write_text("network: {variant: tiny, start: null}")
    words = [word.replace("{file}", "options.yaml") for word in arguments]
    assert _exit_code(["train", *words]) == 2
    said = capsys.readouterr().err
    assert told in said and said.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["options.yaml"]

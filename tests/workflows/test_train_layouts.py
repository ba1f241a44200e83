"""A whole training, and an evaluation, on a data set of another layout in a zip archive."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from chip_folders import built
from layout_sets import building, save, write_json, zipped

from geochange.cli.main import _exit_code

pytestmark = pytest.mark.slow

SIZE = 64

OPTIONS = """
network: {variant: tiny, start: null}
prompts: {mode: fixed}
augment: {size: 64}
optim: {lr: 1.0e-4, steps: 2, warmup_steps: 0, batch: 2}
validation: {every: 2, sheet: 0}
data: {val: hold, workers: 0}
device: {threads: 1, accelerator: cpu}
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zip archive of xBD with destroyed buildings."""
    root = tmp_path_factory.mktemp("xbd")
    for number in range(4):
        split, name = ("train", "hold")[number // 2], f"flood_{number:08}"
        before, after, label = built(SIZE, number)
        rows, cols = label.any(axis=1).nonzero()[0], label.any(axis=0).nonzero()[0]
        roof = building("destroyed", (rows[0], rows[-1] + 1), (cols[0], cols[-1] + 1))
        for date, pixels in (("pre", before), ("post", after)):
            save(root / "set" / split / "images" / f"{name}_{date}_disaster.png", pixels)
        told = {"features": {"xy": [roof]}}
        write_json(root / "set" / split / "labels" / f"{name}_post_disaster.json", told)
    return zipped(root / "set", root / "xbd.zip", "xbd/")


def test_train_and_evaluate_read_an_archive_of_another_layout(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.yaml").write_text(OPTIONS)
    words = ["train", str(tmp_path / "mine.yaml"), "--data", str(archive), "--quiet"]
    assert _exit_code([*words, "--out", str(tmp_path / "out")]) == 0
    model, file = tmp_path / "out" / "best.safetensors", tmp_path / "found.json"
    words = ["evaluate", str(model), str(archive), "--split", "hold", "--json", str(file)]
    assert _exit_code([*words, "--device", "cpu", "--quiet"]) == 0, capsys.readouterr().err
    assert json.loads(file.read_text())["chips"]
    assert sorted(path.name for path in archive.parent.iterdir()) == ["set", "xbd.zip"]
    words = ["train", str(tmp_path / "mine.yaml"), "--data", str(archive), "--quiet"]
    assert _exit_code([*words, "--out", str(tmp_path / "two"), "--set", "data.layout=coco"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "/train: lacks two folders of pictures or a COCO file" in told

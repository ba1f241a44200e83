"""The shipped graphs can be written anew from the checkpoint: `make graphs`."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from geochange.models.detector import ChangeClipDetector, DetectorSpec
from geochange.models.onnx.export import engine_graphs
from geochange.models.onnx.shipped.graphs import GRAPHS, SHA_KEY, graph_file
from geochange.models.weights.locate import SHIPPED

pytestmark = pytest.mark.slow

CHECKPOINT = SHIPPED["changeclip-small"]


@pytest.fixture(scope="module")
def detector() -> ChangeClipDetector:
    return DetectorSpec(str(CHECKPOINT), precision="float32").build()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the graphs and the checkpoint that holds their weights."""
    folder = tmp_path_factory.mktemp("graphs")
    shutil.copy(CHECKPOINT, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            engine_graphs, "graph_file", lambda file, part: folder / graph_file(file, part).name
        )
        files = engine_graphs.write_graphs()
    assert files and all(file.parent == folder for file in files)
    return folder


def answers(file: Path, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return [np.asarray(answer) for answer in session.run(None, inputs)]


@pytest.mark.parametrize("part", GRAPHS)
def test_it_answers_as_the_shipped_one(
    part: str, written: Path, detector: ChangeClipDetector
) -> None:
    shipped = graph_file(CHECKPOINT, part)
    anew = written / shipped.name
    names = engine_graphs.PORTS[part][0]
    traced = engine_graphs._inputs(detector, part)
    inputs = {name: each.numpy() for name, each in zip(names, traced, strict=True)}
    for one, other in zip(answers(anew, inputs), answers(shipped, inputs), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("part", GRAPHS)
def test_its_weights_stay_in_the_checkpoint(part: str, written: Path) -> None:
    file = written / graph_file(CHECKPOINT, part).name
    model = onnx.load(file, load_external_data=False)
    said = {each.key: each.value for each in model.metadata_props}
    assert said[SHA_KEY] == engine_graphs.StoredTensors(CHECKPOINT).sha256
    inside = [w for w in model.graph.initializer if w.data_location != onnx.TensorProto.EXTERNAL]
    assert file.stat().st_size < CHECKPOINT.stat().st_size / 20
    assert sum(int(np.prod(w.dims)) for w in inside) < 10_000

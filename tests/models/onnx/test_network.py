"""Networks of ONNX files answer as the modules that they were exported from, whatever their kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from makers import make_chip, noise
from onnx_files import SAID, Eight, Siamese, Stacked, Then, export, siamese
from torch import nn
from torch.nn import functional as F

from geochange.chip import Chip
from geochange.errors import InputError, OptionError
from geochange.land_cover import NO_LAND_CLASS
from geochange.models import ModelSpec, cached_model, onnx_spec
from geochange.models.inference.batch import collate
from geochange.models.inference.predict import run_model
from geochange.models.onnx import session
from geochange.models.onnx.describe import describe
from geochange.models.onnx.devices import place
from geochange.models.onnx.network import OnnxNetwork
from geochange.models.onnx.session import PROVIDERS, runtime
from geochange.models.protocol import ChangeModel, ClassifiesLand

SIDE = (40, 48)
PIXELS = noise((*SIDE, 3), 1), noise((*SIDE, 3), 2)
CHIP = make_chip(*PIXELS)


def network(path: Path) -> OnnxNetwork:
    return OnnxNetwork(describe(path))


def logits_of(path: Path, chip: Chip = CHIP) -> np.ndarray[Any, Any]:
    return run_model(network(path), [chip], 1, "cpu").logits[0]


def pictures(*dates: np.ndarray[Any, Any]) -> list[torch.Tensor]:
    return [torch.from_numpy(date).permute(2, 0, 1)[None].float() for date in dates]


def as_torch(module: nn.Module) -> torch.Tensor:
    """(channel, height, width) of a module for pixels in 0..1."""
    with torch.no_grad():
        told: torch.Tensor = module.eval()(*(date / 255 for date in pictures(*PIXELS)))[0]
    return told


RAND = torch.rand(1, 3, 32, 32)
EIGHT = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)


def half(x: torch.Tensor) -> torch.Tensor:
    return F.interpolate(x[None], size=SIDE, mode="bilinear")[0]


KINDS: dict[str, tuple[nn.Module, dict[str, Any], Callable[[torch.Tensor], torch.Tensor]]] = {
    "one logit": (Siamese(1), {}, lambda x: x[0]),
    "one probability": (
        Then(Siamese(1), torch.sigmoid),
        {"says": "probability"},
        lambda x: torch.logit(x[0]),
    ),
    "two logits": (Siamese(2), {}, lambda x: x[1] - x[0]),
    "the first is change": (Siamese(2), {"unchanged": [1]}, lambda x: x[0] - x[1]),
    "five classes": (Siamese(5), {}, lambda x: x[1:].logsumexp(0) - x[0]),
    "five probabilities": (
        Then(Siamese(5), lambda x: x.softmax(1)),
        {"says": "probability", "unchanged": [0, 2]},
        lambda x: torch.logit(x[1] + x[3] + x[4]),
    ),
    "labels": (
        Then(Siamese(3), lambda x: x.argmax(1)),
        {"says": None},
        lambda x: torch.where(x > 0, 12.0, -12.0),
    ),
    "a quarter of the size": (Siamese(1, fraction=4), {"multiple": 8}, lambda x: half(x)[0]),
    "without channel": (Then(Siamese(1), lambda x: x[:, 0]), {}, lambda x: x),
}


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_of_all_kinds_become_logits_of_change(kind: str, tmp_path: Path) -> None:
    module, said, expected = KINDS[kind]
    path = export(module, tmp_path / "net.onnx", said={**SAID, **said})
    found = logits_of(path)
    np.testing.assert_allclose(found, expected(as_torch(module)).numpy(), atol=1e-4, rtol=0)
    assert found.std() > 0.05


@pytest.mark.parametrize(
    ("wrap", "given"),
    [
        (Stacked(Siamese()), (RAND.repeat(1, 2, 1, 1),)),
        (Stacked(Siamese(), dates=True), (torch.rand(1, 2, 3, 32, 32),)),
        (Eight(Siamese()), (EIGHT, EIGHT)),
    ],
    ids=["stacked", "dates", "8-bit"],
)
def test_inputs_of_all_kinds_get_both_dates(
    wrap: nn.Module, given: tuple[torch.Tensor, ...], tmp_path: Path
) -> None:
    path = export(wrap, tmp_path / "net.onnx", given, SAID)
    expected = as_torch(Siamese())[0].numpy()
    np.testing.assert_allclose(logits_of(path), expected, atol=1e-4, rtol=0)


def test_pixels_are_scaled_then_less_the_mean_by_the_deviation(tmp_path: Path) -> None:
    said = {"scale": 100, "mean": [0.1, 0.2, 0.3], "std": [2.0]}
    path = siamese(tmp_path / "net.onnx", **said)
    mean = torch.tensor([0.1, 0.2, 0.3])[:, None, None]
    with torch.no_grad():
        expected = Siamese()(*((date / 100 - mean) / 2.0 for date in pictures(*PIXELS)))[0, 0]
    np.testing.assert_allclose(logits_of(path), expected.numpy(), atol=1e-5, rtol=0)


def test_inputs_are_taken_by_name(tmp_path: Path) -> None:
    turned = make_chip(*PIXELS[::-1])
    plain = logits_of(siamese(tmp_path / "a.onnx"), turned)
    named = logits_of(siamese(tmp_path / "b.onnx", inputs=["after", "before"]))
    np.testing.assert_array_equal(plain, named)


@pytest.mark.parametrize("sides", [{"multiple": 32}, {"fixed": True}])
def test_chips_are_padded_to_sides_that_the_network_takes(
    sides: dict[str, Any], tmp_path: Path
) -> None:
    fixed = sides.pop("fixed", False)
    given = (torch.rand(1, 3, 64, 64),) * 2
    path = export(Siamese(), tmp_path / "net.onnx", given, {**SAID, **sides}, fixed=fixed)
    before, after = (F.pad(date, (0, 16, 0, 24), mode="replicate") for date in pictures(*PIXELS))
    with torch.no_grad():
        expected = Siamese()(before / 255, after / 255)[0, 0, :40, :48].numpy()
    np.testing.assert_allclose(logits_of(path), expected, atol=1e-5, rtol=0)


def test_no_answer_depends_on_batch_or_threads(tmp_path: Path) -> None:
    """Of a network that mixes the pictures of a batch, too."""
    mixing = Then(Siamese(8), lambda x: (x - x.mean(dim=(0, 2, 3), keepdim=True)).softmax(1))
    path = export(mixing, tmp_path / "net.onnx", said={**SAID, "says": "probability"})
    chips = [make_chip(noise((*SIDE, 3), i), noise((*SIDE, 3), i + 9)) for i in range(3)]
    threads = torch.get_num_threads()
    try:
        answers = []
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            answers.append(run_model(network(path), chips, count, "cpu").logits)
    finally:
        torch.set_num_threads(threads)
    for other in answers[1:]:
        np.testing.assert_array_equal(answers[0], other)


def test_classes_of_dates_are_land_and_their_difference_is_change(tmp_path: Path) -> None:
    def both(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x[:, :7], x[:, 7:]

    said = {**SAID, "before": "one", "after": "two", "classes": ["", *"abcdef"], "says": None}
    module = Then(Siamese(14), both)
    path = export(module, tmp_path / "net.onnx", said=said, outputs=("one", "two"))
    model = network(path)
    assert isinstance(model, ClassifiesLand) and model.land_classes == tuple("abcdef")
    with torch.no_grad():
        one, two = (date[0] for date in module(*(d / 255 for d in pictures(*PIXELS))))
    found = run_model(model, [CHIP], 1, "cpu")
    numbers = torch.tensor([NO_LAND_CLASS, 0, 1, 2, 3, 4, 5])
    for date, scores in zip(found.land[0], (one, two), strict=True):
        np.testing.assert_array_equal(date, numbers[scores.argmax(0)])
    same = (one.softmax(0) * two.softmax(0)).sum(0)
    expected = torch.logit(1 - same).numpy()
    np.testing.assert_allclose(found.logits[0], expected, atol=1e-4, rtol=0)


def test_classes_of_change_with_arrows_are_land_too(tmp_path: Path) -> None:
    said = {**SAID, "classes": ["no change", "field -> house", "house -> field", "burnt"]}
    module = Siamese(4)
    path = export(module, tmp_path / "net.onnx", said=said)
    model = network(path)
    assert model.land_classes == ("field", "house")
    best = as_torch(module)[1:].argmax(0) + 1
    land = run_model(model, [CHIP], 1, "cpu").land[0]
    np.testing.assert_array_equal(land[0], torch.tensor([NO_LAND_CLASS, 0, 1, NO_LAND_CLASS])[best])
    np.testing.assert_array_equal(land[1], torch.tensor([NO_LAND_CLASS, 1, 0, NO_LAND_CLASS])[best])
    only = OnnxNetwork(describe(path), only=["field"])
    asked = (land == 0).any(0)
    logits = run_model(only, [CHIP], 1, "cpu").logits[0]
    assert 0 < asked.sum() < asked.size
    assert (logits[~asked] <= -12).all() and (logits[asked] > -12).all()


def test_a_spec_has_the_hash_of_all_files_and_the_description(tmp_path: Path) -> None:
    path = siamese(tmp_path / "net.onnx")
    first = onnx_spec(str(path), "cpu")
    assert isinstance(cached_model(first), ChangeModel)
    (tmp_path / "net.onnx.yaml").write_text("threshold: 0.3")
    second = onnx_spec(str(path), "cpu")
    assert first.sha256 == second.sha256 and first.key() != second.key()
    assert cached_model(second).threshold == 0.3
    # What a worker builds follows its spec, and not what lies beside the file by then.
    (tmp_path / "net.onnx.yaml").unlink()
    assert cached_model(ModelSpec(**{**vars(second), "statistics": {"": 1}})).threshold == 0.3
    export(Siamese(2), path, said=SAID)
    assert onnx_spec(str(path), "cpu").sha256 != first.sha256


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({"says": "probability"}, "which are no probabilities; describe it with says: logits"),
        ({"classes": ["a"], "before": "out", "after": "out"}, "classes names 1"),
    ],
)
def test_a_wrong_description_is_refused(said: dict[str, Any], line: str, tmp_path: Path) -> None:
    path = export(Siamese(2), tmp_path / "net.onnx", said={**SAID, **said})
    with pytest.raises(InputError) as caught:
        network(path).change_logits(collate([CHIP]))
    assert line in str(caught.value) and str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_channels_must_be_some_unchanged_and_some_not(tmp_path: Path) -> None:
    path = export(Siamese(2), tmp_path / "net.onnx", said={**SAID, "unchanged": [0, 1]})
    with pytest.raises(InputError, match="not all"):
        network(path).change_logits(collate([CHIP]))


@pytest.mark.parametrize("device", sorted(PROVIDERS.keys() - {"cpu"}))
def test_other_providers_differ_by_rounding_alone(device: str, tmp_path: Path) -> None:
    if PROVIDERS[device] not in runtime().get_available_providers():
        pytest.skip(f"onnxruntime here has no provider for {device}")
    path = str(siamese(tmp_path / "net.onnx"))
    answers = []
    for wanted in ("cpu", device):
        spec = onnx_spec(path, *place(wanted))
        model = cached_model(spec)
        one, two = (run_model(model, [CHIP, CHIP], n, spec.device).logits for n in (1, 2))
        np.testing.assert_array_equal(one, two)
        answers.append(one)
    np.testing.assert_allclose(*answers, atol=1e-3, rtol=0)


def test_devices_are_torchs_or_a_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    there = ["CPUExecutionProvider", "OpenVINOExecutionProvider"]
    fake = SimpleNamespace(get_available_providers=lambda: there)
    monkeypatch.setattr(session, "runtime", lambda: fake)
    assert place("cpu") == ("cpu", None)
    assert place("openvino") == ("cpu", "OpenVINOExecutionProvider")
    # Even where torch has a GPU: onnxruntime here cannot use it.
    assert place("auto") == ("cpu", None)
    with pytest.raises(OptionError, match="choose cpu, openvino, or install"):
        place("coreml")


def test_a_provider_that_is_not_here_is_refused(tmp_path: Path) -> None:
    path = siamese(tmp_path / "net.onnx")
    with pytest.raises(OptionError, match="no such provider; choose cpu"):
        OnnxNetwork(describe(path), "cuda:0")

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from changeclip_cases import SMALL, pictures, small, small_clip
from safetensors.torch import save_file

from geochange.errors import InputError, OptionError
from geochange.models.changeclip.network import pad
from geochange.models.detector import ChangeClipDetector, DetectorSpec
from geochange.models.inference.batch import Batch
from geochange.models.load_model import load_model
from geochange.models.prompts import FIXED_NAMES, foreground_tokens, tokenise
from geochange.models.protocol import ChangeModel
from geochange.models.weights.checkpoint import Checkpoint, write_checkpoint
from geochange.models.weights.model_card import Card

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    checkpoint = Checkpoint(Card(SMALL["vit"], threshold=0.3), small("vit").state_dict())
    write_checkpoint(folder / "model.safetensors", checkpoint)
    save_file(small_clip().state_dict(), folder / "clip.safetensors")
    return folder


@pytest.fixture(scope="module")
def spec(folder: Path) -> DetectorSpec:
    clip = f"ViT-B-16-quickgelu@{folder / 'clip.safetensors'}"
    return DetectorSpec(str(folder / "model.safetensors"), precision="float32", clip=clip)


@pytest.fixture(scope="module")
def detector(spec: DetectorSpec) -> ChangeClipDetector:
    return pickle.loads(pickle.dumps(spec)).build()


def _batch(count: int = 3, height: int = 64, width: int = 64) -> Batch:
    before, after = pictures(count, height, width), pictures(count, height, width, seed=1)
    return Batch(before, after, torch.ones(count, height, width, dtype=torch.bool))


def _part(batch: Batch, of: slice) -> Batch:
    return Batch(batch.before[of], batch.after[of], batch.valid[of])


def test_it_is_a_change_model(detector: ChangeClipDetector) -> None:
    assert isinstance(detector, ChangeModel)
    assert (detector.bands, detector.threshold, detector.fit([])) == (3, 0.3, {})
    detector.adopt({})
    logits = detector.change_logits(_batch())
    assert logits.shape == (3, 64, 64)
    assert logits.dtype == torch.float32


def test_a_chips_answer_does_not_depend_on_its_batch(spec: DetectorSpec) -> None:
    batch, detector = _batch(), spec.build()
    together = detector.change_logits(batch)
    scores = detector.class_scores(batch)
    fresh = spec.build()
    for i in (2, 0, 1):
        alone = _part(batch, slice(i, i + 1))
        assert torch.equal(fresh.change_logits(alone)[0], together[i])
        assert torch.equal(fresh.class_scores(alone)[1][0], scores[1][i])


def test_caches_and_cuts_change_nothing(detector: ChangeClipDetector) -> None:
    batch = _batch(2)
    one, two = detector.names(batch)
    network, plain = small("vit"), []
    for i in range(2):
        texts = []
        for names in (one[i], two[i]):
            tokens = [
                tokenise("remote sensing image background objects", 64),
                foreground_tokens(names, 64),
            ]
            tower = network.text_encoder
            texts.append(tower(torch.tensor(tokens), network.contexts2[0, 0], cut=64)[None])
        plain.append(network(batch.before[i : i + 1], batch.after[i : i + 1], *texts))
    logits = torch.cat(plain)
    ours = detector.change_logits(batch)
    # Without AVX the sums of a batch differ from those of single chips by some 1e-5.
    torch.testing.assert_close(ours, logits[:, 1] - logits[:, 0], atol=3e-5, rtol=0)


def test_scores_given_are_not_computed_again(
    detector: ChangeClipDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = _batch()
    scores = detector.class_scores(batch)
    assert [date.shape for date in scores] == [(3, 56), (3, 56)]
    assert len(detector.classes) == 56
    expected = detector.change_logits(batch)
    monkeypatch.setattr(detector, "class_scores", None)
    assert torch.equal(detector.change_logits(batch, scores), expected)


def test_prompt_modes(spec: DetectorSpec) -> None:
    batch = _batch()
    own, published, fixed = (
        replace(spec, prompts=mode).build() for mode in ("per-date", "published", "fixed")
    )
    before, after = own.names(batch)
    assert before != after
    assert published.names(batch) == (before, before)
    scores = fixed.class_scores(batch)
    assert fixed.classes == ()
    assert [date.shape for date in scores] == [(3, 0), (3, 0)]
    assert fixed.names(batch, scores) == ([FIXED_NAMES] * 3, [FIXED_NAMES] * 3)
    assert fixed.change_logits(batch).isfinite().all()


def test_fixed_prompts_need_no_clip(spec: DetectorSpec) -> None:
    assert replace(spec, prompts="fixed", clip="none.pt").build().scorer is None
    with pytest.raises(InputError, match=r"no weights at none\.pt"):
        replace(spec, clip="none.pt").build()


def test_a_vocabulary_of_ones_own(spec: DetectorSpec) -> None:
    detector = replace(spec, vocabulary=tuple("abcdefghij")).build()
    assert detector.class_scores(_batch())[0].shape == (3, 10)
    assert set(detector.names(_batch())[0][0]) < set("abcdefghij")


def test_sizes_that_are_no_multiple_of_32(detector: ChangeClipDetector) -> None:
    batch = _batch(2, 50, 70)
    logits = detector.change_logits(batch)
    assert logits.shape == (2, 50, 70)
    padded = Batch(pad(batch.before), pad(batch.after), torch.ones(2, 64, 96, dtype=torch.bool))
    expected = detector.change_logits(padded, detector.class_scores(batch))
    assert torch.equal(logits, expected[:, :50, :70])


def test_padding_repeats_the_border() -> None:
    padded = pad(pictures(1, 33, 32))
    assert padded.shape == (1, 3, 64, 32)
    assert torch.equal(padded[0, :, 33:], padded[0, :, 32:33].expand(-1, 31, -1))
    whole = pictures(1, 32, 64)
    assert pad(whole) is whole


def test_floats_in_0_to_255_are_taken_and_others_refused(detector: ChangeClipDetector) -> None:
    batch = _batch(1)
    floats = replace(batch, before=batch.before.float(), after=batch.after.float())
    assert torch.equal(detector.change_logits(floats), detector.change_logits(batch))
    for wrong in (floats.after * 100, floats.after - 300, floats.after * float("nan")):
        with pytest.raises(InputError, match="takes 8-bit RGB, so stretch"):
            detector.change_logits(replace(floats, after=wrong))


def test_other_than_three_bands_are_refused(detector: ChangeClipDetector) -> None:
    batch = _batch(1)
    four = batch.before[:, [0, 1, 2, 0]]
    with pytest.raises(InputError, match="RGB of both dates"):
        detector.change_logits(replace(batch, before=four, after=four))


def test_load_model_takes_names_of_ones_own(folder: Path, detector: ChangeClipDetector) -> None:
    batch = _batch(2)
    names = detector.names(batch)
    model = load_model(str(folder / "model.safetensors"))
    arrays = (date.permute(0, 2, 3, 1).numpy() for date in (batch.before, batch.after))
    logits = model.logits(*arrays, *([list(n) for n in date] for date in names))
    assert logits.shape == (2, 2, 64, 64)
    assert logits.dtype == np.float32
    ours = detector.change_logits(batch).numpy()
    np.testing.assert_array_equal(logits[:, 1] - logits[:, 0], ours)
    with pytest.raises(OptionError, match="loaded without CLIP"):
        model.change_logits(batch)
    with pytest.raises(InputError, match="both dates need the same number"):
        model.logits(np.zeros((1, 32, 32, 3), np.uint8), np.zeros((1, 32, 32, 3), np.uint8), [], [])


def test_bfloat16_gives_float32_logits(spec: DetectorSpec) -> None:
    batch = _batch(1)
    detector = replace(spec, precision="bfloat16", prompts="fixed").build()
    exact = replace(spec, prompts="fixed").build().change_logits(batch)
    logits = detector.change_logits(batch)
    assert logits.dtype == torch.float32
    assert (logits - exact).abs().max() < 0.2

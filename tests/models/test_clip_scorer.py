from __future__ import annotations

import copy

import numpy as np
import open_clip
import pytest
import torch
from changeclip_cases import pictures, small_clip
from PIL import Image

from geochange.models.clip_scorer import ClipScorer, build_scorer, preprocess
from geochange.models.prompts import published_vocabulary
from geochange.models.weights.openclip import MEAN, STD

pytestmark = pytest.mark.slow


def _smooth(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    waves = [127 + 120 * np.sin(x / a + y / b) for a, b in ((17, 29), (23, 41), (31, -19))]
    return np.stack(waves, axis=-1).astype(np.uint8)


@pytest.mark.parametrize("size", [(256, 256), (300, 256), (224, 224), (100, 180)])
def test_preprocessing_is_clips_own_on_a_smooth_picture(size: tuple[int, int]) -> None:
    picture = _smooth(*size)
    theirs = open_clip.image_transform(224, is_train=False)(Image.fromarray(picture))
    ours = preprocess(torch.from_numpy(picture).permute(2, 0, 1)[None], 224)[0]
    std = torch.tensor(open_clip.OPENAI_DATASET_STD).view(3, 1, 1)
    assert ((ours - theirs) * std).abs().max() <= 1 / 255 + 1e-6


@torch.no_grad()
def test_scores_are_clips_zero_shot_probabilities() -> None:
    clip = small_clip()
    names = published_vocabulary()
    scorer = build_scorer(clip.state_dict(), True, names)
    chips = pictures(3, 64, 64)
    image = clip.encode_image(preprocess(chips, 32), normalize=True)
    text = clip.encode_text(open_clip.tokenize(list(names)), normalize=True)
    expected = (clip.logit_scale.exp() * image @ text.T).softmax(dim=1)
    torch.testing.assert_close(scorer(chips), expected, atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(scorer(chips).sum(dim=1), torch.ones(3))


@torch.no_grad()
def test_lowered_scorer_says_about_the_same_in_float32() -> None:
    names = published_vocabulary()
    chips = pictures(2, 64, 64)
    exact = ClipScorer(copy.deepcopy(small_clip()), names, 32)(chips)
    near = ClipScorer(copy.deepcopy(small_clip()), names, 32).lower()(chips)
    assert near.dtype == torch.float32
    torch.testing.assert_close(near, exact, atol=2e-2, rtol=0)


def test_mean_and_spread_are_those_that_open_clip_trains_with() -> None:
    assert (MEAN, STD) == (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD)

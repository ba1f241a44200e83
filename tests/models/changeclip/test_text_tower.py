from __future__ import annotations

import pytest
import torch
from changeclip_cases import small_clip

from geochange.models.changeclip.text_tower import TextOptions, TextTower, last_end
from geochange.models.prompts import tokenise

pytestmark = pytest.mark.slow

OPTIONS = TextOptions(layers=2, width=32, heads=2)


@pytest.fixture(scope="module")
def tower() -> TextTower:
    torch.manual_seed(0)
    return TextTower(OPTIONS, embed=16).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def contexts() -> torch.Tensor:
    return torch.randn(13, 32, generator=torch.Generator().manual_seed(1))


def _tokens(*texts: str, places: int = 64) -> torch.Tensor:
    return torch.tensor([tokenise(text, places) for text in texts])


def test_without_contexts_it_is_clips_own_text_tower() -> None:
    clip = small_clip()
    tower = TextTower(TextOptions(1, 64, 1, places=77, contexts=0), embed=32).eval()
    own = {n: v for n, v in clip.state_dict().items() if n in tower.state_dict()}
    tower.load_state_dict(own)
    tokens = _tokens("a lake", "tennis court, sea", places=77)
    with torch.no_grad():
        ours = tower(tokens, torch.empty(0, 64), cut=77)
        torch.testing.assert_close(ours, clip.encode_text(tokens), atol=1e-5, rtol=0)


def test_nothing_behind_the_end_matters(tower: TextTower, contexts: torch.Tensor) -> None:
    tokens = _tokens("a lake", "tennis court, sea and bridge")
    assert last_end(tokens) == 8
    whole = tower(tokens, contexts, cut=64)
    torch.testing.assert_close(tower(tokens, contexts, cut=8), whole, atol=1e-6, rtol=0)
    torch.testing.assert_close(tower(tokens[:1], contexts, cut=4), whole[:1], atol=1e-6, rtol=0)


def test_contexts_stand_between_start_and_text(tower: TextTower, contexts: torch.Tensor) -> None:
    tokens = _tokens("a lake")
    as_words = torch.cat([tokens[:, :1], torch.full((1, 13), 5), tokens[:, 1:]], dim=1)
    learned = tower.token_embedding.weight[5].expand(13, -1)
    no_contexts = TextTower(TextOptions(2, 32, 2, places=77, contexts=0), embed=16).eval()
    no_contexts.load_state_dict(tower.state_dict())
    torch.testing.assert_close(
        tower(tokens, learned, cut=64), no_contexts(as_words, contexts[:0], cut=77).detach()
    )


def test_full_length_text_uses_all_77_places(tower: TextTower, contexts: torch.Tensor) -> None:
    tokens = _tokens("bridge " * 100)
    assert last_end(tokens) == 64
    assert tower(tokens, contexts, cut=64).isfinite().all()

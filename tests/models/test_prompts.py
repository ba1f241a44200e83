from __future__ import annotations

import pytest
import torch
from changeclip_cases import golden

from geochange.errors import InputError
from geochange.models.prompts import (
    BACKGROUND,
    END,
    FIXED_NAMES,
    START,
    PromptCache,
    best_names,
    foreground_tokens,
    parse_vocabulary,
    published_vocabulary,
    tokenise,
)
from geochange.models.weights.openclip import bpe_encoder

CPU = torch.device("cpu")


def _names(first: int) -> tuple[str, ...]:
    return tuple(published_vocabulary()[(first + i) % 56] for i in range(9))


class _CountingEncoder:
    """Replaces the text tower: each text has its own embedding, and the requests are recorded."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        self.asked += tokens.tolist()
        weights = torch.arange(tokens.shape[1]).float() + 1
        return torch.stack([(tokens * weights).sum(dim=1), tokens.sum(dim=1)], dim=1)


def test_the_published_vocabulary() -> None:
    names = published_vocabulary()
    assert len(names) == 56
    assert (names[0], names[-1]) == ("airport", "cabin")
    assert set(FIXED_NAMES) <= set(names)
    assert len(FIXED_NAMES) == 9


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lake\nsea\n", "2 names, but each text needs 9"),
        ("\n".join("abcdefghia"), "a more than once"),
    ],
)
def test_a_vocabulary_that_cannot_be_used(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        parse_vocabulary(text)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["rn50", "vit_b16_288x352", "rn50_same_prompts"])
def test_golden_tokens(case: str) -> None:
    arrays = golden(case)
    for letter, date in (("A", "before"), ("B", "after")):
        names = [str(name) for name in arrays[f"prompts_{date}"][0]]
        ours = [tokenise(BACKGROUND, 64), foreground_tokens(names, 64)]
        assert ours == arrays[f"tokens_{letter}"][0].tolist()


@pytest.mark.slow
def test_a_long_text_loses_its_last_names_and_never_its_end() -> None:
    names = [f"{word} impermeable chaparral surface" for word in "abcdefghi"]
    tokens = foreground_tokens(names, 64)
    assert len(tokens) == 64
    assert tokens[0] == START
    end = tokens.index(END)
    assert set(tokens[end + 1 :]) <= {0}
    assert tokens[:end] == foreground_tokens(names[:6], 200)[:end]
    assert tokens[1:end][-3:] == bpe_encoder()("impermeable chaparral surface")[-3:]


@pytest.mark.slow
def test_even_one_name_may_be_too_long() -> None:
    tokens = foreground_tokens(["sea " * 90, "lake"], 64)
    assert len(tokens) == 64
    assert tokens[-1] == END


def test_best_names_best_first_and_ties_by_vocabulary() -> None:
    names = tuple("abcdefghijk")
    scores = torch.tensor([[0.0, 1, 2, 2, 4, 5, 6, 7, 8, 9, 10], [0.5] * 11])
    assert best_names(scores, names) == [tuple("kjihgfecd"), tuple("abcdefghi")]


@pytest.mark.slow
@pytest.mark.parametrize("together", [True, False])
def test_each_text_is_encoded_once(together: bool) -> None:
    encode = _CountingEncoder()
    cache = PromptCache(encode, places=64, together=together)
    first = cache.texts([_names(0), _names(1), _names(0)], CPU)
    again = cache.texts([_names(1), _names(0)], CPU)
    assert len(encode.asked) == 3  # the background, and two different foregrounds
    assert first.shape == (3, 2, 2)
    assert torch.equal(first[[1, 0]], again)
    assert torch.equal(first[0], first[2])
    assert not torch.equal(first[0], first[1])
    assert torch.equal(first[0, 0], first[1, 0])


@pytest.mark.slow
def test_the_cache_is_bounded_and_forgets_the_longest_unused() -> None:
    encode = _CountingEncoder()
    cache = PromptCache(encode, places=64, size=2, together=False)
    for first in (0, 1, 0, 2, 0):
        cache.texts([_names(first)], CPU)
    assert len(cache) == 2
    assert len(encode.asked) == 1 + 3
    cache.texts([_names(1)], CPU)
    assert len(encode.asked) == 1 + 4


@pytest.mark.slow
def test_a_batch_larger_than_the_cache_still_gets_its_texts() -> None:
    cache = PromptCache(_CountingEncoder(), places=64, size=2, together=True)
    batch = [_names(i) for i in range(5)]
    alone = [cache.texts([names], CPU)[0] for names in batch]
    assert torch.equal(cache.texts(batch, CPU), torch.stack(alone))
    assert len(cache) == 2

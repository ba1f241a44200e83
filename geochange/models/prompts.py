"""Prompts: the vocabulary, the nine best names of a chip, their tokens and embeddings."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Literal

import torch

from geochange.errors import InputError
from geochange.models.weights.openclip import bpe_encoder

BACKGROUND = "remote sensing image background objects"
FOREGROUND = "remote sensing image foreground objects, "
NAMES_PER_CHIP = 9
"""The number of class names in a text."""
START, END = 49406, 49407

Names = tuple[str, ...]
"""The class names of a chip at one date, by falling probability."""

PromptMode = Literal["per-date", "published", "fixed"]
"""per-date: each date has its own names. published: both dates have the names of the date before, as
in the authors' test code. fixed: all chips have the same names, and CLIP does not run.
"""

FIXED_NAMES: Names = (
    *("building", "road", "tree", "bare land", "farmland"),
    *("parking lot", "cars", "river", "shrubbery"),
)
"""The names of both dates if CLIP does not run. They are common in images of settled land."""


MAX_VOCABULARY = 4096
"""The largest vocabulary. CLIP's text tower encodes every name before the first chip."""

MAX_NAME_LENGTH = 200
"""The largest number of characters of a name. CLIP reads at most 77 tokens of a text."""


def parse_vocabulary(text: str) -> Names:
    """Class names, one per line. Raises InputError as `check_names` does."""
    return check_names([line.strip() for line in text.splitlines() if line.strip()])


def check_names(names: Sequence[object], fewest: int = NAMES_PER_CHIP) -> Names:
    """The class names of a vocabulary.

    fewest: the least number of names. Raises InputError if there are too few or too many names, and for
    a name that is not text, is empty, is too long, or occurs twice.
    """
    if len(names) > MAX_VOCABULARY:
        raise InputError(
            f"the vocabulary has {len(names):,} names; keep at most {MAX_VOCABULARY:,}"
        )
    kept = tuple(name for name in names if isinstance(name, str) and name.strip())
    if len(kept) < len(names):
        odd = next(name for name in names if not isinstance(name, str) or not name.strip())
        raise InputError(f"the vocabulary holds {str(odd)[:40]!r}, which is not a name; remove it")
    if long := next((name for name in kept if len(name) > MAX_NAME_LENGTH), None):
        raise InputError(
            f"the vocabulary has a name of {len(long):,} characters ({long[:20]}...); "
            f"the limit is {MAX_NAME_LENGTH}"
        )
    if twice := sorted(name for name, times in Counter(kept).items() if times > 1):
        more = f" and {len(twice) - NAMES_PER_CHIP} more" if len(twice) > NAMES_PER_CHIP else ""
        listed = ", ".join(twice[:NAMES_PER_CHIP])
        raise InputError(f"the vocabulary has {listed}{more} more than once; keep one of each")
    if len(kept) < fewest:
        raise InputError(
            f"the vocabulary has {len(kept)} names, but each text needs {NAMES_PER_CHIP}"
        )
    return kept


@lru_cache(maxsize=1)
def published_vocabulary() -> Names:
    """The authors' 56 class names of remote sensing scenes."""
    return parse_vocabulary(files(__package__).joinpath("vocabulary.txt").read_text("utf-8"))


def tokenise(text: str, places: int) -> list[int]:
    """CLIP's tokens of a text: exactly `places` tokens, with zeros after the end token.

    A text that is too long is cut, but keeps its end token.
    """
    tokens = [START, *bpe_encoder()(text)[: places - 2], END]
    return tokens + [0] * (places - len(tokens))


def foreground_tokens(names: Sequence[str], places: int) -> list[int]:
    """Tokens of the foreground text. If it is too long, its last names are left out."""
    kept = list(names)
    while len(kept) > 1 and len(bpe_encoder()(FOREGROUND + ", ".join(kept))) > places - 2:
        kept.pop()
    return tokenise(FOREGROUND + ", ".join(kept), places)


def best_names(scores: torch.Tensor, vocabulary: Names) -> list[Names]:
    """(B, V) class scores -> the nine best names of each chip; ties in the order of the vocabulary."""
    order = (
        scores.float().cpu().sort(dim=1, descending=True, stable=True).indices[:, :NAMES_PER_CHIP]
    )
    return [tuple(vocabulary[i] for i in row) for row in order.tolist()]


Encode = Callable[[torch.Tensor], torch.Tensor]
"""(T, places) tokens on the host -> (T, C) embeddings on the device."""


def _tokens(rows: list[list[int]], device: torch.device) -> torch.Tensor:
    return torch.tensor(rows, pin_memory=device.type == "cuda")


@dataclass(slots=True)
class _Entries:
    background: torch.Tensor | None
    foreground: OrderedDict[Names, torch.Tensor]


class PromptCache:
    """A cache of text embeddings: the background for ever, foregrounds by their names.

    places: tokens of a text. size: the number of cached foreground texts; the least recently used one
    is dropped first. Texts are encoded one at a time and cut after their end token, so an embedding
    depends only on its names, to the last bit. `together` encodes all missing texts at once, which is
    faster on a GPU.
    """

    def __init__(self, encode: Encode, places: int, size: int = 4096, *, together: bool) -> None:
        if size < 1:
            raise ValueError(f"a cache of {size} texts")
        self._encode = encode
        self._places = places
        self._size = size
        self._together = together
        self._known = _Entries(None, OrderedDict())

    def __len__(self) -> int:
        return len(self._known.foreground)

    def texts(self, names: Sequence[Names], device: torch.device) -> torch.Tensor:
        """(B, 2, C): for each chip the embeddings of the background and of its names."""
        if self._known.background is None:
            background = _tokens([tokenise(BACKGROUND, self._places)], device)
            self._known.background = self._encode(background)[0]
        found = self._foreground(names, device)
        return torch.stack([torch.stack([self._known.background, found[n]]) for n in names])

    def _foreground(
        self, names: Sequence[Names], device: torch.device
    ) -> dict[Names, torch.Tensor]:
        known = self._known.foreground
        missing = [n for n in dict.fromkeys(names) if n not in known]
        fresh = dict(zip(missing, self._encode_all(missing, device), strict=True))
        found = {n: fresh[n] if n in fresh else known[n] for n in dict.fromkeys(names)}
        for n, embedding in found.items():
            known[n] = embedding
            known.move_to_end(n)
        while len(known) > self._size:
            known.popitem(last=False)
        return found

    def _encode_all(self, names: Sequence[Names], device: torch.device) -> list[torch.Tensor]:
        if not names:
            return []
        rows = [foreground_tokens(n, self._places) for n in names]
        tokens = _tokens(rows, device)
        batches = [tokens] if self._together else list(tokens.split(1))
        # A view would keep the whole result in memory as long as one row is cached.
        return [row.clone() for batch in batches for row in self._encode(batch)]

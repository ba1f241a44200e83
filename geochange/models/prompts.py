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
from geochange.models.weights.openclip import encoder

BACKGROUND = "remote sensing image background objects"
FOREGROUND = "remote sensing image foreground objects, "
NAMES = 9
"""The number of class names in a text."""
START, END = 49406, 49407

Names = tuple[str, ...]
"""A chip's class names at one date, the most probable first."""

PromptMode = Literal["per-date", "published", "fixed"]
"""per-date: each date has its own names. published: the names of the date before serve both, as in
the authors' test code. fixed: the same names for every chip; CLIP does not run.
"""

FIXED: Names = (
    *("building", "road", "tree", "bare land", "farmland"),
    *("parking lot", "cars", "river", "shrubbery"),
)
"""The names of both dates where CLIP does not run: common in pictures of settled land."""


MOST_NAMES = 4096
"""Of a vocabulary: CLIP's text tower reads every one before the first chip is seen."""

LONGEST_NAME = 200
"""Letters of a class name: CLIP reads no more than some seventy syllables of a text."""


def parse_vocabulary(text: str) -> Names:
    """One class name a line. Raises InputError as `check_names` does."""
    return check_names([line.strip() for line in text.splitlines() if line.strip()])


def check_names(names: Sequence[object], fewest: int = NAMES) -> Names:
    """The class names of a vocabulary.

    fewest: how many there must be. Raises InputError where there are fewer, or more than can be
    looked for, and where one is no text, empty or too long, or is there twice.
    """
    if len(names) > MOST_NAMES:
        raise InputError(f"the vocabulary has {len(names):,} names; leave {MOST_NAMES:,} at most")
    kept = tuple(name for name in names if isinstance(name, str) and name.strip())
    if len(kept) < len(names):
        odd = next(name for name in names if not isinstance(name, str) or not name.strip())
        raise InputError(f"the vocabulary holds {str(odd)[:40]!r}, which is no name; take it out")
    if long := next((name for name in kept if len(name) > LONGEST_NAME), None):
        raise InputError(
            f"the vocabulary has a name of {len(long):,} letters ({long[:20]}...); "
            f"{LONGEST_NAME} are the most"
        )
    if twice := sorted(name for name, times in Counter(kept).items() if times > 1):
        more = f" and {len(twice) - NAMES} more" if len(twice) > NAMES else ""
        listed = ", ".join(twice[:NAMES])
        raise InputError(f"the vocabulary has {listed}{more} more than once; keep one of each")
    if len(kept) < fewest:
        raise InputError(f"the vocabulary has {len(kept)} names, and each text needs {NAMES}")
    return kept


@lru_cache(maxsize=1)
def published_vocabulary() -> Names:
    """The authors' 56 class names of remote sensing scenes."""
    return parse_vocabulary(files(__package__).joinpath("vocabulary.txt").read_text("utf-8"))


def tokenise(text: str, places: int) -> list[int]:
    """CLIP's tokens of one text: `places` of them, zeros after the end token.

    A text that is too long loses its last tokens, never its end token.
    """
    tokens = [START, *encoder()(text)[: places - 2], END]
    return tokens + [0] * (places - len(tokens))


def foreground_tokens(names: Sequence[str], places: int) -> list[int]:
    """Tokens of the foreground text; where it is too long, its last names are left out."""
    kept = list(names)
    while len(kept) > 1 and len(encoder()(FOREGROUND + ", ".join(kept))) > places - 2:
        kept.pop()
    return tokenise(FOREGROUND + ", ".join(kept), places)


def best_names(scores: torch.Tensor, vocabulary: Names) -> list[Names]:
    """(B, V) class scores -> each chip's nine best names; of equal ones the earlier is better."""
    order = scores.float().cpu().sort(dim=1, descending=True, stable=True).indices[:, :NAMES]
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
    """Embedded texts, each computed once: the background for good, foregrounds by their names.

    places: tokens of a text. size: foreground texts kept; the least recently used goes first. One
    text is encoded at a time, cut after its end, so that an embedding depends on its names alone,
    to the last bit. `together` encodes all missing texts at once, which is faster on a GPU.
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
        # A view would keep the whole result alive as long as its row is cached.
        return [row.clone() for batch in batches for row in self._encode(batch)]

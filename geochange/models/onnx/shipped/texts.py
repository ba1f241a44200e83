"""Texts of class names without CLIP's encoder: the tokens of their parts are in a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geochange.errors import InputError

END = 49407
"""CLIP's last token of a text."""

NAMES_PER_CHIP = 9
"""The number of class names in a text."""

Names = tuple[str, ...]
Tokens = tuple[int, ...]


@dataclass(frozen=True)
class TextTables:
    """The tokens of the parts of texts, and the class names that a network chooses from.

    background: a whole text. head: before the names of a foreground text. names: by name. comma: between
    them. places: the length of a text. vocabulary: names in the order of scores. fixed: the names of
    both dates for --prompts fixed.
    """

    background: Tokens
    head: Tokens
    names: Mapping[str, Tokens]
    comma: Tokens
    places: int
    vocabulary: Names
    fixed: tuple[Names, Names]

    @classmethod
    def of_json(cls, values: Mapping[str, Any]) -> TextTables:
        """The tables in the metadata of a graph."""
        before, after = values["fixed"]
        return cls(
            background=tuple(values["background"]),
            head=tuple(values["head"]),
            names={name: tuple(tokens) for name, tokens in values["names"].items()},
            comma=tuple(values["comma"]),
            places=values["places"],
            vocabulary=tuple(values["vocabulary"]),
            fixed=(tuple(before), tuple(after)),
        )

    def background_text(self) -> NDArray[np.int64]:
        """(1, places) tokens of the background."""
        return self._ended(list(self.background))

    def foreground_text(self, names: Sequence[str]) -> NDArray[np.int64]:
        """(1, places) tokens of a text with these names. Names that do not fit are left out.

        Raises InputError for a name that is not in the table.
        """
        kept = list(names)
        while len(kept) > 1 and len(self._joined(kept)) > self.places - 1:
            kept.pop()
        return self._ended(self._joined(kept))

    def _joined(self, names: Sequence[str]) -> list[int]:
        tokens = list(self.head)
        for place, name in enumerate(names):
            if name not in self.names:
                raise InputError(f"{name[:40]!r} is no name of this network; use --engine torch")
            tokens += [*(self.comma if place else ()), *self.names[name]]
        return tokens

    def _ended(self, tokens: list[int]) -> NDArray[np.int64]:
        kept = [*tokens[: self.places - 1], END]
        return np.array([kept + [0] * (self.places - len(kept))], np.int64)


def best_names(scores: NDArray[np.float32], vocabulary: Names) -> Names:
    """(V,) class scores -> the nine best names; ties in the order of the vocabulary."""
    order = np.argsort(-scores, kind="stable")[:NAMES_PER_CHIP]
    return tuple(vocabulary[i] for i in order)

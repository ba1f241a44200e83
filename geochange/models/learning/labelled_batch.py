"""Labelled batch: chips, labels and texts on a device, for training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from geochange.chip import UNKNOWN, Chip
from geochange.models.inference.batch import Batch, collate
from geochange.models.prompts import BACKGROUND, Names, foreground_tokens, tokenise

LabelledChip = tuple[Chip, tuple[Names, Names]]
"""A labelled chip with its class names before and after."""


@dataclass(frozen=True, slots=True)
class LabelledBatch:
    """Chips, labels and texts.

    labels: (batch, height, width) uint8, 1 = change, 0 = none, 255 = unknown. Of chips with classes
    (batch, 3, height, width): change, then the numbers of the classes before and after, 255 = unknown.
    tokens: (text, places) int64, each text once; the background first.
    texts: (batch, date) int64, the row of the foreground text of each chip.
    noise: (batch, height, width) float32, where features of the date after move; see feature_noise.
    """

    batch: Batch
    labels: torch.Tensor
    tokens: torch.Tensor
    texts: torch.Tensor
    noise: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.batch)

    def to(self, device: torch.device) -> LabelledBatch:
        """The same batch on another device."""
        return self._each(lambda x: x.to(device, non_blocking=True))

    def pin_memory(self) -> LabelledBatch:
        """The same batch in pinned memory."""
        return self._each(torch.Tensor.pin_memory)

    def _each(self, change: Callable[[torch.Tensor], torch.Tensor]) -> LabelledBatch:
        batch = Batch(*map(change, (self.before, self.after, self.batch.valid)))
        labels, tokens, texts = map(change, (self.labels, self.tokens, self.texts))
        noise = None if self.noise is None else change(self.noise)
        return LabelledBatch(batch, labels, tokens, texts, noise)

    @property
    def before(self) -> torch.Tensor:
        """(batch, 3, height, width) RGB of the first date."""
        return self.batch.before

    @property
    def after(self) -> torch.Tensor:
        """(batch, 3, height, width) RGB of the second date."""
        return self.batch.after

    @property
    def inputs(self) -> tuple[torch.Tensor, ...]:
        """The arguments of TrainableChangeClip."""
        noise = () if self.noise is None else (self.noise,)
        return self.before, self.after, self.tokens, self.texts, *noise

    @property
    def known(self) -> int | tuple[int, ...]:
        """The number of known pixels; of chips with classes that of each of the three labels."""
        known = self.labels != UNKNOWN
        if known.ndim == 3:
            return int(known.sum())
        return tuple(known.sum(dim=(0, 2, 3)).tolist())


def collate_labelled(labelled_chips: Sequence[LabelledChip], places: int) -> LabelledBatch:
    """Stack labelled chips of one shape. Each text occurs once, with `places` tokens."""
    chips = [chip for chip, _ in labelled_chips]
    names = dict.fromkeys(name for _, both in labelled_chips for name in both)
    rows = {name: number for number, name in enumerate(names, start=1)}
    tokens = [tokenise(BACKGROUND, places), *(foreground_tokens(n, places) for n in names)]
    labels = np.stack([_label(chip) for chip in chips])
    return LabelledBatch(
        collate(chips),
        torch.from_numpy(labels),
        torch.tensor(tokens),
        torch.tensor([[rows[name] for name in both] for _, both in labelled_chips]),
    )


def _label(chip: Chip) -> np.ndarray:
    if chip.label is None:
        raise ValueError("a chip for training needs a label")
    if chip.land is None:
        return chip.label
    return np.concatenate([chip.label[None], chip.land])

"""Bootstrap: intervals of figures, had other chips been drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple

import numpy as np
from numpy.typing import NDArray

from geochange.training.metrics.boundary import BoundaryCounts
from geochange.training.metrics.counts import Counts
from geochange.training.metrics.semantic import SemanticCounts

MAX_DRAWN_CHIPS = 1 << 22
"""The most chips that are drawn at once, to bound memory."""


def interval(
    counts: Sequence[Counts] | Sequence[BoundaryCounts],
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Mapping[str, tuple[float, float]]:
    """Percentile intervals (low, high) of the pooled figures of chips, by the name of the figure.

    Whole chips are drawn with replacement, since the pixels of a chip are not independent. Where
    neighbouring chips are alike, the intervals are still too narrow. Returns {} without a chip.
    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13.
    """
    if not counts:
        return {}
    kind = type(counts[0])
    cells = np.array([astuple(each) for each in counts], np.int64)
    return _interval(cells, lambda row: kind(*row.tolist()).figures(), (level, draws, seed))


def semantic_interval(
    counts: Sequence[SemanticCounts], level: float = 0.95, draws: int = 2000, seed: int = 0
) -> Mapping[str, tuple[float, float]]:
    """The same of figures of classes."""
    if not counts:
        return {}
    shape = counts[0].matrix.shape
    cells = np.array([each.matrix.ravel() for each in counts])
    return _interval(
        cells, lambda row: SemanticCounts(row.reshape(shape)).figures(), (level, draws, seed)
    )


def _interval(
    cells: NDArray[np.int64],
    figures_of: Callable[[NDArray[np.int64]], Mapping[str, float]],
    how: tuple[float, int, int],
) -> Mapping[str, tuple[float, float]]:
    level, draws, seed = how
    pooled = np.concatenate(list(_draw(cells, draws, np.random.default_rng(seed))))
    figures = [figures_of(row) for row in pooled]
    names = list(figures[0])
    values = np.array([list(each.values()) for each in figures])
    edge = (1 - level) / 2
    low, high = np.quantile(values, (edge, 1 - edge), axis=0).tolist()
    return dict(zip(names, zip(low, high, strict=True), strict=True))


def _draw(
    cells: NDArray[np.int64], draws: int, random: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """(draw, cell) sums, each over as many chips as there are, drawn with replacement."""
    count = len(cells)
    step = max(1, MAX_DRAWN_CHIPS // count)
    for start in range(0, draws, step):
        picked = random.integers(count, size=(min(step, draws - start), count))
        yield cells[picked].sum(axis=1)

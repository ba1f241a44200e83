"""Names of changes: the class of a change at each date, from the scores of its tiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from geochange.errors import OptionError
from geochange.grid.tiling import Index
from geochange.models.protocol import ALWAYS_NAME, NamingRule
from geochange.mosaic.stores import ScoreStore
from geochange.qgis.style import ARROW, WITHIN
from geochange.vector.changes import ChangeNames
from geochange.vector.tracing.region_tile_overlap import Overlap, count_overlaps
from geochange.vector.tracing.regions import Ints, Regions

SCORE_UNIT = 1 << 20
"""Scores are summed as integers in units of about a millionth, so sums are exact in any order."""

MAX_SUGGESTIONS = 3
"""The number of similar names that are suggested for an unknown name."""


@dataclass(frozen=True)
class ChangeNamer:
    """Names regions by the class scores of their tiles.

    The score of a region is the mean over its tiles, weighted by the pixels of the region in each tile.
    Where tiles overlap, a pixel counts for each of them. The class is the one with the highest score,
    the first of the vocabulary in a tie. Scores of names with one meaning are added. Memory holds one
    block of tiles, and one number per region and class.
    only: the classes of which one must be present before or after; None keeps every region.
    rule: when a name is assigned; other regions have no name.
    """

    scores: ScoreStore
    only: frozenset[str] | None = None
    rule: NamingRule = ALWAYS_NAME

    def __call__(self, regions: Regions) -> ChangeNames:
        """The names of regions, and which of them are wanted."""
        mean = self._mean(regions)
        known = np.where(np.isnan(mean), -1, mean)
        best, top = best_classes(known, self.scores.classes, self.rule)
        top[np.isnan(mean).any(axis=2)] = np.nan
        said = top >= self.rule.least_score  # NaN is above nothing
        names = np.array(self.scores.classes, dtype=np.object_)[best]
        names[~said], top[~said] = None, np.nan
        before, after = names[:, 0], names[:, 1]
        attributes = {
            "before_class": before,
            "after_class": after,
            "change": [_change_text(*both) for both in zip(before, after, strict=True)],
            "before_score": top[:, 0],
            "after_score": top[:, 1],
        }
        return ChangeNames(attributes, self._wanted(before, after))

    def _wanted(self, before: NDArray[np.object_], after: NDArray[np.object_]) -> NDArray[np.bool_]:
        if self.only is None:
            return np.ones(len(before), np.bool_)
        both = zip(before, after, strict=True)
        return np.array([not self.only.isdisjoint(names) for names in both], np.bool_)

    def _mean(self, regions: Regions) -> NDArray[np.float64]:
        """(region, date, class) scores from 0 to 1; NaN if no tile of the region was scored."""
        classes = len(self.scores.classes)
        # The last column counts the pixels in scored tiles.
        sums = np.zeros((len(regions), 2 * classes + 1), np.int64)
        for found in count_overlaps(regions, self.scores.plan):
            for block, part in self._by_block(found):
                self._add(sums, block, part)
        pixels = np.where(sums[:, -1] > 0, sums[:, -1], np.nan)
        means: NDArray[np.float64] = sums[:, :-1] / pixels[:, None] / SCORE_UNIT
        return means.reshape(-1, 2, classes)

    def _by_block(self, found: Overlap) -> Iterator[tuple[Index, Overlap]]:
        """Pairs of regions and tiles, by blocks of tiles, because a block is stored together."""
        plan = self.scores.plan
        across, size = plan.cols.blocks, plan.block_tiles
        block = found.tile_row // size * across + found.tile_col // size
        order = np.argsort(block, kind="stable")
        for part in np.split(order, np.flatnonzero(np.diff(block[order])) + 1):
            if len(part):
                row, col = divmod(int(block[part[0]]), across)
                yield (row, col), found.take(part)

    def _add(self, sums: Ints, block: Index, part: Overlap) -> None:
        from scipy.sparse import csr_array  # takes its time to import

        rows, cols = self.scores.plan.block_tile_ranges(block)
        scores = self.scores.get(rows, cols).reshape(len(rows) * len(cols), -1)
        scored = np.asarray(np.isfinite(scores).all(axis=1))
        units = np.rint(np.where(scored[:, None], scores, 0).astype(np.float64) * SCORE_UNIT)
        columns = np.column_stack([units.astype(np.int64), scored])
        tile = (part.tile_row - rows.start) * len(cols) + part.tile_col - cols.start
        owner, place = np.unique(part.region, return_inverse=True)
        shared = csr_array((part.pixels, (place, tile)), shape=(len(owner), len(columns)))
        sums[owner] += shared @ columns


LEAST_LAND_SHARE = 0.5
"""A class is assigned if it covers more than this share of the pixels of a region."""


@dataclass(frozen=True)
class LandNamer:
    """Names regions by the land classes of their own pixels, and the places around them by tiles.

    classes: in the order of their numbers. places: names the tiles; None where the model has no such
    names. Its own condition holds, too.
    """

    classes: tuple[str, ...]
    places: ChangeNamer | None = None

    def __call__(self, regions: Regions) -> ChangeNames:
        """The names of regions, and which of them are wanted."""
        land = regions.rows["land"].astype(np.float64)
        pixels = np.maximum(1, regions.rows["pixels"])[:, None]
        share, best = land.max(axis=2, initial=0) / pixels, land.argmax(axis=2)
        names = np.array(self.classes, dtype=np.object_)[best]
        names[share <= LEAST_LAND_SHARE] = None
        score = np.where(share > LEAST_LAND_SHARE, share, np.nan)
        attributes = {
            "before_class": names[:, 0],
            "after_class": names[:, 1],
            "change": [_change_text(*both) for both in names.tolist()],
            "before_score": score[:, 0],
            "after_score": score[:, 1],
        }
        if self.places is None:
            return ChangeNames(attributes, np.ones(len(regions), np.bool_))
        around = self.places(regions)
        for date in ("before", "after"):
            attributes[f"{date}_place"] = around.attributes[f"{date}_class"]
        return ChangeNames(attributes, around.wanted)


def best_classes(
    scores: NDArray[np.floating], classes: tuple[str, ...], rule: NamingRule
) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
    """The best class of the best meaning, and the score of that meaning.

    scores: (..., class). Returns two arrays without the last axis.
    """
    groups = _meanings(classes, rule.meanings)
    sums = np.stack([scores[..., group].sum(axis=-1) for group in groups], axis=-1)
    members = np.stack([group[scores[..., group].argmax(axis=-1)] for group in groups], axis=-1)
    chosen = sums.argmax(axis=-1)[..., None]
    best, top = (np.take_along_axis(x, chosen, axis=-1)[..., 0] for x in (members, sums))
    return best, top


def _meanings(
    classes: tuple[str, ...], meanings: tuple[tuple[str, ...], ...]
) -> list[NDArray[np.int64]]:
    """The class numbers of each meaning, in the order of the first."""
    group = {name: number for number, names in enumerate(meanings) for name in names}
    found: dict[object, list[int]] = {}
    for number, name in enumerate(classes):
        found.setdefault(group.get(name, name), []).append(number)
    return [np.array(numbers, np.int64) for numbers in found.values()]


def _change_text(before: str | None, after: str | None) -> str | None:
    """The change as text. Most changes are smaller than a tile, whose class may not change."""
    if before is None or after is None:
        return None
    return f"{WITHIN}{after}" if before == after else f"{before}{ARROW}{after}"


@dataclass(frozen=True)
class ChosenClasses:
    """The classes of `--only`. land: by pixel. places: by tile.

    At most one of them has classes. Without `--only` both are empty.
    """

    land: tuple[str, ...] = ()
    places: frozenset[str] | None = None


def choose_classes(
    only: str | None, classes: tuple[str, ...], land: tuple[str, ...]
) -> ChosenClasses:
    """The classes of `--only`: land classes by pixel, or class names by tile.

    classes: the names that the model scores by tile. land: its land classes by pixel, which have
    priority. Raises OptionError.
    """
    if only is None or not land:
        return ChosenClasses(places=parse_class_names(only, classes))
    every = (*land, *(name for name in classes if name not in land))
    asked = parse_class_names(only, every) or frozenset()
    pixels = tuple(name for name in land if name in asked)
    places = sorted(asked - set(pixels))
    if pixels and places:
        raise OptionError(
            f"--only {only}: {pixels[0]} is seen by pixel and {places[0]} by the place around it; "
            "name only those of one kind"
        )
    return ChosenClasses(pixels, frozenset(places) or None)


def parse_class_names(only: str | None, classes: tuple[str, ...]) -> frozenset[str] | None:
    """The classes that `--only` names, separated by commas, in any case. Raises OptionError.

    classes: the names that the model scores; empty if it has none.
    """
    if only is None:
        return None
    if not classes:
        raise OptionError(
            f"--only {only}: this model names no classes; it takes weights of ChangeCLIP, without "
            "--prompts fixed, or an .onnx with classes (list them in its description)"
        )
    known = {name.casefold(): name for name in classes}
    asked = [" ".join(word.split()) for word in only.split(",") if word.strip()]
    for word in asked:
        if word.casefold() not in known:
            raise OptionError(f"--only {word}: not in the vocabulary; {_suggestions(word, known)}")
    if not asked:
        raise OptionError("--only: names no class; write it like building,road")
    return frozenset(known[word.casefold()] for word in asked)


def _suggestions(word: str, known: dict[str, str]) -> str:
    word = word.casefold()
    alike = get_close_matches(word, known, MAX_SUGGESTIONS, 0.6)
    alike += [name for name in known if word in name and name not in alike]
    if alike:
        return f"did you mean {' or '.join(known[name] for name in alike[:MAX_SUGGESTIONS])}?"
    return f"it has {', '.join(known.values())}"

"""Chip names: the class names of the chips of a split, stored beside the data or computed by CLIP.

The files are `time1_clipcls_56_vit16.json` and `time2_...` in ROOT/SPLIT/, or in ROOT/ with the
prefix SPLIT_ if there is no such folder; those of a zip archive lie beside it, as ARCHIVE_SPLIT_. 56
is the size of the vocabulary, vit16 the CLIP. Each vocabulary and each CLIP has its own tag (see
`vocabulary_tag` and `clip_tag`), so their answers are never mixed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from geochange.chip import Chip
from geochange.dataset.split_names import split_path
from geochange.errors import InputError
from geochange.models.class_ranking import ClassNamer, clip_tag, read_class_namer, vocabulary_tag
from geochange.models.inference.devices import choose_device
from geochange.models.prompts import Names, published_vocabulary
from geochange.models.weights.checkpoint import DEFAULT_CLIP
from geochange.progress import Progress, no_progress
from geochange.trainer.clip_answers import (
    DateEntries,
    append_answers,
    best_of,
    check_writable,
    entry_of,
    ranking_of,
    resume_answers,
)
from geochange.training.data.chip_source import ChipSource
from geochange.training.data.class_file import PATH_KEY, read_classes, write_classes

DATES = ("time1", "time2")
"""Names of the dates in files that are written."""

BothNames = tuple[Names, Names]
"""The nine best names of a chip, before and after."""


def stored_names(
    root: Path,
    split: str,
    source: ChipSource,
    clip: str = DEFAULT_CLIP,
    vocabulary: Names | None = None,
) -> list[BothNames] | None:
    """The names of every chip of a split, in order, from files beside the data; None without files.

    They were written by `name_chips` or by the authors, who also name dates like the folders of the
    pictures (A_clipcls_56_vit16.json). Files come from other machines, so a picture is found by the
    last part of its path, or by as many parts as make it unique.
    Raises InputError where a file is damaged, exists for one date only, or lacks a chip.
    """
    return ChipNamer(clip, vocabulary).stored(source, root, split)


def name_chips(
    source: ChipSource,
    root: Path,
    split: str,
    clip: str = DEFAULT_CLIP,
    vocabulary: Names | None = None,
    *,
    progress: Progress = no_progress,
) -> list[BothNames]:
    """The names of every chip of a split, in order; see Prompter."""
    return ChipNamer(clip, vocabulary).names(source, root, split, progress)


@dataclass(frozen=True)
class ChipNamer:
    """Names the classes of chips by a CLIP, under any name that `read_clip` knows.

    vocabulary: None for the published one. device: auto, cpu, cuda, cuda:N. batch: chips at once.
    """

    clip: str = DEFAULT_CLIP
    vocabulary: Names | None = None
    device: str = "auto"
    batch: int = 64

    def names(
        self, source: ChipSource, root: Path, split: str, progress: Progress = no_progress
    ) -> list[BothNames]:
        """Read the stored names, else ask CLIP and store them.

        Answers from before an interruption are kept. Raises InputError, OptionError, and
        OutputError where the answers cannot be stored.
        """
        stored = self.stored(source, root, split)
        if stored is not None:
            return stored
        files = [_file(root, split, date, self._kind) for date in DATES]
        part = _part(root, split, self._kind)
        check_writable(part)
        seen = self._ask_clip(source, part, progress)
        # A picture of several chips has one entry, shared by all of them.
        entries = [{both[date][PATH_KEY]: both[date] for both in seen} for date in (0, 1)]
        for file, of_date in zip(files, entries, strict=True):
            write_classes(file, [(path, ranking_of(entry)) for path, entry in of_date.items()])
        part.unlink()
        before, after = ({path: best_of(entry) for path, entry in e.items()} for e in entries)
        return [(before[one[PATH_KEY]], after[two[PATH_KEY]]) for one, two in seen]

    def stored(self, source: ChipSource, root: Path, split: str) -> list[BothNames] | None:
        """The stored names; None where there are none. Raises InputError as `stored_names` does."""
        files = _find(root, split, source, self._kind)
        if files is None:
            return None
        paths = zip(*(source.pictures(number) for number in range(len(source))), strict=True)
        before, after = (_match_paths(*date) for date in zip(files, paths, strict=True))
        for file, names in zip(files, (before, after), strict=True):
            self._refuse_unknown(file, names)
        return list(zip(before, after, strict=True))

    def _refuse_unknown(self, file: Path, chips: Sequence[Names]) -> None:
        """Refuse names that are not in the vocabulary: the file is damaged, or of another vocabulary."""
        known = set(self._vocabulary)
        for names in chips:
            if unknown := next((name for name in names if name not in known), None):
                raise InputError(
                    f"{file}: names {unknown[:40]!r}, which the vocabulary has not; remove the "
                    "files of both dates, and `geochange data prompts` makes them again"
                )

    @cached_property
    def _kind(self) -> str:
        """The tags of vocabulary and CLIP in file names."""
        return f"{vocabulary_tag(self._vocabulary)}_{clip_tag(self.clip)}"

    @cached_property
    def _vocabulary(self) -> Names:
        names = self.vocabulary or published_vocabulary()
        if PATH_KEY in names:
            raise InputError(
                f"the vocabulary has {PATH_KEY}, which means a picture; say it otherwise"
            )
        return names

    @cached_property
    def _namer(self) -> ClassNamer:
        return read_class_namer(self.clip, self._vocabulary, choose_device(self.device))

    def _ask_clip(self, source: ChipSource, part: Path, progress: Progress) -> list[DateEntries]:
        """CLIP's answer for every chip. Each batch is stored in `part` before the next begins."""
        namer = self._namer  # so a missing CLIP leaves no file
        seen = resume_answers(part, source)
        progress("prompts", len(seen), len(source))
        for chips in _batches(source, len(seen), self.batch):
            fresh = []
            for number, both in enumerate(namer.rank(chips), start=len(seen)):
                one, two = map(entry_of, source.pictures(number), both)
                fresh.append((one, two))
            append_answers(part, fresh)
            seen += fresh
            progress("prompts", len(seen), len(source))
        return seen


def _file(root: Path, split: str, date: str, kind: str) -> Path:
    name = f"{date}_clipcls_{kind}.json"
    if root.is_file():  # an archive, which nothing is written into
        return root.with_name(f"{root.stem}_{split}_{name}")
    folder = split_path(root, split)
    return folder / name if folder.is_dir() else root / f"{split}_{name}"


def _part(root: Path, split: str, kind: str) -> Path:
    """The file of the answers until all are complete."""
    both = _file(root, split, "both", kind)
    return both.with_name(f".{both.name}l.part")


def _find(root: Path, split: str, source: ChipSource, kind: str) -> tuple[Path, Path] | None:
    """The files of both dates. Raises InputError where only one of them exists."""
    own = tuple(PurePosixPath(path).parent.name for path in source.pictures(0))
    for dates in dict.fromkeys((DATES, own)):
        one, two = (_file(root, split, date, kind) for date in dates)
        here = [file for file in (one, two) if file.is_file()]
        if here == [one, two]:
            return one, two
        # An unfinished part shows that its run was interrupted.
        if here and one != two and not _part(root, split, kind).exists():
            gone = two if here == [one] else one
            raise InputError(
                f"{here[0]} exists without {gone.name}; add that file, or remove this one"
            )
    return None


def _match_paths(file: Path, paths: Sequence[str]) -> list[Names]:
    """The names that a file has for pictures, in their order. Raises InputError."""
    found = read_classes(file)
    wanted = set(paths)
    for depth in range(1, max(len(_path_tail(path)) for path in wanted) + 1):
        table = {_path_tail(path, depth): names for path, names in found.items()}
        if len(table) == len(found) and len({_path_tail(path, depth) for path in wanted}) == len(
            wanted
        ):
            break
    else:
        raise InputError(
            f"{file}: does not tell apart pictures of one name; remove it, and it is made again"
        )
    for path in paths:
        if _path_tail(path, depth) not in table:
            raise InputError(
                f"{file}: holds no {path}; remove the files of both dates, and "
                "`geochange data prompts` makes them again"
            )
    return [table[_path_tail(path, depth)] for path in paths]


def _path_tail(path: str, depth: int = 0) -> tuple[str, ...]:
    """The last parts of a path of any operating system; all of them for 0."""
    return tuple(path.replace("\\", "/").split("/")[-depth:])


def _batches(source: ChipSource, first: int, size: int) -> Iterator[list[Chip]]:
    """Chips from number `first` on; the next batch is read while the present one is used."""
    with ThreadPoolExecutor(min(16, (os.cpu_count() or 1))) as pool:

        def read(start: int) -> list[Future[Chip]]:
            numbers = range(start, min(start + size, len(source)))
            return [pool.submit(source.__getitem__, number) for number in numbers]

        ahead = read(first)
        for start in range(first, len(source), size):
            here, ahead = ahead, read(start + size)
            yield [chip.result() for chip in here]

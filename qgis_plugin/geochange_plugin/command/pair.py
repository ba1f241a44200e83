"""Which of several rasters is likely the one before and which the one after, by their names."""

from __future__ import annotations

import re
from collections.abc import Sequence

WORDS = (("before", "after"), ("pre", "post"), ("old", "new"), ("t1", "t2"), ("a", "b"))
"""What people call both dates."""

DATE = re.compile(
    r"(?<!\d)((?:19|20)\d\d)(?:[-_.]?(0[1-9]|1[0-2])(?:[-_.]?([0-2]\d|3[01]))?)?(?!\d)"
)
"""2015, 2015-05, 20150531."""


def guess_pair(names: Sequence[str]) -> tuple[int, int] | None:
    """The positions of before and after among names, those added last first; None if unknown.

    By words such as before and after, else by dates. Of two names without either, the one that was
    added first is before.
    """
    parts = [set(re.split(r"[^a-z0-9]+", name.lower())) for name in names]
    for before, after in WORDS:
        first = [at for at, words in enumerate(parts) if before in words]
        second = [at for at, words in enumerate(parts) if after in words]
        if len(first) == 1 and len(second) == 1 and first != second:
            return first[0], second[0]
    dated = sorted((found, at) for at, name in enumerate(names) if (found := _date(name)))
    if len(dated) >= 2 and dated[0][0] != dated[-1][0]:
        return dated[0][1], dated[-1][1]
    return (1, 0) if len(names) == 2 else None


def _date(name: str) -> tuple[int, ...]:
    found = DATE.search(name)
    return tuple(int(part or 0) for part in found.groups()) if found else ()

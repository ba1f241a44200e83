"""Faults of the machine (memory, disks, access rights) in one line with a cure."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from typing import Final

from geochange.errors import one_line
from geochange.files.file_names import shorten

MEMORY_CURE: Final = (
    "close other programs or take a machine with more memory; of run, smaller --tile, --batch, "
    "--threads or --workers need less"
)

_CURES: Final = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "make room there"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "change the access rights, or name another place"),
    errno.EROFS: "name a place that can be written",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.ELOOP: "remove the link that leads to itself",
    errno.ENOTDIR: "a file is where a folder is needed: name another place",
    errno.EISDIR: "a folder is where a file is needed: name another place",
    errno.EIO: "check the disk and its cables or network",
    errno.ESTALE: "the network disk was mounted again: change into the folder again (cd)",
    errno.ENOENT: "check the path; it may have been removed meanwhile",
    **dict.fromkeys(
        (errno.EMFILE, errno.ENFILE), "allow more open files (ulimit -n 4096), or close programs"
    ),
    errno.ENOLCK: "write to a local disk, which supports locks",
    errno.ETXTBSY: "close the program that uses it",
    errno.EBUSY: "close the program that uses it",
}
"""Cures by error number. Other errors count as faults of geochange."""

TEMPORARY_ERRNOS: Final = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EIO,
    errno.ESTALE,
    errno.EMFILE,
)
"""Errors that may go away, so that resuming the work makes sense."""

_OUT_OF_MEMORY: Final = re.compile(
    # libtiff also says so of a damaged tag that states more values than it can have.
    r"(?<!TIFFReadDirectory:)out of memory"
    r"|(can't|cannot|could not|unable to|failed to) allocate|bad_alloc|ALLOC_FAILED"
    # A thread needs memory for its stack.
    r"|malloc of size \d+ failed|not enough memory|can't start new thread",
    re.IGNORECASE,
)


def system_error_text(error: OSError) -> str | None:
    """One line about a path that the system refuses; None without a known cure."""
    cure = _CURES.get(error.errno or 0)
    if cure is None or not error.strerror:
        return None
    place = f"{shorten(str(error.filename))}: " if error.filename is not None else ""
    return f"{place}{error.strerror[:1].lower()}{error.strerror[1:]}; {cure}"


def out_of_memory_text(error: BaseException | None) -> str | None:
    """One line if memory was short in any library, else None."""
    for each in _causes(error):
        said = one_line(each)
        if isinstance(each, MemoryError) or _OUT_OF_MEMORY.search(said):
            return f"out of memory ({shorten(said) or type(each).__name__}); {MEMORY_CURE}"
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and the errors that caused it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)

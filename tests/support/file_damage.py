"""Damages files of a folder, as between a crash and the next run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path


def flip_bit(path: Path) -> None:
    """Change a bit of the middle byte."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncate_file(path: Path) -> None:
    """Cut the second half off."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def empty_file(path: Path) -> None:
    """Remove all contents, but keep the name."""
    path.write_bytes(b"")


def delete_file(path: Path) -> None:
    """Remove it."""
    path.unlink()


def replace_by_folder(path: Path) -> None:
    """Put a folder with a file in it there."""
    path.unlink()
    path.mkdir()
    (path / "0").write_bytes(b"something")


def replace_by_link(path: Path) -> None:
    """Put a link that leads nowhere there."""
    path.unlink()
    path.symlink_to("nowhere")


DAMAGES: dict[str, Callable[[Path], None]] = {
    "flipped": flip_bit,
    "truncated": truncate_file,
    "empty": empty_file,
    "lost": delete_file,
    "a folder": replace_by_folder,
    "a dangling link": replace_by_link,
}
"""Damages of a file, by name."""


def copy_afresh(source: Path, target: Path) -> Path:
    """A new copy of a folder, which replaces an earlier copy."""
    shutil.rmtree(target, ignore_errors=True)
    return Path(shutil.copytree(source, target))

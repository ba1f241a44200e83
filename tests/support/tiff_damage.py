"""Damages tiles of TIFFs, and leaves the first and the last pixel readable."""

from __future__ import annotations

import struct
from pathlib import Path

import rasterio

Tile = tuple[int, int]
"""(row, col) of a tile or strip of a file."""


def place_of(path: Path, tile: Tile) -> tuple[int, int]:
    """The position and the length of the bytes of a tile."""
    with rasterio.open(path) as raster:
        offset, size = (
            int(raster.get_tag_item(f"BLOCK_{what}_{tile[1]}_{tile[0]}", "TIFF", bidx=1))
            for what in ("OFFSET", "SIZE")
        )
    return offset, size


def overwrite_tiles(path: Path, *tiles: Tile) -> Path:
    """Overwrite the bytes of tiles. Every compression then fails; uncompressed files do not."""
    for tile in tiles:
        offset, size = place_of(path, tile)
        with path.open("r+b") as file:
            file.seek(offset)
            file.write(b"\xff" * size)
    return path


def truncate_in_tile(path: Path, tile: Tile) -> Path:
    """Truncate the file inside a tile that was written last, but is not the last tile."""
    offset, size = place_of(path, tile)
    there = path.read_bytes()
    old, new = struct.pack("<I", offset), struct.pack("<I", len(there))
    assert there.count(old) == 1, "the offset of a tile must be told from all else"
    kept = there.replace(old, new) + there[offset : offset + size]
    path.write_bytes(kept[: -size // 2])
    return path

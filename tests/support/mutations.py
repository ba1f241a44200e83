"""Small damages to files of each kind: bytes, numbers, trees of JSON, tables of SQLite, pickles.

A mutator takes a source of chance and the bytes of a file, and gives other bytes. The same chance
gives the same bytes.
"""

from __future__ import annotations

import io
import json
import sqlite3
import struct
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from typing import Any

import yaml

Mutator = Callable[[Random, bytes], bytes]

NUMBERS = (0, 1, 2, 7, 255, 256, 65_535, 65_536, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1)
FLOATS = (0.0, -0.0, 1e-300, -1.0, 1e308, float("inf"), float("nan"), 3.4e38, 180.0, 90.5)

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, -(2**64), 10**30, 1.5, -1e308, 1e308, 1e-308),
    *(float("nan"), float("inf"), "", " ", "0", "-1", "null", "nan", "auto", "\0", "\n", "\x1b[2J"),
    *("../../etc/passwd", "/etc/passwd", "file:///etc/passwd", "/vsimem/a", "http://[", "a#b + c"),
    *("%s%n{0}", "'; --", '"', "é" * 50, "\ud800", "x" * 100_000, [], {}, [[]], [None], [1, 2, 3]),
    *({"a": 1}, {"": ""}, ["x"] * 1000, "EPSG:4326", "LOCAL_CS[]", "2020-13-45T99:99:99Z"),
)
"""What may stand where something else is expected."""


def flip_bits(rng: Random, data: bytes) -> bytes:
    """Change some bits."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8) if changed else 0):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def set_number(rng: Random, data: bytes) -> bytes:
    """Write an odd number over some bytes."""
    order = rng.choice("<>")
    if rng.random() < 0.2:
        number = struct.pack(f"{order}d", rng.choice(FLOATS))
    else:
        kind, bits = rng.choice((("B", 8), ("H", 16), ("I", 32), ("Q", 64)))
        number = struct.pack(order + kind, rng.choice(NUMBERS) % 2**bits)
    at = rng.randrange(max(1, len(data) - len(number)))
    return data[:at] + number + data[at + len(number) :]


def _span(rng: Random, data: bytes) -> tuple[int, int]:
    first = rng.randrange(len(data) + 1)
    return first, min(len(data), first + int(2 ** rng.uniform(0, 12)))


def truncate(rng: Random, data: bytes) -> bytes:
    """Cut the end off."""
    return data[: rng.randrange(len(data) + 1)]


def remove(rng: Random, data: bytes) -> bytes:
    """Take some bytes out."""
    first, stop = _span(rng, data)
    return data[:first] + data[stop:]


def repeat(rng: Random, data: bytes) -> bytes:
    """Put some bytes in twice or more."""
    first, stop = _span(rng, data)
    return data[:stop] + data[first:stop] * rng.choice((1, 1, 2, 50)) + data[stop:]


def insert(rng: Random, data: bytes) -> bytes:
    """Put bytes of no sense in."""
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.randbytes(rng.choice((1, 2, 4, 8, 100))) + data[at:]


def blank(rng: Random, data: bytes) -> bytes:
    """Write one byte over a stretch."""
    first, stop = _span(rng, data)
    return data[:first] + rng.choice((b"\0", b"\xff", b" ")) * (stop - first) + data[stop:]


def swap(rng: Random, data: bytes) -> bytes:
    """Copy a stretch over another one."""
    first, stop = _span(rng, data)
    at = rng.randrange(len(data) + 1)
    return data[:at] + data[first:stop] + data[at + stop - first :]


BYTES: tuple[Mutator, ...] = (
    *(flip_bits, set_number, truncate, remove, repeat, insert, blank, swap, set_number, flip_bits),
)
"""What can happen to any file."""


def any_bytes(rng: Random, data: bytes) -> bytes:
    """One of BYTES."""
    return rng.choice(BYTES)(rng, data)


def tiff_entry(rng: Random, data: bytes) -> bytes:
    """Change one entry of a directory of a TIFF: tag, type, count or value."""
    if len(data) < 8 or data[:4] not in (b"II*\0", b"MM\0*"):
        return any_bytes(rng, data)
    order = "<" if data[:1] == b"I" else ">"
    changed = bytearray(data)
    with suppress(struct.error):
        (at,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, at)
        entry = at + 2 + 12 * rng.randrange(max(1, count))
        _, kind, values, place = struct.unpack_from(f"{order}HHII", data, entry)
        what = rng.randrange(5)
        if what == 0:
            struct.pack_into(f"{order}H", changed, entry, rng.choice((*range(254, 350), 33550)))
        elif what == 1:
            struct.pack_into(f"{order}H", changed, entry + 2, rng.choice((*range(19), 65_535)))
        elif what == 2:
            number = rng.choice((0, 1, values + 1, max(0, values - 1), *NUMBERS)) % 2**32
            struct.pack_into(f"{order}I", changed, entry + 4, number)
        elif what == 3 and values > 1 and kind in (3, 4, 12):
            struct.pack_into(f"{order}I", changed, place, rng.choice(NUMBERS) % 2**32)
        else:
            struct.pack_into(f"{order}I", changed, entry + 8, rng.choice(NUMBERS) % 2**32)
    return bytes(changed)


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a tree."""
    found: list[tuple[Any, Any]] = []
    waiting, seen = [tree], set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:  # aliases of YAML can make a tree a part of itself
            continue
        seen.add(id(node))
        keys = list(node) if isinstance(node, dict) else range(len(node))
        for key in keys:
            found.append((node, key))
            if isinstance(node[key], dict | list):
                waiting.append(node[key])
    return found


def change_tree(rng: Random, tree: Any) -> Any:
    """Replace, remove, copy or nest one value of a tree of JSON."""
    places = _places(tree) if isinstance(tree, dict | list) else []
    if not places:
        return rng.choice(VALUES)
    node, key = rng.choice(places)
    what = rng.randrange(6)
    if what == 0:
        del node[key]
    elif what == 1:
        other, there = rng.choice(places)
        node[key] = json.loads(json.dumps(other.get(there) if isinstance(other, dict) else None))
    elif what == 2:
        for _ in range(rng.choice((1, 2, 400))):
            node[key] = [node[key]] if rng.random() < 0.5 else {"a": node[key]}
    elif what == 3 and isinstance(node, dict):
        node[str(rng.choice(VALUES))[:200]] = node.pop(key)
    else:
        node[key] = rng.choice(VALUES)
    return tree


def json_tree(rng: Random, data: bytes) -> bytes:
    """Change one value of a JSON text."""
    try:
        return json.dumps(change_tree(rng, json.loads(data))).encode()
    except (ValueError, RecursionError):
        return any_bytes(rng, data)


def yaml_tree(rng: Random, data: bytes) -> bytes:
    """Change one value of a YAML text."""
    try:
        changed = change_tree(rng, yaml.safe_load(data))
        return yaml.safe_dump(changed, allow_unicode=True).encode("utf-8", "surrogatepass")
    except (yaml.YAMLError, ValueError, RecursionError):
        return any_bytes(rng, data)


WORDS = (
    *("&a [*a, *a]", "*a", "!!python/object/apply:os.getcwd []", "<<: *a", "\t", "- ", "? ", "{"),
    *("[", ": ", "#", "|", ">-", "---", "...", "1e", ".inf", "0x7f", "1_0", "yes", "2020-01-01"),
    *("!!binary x", "%YAML 9.9", "'", '"', "\\", "\u2028", "\ufeff", "[" * 5000, "a: " * 50),
)
"""Pieces of YAML."""


def yaml_line(rng: Random, data: bytes) -> bytes:
    """Change the lines of a text: another order, twice, another depth, odd words."""
    lines = data.decode("utf-8", "replace").split("\n")
    at = rng.randrange(len(lines))
    what = rng.randrange(5)
    if what == 0:
        lines.insert(rng.randrange(len(lines)), lines[at])
    elif what == 1:
        lines[at] = " " * rng.randrange(9) + lines[at].lstrip()
    elif what == 2:
        name, _, _ = lines[at].partition(":")
        lines[at] = f"{name}: {rng.choice(WORDS)}"
    elif what == 3:
        lines.insert(at, rng.choice(WORDS))
    else:
        del lines[at]
    return "\n".join(lines).encode()


def _value(rng: Random, old: Any) -> Any:
    """A value for a cell of a table."""
    if isinstance(old, bytes) and rng.random() < 0.8:
        return any_bytes(rng, old)
    value = rng.choice(VALUES)
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if value is None or (isinstance(value, int | float) and abs(value) < 2**63):
        return value
    return rng.randbytes(rng.choice((0, 1, 9, 60)))


def _change_table(rng: Random, database: sqlite3.Connection) -> None:
    tables = [
        name
        for (name,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' "
            "AND name NOT LIKE 'rtree_%' ORDER BY name"
        )
    ]
    if not tables:
        return
    table = rng.choice(tables)
    columns = [row[1] for row in database.execute(f'PRAGMA table_info("{table}")')]
    column = rng.choice(columns)
    what = rng.randrange(12)
    if what == 0:
        database.execute(f'DROP TABLE "{table}"')
    elif what == 1:
        database.execute(f'DELETE FROM "{table}"')
    elif what == 2:
        database.execute(f'ALTER TABLE "{table}" RENAME COLUMN "{column}" TO "x{column}"')
    elif what == 3:
        kind = rng.choice(("BLOB", "POLYGON", "TEXT", "INTEGER"))
        database.execute(f'ALTER TABLE "{table}" ADD COLUMN "{rng.choice("abc")}" {kind}')
    elif what == 4:
        name = rng.choice(("application_id", "user_version"))
        database.execute(f"PRAGMA {name} = {rng.choice((0, 1, -1, 10_000, 99_999))}")
    elif what == 5:
        database.execute(f'ALTER TABLE "{table}" RENAME TO "gone"')
        endless = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) "
        source = rng.choice((f'{endless}SELECT x AS "{column}" FROM r', 'SELECT * FROM "gone"'))
        database.execute(f'CREATE VIEW "{table}" AS {source}')
    else:
        rows = database.execute(f'SELECT rowid, "{column}" FROM "{table}"').fetchall()
        for rowid, old in rows if rng.random() < 0.3 else rows and [rng.choice(rows)]:
            database.execute(
                f'UPDATE "{table}" SET "{column}" = ? WHERE rowid = ?', (_value(rng, old), rowid)
            )


def sqlite_table(rng: Random, data: bytes) -> bytes:
    """Change a table of a GeoPackage: a cell, a column, the table itself."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.gpkg"
        path.write_bytes(data)
        try:
            with closing(sqlite3.connect(path)) as database, database:
                for function in ("ST_IsEmpty", "ST_MinX", "ST_MaxX", "ST_MinY", "ST_MaxY"):
                    database.create_function(function, 1, lambda _: 0)
                with suppress(sqlite3.IntegrityError, sqlite3.OperationalError):
                    _change_table(rng, database)
        except (sqlite3.Error, UnicodeDecodeError):  # damaged before
            return any_bytes(rng, data)
        return path.read_bytes()


def zip_member(rng: Random, data: bytes) -> bytes:
    """Change the bytes of one file in an archive, whose sums then fit; or its name."""
    packed = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = [(info.filename, archive.read(info)) for info in archive.infolist()]
        programs = [i for i, (name, _) in enumerate(entries) if name.endswith(".pkl")]
        chosen = rng.choice(programs if programs and rng.random() < 0.8 else range(len(entries)))
        with zipfile.ZipFile(packed, "w") as archive:
            for index, (name, body) in enumerate(entries):
                if index == chosen and rng.random() < 0.1:
                    name = rng.choice(("../a", "/a", "a" * 300, name.upper(), "b"))
                elif index == chosen:
                    body = any_bytes(rng, body)
                archive.writestr(name, body)
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, OSError, struct.error):
        return any_bytes(rng, data)
    return packed.getvalue()


def safetensors_header(rng: Random, data: bytes) -> bytes:
    """Change the list of tensors, or the texts beside it; the length fits."""
    return _with_header(data, lambda header: change_tree(rng, header)) or any_bytes(rng, data)


def card(rng: Random, data: bytes) -> bytes:
    """Change one value of the card of a checkpoint; without the sum, by which it would be seen."""

    def change(header: Any) -> Any:
        about = header["__metadata__"]
        about.pop("geochange.sum", None)
        about["geochange"] = json.dumps(change_tree(rng, json.loads(about["geochange"])))
        return header

    return _with_header(data, change) or any_bytes(rng, data)


def _with_header(data: bytes, change: Callable[[Any], Any]) -> bytes:
    """A safetensors file with another header; nothing where it has none that can be read."""
    length = int.from_bytes(data[:8], "little")
    try:
        header = json.dumps(change(json.loads(data[8 : 8 + length]))).encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return b""
    return struct.pack("<Q", len(header)) + header + data[8 + length :]

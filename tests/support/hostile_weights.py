"""Makers of files of weights that need much more memory or time than their size."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from changeclip_cases import SMALL, small, small_clip
from safetensors.torch import save_file

from geochange.models.weights.model_card import Card

PROTO = pickle.PROTO + b"\x02"
NAMED = b"X" + struct.pack("<I", 1)
"""The instruction for a text of one character, which follows."""


def doubled(levels: int = 40) -> bytes:
    """A mapping of two names for the same mapping of two names for the same ..."""
    program = [PROTO, pickle.EMPTY_DICT, pickle.BINPUT + b"\x00"]
    for level in range(1, levels + 1):
        inner = pickle.BINGET + bytes([level - 1])
        program += [pickle.EMPTY_DICT, pickle.BINPUT + bytes([level]), pickle.MARK]
        program += [NAMED + b"a", inner, NAMED + b"b", inner, pickle.SETITEMS]
    return b"".join([*program, pickle.STOP])


def within_itself() -> bytes:
    """A mapping that holds itself."""
    program = [PROTO, pickle.EMPTY_DICT, pickle.BINPUT + b"\x00", NAMED + b"a"]
    return b"".join([*program, pickle.BINGET + b"\x00", pickle.SETITEM, pickle.STOP])


def _pairs(levels: int) -> bytes:
    """A pair of the same pair of the same pair ..."""
    return pickle.NONE + (pickle.DUP + pickle.TUPLE2) * levels


def nested_key(levels: int = 60) -> bytes:
    """A mapping whose key takes 2**60 steps to hash."""
    body = pickle.EMPTY_DICT + _pairs(levels) + pickle.NONE + pickle.SETITEM
    return PROTO + body + pickle.STOP


def nested_in_a_set(levels: int = 60) -> bytes:
    return PROTO + b"\x8f" + pickle.MARK + _pairs(levels) + b"\x90" + pickle.STOP


def nested_storage(levels: int = 60) -> bytes:
    """A storage whose kind would appear in a message."""
    return PROTO + pickle.MARK + _pairs(levels) + b"NNNN" + pickle.TUPLE + pickle.BINPERSID + b"."


def _global(name: str) -> bytes:
    module, _, function = name.rpartition(".")
    return pickle.GLOBAL + f"{module}\n{function}\n".encode()


def copies(items: int = 200_000, times: int = 200_000) -> bytes:
    """The same long list, copied again and again."""
    long = pickle.EMPTY_LIST + pickle.MARK + pickle.NONE * items + pickle.APPENDS
    one = pickle.BINGET + b"\x01" + pickle.BINGET + b"\x00" + pickle.TUPLE1 + pickle.REDUCE
    known = _global("__builtin__.list") + pickle.BINPUT + b"\x01"
    return PROTO + long + pickle.BINPUT + b"\x00" + known + one * times + pickle.STOP


def claims(instruction: bytes, size: int, width: str = "<Q") -> bytes:
    """An instruction that claims `size` bytes and has none."""
    return PROTO + instruction + struct.pack(width, size) + b"N."


def _tensor(count: int, size: tuple[int, ...], stride: tuple[int, ...], offset: int = 0) -> bytes:
    """A mapping with one tensor `a` of any sizes, as torch.save writes it."""

    class _Written(pickle.Pickler):
        def persistent_id(self, thing: Any) -> Any:
            return thing.pid if isinstance(thing, _Storage) else None

    class _Storage:
        pid = ("storage", torch.FloatStorage, "0", "cpu", count)

    class _Made:
        def __reduce__(self) -> Any:
            made = (_Storage(), offset, size, stride, False, {})
            return torch._utils._rebuild_tensor_v2, made

    stream = BytesIO()
    _Written(stream, 2).dump({"a": _Made()})
    return stream.getvalue()


def archived(program: bytes, values: bytes = bytes(64), method: int = zipfile.ZIP_STORED) -> bytes:
    """An archive in the layout of torch.save."""
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr("archive/data.pkl", program)
        archive.writestr("archive/data/0", values)
        archive.writestr("archive/version", b"3\n")
    return stream.getvalue()


def _claiming(packed: bytes, size: int) -> bytes:
    """The archive with another length of the values in its list."""
    at = packed.rindex(b"archive/data/0") - 46
    assert packed[at : at + 4] == b"PK\x01\x02"
    return packed[: at + 20] + struct.pack("<II", size, size) + packed[at + 28 :]


def overlapping(keys: int = 400, size: int = 4_000_000) -> bytes:
    """An archive of many storages that share the same bytes."""

    class _Storage:
        def __init__(self, key: int) -> None:
            self.pid = ("storage", torch.FloatStorage, str(key), "cpu", size // 4)

    class _Written(pickle.Pickler):
        def persistent_id(self, thing: Any) -> Any:
            return thing.pid if isinstance(thing, _Storage) else None

    class _Made:
        def __init__(self, key: int) -> None:
            self.key = key

        def __reduce__(self) -> Any:
            made = (_Storage(self.key), 0, (size // 4,), (1,), False, {})
            return torch._utils._rebuild_tensor_v2, made

    stream = BytesIO()
    _Written(stream, 2).dump({str(key): _Made(key) for key in range(keys)})
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("archive/data.pkl", stream.getvalue())
        archive.writestr("archive/data/0", bytes(size))
        first = archive.getinfo("archive/data/0")
        for key in range(1, keys):
            info = zipfile.ZipInfo(f"archive/data/{key}")
            for name in ("header_offset", "file_size", "compress_size", "CRC"):
                setattr(info, name, getattr(first, name))
            archive.filelist.append(info)
            archive.NameToInfo[info.filename] = info
    return packed.getvalue()


def safetensors(header: bytes, values: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file with any header, whose length may be wrong."""
    return struct.pack("<Q", len(header) if length is None else length) + header + values


def _listed(shape: list[int], size: int, name: str = "gamma") -> bytes:
    entry = {"dtype": "F32", "shape": shape, "data_offsets": [0, size]}
    return json.dumps({name: entry}).encode()


def _card(path: Path, part: str, name: str, value: object) -> None:
    """A small checkpoint with a changed size in its card."""
    card = json.loads(Card(SMALL["vit" if name == "taps" else "resnet"]).to_json())
    (card["options"][part] if part else card)[name] = value
    kind = "vit" if name == "taps" else "resnet"
    save_file(small(kind).state_dict(), path, metadata={"geochange": json.dumps(card)})


def _reshaped(path: Path, **shapes: tuple[int, ...]) -> None:
    """The authors' weights with changed shapes of some tensors, which have no values."""
    empty = {name.replace("__", "."): torch.empty(shape) for name, shape in shapes.items()}
    save_file(dict(small("resnet").state_dict()) | empty, path)


def _clip(path: Path, **tensors: torch.Tensor) -> None:
    changed = {name.replace("__", "."): value for name, value in tensors.items()}
    save_file(dict(small_clip().state_dict()) | changed, path)


def _bytes(make: Callable[[], bytes]) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(make())


PICKLES: dict[str, Callable[[], bytes]] = {
    "children shared": doubled,
    "within itself": within_itself,
    "key of keys": nested_key,
    "key of keys in a set": nested_in_a_set,
    "storage of pairs": nested_storage,
    "copies": copies,
    "bytes that are not there": lambda: claims(b"\x8e", 2**40),
    "frame that is not there": lambda: claims(pickle.FRAME, 2**50),
    "bytearray that is not there": lambda: claims(b"\x96", 2**40),
    "memo without end": lambda: claims(b"N" + pickle.LONG_BINPUT, 2**31 - 2, "<I"),
    "ten million sets": lambda: PROTO + b"\x8f" * 10_000_000 + pickle.STOP,
    "a line without end": lambda: PROTO + b"V" + b"a" * 50_000_000,
    "an empty program": lambda: b"\x80",
    "lists in lists": lambda: PROTO + b"]" * 300_000 + b"a" * 299_999 + pickle.STOP,
}
"""Pickle programs, each in an archive and as its own file."""

FILES: dict[str, tuple[str, Callable[[Path], object]]] = {
    **{
        f"{name}, archived": ("bad.pth", _bytes(lambda make=make: archived(make())))  # type: ignore[misc]
        for name, make in PICKLES.items()
    },
    **{f"{name}, alone": ("bad.pth", _bytes(make)) for name, make in PICKLES.items()},
    "storage of a terabyte": ("a.pth", _bytes(lambda: archived(_tensor(2**38, (2**38,), (1,))))),
    "tensor without steps": ("a.pth", _bytes(lambda: archived(_tensor(16, (2**30,), (0,))))),
    "tensor beyond its storage": ("a.pth", _bytes(lambda: archived(_tensor(16, (4,), (8,))))),
    "negative offset": ("a.pth", _bytes(lambda: archived(_tensor(16, (4,), (1,), -4)))),
    "negative stride": ("a.pth", _bytes(lambda: archived(_tensor(16, (4,), (-1,), 8)))),
    "zip bomb": (
        "a.pth",
        _bytes(
            lambda: archived(_tensor(2**26, (2**26,), (1,)), bytes(2**28), zipfile.ZIP_DEFLATED)
        ),
    ),
    "bomb of a program": (
        "a.pth",
        _bytes(lambda: archived(PROTO + b"N" * 2**28, method=zipfile.ZIP_DEFLATED)),
    ),
    "an entry that claims": (
        "a.pth",
        _bytes(lambda: _claiming(archived(_tensor(2**29, (2**29,), (1,))), 2**31)),
    ),
    "entries over each other": ("a.pth", _bytes(overlapping)),
    "header of a gigabyte": ("a.safetensors", _bytes(lambda: safetensors(b"{}", length=2**30))),
    "header of 2**63": ("a.safetensors", _bytes(lambda: safetensors(b"{}", length=2**63))),
    "header of blanks": ("a.safetensors", _bytes(lambda: safetensors(b"{" + b" " * 50_000_000))),
    "values that are not there": (
        "a.safetensors",
        _bytes(lambda: safetensors(_listed([2**38], 2**40))),
    ),
    "shape without values": ("a.safetensors", _bytes(lambda: safetensors(_listed([0, 2**40], 0)))),
    "shape beyond all numbers": (
        "a.safetensors",
        _bytes(lambda: safetensors(_listed([2**62, 2**62, 0], 0))),
    ),
    "layers": ("a.safetensors", lambda path: _card(path, "text", "layers", 10**9)),
    "context layers": ("a.safetensors", lambda path: _card(path, "context", "layers", 10**7)),
    "blocks": ("a.safetensors", lambda path: _card(path, "visual", "blocks", [10**9] * 4)),
    "many blocks": ("a.safetensors", lambda path: _card(path, "visual", "blocks", [1] * 10_000)),
    "width": ("a.safetensors", lambda path: _card(path, "visual", "width", 10**6)),
    "width of 2**62": ("a.safetensors", lambda path: _card(path, "visual", "width", 2**62)),
    "words": ("a.safetensors", lambda path: _card(path, "text", "words", 10**7)),
    "places": ("a.safetensors", lambda path: _card(path, "text", "places", 10**6)),
    "window": ("a.safetensors", lambda path: _card(path, "decoder", "window", 10**4)),
    "grid": ("a.safetensors", lambda path: _card(path, "visual", "grid", 10**5)),
    "heads of no width": ("a.safetensors", lambda path: _card(path, "visual", "heads", 7)),
    "taps": ("a.safetensors", lambda path: _card(path, "visual", "taps", [1, 2, 3, 99])),
    "number for a text": ("a.safetensors", lambda path: _card(path, "", "prompts", 3)),
    "dropout": ("a.safetensors", lambda path: _card(path, "decoder", "dropout", 7)),
    "names that are numbers": (
        "a.safetensors",
        lambda path: _card(path, "", "vocabulary", list(range(20))),
    ),
    "names that are null": (
        "a.safetensors",
        lambda path: _card(path, "", "vocabulary", [None] * 9),
    ),
    "names twice": ("a.safetensors", lambda path: _card(path, "", "vocabulary", ["a"] * 20)),
    "no vocabulary": ("a.safetensors", lambda path: _card(path, "", "vocabulary", None)),
    "vocabulary of letters": ("a.safetensors", lambda path: _card(path, "", "vocabulary", "a" * 9)),
    "a million names": (
        "a.safetensors",
        lambda path: _card(path, "", "vocabulary", [f"n{i}" for i in range(1_000_000)]),
    ),
    "a name of a million letters": (
        "a.safetensors",
        lambda path: _card(path, "", "vocabulary", [*"abcdefgh", "i" * 1_000_000]),
    ),
    "a card of brackets": (
        "a.safetensors",
        lambda path: save_file({}, path, metadata={"geochange": "[" * 100_000}),
    ),
    "embedding of no values": (
        "a.safetensors",
        lambda path: _reshaped(path, backbone__attnpool__c_proj__weight=(10**9, 0)),
    ),
    "words of no width": (
        "a.safetensors",
        lambda path: _reshaped(path, text_encoder__token_embedding__weight=(10**12, 0)),
    ),
    "a CLIP of pictures of 2**20 px": (
        "a.safetensors",
        lambda path: _clip(
            path,
            visual__positional_embedding=torch.zeros(2**12 + 1, 64),
            visual__conv1__weight=torch.zeros(64, 3, 256, 256),
        ),
    ),
    "a CLIP of texts of 100,000 tokens": (
        "a.safetensors",
        lambda path: _clip(path, positional_embedding=torch.zeros(100_000, 64)),
    ),
}
"""Files by name: the file name, and its maker."""

"""Reads tensors from torch's files without importing or running anything that they name.

torch.save writes a zip archive (before torch 1.6, one stream) with a pickle that describes the
tensors, and their bytes. TorchScript archives have the same layout. The size of the file bounds all
that is read, created and kept, whatever the file claims to hold.
"""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any, BinaryIO

import torch

from geochange.errors import InputError
from geochange.models.weights.pickle_values import LazyTensor, PlaceholderObject, Storage
from geochange.models.weights.restricted_unpickler import RestrictedUnpickler

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C

CheckTensors = Callable[[dict[str, torch.Tensor]], None]
"""Checks the tensors before their bytes are read, on torch's device `meta`. It may refuse them."""

MOST_TENSORS, LONGEST_NAME, DEEPEST = 100_000, 500, 100

MAX_SHARED_RATIO = 8
"""Tensors may share bytes. Their total size may be at most this multiple of the file size."""


def read_archive(
    stream: BinaryIO, check: CheckTensors | None = None
) -> tuple[dict[str, torch.Tensor], bool]:
    """Tensors of a zip archive of torch.save or TorchScript, and whether it is TorchScript.

    check: is called before the bytes of tensors are read. Raises InputError if the archive is damaged or
    its pickle calls an unknown function, and the errors of `check`.
    """
    size = _bytes_left(stream)
    try:
        with zipfile.ZipFile(stream) as archive:
            names = set(archive.namelist())
            root = next(n for n in archive.namelist() if n.endswith("data.pkl"))[: -len("data.pkl")]
            if f"{root}byteorder" in names and _entry(archive, f"{root}byteorder", size) == b"big":
                raise InputError("it is big-endian; save it again on a little-endian machine")
            program = _entry(archive, f"{root}data.pkl", size)
            found = _weights(_unpickle(BytesIO(program), len(program)))
            _check_storages(found, size, check)
            storages = _reader(lambda key: _entry(archive, f"{root}data/{key}", size), size)
            script = f"{root}constants.pkl" in names
            return {name: _build_tensor(lazy, storages) for name, lazy in found.items()}, script
    except _DAMAGE as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"the archive is truncated or damaged ({error})") from error


def read_stream(stream: BinaryIO, check: CheckTensors | None = None) -> dict[str, torch.Tensor]:
    """Tensors of a pickle without archive (torch.save before torch 1.6); see `read_archive`."""
    size = _bytes_left(stream)
    value = _unpickle(stream, size)
    if type(value) is not int or value != _LEGACY_MAGIC:
        # A plain pickle holds no torch tensors. An unsafe one was refused above with a better message.
        raise InputError("the pickle holds no torch tensors")
    # The protocol version, and the byte sizes of the writer.
    _unpickle(stream, _bytes_left(stream)), _unpickle(stream, _bytes_left(stream))
    named: dict[str, Storage] = {}
    try:
        found = _weights(_unpickle(stream, _bytes_left(stream), named))
        _check_storages(found, size, check)
        data = _read_storages(stream, _unpickle(stream, _bytes_left(stream)), named)
        storages = _reader(data.__getitem__, size)
        return {name: _build_tensor(lazy, storages) for name, lazy in found.items()}
    except _DAMAGE as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"the file is truncated or damaged ({error})") from error


_DAMAGE = (
    *(zipfile.BadZipFile, StopIteration, EOFError, OSError, RuntimeError, OverflowError),
    *(KeyError, ValueError, TypeError, NotImplementedError),
)
"""Exceptions that a damaged archive can raise (RecursionError is a RuntimeError)."""


def _bytes_left(stream: BinaryIO) -> int:
    """The number of bytes from the current position to the end of a stream."""
    here = stream.tell()
    end = stream.seek(0, os.SEEK_END)
    stream.seek(here)
    return end - here


def _unpickle(stream: BinaryIO, size: int, storages: dict[str, Storage] | None = None) -> Any:
    """Read one pickle of at most `size` bytes. Its storages are added to `storages`."""
    machine = RestrictedUnpickler(stream, size)
    try:
        value = machine.load()
    except InputError as refusal:
        raise InputError(f"the pickle is refused and none of its code was run: {refusal}") from None
    except MemoryError:
        raise
    except Exception as error:
        # A damaged pickle can raise any exception. Each means that the file cannot be used.
        raise InputError(f"the pickle is damaged ({type(error).__name__}: {error})") from error
    finally:
        machine.forget()  # a traceback would keep its objects alive
    if storages is not None:
        storages |= machine.storages
    return value


def _entry(archive: zipfile.ZipFile, name: str, size: int) -> bytes:
    """The bytes of an entry, which torch stores uncompressed.

    Raises ValueError if the entry claims more bytes than the file has.
    """
    entry = archive.getinfo(name)
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
        raise InputError(f"{name[-80:]} in it is compressed; save it again with torch.save")
    if entry.header_offset + entry.file_size > size:
        raise ValueError(f"{name[-80:]} claims {entry.file_size:,} bytes of a file of {size:,}")
    return archive.read(entry)


def _read_storages(stream: BinaryIO, keys: Any, named: Mapping[str, Storage]) -> dict[str, bytes]:
    """The bytes of storages after the pickles of a stream, by key."""
    data: dict[str, bytes] = {}
    if not isinstance(keys, list):
        raise ValueError("no list of storages")
    for key in keys:
        if type(key) is not str or key in data:
            raise ValueError("a storage that occurs twice")
        count = int.from_bytes(stream.read(8), "little")
        length = count * named[key].dtype.itemsize
        if length > _bytes_left(stream):
            raise ValueError(f"storage {key[:80]} is cut short")
        data[key] = stream.read(length)
    return data


def _named_tensors(value: Any) -> dict[str, LazyTensor]:
    """Every tensor in nested mappings, by the path of its keys, in order.

    Raises ValueError if parts repeat too often or are nested too deeply.
    """
    found: dict[str, LazyTensor] = {}
    left = [("", 0, value)]
    visits = 0
    while left:
        name, depth, part = left.pop()
        visits += 1
        if visits > 2 * MOST_TENSORS or depth > DEEPEST or len(name) > LONGEST_NAME:
            raise ValueError("its parts repeat too often or are nested too deeply for weights")
        if isinstance(part, LazyTensor):
            found[name[:-1]] = part
            continue
        children = part.state if isinstance(part, PlaceholderObject) else part
        if isinstance(children, Mapping):
            if visits + len(left) + len(children) > 2 * MOST_TENSORS:
                raise ValueError(f"more than {MOST_TENSORS:,} parts")
            named = [(f"{name}{_key(k)}.", depth + 1, child) for k, child in children.items()]
            left += reversed(named)
    return found


def _key(key: Any) -> str:
    text = str(key)
    if len(text) > LONGEST_NAME:
        raise ValueError(f"a name of {len(text):,} characters")
    return text


def _weights(value: Any) -> dict[str, LazyTensor]:
    """The weights in a pickle, without optimizers and logs."""
    if isinstance(value, Mapping):
        for key in ("state_dict", "model_state_dict", "model"):
            if isinstance(value.get(key), Mapping):
                return _named_tensors(value[key])
    return _named_tensors(value)


def _check_storages(found: Mapping[str, LazyTensor], size: int, check: CheckTensors | None) -> None:
    """Refuse tensors that exceed their storages, or that are larger than the file allows.

    Raises ValueError, and the errors of `check`.
    """
    total = 0
    for lazy in found.values():
        # A stride of 0 could expand one number to any amount of memory.
        values, reach = math.prod(lazy.size), lazy.offset
        reach += sum((n - 1) * step for n, step in zip(lazy.size, lazy.stride, strict=True))
        inside = 0 in lazy.size or reach < lazy.storage.count
        if not inside or values > lazy.storage.count or lazy.storage.size_bytes > size:
            raise ValueError(f"a tensor of {lazy.size} in {lazy.storage.count} values")
        total += values * lazy.storage.dtype.itemsize
    if total > MAX_SHARED_RATIO * size:
        raise ValueError(f"tensors of {total:,} bytes in a file of {size:,}")
    if check is not None:
        check(
            {
                name: torch.empty(lazy.size, dtype=lazy.storage.dtype, device="meta")
                for name, lazy in found.items()
            }
        )


def _build_tensor(lazy: LazyTensor, storages: Callable[[Storage], torch.Tensor]) -> torch.Tensor:
    flat = storages(lazy.storage)
    return flat.as_strided(lazy.size, lazy.stride, lazy.offset).clone()


def _reader(fetch: Callable[[str], bytes], size: int) -> Callable[[Storage], torch.Tensor]:
    """A function that reads each storage once. In total it reads at most the size of the file."""
    read: dict[str, torch.Tensor] = {}
    left = size

    def storage(wanted: Storage) -> torch.Tensor:
        nonlocal left
        if wanted.key not in read:
            data = bytearray(fetch(wanted.key))
            left -= len(data)
            if len(data) < wanted.size_bytes:
                raise ValueError(f"storage {wanted.key[:80]} is cut short")
            if left < 0:
                raise ValueError("its storages are longer than the file: they overlap")
            flat = torch.empty(0, dtype=wanted.dtype)
            if wanted.count:
                flat = torch.frombuffer(data, dtype=wanted.dtype, count=wanted.count)
            read[wanted.key] = flat
        return read[wanted.key]

    return storage

"""Files of tensors in torch's formats and in safetensors, with a checksum in geochange's own."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from geochange.errors import InputError, OutputError, one_line
from geochange.files.atomic import atomic_path
from geochange.models.weights.locate import INVALID_WEIGHTS_ERRORS
from geochange.models.weights.safe_pickle import MOST_TENSORS, read_archive, read_stream
from geochange.models.weights.state_dict_formats import strip_prefixes

MAX_HEADER_BYTES = 2**24
"""The largest header of a safetensors file in bytes. It lists the tensors and holds a card."""

CHECKSUM_KEY = "geochange.sum"
"""The header key with the CRC-32 of the rest of the file, in files of geochange."""

TRAINING_PREFIX = "training/"
"""The prefix of the names of tensors that only training needs."""

_PICKLE = b"\x80"  # protocol 2, which torch writes

CheckTensors = Callable[[Mapping[str, torch.Tensor], Mapping[str, str]], None]
"""Checks names and shapes of tensors, and the header, before the bytes are read. It may refuse."""


@dataclass(frozen=True, slots=True)
class TensorFile:
    """The tensors of a file under plain names, and its header.

    script: whether it is TorchScript. training: the tensors that only training needs, if asked for.
    """

    tensors: dict[str, torch.Tensor]
    header: Mapping[str, str]
    script: bool
    training: Mapping[str, torch.Tensor] = field(default_factory=dict)


def read_tensors(
    path: Path, check: CheckTensors | None = None, training: bool = False
) -> TensorFile:
    """Read a file of weights. Raises InputError, which names the file.

    check: is called before the bytes of tensors are read. training: whether the tensors that only
    training needs are kept, too.
    """

    def outline(found: dict[str, torch.Tensor], header: Mapping[str, str] | None = None) -> None:
        if check is None:
            return
        try:
            check(strip_prefixes(found), header or {})
        except InputError:
            raise
        except INVALID_WEIGHTS_ERRORS as error:
            why = one_line(f"{type(error).__name__}: {error}")[:200]
            raise InputError(f"its card or tensors are not valid ({why})") from error

    try:
        with path.open("rb") as stream:
            start = stream.read(9)
            stream.seek(0)
            if start[:2] == b"PK":
                tensors, script = read_archive(stream, outline)
                return TensorFile(strip_prefixes(tensors), {}, script)
            if start[8:] == b"{":
                return _read_safetensors(path, outline, training)
            if start and start[:1] != _PICKLE:
                raise InputError(
                    "holds no weights of torch or safetensors; give a .pth or .safetensors"
                )
            return TensorFile(strip_prefixes(read_stream(stream, outline)), {}, False)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error


def _read_safetensors(path: Path, outline: Callable[..., None], training: bool) -> TensorFile:
    with open_safetensors(path) as (file, names, header):
        wanted = [name for name in names if not name.startswith(TRAINING_PREFIX)]
        outline({name: _meta_tensor(file, name) for name in wanted}, header)
        tensors = read_checked(file, names, header, set(names if training else wanted))
    network = {name: tensors[name] for name in wanted}
    rest = {n.removeprefix(TRAINING_PREFIX): x for n, x in tensors.items() if n not in network}
    return TensorFile(strip_prefixes(network), header, False, rest)


def read_checked(
    file: Any, names: list[str], header: Mapping[str, str], wanted: set[str]
) -> dict[str, torch.Tensor]:
    """The wanted tensors of an open file, after the checksum matched.

    With a checksum, the other tensors are read too, one at a time. Raises InputError for damage.
    """
    kept: dict[str, torch.Tensor] = {}

    def each() -> Iterator[tuple[str, torch.Tensor]]:
        for name in sorted(names):
            if name in wanted or CHECKSUM_KEY in header:
                tensor = file.get_tensor(name)
                if name in wanted:
                    kept[name] = tensor
                yield name, tensor

    if CHECKSUM_KEY not in header:
        return dict(each())
    if _checksum(each(), header) != header[CHECKSUM_KEY]:
        raise InputError("the file is damaged: its checksum does not match")
    return kept


def _meta_tensor(file: Any, name: str) -> torch.Tensor:
    return torch.empty(file.get_slice(name).get_shape(), device="meta")


@contextmanager
def open_safetensors(path: Path) -> Iterator[tuple[Any, list[str], dict[str, str]]]:
    """An open file, the names of its tensors, and its header. Raises InputError with the reason."""
    try:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
        if length > min(MAX_HEADER_BYTES, path.stat().st_size):
            raise InputError(f"the file is truncated or damaged (a header of {length:,} bytes)")
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            if len(names) > MOST_TENSORS:
                raise InputError(f"it lists {len(names):,} tensors; the limit is {MOST_TENSORS:,}")
            yield file, names, dict(file.metadata() or {})
    except (SafetensorError, RuntimeError, UnicodeDecodeError) as error:
        raise InputError(f"the file is truncated or damaged ({error})") from error


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Raise what is wrong with an open file as an InputError that names it."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{path}: the file is truncated or damaged ({error})") from error


def save_tensors(path: Path, tensors: dict[str, torch.Tensor], header: dict[str, str]) -> None:
    """Write a safetensors file with its checksum, atomically. Raises OutputError."""
    kept = {name: tensors[name].detach().cpu().contiguous() for name in sorted(tensors)}
    summed = header | {CHECKSUM_KEY: _checksum(kept.items(), header)}
    with atomic_path(path) as aside:
        try:
            save_file(kept, aside, metadata=summed)
        except SafetensorError as error:
            raise OutputError(f"{path} cannot be written: {error}") from error
        # safetensors makes files readable for their owner only. Workers may run as another user.
        aside.chmod(0o644)


def _checksum(tensors: Iterable[tuple[str, torch.Tensor]], header: Mapping[str, str]) -> str:
    """CRC-32 of the header, and of the name, dtype, shape and bytes of every tensor, sorted by name."""
    said = {name: text for name, text in header.items() if name != CHECKSUM_KEY}
    total = zlib.crc32(json.dumps(said, sort_keys=True).encode())
    for name, tensor in tensors:
        told = json.dumps([name, str(tensor.dtype), tuple(tensor.shape)])
        total = zlib.crc32(told.encode(), total)
        if tensor.numel():
            total = zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy().data, total)
    return f"{total:08x}"

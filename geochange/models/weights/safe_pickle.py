"""Read tensors out of pickles without importing or running anything that they name.

torch.save writes a zip archive (or, before torch 1.6, one stream): a pickle that describes
tensors and, beside it, their bytes. TorchScript archives are laid out alike. The unpickler here
admits tensors and plain containers; objects of classes it does not know become inert stand-ins
(their class is never imported), and whatever wants to be called is refused by name.
"""

from __future__ import annotations

import math
import pickle
import sys
import zipfile
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any, BinaryIO

import torch

from geochange.errors import InputError

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class Inert:
    """What stands for an object of an unknown class; `state` is what the pickle gave it."""

    state: Any = None
    origin = "an object"

    def __new__(cls, *_: Any, **__: Any) -> Inert:
        """Make a stand-in, whatever the class it stands for is given."""
        return super().__new__(cls)

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        """Take an item of an unknown container, and forget it."""

    def append(self, value: Any) -> None:
        """Take an item of an unknown container, and forget it."""

    def __call__(self, *_: Any, **__: Any) -> Any:
        """Refuse to be called. Raises InputError."""
        raise InputError(f"it wants to call what {self.origin} returns")


class _Unknown(type):
    """The class of stand-in classes: they can be instantiated as pickles do, never called."""

    def __call__(cls, *_: Any, **__: Any) -> Any:
        raise InputError(f"it wants to call {cls.__module__}.{cls.__name__}")


@dataclass(frozen=True, slots=True)
class _Storage:
    key: str
    dtype: torch.dtype
    count: int


@dataclass(frozen=True, slots=True)
class LazyTensor:
    """A tensor whose bytes are not read yet."""

    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def read(self, storages: Callable[[_Storage], torch.Tensor]) -> torch.Tensor:
        """The tensor itself; ValueError where it would reach beyond its storage."""
        reach = sum((n - 1) * step for n, step in zip(self.size, self.stride, strict=True))
        numbers = (self.offset, *self.size, *self.stride)
        inside = 0 in self.size or self.offset + reach < self.storage.count
        # A stride of 0 would make a whole memory of one number.
        grown = math.prod(self.size) > self.storage.count
        if min(numbers) < 0 or not inside or grown:
            raise ValueError(f"a tensor of {self.size} in {self.storage.count} values")
        flat = storages(self.storage)
        return flat.as_strided(self.size, self.stride, self.offset).clone()


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> LazyTensor:
    if not isinstance(storage, _Storage):
        raise ValueError("a tensor without storage")
    return LazyTensor(storage, int(offset), tuple(map(int, size)), tuple(map(int, stride)))


def _first(value: Any, *_: Any) -> Any:
    return value


def _inert(origin: str) -> Callable[..., Inert]:
    def build(*_: Any, **__: Any) -> Inert:
        stand_in = Inert()
        stand_in.origin = origin
        return stand_in

    return build


_BUILDERS: dict[str, Any] = {
    "collections.OrderedDict": OrderedDict,
    "collections.defaultdict": lambda *_: {},
    "builtins.set": set,
    "builtins.frozenset": frozenset,
    "builtins.list": list,
    "builtins.dict": dict,
    "torch.Size": tuple,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _first,
    "torch._utils._rebuild_parameter_with_state": _first,
    "torch.jit._pickle.restore_type_tag": _first,
}
# Calls by which well-known values describe themselves. None is made: an inert object stands in.
_STEPPED_OVER = {
    *("builtins.int", "builtins.float", "builtins.str", "builtins.bool", "builtins.getattr"),
    *("builtins.object", "builtins.slice", "builtins.range", "builtins.complex"),
    *("copyreg._reconstructor", "_codecs.encode", "collections.Counter", "collections.deque"),
    *("datetime.datetime", "datetime.date", "datetime.timedelta", "pathlib.PosixPath"),
    *("pathlib.WindowsPath", "pathlib.PurePosixPath", "pathlib._local.PosixPath"),
    *("argparse.Namespace", "torch.device", "mmengine.config.config.ConfigDict"),
    *(
        f"{numpy}.{name}"
        for numpy in ("numpy.core.multiarray", "numpy._core.multiarray", "numpy")
        for name in ("_reconstruct", "scalar", "ndarray", "dtype")
    ),
    *(f"torch.jit._pickle.build_{kind}list" for kind in ("int", "double", "bool", "tensor")),
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(stream)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        """What stands for `module.name`; nothing is imported. Raises InputError for the rest."""
        # Pickles of protocol 2 call things by the names that Python 2 had for them.
        module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
        full = f"{module}.{name}"
        if full in _BUILDERS:
            return _BUILDERS[full]
        if full in _STEPPED_OVER:
            return _inert(full)
        if module in ("torch", "torch.storage") and name in _STORAGES:
            return _STORAGES[name]
        if module == "torch" and isinstance(vars(torch).get(name), torch.dtype):
            return vars(torch)[name]
        if module.split(".")[0] in sys.stdlib_module_names:
            raise InputError(f"it wants {full}, which can run commands or has no place in weights")
        return _Unknown(name, (Inert,), {"__module__": module})

    def persistent_load(self, pid: Any) -> _Storage:
        """Where a tensor's bytes lie, as torch.save wrote it down."""
        kind, dtype, key, _, count = pid[:5]
        if kind != "storage" or not isinstance(dtype, torch.dtype):
            raise ValueError(f"storage {pid[:3]}")
        return self.storages.setdefault(str(key), _Storage(str(key), dtype, int(count)))


def _unpickle(stream: BinaryIO, storages: dict[str, _Storage] | None = None) -> Any:
    """Read one pickle; the storages that it names are added to `storages`."""
    unpickler = _Unpickler(stream)
    try:
        value = unpickler.load()
    except InputError as refusal:
        raise InputError(f"the pickle is refused and nothing of it was run: {refusal}") from None
    except Exception as error:
        # A damaged pickle can fail in any way at all; each means that the file is no good.
        raise InputError(f"the pickle is damaged ({type(error).__name__}: {error})") from error
    if storages is not None:
        storages |= unpickler.storages
    return value


def _walk(value: Any, prefix: str = "") -> dict[str, LazyTensor]:
    if isinstance(value, LazyTensor):
        return {prefix[:-1]: value}
    children = value.state if isinstance(value, Inert) else value
    if not isinstance(children, Mapping):
        return {}
    found: dict[str, LazyTensor] = {}
    for key, child in children.items():
        found |= _walk(child, f"{prefix}{key}.")
    return found


def _weights(value: Any) -> dict[str, LazyTensor]:
    """The weights in what a pickle held; optimizers and logs beside them are stepped over."""
    if isinstance(value, Mapping):
        for key in ("state_dict", "model_state_dict", "model"):
            if isinstance(value.get(key), Mapping):
                return _walk(value[key])
    return _walk(value)


def _reader(fetch: Callable[[str], bytes]) -> Callable[[_Storage], torch.Tensor]:
    read: dict[str, torch.Tensor] = {}

    def storage(wanted: _Storage) -> torch.Tensor:
        if wanted.key not in read:
            data = bytearray(fetch(wanted.key))
            if len(data) < wanted.count * wanted.dtype.itemsize:
                raise ValueError(f"storage {wanted.key} is cut short")
            flat = torch.frombuffer(data, dtype=wanted.dtype) if data else torch.empty(0)
            read[wanted.key] = flat
        return read[wanted.key]

    return storage


_DAMAGE = (
    *(zipfile.BadZipFile, StopIteration, EOFError, OSError, RuntimeError),
    *(KeyError, ValueError, TypeError, NotImplementedError),
)
"""How reading an archive fails whose bytes are not what they were (RecursionError is a Runtime)."""


def read_archive(stream: BinaryIO) -> tuple[dict[str, torch.Tensor], bool]:
    """Tensors of a zip archive that torch.save or TorchScript wrote; True if the latter did.

    Raises InputError where the archive is damaged or its pickle wants to call something.
    """
    try:
        with zipfile.ZipFile(stream) as archive:
            root = next(n for n in archive.namelist() if n.endswith("data.pkl"))[: -len("data.pkl")]
            names = set(archive.namelist())
            script = f"{root}constants.pkl" in names
            if f"{root}byteorder" in names and archive.read(f"{root}byteorder") == b"big":
                raise InputError("it was written big-endian; save it again on a usual machine")
            found = _weights(_unpickle(BytesIO(archive.read(f"{root}data.pkl"))))
            storages = _reader(lambda key: archive.read(f"{root}data/{key}"))
            return {name: lazy.read(storages) for name, lazy in found.items()}, script
    except _DAMAGE as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"the archive is truncated or damaged ({error})") from error


def read_stream(stream: BinaryIO) -> dict[str, torch.Tensor]:
    """Tensors of a pickle that is not in an archive (torch.save before torch 1.6)."""
    value = _unpickle(stream)
    if value != _LEGACY_MAGIC:
        # A plain pickle holds no torch tensors; reading it has told whether it is a hostile one.
        raise InputError("the pickle holds no torch tensors")
    _unpickle(stream), _unpickle(stream)  # the protocol's version, the writer's byte sizes
    named: dict[str, _Storage] = {}
    found = _weights(_unpickle(stream, named))
    data: dict[str, bytes] = {}
    try:
        for key in _unpickle(stream):
            count = int.from_bytes(stream.read(8), "little")
            data[key] = stream.read(count * named[key].dtype.itemsize)
        storages = _reader(data.__getitem__)
        return {name: lazy.read(storages) for name, lazy in found.items()}
    except (KeyError, ValueError, TypeError, OverflowError, RuntimeError) as error:
        raise InputError(f"the file is truncated or damaged ({error})") from error

"""Values of a pickle of weights: tensors whose bytes are not read yet, and plain containers.

Everything else becomes an inert placeholder.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

LONGEST_KEY = 8
"""The largest length of a tuple as a key."""

LARGEST = 2**62
"""The limit for sizes."""

STORAGES = {
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


@dataclass(frozen=True, slots=True)
class Storage:
    """The bytes of tensors, not read yet: `count` values of a dtype, under a key."""

    key: str
    dtype: torch.dtype
    count: int

    @property
    def size_bytes(self) -> int:
        """The length in bytes."""
        return self.count * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class LazyTensor:
    """A tensor whose bytes are not read yet."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class PlaceholderObject:
    """A placeholder for an object of an unknown class; `state` is its state in the pickle."""

    def __init__(self, origin: str = "an object") -> None:
        self.origin = origin
        self.state: Any = None


class UnknownGlobal:
    """A placeholder for an unknown class or function. It is never imported or called."""

    def __init__(self, name: str) -> None:
        self.name = name


CountSteps = Callable[[int], None]
"""Counts copied items. Raises ValueError if there are too many."""


class AllowedCall:
    """A function that a pickle may call."""

    def __init__(self, build: Callable[[CountSteps, tuple[Any, ...]], Any]) -> None:
        self.build = build


def hashable_key(key: Any) -> Any:
    """A key that is cheap to hash. Hashing nested tuples can take longer than reading the pickle.

    Raises ValueError for other keys.
    """
    if isinstance(key, tuple) and len(key) <= LONGEST_KEY:
        return tuple(map(_scalar, key))
    return _scalar(key)


def _scalar(key: Any) -> Any:
    if type(key) is int and abs(key) < LARGEST:
        return key
    if (
        isinstance(
            key, str | bytes | float | bool | torch.dtype | PlaceholderObject | UnknownGlobal
        )
        or key is None
    ):
        return key
    raise ValueError(f"a key of the kind {type(key).__name__}")


def checked_size(number: Any) -> int:
    """A number of values or bytes. Raises ValueError for other values."""
    if type(number) is not int or not 0 <= number < LARGEST:
        raise ValueError("an invalid size")
    return number


def _sizes(numbers: Any) -> tuple[int, ...]:
    if not isinstance(numbers, tuple | list):
        raise ValueError("an invalid shape")
    return tuple(map(checked_size, numbers))


def short_name(name: str) -> str:
    """A name from a pickle, shortened for messages."""
    return name if len(name) <= 80 else f"{name[:80]}..."


def _items(spend: CountSteps, arguments: tuple[Any, ...]) -> Iterable[Any]:
    """The items of the single argument of a container, counted. Empty without an argument."""
    if not arguments:
        return ()
    (source,) = arguments
    if not isinstance(source, list | tuple | set | frozenset | dict):
        raise ValueError("a container of something that is not a container")
    spend(len(source))
    return source


def _dictionary(spend: CountSteps, arguments: tuple[Any, ...]) -> OrderedDict[Any, Any]:
    made: OrderedDict[Any, Any] = OrderedDict()
    pairs = _items(spend, arguments)
    for pair in pairs.items() if isinstance(pairs, Mapping) else pairs:
        if not isinstance(pair, list | tuple):
            raise ValueError("an item that is not a pair")
        key, value = pair
        made[hashable_key(key)] = value
    return made


def _tensor(spend: CountSteps, arguments: tuple[Any, ...]) -> LazyTensor:
    storage, offset, size, stride, *_ = arguments
    if not isinstance(storage, Storage):
        raise ValueError("a tensor without storage")
    spend(2 * len(size))
    sizes, strides = _sizes(size), _sizes(stride)
    if len(sizes) != len(strides):
        raise ValueError("a tensor whose stride and size differ in length")
    return LazyTensor(storage, checked_size(offset), sizes, strides)


def _first(spend: CountSteps, arguments: tuple[Any, ...]) -> Any:
    return arguments[0]


ALLOWED_CALLS = {
    name: AllowedCall(build)
    for names, build in (
        (("collections.OrderedDict", "builtins.dict"), _dictionary),
        (("collections.defaultdict",), lambda spend, arguments: {}),
        (
            ("builtins.set",),
            lambda spend, arguments: set(map(hashable_key, _items(spend, arguments))),
        ),
        (
            ("builtins.frozenset",),
            lambda spend, arguments: frozenset(map(hashable_key, _items(spend, arguments))),
        ),
        (("builtins.list",), lambda spend, arguments: list(_items(spend, arguments))),
        (("torch.Size",), lambda spend, arguments: tuple(_items(spend, arguments))),
        (("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2"), _tensor),
        (
            (
                "torch._utils._rebuild_parameter",
                "torch._utils._rebuild_parameter_with_state",
                "torch.jit._pickle.restore_type_tag",
            ),
            _first,
        ),
    )
    for name in names
}
# Functions by which common values describe themselves. They are not called; the result is inert.
IGNORED_GLOBALS = {
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

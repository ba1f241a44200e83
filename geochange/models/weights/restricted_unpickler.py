"""Restricted unpickler: interprets a pickle without importing or calling anything that it names.

It creates tensors and plain containers. Objects of unknown classes become inert placeholders. Work
and memory are bounded by the length of the pickle: copied, hashed and claimed items are counted,
and a pickle that exceeds the limit is refused.
"""

from __future__ import annotations

import pickle
import sys
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable
from typing import Any, BinaryIO, cast

import torch

from geochange.errors import InputError
from geochange.models.weights.pickle_values import (
    ALLOWED_CALLS,
    IGNORED_GLOBALS,
    STORAGES,
    AllowedCall,
    PlaceholderObject,
    Storage,
    UnknownGlobal,
    checked_size,
    hashable_key,
    short_name,
)

MOST_STEPS = 1_000_000
"""The limit for instructions and copied items, ten times what weights need."""

MOST_BYTES = 2**28
"""The largest pickle. Tensor data lie outside the pickle, so it holds only names and logs."""

LONGEST_LINE, LONGEST_NAME = 2**16, 255

SET_STEPS = 4
"""The cost of a set. An empty set takes 200 bytes, much more than other items."""


class RestrictedUnpickler(pickle._Unpickler):
    """Python's own unpickler with counted steps and without imports.

    storages: the storages that the pickle named, by key.
    """

    stack: list[Any]
    metastack: list[list[Any]]
    memo: dict[int, Any]
    append: Callable[[Any], None]
    pop_mark: Callable[[], list[Any]]
    readline: Callable[[], bytes]

    def __init__(self, stream: BinaryIO, size: int) -> None:
        super().__init__(BoundedStream(stream, min(size, MOST_BYTES)))
        self.storages: dict[str, Storage] = {}
        self.steps = 0
        self.dispatch = _CountedDispatch(self)  # type: ignore[assignment, misc]  # looked up like a dict

    def forget(self) -> None:
        """Release all objects except the result."""
        self.stack, self.metastack = [], []
        self.memo.clear()

    def spend(self, items: int) -> None:
        """Count steps. Raises ValueError if the limit is exceeded."""
        self.steps += items
        if self.steps > MOST_STEPS:
            raise ValueError(f"more than {MOST_STEPS:,} steps")

    def find_class(self, module: str, name: str) -> Any:
        """The substitute for `module.name`. Nothing is imported. Raises InputError for unsafe names."""
        if len(module) + len(name) > LONGEST_NAME:
            raise ValueError(f"a name of {len(module) + len(name):,} characters")
        # Pickles of protocol 2 use the names of Python 2.
        module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
        full = f"{module}.{name}"
        if full in ALLOWED_CALLS:
            return ALLOWED_CALLS[full]
        if full in IGNORED_GLOBALS:
            return AllowedCall(lambda spend, arguments: PlaceholderObject(full))
        if module in ("torch", "torch.storage") and name in STORAGES:
            return STORAGES[name]
        if module == "torch" and isinstance(vars(torch).get(name), torch.dtype):
            return vars(torch)[name]
        if module.split(".")[0] in sys.stdlib_module_names:
            raise InputError(
                f"it uses {short_name(full)}, which can run commands or is not needed for weights"
            )
        return UnknownGlobal(full)

    def persistent_load(self, pid: Any) -> Storage:
        """The storage of a tensor, as torch.save describes it."""
        if not isinstance(pid, tuple) or len(pid) < 5:
            raise ValueError("an incomplete storage")
        kind, dtype, key, _, count = pid[:5]
        if kind != "storage" or not isinstance(dtype, torch.dtype) or type(key) is not str:
            raise ValueError("a storage of an unknown kind")
        return self.storages.setdefault(key, Storage(key, dtype, checked_size(count)))

    def call(self, function: Any, arguments: Any) -> Any:
        """The result of a call in the pickle. Raises InputError for functions that are not known."""
        if isinstance(function, UnknownGlobal):
            raise InputError(f"it calls {short_name(function.name)}")
        if isinstance(function, PlaceholderObject):
            raise InputError(f"it calls the result of {short_name(function.origin)}")
        if not isinstance(function, AllowedCall) or not isinstance(arguments, tuple):
            raise ValueError("a call of something that is not a function")
        self.spend(len(arguments))
        return function.build(self.spend, arguments)

    def make(self, kind: Any) -> PlaceholderObject:
        """A placeholder for an object of a class."""
        if not isinstance(kind, UnknownGlobal):
            raise ValueError("an object of something that is not a class")
        return PlaceholderObject(kind.name)

    def put(self, container: Any, pairs: list[Any]) -> None:
        """Put alternating keys and values into a mapping. A placeholder ignores them."""
        self.spend(len(pairs))
        if isinstance(container, PlaceholderObject):
            return
        if not isinstance(container, dict) or len(pairs) % 2:
            raise ValueError("items of something that is not a mapping")
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            container[hashable_key(key)] = value


class BoundedStream:
    """A stream that never reads more bytes than are left, whatever the pickle claims."""

    def __init__(self, stream: BinaryIO, left: int) -> None:
        self._stream, self._left = stream, left

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes. Raises EOFError if fewer are left."""
        if size > self._left:
            raise EOFError(f"{size:,} bytes are claimed and {self._left:,} are left")
        self._left -= size
        return self._stream.read(size)

    def readline(self) -> bytes:
        """The bytes up to the end of the line, at most LONGEST_LINE."""
        line = self._stream.readline(min(self._left, LONGEST_LINE))
        self._left -= len(line)
        return line


class _CountedDispatch:
    """The table of instructions. Each lookup counts as a step."""

    def __init__(self, machine: RestrictedUnpickler) -> None:
        self._machine = machine

    def __getitem__(self, code: int) -> Callable[[RestrictedUnpickler], None]:
        self._machine.spend(SET_STEPS if code == pickle.EMPTY_SET[0] else 1)
        if code in _HANDLERS:
            return _HANDLERS[code]
        if code in _REFUSED_OPCODES:
            raise ValueError("an instruction that weights do not need")
        known: Any = pickle._Unpickler.dispatch[code]
        return cast("Callable[[RestrictedUnpickler], None]", known)


def _reduce(machine: RestrictedUnpickler) -> None:
    arguments = machine.stack.pop()
    machine.stack[-1] = machine.call(machine.stack[-1], arguments)


def _build(machine: RestrictedUnpickler) -> None:
    state = machine.stack.pop()
    made = machine.stack[-1]
    # The state of containers, such as the versions of torch modules, is not needed.
    if isinstance(made, PlaceholderObject):
        made.state = state


def _new_object(machine: RestrictedUnpickler) -> None:
    machine.stack.pop()
    machine.append(machine.make(machine.stack.pop()))


def _new_object_by_names(machine: RestrictedUnpickler) -> None:
    machine.stack.pop()
    _new_object(machine)


def _instance(machine: RestrictedUnpickler) -> None:
    module, name = (machine.readline()[:-1].decode("utf-8") for _ in range(2))
    arguments, kind = machine.pop_mark(), machine.find_class(module, name)
    machine.append(machine.call(kind, tuple(arguments)) if arguments else machine.make(kind))


def _object(machine: RestrictedUnpickler) -> None:
    kind, *arguments = machine.pop_mark()
    machine.append(machine.call(kind, tuple(arguments)) if arguments else machine.make(kind))


def _set_item(machine: RestrictedUnpickler) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    machine.put(machine.stack[-1], [key, value])


def _set_items(machine: RestrictedUnpickler) -> None:
    pairs = machine.pop_mark()
    machine.put(machine.stack[-1], pairs)


def _mapping(machine: RestrictedUnpickler) -> None:
    made: dict[Any, Any] = {}
    machine.put(made, machine.pop_mark())
    machine.append(made)


def _append(machine: RestrictedUnpickler) -> None:
    value = machine.stack.pop()
    _extend(machine.stack[-1], [value])


def _appends(machine: RestrictedUnpickler) -> None:
    values = machine.pop_mark()
    _extend(machine.stack[-1], values)


def _extend(container: Any, values: list[Any]) -> None:
    if isinstance(container, list):
        container.extend(values)
    elif not isinstance(container, PlaceholderObject):
        raise ValueError("items of something that is not a list")


def _add_items(machine: RestrictedUnpickler) -> None:
    values = machine.pop_mark()
    container = machine.stack[-1]
    if isinstance(container, set):
        container.update(map(hashable_key, values))
    elif not isinstance(container, PlaceholderObject):
        raise ValueError("items of something that is not a set")


def _frozen_set(machine: RestrictedUnpickler) -> None:
    machine.append(frozenset(map(hashable_key, machine.pop_mark())))


_HANDLERS: dict[int, Callable[[RestrictedUnpickler], None]] = {
    pickle.REDUCE[0]: _reduce,
    pickle.BUILD[0]: _build,
    pickle.NEWOBJ[0]: _new_object,
    pickle.NEWOBJ_EX[0]: _new_object_by_names,
    pickle.INST[0]: _instance,
    pickle.OBJ[0]: _object,
    pickle.SETITEM[0]: _set_item,
    pickle.SETITEMS[0]: _set_items,
    pickle.DICT[0]: _mapping,
    pickle.APPEND[0]: _append,
    pickle.APPENDS[0]: _appends,
    pickle.ADDITEMS[0]: _add_items,
    pickle.FROZENSET[0]: _frozen_set,
}
"""Instructions that call, create objects or hash."""

_REFUSED_OPCODES = {
    instruction[0]
    for instruction in (
        *(pickle.EXT1, pickle.EXT2, pickle.EXT4),
        *(pickle.BYTEARRAY8, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER),
    )
}
"""Instructions for extension codes, and for memory that is allocated before its bytes are read."""

"""Networks and baselines behind one protocol: `build` makes one from its spec."""

from __future__ import annotations

import importlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from geochange.errors import OptionError

if TYPE_CHECKING:
    from geochange.models.protocol import ChangeModel

BUILTIN: dict[str, str] = {
    "cva": "geochange.models.classical:ChangeVector",
    "irmad": "geochange.models.classical:IterativelyReweightedMAD",
}
"""Models by name, each as package.module:Class; a class takes no arguments."""

DEFAULT = "cva"


@dataclass(frozen=True)
class ModelSpec:
    """Everything a worker needs to have the model: small, plain, and the same on every machine."""

    name: str
    device: str = "cpu"
    statistics: Mapping[str, Any] = field(default_factory=dict)

    def key(self) -> str:
        """The spec as one string."""
        return json.dumps([self.name, self.device, dict(self.statistics)], sort_keys=True)


def build(name: str, device: str = "cpu") -> ChangeModel:
    """A model of BUILTIN, or package.module:Class. Raises OptionError."""
    from geochange.models.protocol import ChangeModel  # torch, which a refusal must not wait for

    made = _locate(name)()
    if not isinstance(made, ChangeModel):
        raise OptionError(
            f"--model {name}: {type(made).__name__} is no ChangeModel; it needs bands, threshold, "
            "fit, adopt and change_logits"
        )
    move = getattr(made, "to", None)
    if callable(move):
        move(device)
    return made


def check_name(name: str) -> None:
    """Refuse a model that cannot be meant, before anything is loaded. Raises OptionError."""
    if name not in BUILTIN and ":" not in name:
        raise OptionError(
            f"--model {name}: not known; choose {', '.join(BUILTIN)} or package.module:Class"
        )


def wanted_bands(name: str) -> int | None:
    """How many bands a model must be given, if that is known without loading it; else None."""
    return None


def _locate(name: str) -> Callable[[], Any]:
    check_name(name)
    module_name, _, attribute = BUILTIN.get(name, name).partition(":")
    try:
        found: Callable[[], Any] = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise OptionError(
            f"--model {name}: cannot be imported ({error}); is its package installed here?"
        ) from error
    return found


_building = threading.Lock()


def resident(spec: ModelSpec) -> ChangeModel:
    """The model of a spec, built once per process and kept."""
    with _building:
        return _resident(spec.key())


@lru_cache(maxsize=2)
def _resident(key: str) -> ChangeModel:
    name, device, statistics = json.loads(key)
    model = build(name, device)
    model.adopt(statistics)
    return model

"""Model specs: what a worker needs to build a model, as plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class PromptingOptions:
    """Options of ChangeCLIP. None uses the value of the checkpoint or of the package.

    clip: MODEL/TAG, FILE or MODEL@FILE. vocabulary: class names. prompts: per-date, published or
    fixed. precision: float32 or bfloat16. compiled: through torch.compile. only: classes of land, of
    which one must stand or have stood on a pixel that is change. likely: the probability of change
    from which on a land network looks at a tile. engine: torch, or onnx (onnxruntime).
    """

    clip: str | None = None
    vocabulary: tuple[str, ...] | None = None
    prompts: str | None = None
    precision: str = "float32"
    compiled: bool = False
    only: tuple[str, ...] = ()
    likely: float | None = None
    engine: str = "torch"


def detector_options(prompting: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a DetectorSpec, which runs by torch: those that are given, lists as tuples.

    prompting: the fields of PromptingOptions, perhaps from JSON.
    """
    given = {name: value for name, value in prompting.items() if value is not None}
    del given["engine"]
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in given.items()
    }


@dataclass(frozen=True)
class ModelSpec:
    """What a worker needs to build a model: small, picklable, and the same on every machine.

    device: one device, a list such as "cuda:0,cuda:1", or "auto", which each machine resolves.
    sha256: of the weights and of CLIP's file, or of the source of a class. Another hash is another
    model: a run does not resume with it, and a process builds it anew.
    network: of an ONNX file, how it is described and by what it runs; see `onnx_spec`.
    """

    name: str
    device: str = "cpu"
    statistics: Mapping[str, Any] = field(default_factory=dict)
    prompting: PromptingOptions = PromptingOptions()
    sha256: str = ""
    network: Mapping[str, Any] = field(default_factory=dict)

    @property
    def without_torch(self) -> bool:
        """Whether its model is a PredictsChips, which needs no torch."""
        return self.prompting.engine == "onnx"

    def key(self) -> str:
        """Everything that logits depend on, as one string. The device is not part of it."""
        parts = [self.name, dict(self.statistics), vars(self.prompting), self.sha256]
        parts += [dict(self.network)] if self.network else []
        return json.dumps(parts, sort_keys=True)

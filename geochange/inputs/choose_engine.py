"""Chooses what runs the network: torch, or onnxruntime for the shipped network on a CPU.

It does not import torch: a run by onnxruntime starts without it.
"""

from __future__ import annotations

from importlib.util import find_spec

from geochange.config import RunOptions
from geochange.errors import MissingDependencyError, OptionError
from geochange.models import kind_of
from geochange.models.inference.gpu_presence import may_have_gpu
from geochange.models.weights.locate import SHIPPED


def choose_engine(options: RunOptions) -> str:
    """Torch or onnx. Raises OptionError and MissingDependencyError for one that cannot be.

    auto takes onnx where it can: it is faster on CPUs, and answers in float32 on all of them.
    """
    if options.engine == "torch":
        if kind_of(options.model) == "onnx":
            raise OptionError(
                f"--engine torch: {options.model} runs by onnxruntime; leave --engine out"
            )
        return "torch"
    if kind_of(options.model) == "onnx":
        return "torch"  # chips pass through torch on the way; see OnnxNetwork
    reason = _obstacle(options)
    if reason is None and find_spec("onnxruntime") is None:
        if options.engine == "onnx":
            raise MissingDependencyError(
                "--engine onnx needs the package onnxruntime; pip install 'geochange[onnx]'"
            )
        return "torch"
    if reason is not None and options.engine == "onnx":
        raise OptionError(f"--engine onnx: {reason}; use --engine torch")
    return "torch" if reason else "onnx"


def _obstacle(options: RunOptions) -> str | None:
    """Why onnxruntime cannot run this model in this way; None if it can."""
    devices_differ = options.scheduler is not None and options.device != "cpu"
    on_gpu = options.device not in ("auto", "cpu") or (
        options.engine == "auto" and options.device == "auto" and may_have_gpu()
    )
    reasons = {
        f"runs {', '.join(SHIPPED)} alone": options.model not in SHIPPED,
        "chooses names by the network's own CLIP, not by --clip": options.clip is not None,
        "knows the network's own names, no --vocabulary": options.vocabulary is not None,
        "computes in float32, not in --precision bfloat16": options.precision == "bfloat16",
        "runs without --compile": options.compile,
        "needs --device cpu with a --scheduler": devices_differ,
        f"runs on a CPU, not on --device {options.device}": on_gpu,
    }
    return next((reason for reason, true in reasons.items() if true), None)

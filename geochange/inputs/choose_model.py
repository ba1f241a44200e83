"""Chooses the model of a run by name, with its prompts and its device."""

from __future__ import annotations

from geochange.config import ModelOptions
from geochange.models import (
    ModelSpec,
    PromptingOptions,
    class_spec,
    is_training_free,
    kind_of,
    onnx_spec,
    weights_spec,
)


def choose_model(
    name: str, options: ModelOptions, devices: str | None = None, engine: str = "torch"
) -> ModelSpec:
    """The spec from which every worker builds the model. Files are read and hashed only here.

    devices: one device, or a list of GPUs; None uses that of the options. engine: see
    `choose_engine`. Raises OptionError and InputError.
    """
    if engine == "onnx":
        own = PromptingOptions(prompts=options.prompts, engine=engine)
        return weights_spec(name, "cpu", own, None)
    if is_training_free(name) and (devices or options.device) in ("auto", "cpu"):
        return class_spec(name, "cpu")
    # Imported where they are needed: they import torch, which takes seconds and 250 MB.
    from geochange.models.inference.devices import choose_device, choose_devices
    from geochange.models.onnx.devices import place

    if kind_of(name) == "onnx":
        return onnx_spec(name, *place(options.device if devices is None else devices))
    here = (choose_device(options.device),) if devices is None else choose_devices(devices)
    device = ",".join(here)
    if kind_of(name) == "class":
        return class_spec(name, "cpu" if is_training_free(name) else device)
    prompting = PromptingOptions(
        clip=options.clip,
        prompts=options.prompts,
        precision=options.precision,
        compiled=options.compile,
    )
    return weights_spec(name, device, prompting, options.vocabulary)

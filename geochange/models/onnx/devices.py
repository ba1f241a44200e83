"""Where a network of ONNX runs: torch's device, and the provider of onnxruntime."""

from __future__ import annotations

from geochange.errors import OptionError
from geochange.models.inference.devices import choose_device, choose_devices
from geochange.models.onnx.session import PROVIDERS, provider_of

ALONE = frozenset(PROVIDERS) - {"cpu", "cuda"}
"""Providers for devices that torch does not know. Chips stay on the host."""


def place(wanted: str) -> tuple[str, str | None]:
    """The devices for a value of --device, and the provider if it is none of torch's devices.

    "auto" is a GPU only where onnxruntime has its provider, too. Raises OptionError.
    """
    if wanted in ALONE:
        return "cpu", provider_of(wanted)
    if wanted == "auto":
        try:
            device = choose_device(wanted)
            provider_of(device)
        except OptionError:
            return "cpu", None
        return device, None
    devices = choose_devices(wanted)
    for device in devices:
        provider_of(device)
    return ",".join(devices), None

"""A session of onnxruntime: providers, bounded memory, and errors of one line.

Memory comes from an arena with a limit, so that no shape that a network computes can take more.
Constant folding is off: it computes at loading, outside of the arena. Exporters have done it.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geochange.errors import InputError, MissingDependencyError, OptionError, one_line
from geochange.memory import machine_bytes

logger = logging.getLogger(__name__)

Arrays = Mapping[str, NDArray[Any]]

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
}
"""Providers by the name of --device."""

MAY_TAKE = 0.6
"""The default share of the machine's memory."""

CUDA = {"use_tf32": "0", "cudnn_conv_algo_search": "DEFAULT"}
"""float32 in full, and no choice of algorithms by timing, which would differ from run to run."""

SHORT = ("Failed to allocate memory", "Available memory of", "bad_alloc", "out of memory")
"""Words of onnxruntime when memory is short."""

QUIET = 4
"""onnxruntime's level for fatal errors alone: others are raised, and need not be printed, too."""

NO_TELEMETRY = "ORT_DISABLE_TELEMETRY"
"""Without it onnxruntime (from 1.29 on) reports its use to Microsoft, and keeps an id of the device and a
database in the cache folder of the user."""

_limit: list[int] = []
_registering = threading.Lock()


def limit_memory(most_gb: float | None) -> None:
    """Limit what later sessions of this process may take, in GB; None is the default."""
    _limit[:] = [] if most_gb is None else [int(most_gb * 1e9)]


def runtime() -> Any:
    """The package onnxruntime, which tells nobody of its use. Raises MissingDependencyError."""
    # It is read once, while the package is imported.
    os.environ.setdefault(NO_TELEMETRY, "1")
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError(
            "networks of ONNX need the package onnxruntime; pip install 'geochange[onnx]'"
        ) from error
    return onnxruntime


def provider_of(device: str) -> str:
    """The provider of a device. Raises OptionError if it is not here, MissingDependencyError."""
    kind = device.partition(":")[0]
    there = runtime().get_available_providers()
    if PROVIDERS.get(kind) not in there:
        known = [name for name, provider in PROVIDERS.items() if provider in there]
        raise OptionError(
            f"--device {device}: onnxruntime here has no such provider; choose {', '.join(known)}, or "
            "install the onnxruntime of that device"
        )
    return PROVIDERS[kind]


class Session:
    """A network in memory. `run` may be called by several threads at once if `threads` is 1.

    trusted: of this package, so that constants may be folded; see above.
    """

    def __init__(
        self,
        path: Path,
        device: str,
        threads: int,
        provider: str | None = None,
        trusted: bool = False,
    ) -> None:
        self.path = path
        ort = runtime()
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.use_deterministic_compute = True
        options.log_severity_level = QUIET
        options.add_session_config_entry("session.use_env_allocators", "1")
        options.add_session_config_entry("session.load_model_format", "ONNX")
        name = provider or provider_of(device)
        given = {}
        if name == PROVIDERS["cuda"]:
            given = {"device_id": device.partition(":")[2] or "0", **CUDA}
        with _registering:
            _bound_arena(ort)
            try:
                self._session = ort.InferenceSession(
                    str(path),
                    options,
                    providers=[(name, given), PROVIDERS["cpu"]][: 1 if "CPU" in name else 2],
                    disabled_optimizers=[] if trusted else ["ConstantFolding"],
                    # Another provider would be another answer, and its words are printed.
                    enable_fallback=0,
                )
            except Exception as error:
                # onnxruntime has a dozen kinds of errors without a common base.
                raise self._refusal(error) from error

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the file says of itself, by key."""
        return dict(self._session.get_modelmeta().custom_metadata_map)

    def run(self, feed: Arrays, outputs: Sequence[str]) -> list[NDArray[Any]]:
        """The outputs for some pictures. Raises InputError where the network cannot take them."""
        try:
            found = self._session.run(list(outputs), dict(feed))
        except Exception as error:
            raise self._refusal(error, feed) from error
        return [np.asarray(each) for each in found]

    def _refusal(self, error: Exception, feed: Arrays | None = None) -> Exception:
        said = one_line(error)
        reason = said.rpartition("Status Message: ")[2][:200]
        if any(word in said for word in SHORT) or isinstance(error, MemoryError):
            return OptionError(
                f"{self.path}: needs more memory than {limit_bytes() / 1e9:.1f} GB (--max-memory), for a "
                "tile or for its weights; choose a smaller --tile, or allow more"
            )
        if feed is None:
            return InputError(f"{self.path}: onnxruntime cannot load it ({reason})")
        shapes = ", ".join(str(tuple(each.shape)) for each in feed.values())
        return InputError(
            f"{self.path}: fails on pictures {shapes} ({reason}); choose another --tile, or say which "
            "sides it takes (tile, multiple) in its description"
        )


def check_weights(path: Path, weights_bytes: int) -> None:
    """Refuse weights that take more than a session may, before they are read. Raises OptionError."""
    if weights_bytes > limit_bytes():
        raise OptionError(
            f"{path}: its weights take {weights_bytes / 1e9:.1f} GB, and the limit is "
            f"{limit_bytes() / 1e9:.1f} GB (--max-memory); allow more"
        )


def limit_bytes() -> int:
    """The most bytes that a session may take."""
    return _limit[0] if _limit else int(machine_bytes() * MAY_TAKE)


def _bound_arena(ort: Any) -> None:
    """Give the sessions that are made next an arena with a limit.

    Older versions register one arena in a process: there the first limit stays, which is that of the
    only run of a command.
    """
    place = ort.OrtMemoryInfo(
        "Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT
    )
    # Strategy 1 takes what is asked for; 0 doubles, and would reach the limit early.
    arena = ort.OrtArenaCfg({"max_mem": limit_bytes(), "arena_extend_strategy": 1})
    try:
        ort.create_and_register_allocator(place, arena)
    except RuntimeError as error:
        if "already been registered" not in str(error):
            raise

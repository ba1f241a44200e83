"""SEEING: networks and classical models behind one protocol; `cached_model` loads the model of a spec."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from geochange.errors import OptionError
from geochange.files.file_names import expand_user
from geochange.models.bands.input_bands import InputBands, bands_of_file
from geochange.models.custom_model import locate_class
from geochange.models.spec import ModelSpec as ModelSpec
from geochange.models.spec import PromptingOptions as PromptingOptions
from geochange.models.spec import detector_options
from geochange.models.weights.locate import (
    ONNX,
    SHIPPED,
    SUFFIXES,
    absolute_clip,
    as_input_error,
    folder_text,
    holds_weights,
    locate_weights,
)

if TYPE_CHECKING:
    from geochange.models.onnx.describe import Description
    from geochange.models.protocol import ChangeModel, PredictsChips, SceneModel

BUILTIN: dict[str, str] = {
    "cva": "geochange.models.classical:ChangeVector",
    "irmad": "geochange.models.classical:IterativelyReweightedMAD",
    "ratio": "geochange.models.radar.log_ratio:LogRatio",
    "ratio-otsu": "geochange.models.radar.log_ratio:LogRatioOtsu",
}
"""Models by name, as package.module:Class. The class takes no arguments."""

Kind = Literal["class", "weights", "onnx"]

_CLASS = re.compile(r"[\w.]+:[\w.]+")
"""package.module:Class; a path with a drive of Windows is none."""


def class_spec(name: str, device: str) -> ModelSpec:
    """The spec of a model class. Its hash is that of the file that defines the class."""
    module = sys.modules.get(getattr(_locate_class(name), "__module__", ""))
    source = getattr(module, "__file__", None)
    return ModelSpec(name, device, sha256=_sha256(Path(source)) if source else "")


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def kind_of(name: str) -> Kind:
    """Whether a name stands for a class or for a file of weights. Raises OptionError."""
    if name in BUILTIN:
        return "class"
    if name in SHIPPED or Path(name).suffix in SUFFIXES:
        return "weights"
    if Path(name).suffix == ONNX:
        return "onnx"
    if _CLASS.fullmatch(name):
        return "class"
    if holds_weights(folder := expand_user(name)):
        raise OptionError(f"--model {folder_text(folder)}")
    raise OptionError(
        f"--model {name}: not known; choose {', '.join([*SHIPPED, *BUILTIN])}, a file of weights "
        f"({', '.join(SUFFIXES)}), a network as {ONNX} or package.module:Class"
    )


def is_training_free(name: str) -> bool:
    """Whether a model is one of BUILTIN, which compute with numpy on the CPU, without torch."""
    return name in BUILTIN


def check_name(name: str) -> None:
    """Refuse a model that does not exist, before anything is loaded.

    Raises OptionError and InputError.
    """
    kind = kind_of(name)
    if kind == "weights":
        locate_weights(name)
    elif kind == "onnx":
        described(name)


def described(name: str) -> Description:
    """The description of an ONNX file, which is looked through, but not loaded.

    Raises InputError, OptionError, and MissingDependencyError without onnxruntime.
    """
    from geochange.models.onnx.describe import describe
    from geochange.models.onnx.session import runtime

    runtime()
    return describe(locate_weights(name))


def taught_bands(name: str) -> InputBands | None:
    """The bands in the card of a file of weights; None for RGB, and others. Raises InputError."""
    return bands_of_file(locate_weights(name)) if kind_of(name) == "weights" else None


def wanted_bands(name: str) -> int | InputBands | None:
    """The bands that a model needs, or their number; None if only the loaded model knows."""
    if kind_of(name) == "onnx":
        return described(name).bands
    return (taught_bands(name) or 3) if kind_of(name) == "weights" else None


def takes_8bit(name: str) -> bool:
    """Whether a model takes pixels in 0-255 alone; a class may take any."""
    if kind_of(name) == "onnx":
        return described(name).options.pixels != "raw"
    return kind_of(name) == "weights" and taught_bands(name) is None


def onnx_spec(name: str, device: str, provider: str | None = None) -> ModelSpec:
    """The spec of an ONNX file. Its hash is that of all files that hold its weights.

    network: its description, so that all workers have the same, and the provider of onnxruntime where
    the device does not say it. Raises as `described`.
    """
    known = described(name)
    files = [known.path, *sorted(known.outline.files)]
    network = {"options": known.options.model_dump(mode="json"), "provider": provider}
    hashes = "+".join(map(_sha256, files))
    return ModelSpec(str(known.path.absolute()), device, sha256=hashes, network=network)


def weights_spec(
    name: str, device: str, prompting: PromptingOptions, vocabulary_file: str | None
) -> ModelSpec:
    """The spec of a file of weights, with the precision and the vocabulary of this machine.

    All workers then use the same. Raises InputError for a vocabulary that cannot be read.
    """
    weights = locate_weights(name).absolute()
    if prompting.engine == "onnx":
        return ModelSpec(str(weights), device, {}, prompting, _sha256(weights))
    from geochange.models.inference.precision import common_precision
    from geochange.models.weights.vocabulary_file import (
        read_vocabulary,  # imports torch, which takes seconds
    )

    vocabulary = read_vocabulary(vocabulary_file) if vocabulary_file else None
    precision = common_precision(prompting.precision, device.split(","))
    clip_path, clip = absolute_clip(prompting.clip)
    settled = replace(prompting, vocabulary=vocabulary, precision=precision, clip=clip)
    hashes = [_sha256(path) for path in (weights, clip_path) if path is not None]
    return ModelSpec(str(weights), device, {}, settled, "+".join(hashes))


_build_lock = threading.Lock()


def cached_model(spec: ModelSpec, device: str | None = None) -> ChangeModel:
    """The model of a spec on one of its devices. It is built once and stays in the process.

    device: None takes the first device of the spec. Raises OptionError and InputError.
    spec: of a model for torch; see `cached_chip_model`.
    """
    with _build_lock:
        model: ChangeModel = _model_cache(device or _first_device(spec))(spec.key())
        return model


def _first_device(spec: ModelSpec) -> str:
    if is_training_free(spec.name):
        return "cpu"
    from geochange.models.inference.devices import (
        devices_of,  # imports torch, which takes seconds
    )

    return devices_of(spec.device)[0]


def cached_chip_model(spec: ModelSpec) -> PredictsChips:
    """The same of a spec `without_torch`."""
    with _build_lock:
        model: PredictsChips = _model_cache("cpu")(spec.key())
        return model


def cached_scene_model(spec: ModelSpec) -> SceneModel:
    """The model of a spec, whichever kind it is of."""
    return cached_chip_model(spec) if spec.without_torch else cached_model(spec)


@cache
def _model_cache(device: str) -> Callable[[str], Any]:
    """The cache of a device for its last two models, by key."""
    return lru_cache(maxsize=2)(partial(_build, device))


def _build(device: str, key: str) -> SceneModel:
    name, statistics, prompting, _, *network = json.loads(key)
    if prompting["engine"] == "onnx":
        from geochange.models.onnx.shipped.network import build_shipped

        return build_shipped(name, prompting)
    if kind_of(name) == "weights":
        return _detector(name, device, prompting)
    if kind_of(name) == "onnx":
        from geochange.models.onnx.network import build_network

        return build_network(Path(name), device, network[0], tuple(prompting["only"]))
    model = build(name, device)
    model.adopt(statistics)
    return model


def _detector(file: str, device: str, prompting: Mapping[str, Any]) -> ChangeModel:
    from geochange.models.detector import DetectorSpec  # imports torch, which takes seconds

    given = detector_options(prompting)
    with as_input_error(file):
        return DetectorSpec(str(locate_weights(file)), device, **given).build()


def build(name: str, device: str = "cpu") -> ChangeModel:
    """A model of BUILTIN, or package.module:Class. Raises OptionError."""
    from geochange.models.protocol import ChangeModel

    kind_of(name)
    try:
        made = _locate_class(name)()
    except TypeError as error:
        raise OptionError(
            f"--model {name}: cannot be created ({error}); name a class that takes no arguments"
        ) from error
    if not isinstance(made, ChangeModel):
        raise OptionError(
            f"--model {name}: {type(made).__name__} is not a ChangeModel; it needs bands, threshold, "
            "fit, adopt and change_logits"
        )
    move = getattr(made, "to", None)
    if callable(move):
        move(device)
    return made


def _locate_class(name: str) -> Any:
    return locate_class(BUILTIN.get(name, name), f"--model {name}")

"""The workflow of `weights export`: a checkpoint of ChangeCLIP as one ONNX file."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from geochange.config.onnx import description_of
from geochange.config.run import MODEL_TILING
from geochange.errors import InputError, MissingDependencyError, OutputError
from geochange.models import taught_bands
from geochange.models.weights.locate import locate_weights


@dataclass(frozen=True)
class ExportOptions:
    """How a network is exported; None is as the checkpoint says. See `weights export --help`."""

    prompts: str | None = None
    clip: str | None = None
    vocabulary: str | None = None
    stacked: bool = False
    half: bool = False
    tile: int | None = None


@dataclass(frozen=True)
class Export:
    """A written file. off: the largest difference to torch's answer; see `models.onnx.export`."""

    opset: int
    operators: int
    megabytes: float
    off: float


def check_export(target: Path) -> None:
    """Refuse an export that would be described wrongly, or that nothing here can write.

    Raises OutputError and MissingDependencyError.
    """
    if missing := [name for name in ("onnx", "onnxruntime") if find_spec(name) is None]:
        raise MissingDependencyError(
            f"an export needs the package {missing[0]}; pip install 'geochange[onnx]'"
        )
    beside = description_of(target)
    if beside.exists():
        raise OutputError(
            f"{beside}: would describe the new network, and is of an older one; delete it, or give "
            "another name"
        )


def export_network(source: str, target: Path, options: ExportOptions) -> Export:
    """Write the network of a checkpoint, with its prompts, as ONNX; whole or not at all.

    Raises InputError, OutputError and RunError.
    """
    # Imported here: torch loads slower than a refusal may take.
    from geochange.models.detector import DetectorSpec
    from geochange.models.onnx.export.write import export
    from geochange.models.weights.vocabulary_file import read_vocabulary

    if bands := taught_bands(source):
        raise InputError(
            f"{source}: was taught {', '.join(bands.names)}, and only networks of RGB are exported; "
            "use it with geochange run"
        )
    names = read_vocabulary(options.vocabulary) if options.vocabulary else None
    spec = DetectorSpec(
        str(locate_weights(source)),
        precision="float32",
        clip=options.clip,
        vocabulary=names,
        prompts=options.prompts,  # type: ignore[arg-type]  # the command knows its values
    )
    done = export(
        spec.build(),
        target,
        Path(source).name,
        stacked=options.stacked,
        half=options.half,
        tile=options.tile or MODEL_TILING.get(source, {}).get("tile", 256),
    )
    return Export(done.opset, done.operators, target.stat().st_size / 1e6, done.off)

"""The checkpoint from which a training resumes: the last intact one."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from geochange.config import TrainOptions
from geochange.errors import InputError, OptionError, OutputError
from geochange.files.output_paths import check_folder
from geochange.models.weights.checkpoint import read_training
from geochange.models.weights.resume_state import read_facts

logger = logging.getLogger(__name__)

BEST, LAST, CLIP = "best.safetensors", "last.safetensors", "clip.safetensors"

CHANGEABLE_OPTIONS = {
    *("data.root", "data.workers", "validation.batch", "validation.sheet", "log_every"),
    *("device.accelerator", "device.devices", "device.nodes", "device.compile"),
    *("mlflow.uri", "mlflow.experiment"),
}
"""Options that may change on resume, because the weights do not depend on them."""


def find_resume_point(out: Path, resume: bool) -> Path | None:
    """The checkpoint to resume from: the last, or the best if the last is damaged.

    None if the folder holds no training yet. Raises OutputError for a folder that cannot be written or,
    without `resume`, holds a training; InputError if no checkpoint is intact.
    """
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file; name a folder as --out")
    for name in (LAST, BEST, CLIP):
        if (out / name).is_dir():
            raise OutputError(
                f"{out / name} is a folder, but a checkpoint is written there; move it away"
            )
    there = [out / name for name in (LAST, BEST) if (out / name).is_file()]
    if there and not resume:
        raise OutputError(
            f"{out} holds a training already; continue it with --resume, or name another --out"
        )
    if not there:
        here = next(path for path in (out.absolute(), *out.absolute().parents) if path.exists())
        check_folder(here / LAST)
        return None
    return _last_intact(there)


def _last_intact(files: list[Path]) -> Path:
    """The first intact file. Raises InputError without one."""
    faults: list[InputError] = []
    for file in files:
        try:
            _check_readable(file)
        except InputError as error:
            faults.append(error)
            continue
        if faults:
            logger.warning("%s; continuing from %s, an earlier step", faults[0], file)
        elif file.name == LAST:
            _check_best(file.with_name(BEST))
        return file
    names = " and ".join(str(file) for file in files)
    raise InputError(
        f"{faults[0]}; remove {names}, and the same command starts afresh"
    ) from faults[0]


def _check_readable(file: Path) -> None:
    """Read a whole checkpoint. Raises InputError if it is damaged, or has no training state."""
    facts = read_training(file)[1].facts
    numbers = [facts.get(name, 0) for name in ("best", "best_loss", "seconds")]
    numbers += list(facts.get("losses", ())) if isinstance(facts.get("losses"), list) else []
    right = isinstance(facts.get("step"), int) and all(isinstance(n, int | float) for n in numbers)
    if not right or not all(isinstance(facts.get(name), Mapping) for name in ("options", "data")):
        raise InputError(f"{file}: holds no training state to resume")


def _check_best(best: Path) -> None:
    """Refuse a damaged best checkpoint, because later steps may never replace it."""
    if not best.is_file():
        return
    try:
        _check_readable(best)
    except InputError as error:
        raise InputError(
            f"{error}; remove it, and the same command goes on and keeps the best of the steps to "
            "come"
        ) from error


def check_same_options(options: TrainOptions, file: Path) -> None:
    """Refuse to resume with options that the training did not start with. Raises OptionError."""
    began = read_facts(file)["options"]
    # Options that earlier versions did not have had the effect of their defaults.
    usual = TrainOptions().model_dump(mode="json")
    known, before, now = (
        dict(flat_options(values)) for values in (usual, began, options.model_dump(mode="json"))
    )
    before = {**{name: known[name] for name in known.keys() - before.keys()}, **before}
    for name in sorted((before.keys() | now.keys()) - CHANGEABLE_OPTIONS):
        if before.get(name) != now.get(name):
            raise OptionError(
                f"{file} was begun with {name} {before.get(name)}, but now it is {now.get(name)}: "
                "give the same, or train into another --out"
            )


def flat_options(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The options of all sections, by dotted names."""
    for name, value in values.items():
        if isinstance(value, Mapping) and name != "batch":
            yield from flat_options(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value

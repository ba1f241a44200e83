"""Finds files of weights. It does not import torch, so a missing file is refused at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from geochange.errors import GeochangeError, InputError, one_line
from geochange.files.file_names import expand_user

FOLDER_ENV = "GEOCHANGE_WEIGHTS"
"""The environment variable with a folder of weights. That folder is searched too."""

SUFFIXES = (".pt", ".pth", ".bin", ".safetensors")

ONNX = ".onnx"

SHIPPED = {
    name: Path(__file__).parents[1] / "shipped" / f"{name}.safetensors"
    for name in ("changeclip-small",)
}
"""Weights that the package contains, by name."""

INVALID_WEIGHTS_ERRORS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""Exceptions that weights with values of a wrong type or shape can raise."""


def weights_folder() -> Path | None:
    """The folder that GEOCHANGE_WEIGHTS names; None if the variable is not set."""
    named = os.environ.get(FOLDER_ENV)
    return expand_user(named) if named else None


def list_weights() -> list[Path]:
    """The files of weights in the folder GEOCHANGE_WEIGHTS, sorted by name."""
    folder = weights_folder()
    if folder is None or not folder.is_dir():
        return []
    return _weights_in(folder)


def _weights_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in (*SUFFIXES, ONNX))


def locate_weights(file: str | os.PathLike[str]) -> Path:
    """The path of weights: by a name of SHIPPED, by a path, or by a path in the folder.

    Raises InputError.
    """
    if str(file) in SHIPPED:
        return SHIPPED[str(file)]
    given = expand_user(file)
    folder = weights_folder()
    for candidate in (given, *([folder / given] if folder else [])):
        if candidate.is_file():
            return candidate
    if given.is_dir():
        raise InputError(folder_text(given))
    looked = f", nor in {folder}" if folder else f"; {FOLDER_ENV} may name a folder to look in"
    ours = " or ".join(SHIPPED)
    raise InputError(f"no weights at {given}{looked}; {ours} names the network that comes along")


def holds_weights(folder: Path) -> bool:
    """Whether a folder, such as that of a training, holds files of weights."""
    return folder.is_dir() and bool(_weights_in(folder))


def folder_text(folder: Path) -> str:
    """What is said of a folder that is named instead of a file of weights in it."""
    there = _weights_in(folder)
    # The best checkpoint of a training comes before the last one.
    which = f", such as {there[0]}" if there else ""
    return f"{folder}: is a folder; name the file of weights in it{which}"


def clip_file(name: str) -> tuple[str, Path | None]:
    """The model and the file of a CLIP named as MODEL@FILE, FILE or MODEL/TAG.

    The file is None for MODEL/TAG. The model is empty unless MODEL@FILE names it. Raises InputError if
    the file does not exist.
    """
    model, at, file = name.partition("@")
    if at and "/" not in model:
        return model, locate_weights(file)
    path = expand_user(name)
    if name in SHIPPED or name.endswith(SUFFIXES) or path.is_file() or holds_weights(path):
        return "", locate_weights(name)
    return "", None


def absolute_clip(clip: str | None) -> tuple[Path | None, str | None]:
    """The path of CLIP's file, or None, and the name of the CLIP with an absolute path."""
    if clip is None:
        return None, None
    model, file = clip_file(clip)
    if file is None:
        return None, clip
    path = file.absolute()
    return path, f"{model}@{path}" if model else str(path)


@contextmanager
def as_input_error(file: str | os.PathLike[str]) -> Iterator[None]:
    """Turn errors caused by invalid weights into an InputError that names the file."""
    try:
        yield
    except GeochangeError:
        raise
    except INVALID_WEIGHTS_ERRORS as error:
        why = one_line(f"{type(error).__name__}: {error}")
        raise InputError(f"{file}: its card or tensors are not valid ({why})") from error

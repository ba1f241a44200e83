"""Weights on disk: our own checkpoints, the authors', CLIP's.

Our format is safetensors with a Card in its header. Foreign files are recognised by their
tensors' names, and pickles among them are read without running anything (see pickles.py).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from geochange.errors import InputError, OutputError
from geochange.files.atomic import atomic_path
from geochange.models.changeclip.network import ChangeClip
from geochange.models.prompts import Names, parse_vocabulary
from geochange.models.weights.card import OWN_CLIP, Card
from geochange.models.weights.foreign import fill, infer_options, plain_names, recognise
from geochange.models.weights.locate import (
    FOLDER,
    SUFFIXES,
    clip_file,
    list_weights,
    locate,
    weights_folder,
)
from geochange.models.weights.openclip import Published, download, published
from geochange.models.weights.safe_pickle import read_archive, read_stream

DEFAULT_CLIP = "ViT-B-16-quickgelu/openai"
_HEADER = "geochange"
_MEMORY = "geochange.training"
_REMEMBERED = "training/"
_PICKLE = b"\x80"  # as torch writes them, which is protocol 2
_OWN = "clip."
"""What stands before the names of a network's own CLIP."""
_QUICK = "geochange.clip"
"""The header of a CLIP of ours; its text tower is activated as OpenAI's are."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A network's card and its tensors, on the CPU; and its own CLIP's, if it has one."""

    card: Card
    tensors: Mapping[str, torch.Tensor]
    clip: Mapping[str, torch.Tensor] = field(default_factory=dict)

    def build(self) -> ChangeClip:
        """The network, in evaluation mode. Raises InputError where the tensors do not fit."""
        network = ChangeClip(self.card.options)
        fill(network, self.tensors)
        return network.eval()

    def own_clip(self) -> ClipWeights | None:
        """The CLIP that the card says is in the file; None where it says none."""
        if self.card.clip != OWN_CLIP:
            return None
        return ClipWeights(self.clip, True, "the checkpoint's own CLIP")


@dataclass(frozen=True, slots=True)
class ResumeState:
    """What training needs to go on, beside the network: tensors by name, and plain facts.

    It lies in the same file as the network, under names that no network has.
    """

    tensors: Mapping[str, torch.Tensor]
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ClipWeights:
    """CLIP's tensors, plainly named; whether they want QuickGELU; where they were found."""

    tensors: Mapping[str, torch.Tensor]
    quickgelu: bool
    source: str


@dataclass(frozen=True, slots=True)
class _Contents:
    tensors: dict[str, torch.Tensor]
    header: Mapping[str, str]
    script: bool


def _read(path: Path) -> _Contents:
    try:
        with path.open("rb") as stream:
            start = stream.read(9)
            stream.seek(0)
            if start[:2] == b"PK":
                tensors, script = read_archive(stream)
                return _Contents(plain_names(tensors), {}, script)
            if start[8:] == b"{":
                with safe_open(path, framework="pt") as file:
                    names = [n for n in file.keys() if not n.startswith(_REMEMBERED)]  # noqa: SIM118 - no iterator
                    found = {name: file.get_tensor(name) for name in names}
                    return _Contents(plain_names(found), file.metadata() or {}, False)
            if start and start[:1] != _PICKLE:
                raise InputError(
                    "holds no weights of torch or safetensors; give a .pth or .safetensors"
                )
            return _Contents(plain_names(read_stream(stream)), {}, False)
    except SafetensorError as error:
        raise InputError(f"{path}: the file is truncated or damaged ({error})") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error


def read_checkpoint(file: str | os.PathLike[str]) -> Checkpoint:
    """Read a ChangeCLIP checkpoint, ours or the authors'. Raises InputError."""
    path = locate(file)
    contents = _read(path)
    try:
        if _HEADER in contents.header:
            return _ours(Card.from_json(contents.header[_HEADER]), contents.tensors)
        if recognise(contents.tensors) == "clip":
            raise InputError("CLIP's weights, not ChangeCLIP's; --clip takes them")
        options = infer_options(contents.tensors)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return Checkpoint(Card(options, provenance={"source": path.name}), contents.tensors)


def _ours(card: Card, tensors: Mapping[str, torch.Tensor]) -> Checkpoint:
    """Told apart from its CLIP. Raises InputError where the card says that there is one, in vain."""
    if card.clip != OWN_CLIP:
        return Checkpoint(card, tensors)
    clip = {n.removeprefix(_OWN): x for n, x in tensors.items() if n.startswith(_OWN)}
    if not clip:
        raise InputError("its card says that it holds its own CLIP, and it does not")
    network = {n: x for n, x in tensors.items() if not n.startswith(_OWN)}
    return Checkpoint(card, network, clip)


def read_resume_state(file: str | os.PathLike[str]) -> ResumeState:
    """What training left in a checkpoint of ours. Raises InputError where it left nothing."""
    path = locate(file)
    with _remembering(path) as (opened, facts):
        names = [name for name in opened.keys() if name.startswith(_REMEMBERED)]  # noqa: SIM118 - no iterator
        tensors = {n.removeprefix(_REMEMBERED): opened.get_tensor(n) for n in names}
        return ResumeState(tensors, facts)


def read_facts(file: str | os.PathLike[str]) -> Mapping[str, Any]:
    """The plain facts of `read_resume_state`, without any tensor. Raises InputError as that does."""
    path = locate(file)
    with _remembering(path) as (_, facts):
        return facts


@contextmanager
def _remembering(path: Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A file that training left something in, and its facts. Raises InputError."""
    try:
        with safe_open(path, framework="pt") as opened:
            facts = (opened.metadata() or {}).get(_MEMORY)
            if facts is None:
                raise InputError(f"{path}: nothing that training could go on from; start afresh")
            yield opened, dict(json.loads(facts))
    except InputError:
        raise
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path}: the file is truncated or damaged ({error})") from error


def write_checkpoint(
    file: str | os.PathLike[str], checkpoint: Checkpoint, memory: ResumeState | None = None
) -> None:
    """Write one file that holds all; it appears whole or not at all. Raises OutputError."""
    path = Path(file)
    tensors = {name: value.contiguous() for name, value in checkpoint.tensors.items()}
    tensors |= {_OWN + name: value.contiguous() for name, value in checkpoint.clip.items()}
    header = {_HEADER: checkpoint.card.to_json()}
    if memory is not None:
        tensors |= {_REMEMBERED + name: x.contiguous() for name, x in memory.tensors.items()}
        header[_MEMORY] = json.dumps(dict(memory.facts), sort_keys=True)
    _save(path, tensors, header)


def write_clip(
    file: str | os.PathLike[str],
    tensors: Mapping[str, torch.Tensor],
    memory: ResumeState | None = None,
) -> None:
    """Write a CLIP of ours, plainly named, and what its training needs to go on.

    Raises OutputError.
    """
    kept = {name: value.contiguous() for name, value in tensors.items()}
    header = {_QUICK: "quickgelu"}
    if memory is not None:
        kept |= {_REMEMBERED + name: x.contiguous() for name, x in memory.tensors.items()}
        header[_MEMORY] = json.dumps(dict(memory.facts), sort_keys=True)
    _save(Path(file), kept, header)


def _save(path: Path, tensors: dict[str, torch.Tensor], header: dict[str, str]) -> None:
    with atomic_path(path) as aside:
        try:
            save_file(tensors, aside, metadata=header)
        except SafetensorError as error:
            raise OutputError(f"{path} cannot be written: {error}") from error
        # safetensors gives files to their owner alone; workers may run as somebody else.
        aside.chmod(0o644)


def read_clip(
    name: str = DEFAULT_CLIP, without: str = "use --prompts fixed, which needs no CLIP"
) -> ClipWeights:
    """CLIP's weights by `MODEL/TAG` of open_clip, as a file, or as `MODEL@FILE`.

    A file alone is taken to want QuickGELU where it is OpenAI's archive; with `MODEL@FILE` the
    model's name decides. Published weights are looked for in the folder GEOCHANGE_WEIGHTS names,
    then in open_clip's cache, then downloaded. without: how the caller can do without.
    Raises InputError.
    """
    model, file = clip_file(name)
    if file is not None:
        return _clip_file(file, "quickgelu" in model if model else None)
    model, _, tag = name.partition("/")
    entry = published(model, tag or "openai")
    if entry is None:
        raise InputError(
            f"CLIP {name}: neither a file nor a MODEL/TAG of open_clip such as {DEFAULT_CLIP}"
        )
    return _clip_file(_fetch(entry, download, without), entry.quickgelu)


def _fetch(entry: Published, download: Callable[[Published], str], without: str) -> Path:
    here = {path.name: path for path in list_weights()}
    plain = (f"{entry.model}-{entry.tag}{suffix}" for suffix in SUFFIXES)
    for name in (entry.file, *plain):
        if name in here:
            return here[name]
    try:
        return Path(download(entry))
    except Exception as error:
        # The network fails in ways of its own (urllib, Hugging Face, hashes); the cure is one.
        folder = weights_folder() or f"a folder that {FOLDER} names"
        raise InputError(
            f"CLIP's weights {entry.model}/{entry.tag} are not here and cannot be downloaded "
            f"({error}): fetch {entry.url or entry.hub} and put it as {entry.file} into {folder}, "
            f"or {without}"
        ) from error


def _clip_file(path: Path, quickgelu: bool | None = None) -> ClipWeights:
    if (own := read_own_clip(path)) is not None:
        return own
    contents = _read(path)
    try:
        if recognise(contents.tensors) != "clip":
            raise InputError("ChangeCLIP's weights, not CLIP's; --model takes them")
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    known = contents.script or _QUICK in contents.header
    return ClipWeights(contents.tensors, known if quickgelu is None else quickgelu, str(path))


def read_own_clip(path: Path) -> ClipWeights | None:
    """The CLIP within a ChangeCLIP checkpoint of ours; None where there is none. Raises InputError."""
    with path.open("rb") as stream:
        ours = stream.read(9)[8:] == b"{"
    if not ours or _HEADER not in (_read(path)).header:
        return None
    own = read_checkpoint(path).own_clip()
    return replace(own, source=str(path)) if own else None


def read_vocabulary(file: str | os.PathLike[str]) -> Names:
    """Class names, one a line. Raises InputError."""
    try:
        return parse_vocabulary(Path(file).read_text("utf-8"))
    except InputError as error:
        raise InputError(f"{file}: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read as a vocabulary: {error}") from error

"""Files of weights: checkpoints of geochange, of ChangeCLIP's authors, and of CLIP.

The format of geochange is safetensors with a Card in the header. Other files are recognised by the
names of their tensors. Pickles are read without running code; see safe_pickle.py.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from geochange.errors import InputError
from geochange.models.changeclip.land_cover_network import LandNetwork
from geochange.models.changeclip.network import ChangeClip
from geochange.models.weights.locate import (
    FOLDER_ENV,
    SUFFIXES,
    clip_file,
    list_weights,
    locate_weights,
    weights_folder,
)
from geochange.models.weights.model_card import OWN_CLIP, Card
from geochange.models.weights.openclip import Published, download, find_published
from geochange.models.weights.resume_state import (
    RESUME_KEY,
    ResumeState,
    resume_facts,
)
from geochange.models.weights.size_checks import check_clip, check_land, check_network, check_place
from geochange.models.weights.state_dict_formats import Tensors, infer_options, load_into, recognise
from geochange.models.weights.tensor_file import (
    TRAINING_PREFIX,
    file_errors,
    open_safetensors,
    read_tensors,
    save_tensors,
)

DEFAULT_CLIP = "ViT-B-16-quickgelu/openai"
_CARD_KEY = "geochange"
_CLIP_PREFIX = "clip."
"""What stands before the names of a network's own CLIP,"""
_LAND_PREFIX = "land."
"""and before those of the land network beside it."""
_QUICKGELU_KEY = "geochange.clip"
"""The header key of a CLIP that geochange wrote. Its text tower uses QuickGELU, as OpenAI's does."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A network's card and its tensors, on the CPU; its own CLIP's and its land network's, if any."""

    card: Card
    tensors: Mapping[str, torch.Tensor]
    clip: Mapping[str, torch.Tensor] = field(default_factory=dict)
    land: Mapping[str, torch.Tensor] = field(default_factory=dict)

    def build(self) -> ChangeClip:
        """The network in evaluation mode. Raises InputError if the tensors do not fit."""
        network = ChangeClip(self.card.options)
        load_into(network, self.tensors)
        return network.eval()

    def build_land(self) -> LandNetwork | None:
        """The land network, in evaluation mode; None without one. Raises InputError as `build`."""
        if self.card.land is None:
            return None
        network = LandNetwork(self.card.land)
        load_into(network, self.land)
        return network.eval()

    def own_clip(self) -> ClipWeights | None:
        """The CLIP in the file, if the card says that there is one, else None."""
        if self.card.clip != OWN_CLIP:
            return None
        return ClipWeights(self.clip, True, "the checkpoint's own CLIP")


@dataclass(frozen=True, slots=True)
class ClipWeights:
    """CLIP's tensors under plain names, whether they need QuickGELU, and their source."""

    tensors: Mapping[str, torch.Tensor]
    quickgelu: bool
    source: str


def read_checkpoint(file: str | os.PathLike[str]) -> Checkpoint:
    """Read a ChangeCLIP checkpoint of geochange or of the authors.

    Raises InputError if it is another kind of file, is damaged, or has tensors of wrong sizes.
    """
    path = locate_weights(file)
    cards: list[Card] = []
    contents = read_tensors(
        path, lambda tensors, header: cards.append(_card(path, tensors, header))
    )
    return Checkpoint(cards[0], *_split_networks(cards[0], contents.tensors))


def read_training(file: str | os.PathLike[str]) -> tuple[Checkpoint, ResumeState]:
    """A checkpoint of geochange and the state of its training, from one reading of the file.

    Raises InputError as `read_checkpoint` and `read_resume_state` do.
    """
    path = locate_weights(file)
    cards: list[Card] = []
    contents = read_tensors(
        path, lambda tensors, header: cards.append(_card(path, tensors, header)), training=True
    )
    with file_errors(path):
        facts = resume_facts(contents.header)
    checkpoint = Checkpoint(cards[0], *_split_networks(cards[0], contents.tensors))
    return checkpoint, ResumeState(contents.training, facts)


def read_card(file: str | os.PathLike[str]) -> Card:
    """The card of a checkpoint of geochange, without its tensors. Raises InputError."""
    path = locate_weights(file)
    with file_errors(path), open_safetensors(path) as (_, _, header):
        if _CARD_KEY not in header:
            raise InputError(
                "is no checkpoint of geochange; convert it (geochange weights convert)"
            )
        return Card.from_json(header[_CARD_KEY])


def _card(path: Path, tensors: Tensors, header: Mapping[str, str]) -> Card:
    """The card, from the header or from the tensors. Raises InputError if the tensors do not fit it."""
    if _CARD_KEY in header:
        card = Card.from_json(header[_CARD_KEY])
    elif recognise(tensors) == "clip":
        raise InputError("CLIP's weights, not ChangeCLIP's; --clip takes them")
    else:
        card = Card(infer_options(tensors), provenance={"source": path.name})
    network, clip, land = _split_networks(card, tensors)
    check_network(card.options, network)
    shape = check_clip(clip) if clip else None
    if card.land is not None:
        check_land(card.land, land)
        if shape is not None:
            check_place(card.land, shape)
    return card


def _split_networks(card: Card, tensors: Tensors) -> tuple[Tensors, Tensors, Tensors]:
    """A network's tensors, its CLIP's, and its land network's.

    Raises InputError where the card has one of these in vain.
    """
    rest, parts = dict(tensors), []
    for prefix, there, what in (
        (_CLIP_PREFIX, card.clip == OWN_CLIP, "own CLIP"),
        (_LAND_PREFIX, card.land is not None, "own land network"),
    ):
        part = [name for name in rest if name.startswith(prefix)] if there else []
        if there and not part:
            raise InputError(f"its card says that it holds its {what}, but it does not")
        parts.append({name.removeprefix(prefix): rest.pop(name) for name in part})
    return rest, parts[0], parts[1]


def write_checkpoint(
    file: str | os.PathLike[str], checkpoint: Checkpoint, memory: ResumeState | None = None
) -> None:
    """Write a checkpoint as one file, atomically. Raises OutputError."""
    tensors = {**checkpoint.tensors}
    tensors |= {_CLIP_PREFIX + name: value for name, value in checkpoint.clip.items()}
    tensors |= {_LAND_PREFIX + name: value for name, value in checkpoint.land.items()}
    _save(Path(file), tensors, {_CARD_KEY: checkpoint.card.to_json()}, memory)


def write_clip(
    file: str | os.PathLike[str],
    tensors: Mapping[str, torch.Tensor],
    memory: ResumeState | None = None,
) -> None:
    """Write the tensors of a CLIP under plain names, with the state of its training.

    Raises OutputError.
    """
    _save(Path(file), dict(tensors), {_QUICKGELU_KEY: "quickgelu"}, memory)


def _save(
    path: Path, tensors: dict[str, torch.Tensor], header: dict[str, str], memory: ResumeState | None
) -> None:
    if memory is not None:
        tensors |= {TRAINING_PREFIX + name: value for name, value in memory.tensors.items()}
        header[RESUME_KEY] = json.dumps(dict(memory.facts), sort_keys=True)
    save_tensors(path, tensors, header)


def read_clip(
    name: str = DEFAULT_CLIP, without: str = "use --prompts fixed, which needs no CLIP"
) -> ClipWeights:
    """CLIP's weights from a `MODEL/TAG` of open_clip, from a file, or from `MODEL@FILE`.

    OpenAI's archive uses QuickGELU; other files alone do not. With `MODEL@FILE` the name of the model
    decides. Published weights are looked for in the folder GEOCHANGE_WEIGHTS and in open_clip's cache,
    and then downloaded. without: what the error message suggests to a user without CLIP.

    Raises InputError.
    """
    model, file = clip_file(name)
    if file is not None:
        return _clip_file(file, "quickgelu" in model if model else None)
    model, _, tag = name.partition("/")
    entry = find_published(model, tag or "openai")
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
        # A download can fail in many ways (urllib, Hugging Face, hashes). All have the same cure.
        folder = weights_folder() or f"a folder that {FOLDER_ENV} names"
        raise InputError(
            f"CLIP's weights {entry.model}/{entry.tag} were not found and cannot be downloaded "
            f"({error}): fetch {entry.url or entry.hub} and put it as {entry.file} into {folder}, "
            f"or {without}"
        ) from error


def _clip_file(path: Path, quickgelu: bool | None = None) -> ClipWeights:
    if (own := read_own_clip(path)) is not None:
        return own
    contents = read_tensors(path, _refuse_other)
    known = contents.script or _QUICKGELU_KEY in contents.header
    return ClipWeights(contents.tensors, known if quickgelu is None else quickgelu, str(path))


def _refuse_other(tensors: Tensors, header: Mapping[str, str]) -> None:
    """Refuse tensors that are not those of a CLIP, or whose sizes do not fit together."""
    if recognise(tensors) != "clip":
        raise InputError("ChangeCLIP's weights, not CLIP's; --model takes them")
    check_clip(tensors)


def read_own_clip(path: Path) -> ClipWeights | None:
    """The CLIP in a checkpoint of geochange; None if the file holds none. Raises InputError."""
    with path.open("rb") as stream:
        if stream.read(9)[8:] != b"{":
            return None
    with file_errors(path), open_safetensors(path) as (_, _, header):
        ours = _CARD_KEY in header
    own = read_checkpoint(path).own_clip() if ours else None
    return replace(own, source=str(path)) if own else None

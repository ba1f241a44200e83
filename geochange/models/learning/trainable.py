"""TrainableChangeClip: ChangeCLIP with its text encoding in one forward pass, for training."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import nn

from geochange.errors import InputError, OptionError
from geochange.land_cover import ClassTable
from geochange.models.bands.first_convolution import widen
from geochange.models.bands.input_bands import InputBands
from geochange.models.changeclip.efficientnet import EfficientNetOptions
from geochange.models.changeclip.network import Answer, ChangeClip, ChangeClipOptions
from geochange.models.changeclip.variants import (
    Regularisation,
    find_variant,
    with_double_class_token,
    with_land_classes,
    with_regularisation,
)
from geochange.models.learning.feature_noise import move_features
from geochange.models.learning.other_classes import with_classes
from geochange.models.weights.checkpoint import Checkpoint, read_checkpoint, read_clip
from geochange.models.weights.imagenet import fill_tower, read_imagenet, weights_file
from geochange.models.weights.initial import FIRST_WEIGHTS, start_from_clip
from geochange.models.weights.locate import clip_file
from geochange.models.weights.model_card import Card

IMAGENET = "imagenet"
"""The start of a network whose image tower is an EfficientNet with ImageNet's weights."""

_NORMS = (nn.BatchNorm2d, nn.SyncBatchNorm)
_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


class TrainableChangeClip(nn.Module):
    """The network and the encoding of its texts, so that gradients reach both towers.

    It is one module, because distributed training wraps a single forward pass.
    frozen: batch norms keep their statistics, but their scale and offset are trained.
    together: batch norms normalise both dates together, not one after the other.
    steady: image tower and land head are frozen, and only the rest is trained.
    semantic: the logits of the classes of both dates come with those of change.
    """

    def __init__(
        self,
        network: ChangeClip,
        *,
        frozen: bool = False,
        together: bool = False,
        steady: bool = False,
        semantic: bool = False,
    ) -> None:
        super().__init__()
        self.network = network
        network.dates_together = together
        self.semantic = semantic
        self.frozen = frozen
        self.steady = single_date_parts(network) if steady else []
        for part in self.steady:
            part.requires_grad_(False)

    def forward(
        self,
        before: torch.Tensor,
        after: torch.Tensor,
        tokens: torch.Tensor,
        texts: torch.Tensor,
        noise: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """From the inputs of a LabelledBatch to (batch, 2, height, width) float32 logits.

        With semantic heads (batch, 2 + 2 C, height, width): the C classes before and after come last.
        """
        encoded = self.network.encode_texts(tokens)
        background = encoded[:1].expand(len(texts), -1)
        one, two = (torch.stack([background, encoded[row]], dim=1) for row in texts.unbind(1))
        answer = self._answer(before, after, (one, two), noise)
        return (
            torch.cat([answer.change, *(answer.land or ())], 1) if self.semantic else answer.change
        )

    def _answer(
        self,
        before: torch.Tensor,
        after: torch.Tensor,
        texts: tuple[torch.Tensor, torch.Tensor],
        noise: torch.Tensor | None,
    ) -> Answer:
        if noise is None:
            answer: Answer = self.network.answer(before, after, *texts)
            return answer
        first, second = self.network.encode_dates(before, after, *texts)
        second = replace(second, pyramid=move_features(second.pyramid, noise))
        moved: Answer = self.network.decide(first, second, *before.shape[2:])
        return moved

    def synchronise(self) -> None:
        """Use batch statistics of all devices in batch norms."""
        self.network = nn.SyncBatchNorm.convert_sync_batchnorm(self.network)

    def prepare_on(self, device: torch.device) -> None:
        """Move to a device, with convolutions in the memory format of `run`, so that bits are equal."""
        self.to(device)
        use_channels_last(self)

    def train(self, mode: bool = True) -> TrainableChangeClip:
        """Set training mode, except for frozen parts."""
        super().train(mode)
        if self.frozen:
            for module in self.modules():
                if isinstance(module, _NORMS):
                    module.eval()
        for part in self.steady:
            part.eval()
        return self


def use_channels_last(module: nn.Module) -> None:
    """Use channels_last for convolutions, as `run` does."""
    for part in module.modules():
        if isinstance(part, _CONVOLUTIONS):
            part.to(memory_format=torch.channels_last)


def single_date_parts(network: ChangeClip) -> list[nn.Module]:
    """The parts that process each date by itself: the image tower, and the land head if any."""
    parts = [network.backbone, network.land_head]
    return [part for part in parts if part is not None]


@dataclass(frozen=True, slots=True)
class NetworkStart:
    """The network before training; see NetworkOptions for the meaning of each field.

    bands: of the chips; None for RGB in 0-255. classes: of a semantic network; None where the
    network only learns change.
    """

    variant: str
    weights: str | None
    regularisation: Regularisation
    double_class_token: bool = False
    seed: int = 0
    bands: InputBands | None = None
    classes: ClassTable | None = None

    def check(self) -> None:
        """Raise OptionError for an unknown variant, or one without the CLIP or tower that it needs."""
        variant = find_variant(self.variant)
        if self.weights == "clip" and variant.clip is None:
            raise OptionError(
                f"network.start clip: {self.variant} has no CLIP; give null or a file"
            )
        if self.weights == IMAGENET:
            if not isinstance(variant.options.visual, EfficientNetOptions):
                raise OptionError(
                    f"network.start imagenet: {self.variant} has another image tower; set "
                    "network.variant lite"
                )
            weights_file()


def initial_network(start: NetworkStart) -> tuple[ChangeClip, Card]:
    """The initial network of a training and its card.

    weights: "clip" for the variant's own CLIP, "imagenet" for an EfficientNet tower, the MODEL/TAG or
    file of another CLIP, a ChangeCLIP checkpoint (its sizes replace those of the variant), or None for
    random weights.

    Raises OptionError and InputError.
    """
    start.check()
    torch.manual_seed(start.seed)
    network, card = _initial_network(start)
    if start.classes is None:
        return network, card
    return network, replace(card, colours=start.classes.colours)


def _initial_network(start: NetworkStart) -> tuple[ChangeClip, Card]:
    chosen = find_variant(start.variant)
    options = with_regularisation(chosen.options, start.regularisation)
    options = with_double_class_token(replace(options, bands=start.bands), start.double_class_token)
    if start.classes is not None:
        options = with_land_classes(options, start.classes.names)
    if start.weights is None:
        return ChangeClip(options), Card(options)
    if start.weights == IMAGENET:
        network = ChangeClip(options)
        fill_tower(network.backbone, read_imagenet())
        return network, Card(options)
    name = str(chosen.clip) if start.weights == "clip" else start.weights
    if _is_file(name):
        try:
            checkpoint = read_checkpoint(name)
        except InputError as refused:
            return _from_clip(name, options, refused)
        return _from_checkpoint(checkpoint, start)
    return _from_clip(name, options, None)


def initial_card(start: NetworkStart) -> Card | None:
    """The card of the checkpoint with which a network starts; None for other starts."""
    if start.weights in (None, "clip", IMAGENET) or not _is_file(str(start.weights)):
        return None
    try:
        return read_checkpoint(str(start.weights)).card
    except InputError:
        return None  # not a checkpoint; `initial_network` raises the error


def _is_file(name: str) -> bool:
    """Whether a start is a file whose contents decide what it is."""
    return clip_file(name)[1] is not None and "@" not in name


def _from_checkpoint(checkpoint: Checkpoint, start: NetworkStart) -> tuple[ChangeClip, Card]:
    """A network that continues from a checkpoint.

    Its scores are dropped, as training changes it. So is the confidence of polygons, which was fitted
    to the change that the network found before. A network of RGB is widened to the bands of the chips;
    one of other bands keeps them, with the statistics that it was taught with.
    """
    if start.classes is not None:
        checkpoint = with_classes(
            checkpoint, start.classes.names, find_variant(start.variant).options
        )
    card = checkpoint.card
    if start.bands is not None and card.options.bands is None:
        checkpoint = _widened(checkpoint, start.bands)
        card = checkpoint.card
    options = with_regularisation(card.options, start.regularisation)
    network = replace(checkpoint, card=replace(card, options=options)).build()
    fresh = replace(card, threshold=0.5, temperature=1.0, metrics={}, confidence=None)
    return network, replace(fresh, options=options)


def _widened(checkpoint: Checkpoint, bands: InputBands) -> Checkpoint:
    first = checkpoint.tensors[FIRST_WEIGHTS]
    tensors = {**checkpoint.tensors, FIRST_WEIGHTS: widen(first, len(bands), bands.rgb)}
    card = replace(checkpoint.card, options=replace(checkpoint.card.options, bands=bands))
    return replace(checkpoint, card=card, tensors=tensors)


def _from_clip(
    name: str, options: ChangeClipOptions, refused: InputError | None
) -> tuple[ChangeClip, Card]:
    try:
        clip = read_clip(name, "start from random weights (network.start=null)")
    except InputError as error:
        # The file is neither a checkpoint nor a CLIP. The first error describes it better.
        raise (refused or error) from None
    return start_from_clip(options, clip.tensors), Card(options)

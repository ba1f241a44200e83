"""Variants: the networks that can be trained, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from geochange.errors import OptionError
from geochange.models.changeclip.context_decoder import ContextOptions
from geochange.models.changeclip.decoder import DecoderOptions
from geochange.models.changeclip.efficientnet import EfficientNetOptions
from geochange.models.changeclip.image_tower import ResNetOptions, VitOptions
from geochange.models.changeclip.land_cover_head import LandOptions
from geochange.models.changeclip.network import ChangeClipOptions
from geochange.models.changeclip.text_tower import TextOptions


@dataclass(frozen=True, slots=True)
class Variant:
    """Sizes, and the CLIP (MODEL/TAG of open_clip) that both towers start from, if there is one.

    naming: the image tower of a CLIP of its own, trained from scenes, where that is not the
    network's; None for a network whose tower is that of its CLIP.
    """

    options: ChangeClipOptions
    clip: str | None = None
    naming: ResNetOptions | None = None


_SMALL_TOWER = ResNetOptions(blocks=(2, 2, 2, 2), width=24, heads=12, grid=8, embed=128)

VARIANTS: Mapping[str, Variant] = {
    "rn50": Variant(ChangeClipOptions(), "RN50-quickgelu/openai"),
    "vit-b16": Variant(ChangeClipOptions(visual=VitOptions()), "ViT-B-16-quickgelu/openai"),
    "tiny": Variant(
        ChangeClipOptions(
            visual=ResNetOptions(blocks=(1, 1, 1, 1), width=16, heads=4, grid=8, embed=64),
            text=TextOptions(layers=1, width=64, heads=1),
            context=ContextOptions(layers=1, width=64, heads=1),
            decoder=DecoderOptions(channels=32, width=32, heads=1, rank=16, groups=8, squeeze=4),
        )
    ),
    "lite": Variant(
        ChangeClipOptions(
            visual=EfficientNetOptions(embed=128, stages=6),
            text=TextOptions(layers=2, width=32, heads=1),
            context=ContextOptions(layers=1, width=64, heads=1),
            decoder=DecoderOptions(channels=48, width=32, heads=2, rank=16, groups=8, squeeze=8),
            land=LandOptions(channels=96, fine=32),
        ),
        naming=_SMALL_TOWER,
    ),
    "small": Variant(
        ChangeClipOptions(
            visual=_SMALL_TOWER,
            text=TextOptions(layers=2, width=32, heads=1),
            context=ContextOptions(layers=1, width=64, heads=1),
            decoder=DecoderOptions(channels=48, width=48, heads=2, rank=24, groups=8, squeeze=8),
        )
    ),
}
"""The two published ones, one that a CPU trains in a minute, and two for two cores: `lite` starts
from ImageNet and sees what stands on each pixel."""


@dataclass(frozen=True, slots=True)
class Regularisation:
    """Options of a network that matter in training alone; NetworkOptions explains them."""

    dropout: float = 0.1
    drop_path: float = 0.2
    tower_drop_path: float = 0.1


def find_variant(name: str) -> Variant:
    """A variant by its name. Raises OptionError."""
    if name not in VARIANTS:
        raise OptionError(f"network.variant {name}: there are {', '.join(VARIANTS)}")
    return VARIANTS[name]


def with_regularisation(
    options: ChangeClipOptions, regularisation: Regularisation
) -> ChangeClipOptions:
    """The same network with other regularisation."""
    visual = options.visual
    if isinstance(visual, VitOptions):
        visual = replace(visual, drop_path=regularisation.tower_drop_path)
    return replace(
        options,
        visual=visual,
        context=replace(options.context, dropout=regularisation.dropout),
        decoder=replace(
            options.decoder, dropout=regularisation.dropout, drop_path=regularisation.drop_path
        ),
    )


def with_land_classes(options: ChangeClipOptions, classes: tuple[str, ...]) -> ChangeClipOptions:
    """The same network with a land head of other classes. Raises OptionError where it has none."""
    if options.land is None:
        having = [name for name, variant in VARIANTS.items() if variant.options.land is not None]
        raise OptionError(
            "network.heads semantic: only a network with a land head sees classes by pixel; set "
            f"network.variant {' or '.join(having)}"
        )
    return replace(options, land=replace(options.land, classes=classes))


def with_double_class_token(options: ChangeClipOptions, double: bool) -> ChangeClipOptions:
    """The same network with the class embedding of a ViT counted twice, or once."""
    if not isinstance(options.visual, VitOptions):
        return options
    changes: dict[str, Any] = {"double_class_token": double}
    return replace(options, visual=replace(options.visual, **changes))

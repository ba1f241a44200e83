"""Model card: the metadata of a checkpoint, as JSON in the header of the file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, TypeVar, get_args

from geochange.errors import InputError
from geochange.files.bounded_read import parse_json
from geochange.land_cover import ClassTable, is_colour
from geochange.models.bands.input_bands import InputBands
from geochange.models.changeclip.context_decoder import ContextOptions
from geochange.models.changeclip.decoder import DecoderOptions
from geochange.models.changeclip.efficientnet import EfficientNetOptions
from geochange.models.changeclip.image_tower import ResNetOptions, VisualOptions, VitOptions
from geochange.models.changeclip.land_cover_head import LandOptions
from geochange.models.changeclip.land_cover_network import LandNetworkOptions
from geochange.models.changeclip.network import STRIDE, ChangeClipOptions
from geochange.models.changeclip.text_tower import TextOptions
from geochange.models.confidence import ConfidenceRule
from geochange.models.place_head import PlaceOptions
from geochange.models.prompts import Names, PromptMode, check_names, published_vocabulary

FORMAT = "changeclip/1"
OWN_CLIP = "own"
"""The value of `clip` for a CLIP that is stored in the same file as the network."""
MAX_SIZE = 2**24
"""No size in the options of a network reaches this value."""
LARGEST_PX = 2048
"""The largest side of the pictures in which a place or a class is recognised."""
MOST_CLASSES = 254
"""The largest number of classes of a land head; class numbers are stored as uint8."""
_TOWERS: dict[str, type[VisualOptions]] = {
    "efficientnet": EfficientNetOptions,
    "resnet": ResNetOptions,
    "vit": VitOptions,
}


@dataclass(frozen=True, slots=True)
class Card:
    """The options and the history of a network.

    threshold: the probability from which a pixel is called changed. temperature: what logits are
    divided by for probabilities to be as often right as they say (Guo et al., ICML 2017, sec. 4.2).
    metrics: what it reached, by name. provenance: whence it comes (source, data, commit ...).
    clip: "own" where the file holds the CLIP that names classes, "" where it is looked for elsewhere.
    meanings, least_score: when that CLIP's names are said; see NamingRule. A place head has a least score
    of its own.
    land: the land network that the file holds beside the network; None where it holds none.
    confidence: the confidence of polygons; None where it is not calibrated.
    colours: "#rrggbb" of each land class in its order; empty where they have no colours.
    """

    options: ChangeClipOptions
    vocabulary: Names = field(default_factory=published_vocabulary)
    prompts: PromptMode = "per-date"
    threshold: float = 0.5
    temperature: float = 1.0
    metrics: Mapping[str, float] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    licence: str = "unknown"
    clip: str = ""
    meanings: tuple[Names, ...] = ()
    least_score: float = 0.0
    land: LandNetworkOptions | None = None
    confidence: ConfidenceRule | None = None
    colours: tuple[str, ...] = ()

    @property
    def land_classes(self) -> ClassTable:
        """The classes of its land head, or of the land network beside it; no names without one."""
        head = self.options.land or (self.land.head if self.land else None)
        return ClassTable(head.classes if head else (), self.colours)

    def to_json(self) -> str:
        """One line of JSON for `from_json`."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        options = asdict(self.options)
        kind = next(k for k, tower in _TOWERS.items() if isinstance(self.options.visual, tower))
        options["visual"]["kind"] = kind
        if self.options.bands is None:
            del options["bands"]
        land = None if self.land is None else asdict(self.land)
        if land is not None and land["place"] is None:
            del land["place"]  # earlier versions read the card of such a network
        values |= {"format": FORMAT, "options": options, "land": land}
        if self.confidence is None:
            del values["confidence"]  # earlier versions read the card of such a network
        else:
            values["confidence"] = self.confidence.to_json()
        if not self.colours:
            del values["colours"]  # likewise
        return json.dumps(values, ensure_ascii=False, sort_keys=True, default=dict)

    @classmethod
    def from_json(cls, text: str) -> Card:
        """Read a card. Raises InputError if it has another format or is not complete."""
        try:
            values = dict(parse_json(text))
            if (form := values.pop("format", None)) != FORMAT:
                raise InputError(
                    f"it is of format {str(form)[:40]!r}, and this geochange reads {FORMAT!r}"
                )
            options = _options(values["options"])
            land, sure = _land_network(values.get("land")), values.get("confidence")
            rule = None if sure is None else ConfidenceRule.of_json(sure)
            card = cls(**values | {"options": options, "land": land, "confidence": rule})
            meanings = tuple(tuple(names) for names in card.meanings)
            card = replace(_check_card(card), meanings=meanings, colours=tuple(card.colours))
            return _check_colours(card)
        except (
            TypeError,
            KeyError,
            ValueError,
            AttributeError,
            OverflowError,
            RecursionError,
        ) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"the checkpoint's card cannot be read ({str(error)[:200]})"
            ) from error


def _check_card(card: Card) -> Card:
    if card.prompts not in get_args(PromptMode):
        modes = ", ".join(get_args(PromptMode))
        raise InputError(f"prompts {str(card.prompts)[:40]!r}: one of {modes}")
    if card.clip not in ("", OWN_CLIP):
        raise InputError(f"a CLIP {str(card.clip)[:40]!r}: it is {OWN_CLIP!r}, or left out")
    if not 0.0 < _number(card.threshold) < 1.0:
        raise InputError(f"a threshold of {card.threshold}: it lies between 0 and 1")
    if not 0.0 <= _number(card.least_score) <= 1.0:
        raise InputError(f"a least score of {card.least_score}: it lies between 0 and 1")
    if not 0.0 < _number(card.temperature) < math.inf:
        raise InputError(f"a temperature of {card.temperature}: it is a number above 0")
    if card.land is not None and card.options.land is not None:
        raise InputError("a land network beside a network that has a land head; it has one of them")
    if card.land is not None and card.land.place is not None and card.clip != OWN_CLIP:
        raise InputError("a land network that names places by a CLIP of its own, but there is none")
    if not isinstance(card.vocabulary, list | tuple):
        raise InputError("a vocabulary that is not a list of names")
    # A short vocabulary is valid here. It is refused only where prompts need more names.
    return replace(card, vocabulary=check_names(card.vocabulary, fewest=0))


def _check_colours(card: Card) -> Card:
    wanted = len(card.land_classes.names)
    if card.colours and (len(card.colours) != wanted or not all(map(is_colour, card.colours))):
        raise InputError(f'its card is not valid: colours; it needs {wanted} as "#rrggbb", or none')
    return card


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{str(value)[:40]!r} is not a number")
    return float(value)


_Options = TypeVar("_Options")


def _options_from_json(kind: type[_Options], values: Mapping[str, Any]) -> _Options:
    frozen = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    made, usual = kind(**frozen), kind()
    for name in (item.name for item in fields(made)):  # type: ignore[arg-type]  # of dataclasses
        _check_option(name, getattr(made, name), getattr(usual, name))
    return made


def _check_option(name: str, value: Any, usual: Any) -> None:
    """Refuse an option whose type differs from its default value, or whose value is out of range."""
    numbers = value if isinstance(usual, tuple) and isinstance(value, tuple) else (value,)
    if isinstance(usual, bool):
        right = isinstance(value, bool)
    elif isinstance(usual, float):
        right = 0.0 <= _number(value) < 1.0
    elif isinstance(usual, tuple) and isinstance(usual[0], str):
        right = 0 < len(numbers) <= MOST_CLASSES and all(isinstance(n, str) and n for n in numbers)
    else:
        right = all(type(n) is int and 0 < n < MAX_SIZE for n in numbers)
        right = right and (not isinstance(usual, tuple) or len(numbers) == len(usual))
    if not right:
        raise InputError(f"its card is not valid: {name} {str(value)[:40]!r}")


def _options(values: Mapping[str, Any]) -> ChangeClipOptions:
    visual, land = dict(values["visual"]), values.get("land")
    tower = _TOWERS[visual.pop("kind")]
    return ChangeClipOptions(
        visual=_options_from_json(tower, visual),
        text=_options_from_json(TextOptions, values["text"]),
        context=_options_from_json(ContextOptions, values["context"]),
        decoder=_options_from_json(DecoderOptions, values["decoder"]),
        land=None if land is None else _options_from_json(LandOptions, land),
        bands=None if (bands := values.get("bands")) is None else InputBands.from_json(bands),
    )


def _land_network(values: Mapping[str, Any] | None) -> LandNetworkOptions | None:
    if values is None:
        return None
    visual, head = (
        _options_from_json(EfficientNetOptions, values["visual"]),
        _options_from_json(LandOptions, values["head"]),
    )
    opinion = values.get("opinion", 0)
    if type(opinion) is not int or not 0 <= opinion < MAX_SIZE:
        raise InputError(f"its card makes no sense: opinion {str(opinion)[:40]!r}")
    return LandNetworkOptions(visual, head, opinion, _place_head(values.get("place")))


def _place_head(values: Mapping[str, Any] | None) -> PlaceOptions | None:
    if values is None:
        return None
    options = _options_from_json(PlaceOptions, values)
    if options.side % STRIDE or options.side > LARGEST_PX:
        raise InputError(f"its card makes no sense: places of {options.side:,} px")
    return options

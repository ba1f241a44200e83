"""The bands of a training: which of the files, in which unit, and what is known of each."""

from __future__ import annotations

from dataclasses import dataclass, replace

from geochange.chip import Chip
from geochange.config import TrainOptions
from geochange.dataset.band_statistics import BandStatistics, band_statistics
from geochange.dataset.open_split import EIGHT_BIT
from geochange.errors import OptionError
from geochange.models.bands.input_bands import InputBands, Unit
from geochange.models.bands.rgb_bands import shown_chip
from geochange.models.changeclip.variants import find_variant
from geochange.models.weights.model_card import Card
from geochange.training.data.chip_source import ChipSource

RGB = 3

COLOURS = (("red", "b04", "b4"), ("green", "b03", "b3"), ("blue", "b02", "b2"))
"""Names of bands that are red, green and blue, the last two of Sentinel-2."""


@dataclass(frozen=True, slots=True)
class BandChoice:
    """Which bands of the files a training reads. unit: None for RGB in 0-255.

    numbers: as `open_split` takes them; None leaves the choice to it. rgb: their numbers of red, green
    and blue, where the options name them.
    """

    unit: Unit | None
    numbers: str | None
    rgb: tuple[int, ...] = ()

    @property
    def pixels(self) -> str:
        """The pixels that `open_split` is asked for."""
        return self.unit or EIGHT_BIT


RGB_CHOICE = BandChoice(None, None)
"""The first three bands as RGB."""


def choose_bands(options: TrainOptions, start: Card | None) -> BandChoice:
    """The bands that the options ask for, or those of the initial model. Raises OptionError."""
    data, known = options.data, start.options.bands if start else None
    numbers = data.bands
    pixels: str | None = data.pixels
    if known is not None:
        pixels = pixels or known.unit
        numbers = numbers or ",".join(map(str, known.numbers))
    if pixels is None:
        pixels = "raw" if numbers and len(numbers.split(",")) != RGB else EIGHT_BIT
    if pixels == EIGHT_BIT:
        if data.rgb:
            raise OptionError("data.rgb: of RGB the order says it; name three in data.bands")
        return BandChoice(None, numbers)
    return BandChoice("db" if pixels == "db" else "raw", numbers, _numbers(data.rgb))


def _numbers(text: str | None) -> tuple[int, ...]:
    if text is None:
        return ()
    parts = text.split(",")
    if len(parts) != RGB or not all(part.strip().isdecimal() for part in parts):
        raise OptionError(f"data.rgb {text}: three numbers of bands, such as 3,2,1")
    return tuple(map(int, parts))


def check_band_options(options: TrainOptions, choice: BandChoice, start: Card | None) -> None:
    """Refuse what does not go with the bands, before any chip is read. Raises OptionError."""
    if options.augment.speckle and choice.unit != "db":
        raise OptionError(
            "augment.speckle: is noise of a radar; set data.pixels db, or leave it out"
        )
    known = start.options.bands if start else None
    if choice.unit is None:
        if known is not None:
            raise OptionError(
                f"data.pixels 8-bit: network.start was taught {', '.join(known.names)}; leave it out"
            )
        return
    variant, kept = options.network.variant, start.options if start else None
    sizes = kept or find_variant(variant).options
    if sizes.land is not None or (start is not None and start.land is not None):
        raise OptionError(
            f"data.pixels {choice.pixels}: the land classes of "
            f"{'network.start' if start else f'network.variant {variant}'} need RGB; choose another, "
            "such as network.variant small"
        )
    if options.data.layout == "planted":
        raise OptionError(f"data.pixels {choice.pixels}: planted pairs are RGB; leave it out")


def input_bands(choice: BandChoice, source: ChipSource, start: Card | None) -> InputBands | None:
    """The bands with their statistics, of the training chips; None for RGB in 0-255.

    An initial model of other bands keeps its own statistics, by which it sees. Raises OptionError and
    InputError.
    """
    if choice.unit is None:
        return None
    found = band_statistics(source)
    known = start.options.bands if start else None
    if known is not None:
        if len(known) != len(found.numbers) or known.unit != choice.unit:
            raise OptionError(
                f"data.bands: network.start was taught {', '.join(known.names)} ({known.unit}), and the "
                f"chips have {', '.join(found.names)} ({choice.unit}); name as many (data.bands)"
            )
        return known
    return replace(_of(found, choice.unit), rgb=_rgb_places(choice, found))


def measured_bands(source: ChipSource, unit: Unit) -> InputBands:
    """The bands of chips, by which they can be shown. Raises InputError."""
    return _of(band_statistics(source), unit)


def _of(found: BandStatistics, unit: Unit) -> InputBands:
    return InputBands(found.names, found.numbers, found.mean, found.std, unit)


def _rgb_places(choice: BandChoice, found: BandStatistics) -> tuple[int, ...]:
    for number in choice.rgb:
        if number not in found.numbers:
            held = ", ".join(map(str, found.numbers))
            raise OptionError(f"data.rgb: band {number} is not among those learnt from ({held})")
    if choice.rgb:
        return tuple(found.numbers.index(number) for number in choice.rgb)
    # GDAL calls a band of Sentinel-2 "B4, central wavelength 665 nm".
    names = [name.lower().replace(",", " ").split()[0] for name in found.names]
    places = [
        next((names.index(name) for name in colour if name in names), None) for colour in COLOURS
    ]
    return () if None in places else tuple(place for place in places if place is not None)


def refuse_names_without_rgb(mode: str | None, bands: InputBands | None) -> None:
    """Refuse prompts by CLIP where no band is red, green or blue. Raises OptionError."""
    if bands is not None and mode != "fixed" and not bands.rgb:
        raise OptionError(
            f"prompts.mode {mode}: CLIP needs red, green and blue, and the bands are "
            f"{', '.join(bands.names)}; say which (data.rgb 3,2,1), or set prompts.mode fixed"
        )


@dataclass(frozen=True)
class RgbView:
    """A ChipSource as CLIP and people see it: three bands in 0-255, by the statistics of the card."""

    source: ChipSource
    bands: InputBands

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, number: int) -> Chip:
        return shown_chip(self.source[number], self.bands)

    def pictures(self, number: int) -> tuple[str, str]:
        """As those of the source."""
        return self.source.pictures(number)

    def name(self, number: int) -> str:
        """As that of the source."""
        return self.source.name(number)

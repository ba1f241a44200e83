"""PLANTING: labelled pairs made of unlabelled pictures, into which known changes are planted."""

from __future__ import annotations

from geochange.training.planting.camera import Nuisances
from geochange.training.planting.library import Library, Place, read_library
from geochange.training.planting.pair import Planting, plant_pair
from geochange.training.planting.samples import planted_chips, unchanged_chips
from geochange.training.planting.source import PlantedSource

__all__ = [
    "Library",
    "Nuisances",
    "Place",
    "PlantedSource",
    "Planting",
    "plant_pair",
    "planted_chips",
    "read_library",
    "unchanged_chips",
]

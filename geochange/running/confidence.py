"""Confidence of polygons: from the model's rule and the options of a run, or from its record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geochange.errors import InputError, OptionError
from geochange.grid.probability_bytes import MAX_BYTE
from geochange.models.confidence import (
    USUAL_LEAST,
    ConfidenceRule,
    checked_weights,
    confidence_of,
    features_of,
)
from geochange.vector.changes import ConfidenceFilter
from geochange.vector.tracing.polygons import Table

WEIGHTS, LEAST = "confidence_weights", "min_confidence"
"""The names in the record of a run."""


@dataclass(frozen=True)
class Confidence:
    """The weights of the confidence of polygons, none if it is not stated, and the least one."""

    weights: tuple[float, ...] = ()
    least: float = 0.0

    def filter(self) -> ConfidenceFilter | None:
        """What assigns confidences to regions; None if they are not stated."""
        return ConfidenceFilter(self._of, self.least) if self.weights else None

    def record(self) -> dict[str, str]:
        """The entries in the record of a run."""
        return {WEIGHTS: json.dumps(self.weights), LEAST: f"{self.least:g}"}

    def _of(self, rows: Table) -> NDArray[np.float64]:
        return confidence_of(region_features(rows), self.weights)


def region_features(rows: Table) -> NDArray[np.float64]:
    """(region, feature) FEATURES of regions, from their statistics (REGION)."""
    pixels, corners = (rows[name].astype(np.float64) for name in ("pixels", "corners"))
    mean, peak = rows["total"] / pixels / MAX_BYTE, rows["peak"] / MAX_BYTE
    return features_of(mean, peak, pixels, corners)


UNSTATED = Confidence()
"""Of models without a calibration: all polygons are written."""


def confidence_for(
    rule: ConfidenceRule | None, pixel_m: float, least: float | None, model: str
) -> Confidence:
    """The confidence of a run. least: `--min-confidence`. Raises OptionError if it is not known."""
    if rule is not None and (weights := rule.weights(pixel_m)):
        return Confidence(weights, rule.least(pixel_m) if least is None else least)
    if least:
        raise OptionError(
            f"--min-confidence {least:g}: {model} states no confidence of polygons here; leave it "
            "out, or raise --threshold"
        )
    return UNSTATED


def recorded_confidence(record: Mapping[str, str], least: float | None) -> Confidence:
    """The confidence in the record of a run. least: `--min-confidence`; None takes the run's.

    Raises OptionError if the record has no confidence, InputError if it is damaged.
    """
    try:
        weights = json.loads(record.get(WEIGHTS, "[]"))
        settled = Confidence(checked_weights(weights), _least(record)) if weights else UNSTATED
    except (InputError, ValueError, RecursionError) as error:
        raise InputError(f"the confidence in the record of the run is damaged ({error})") from error
    if not settled.weights and least:
        raise OptionError(
            f"--min-confidence {least:g}: no polygons of a run with a calibrated model lie beside "
            "the raster; leave it out, or raise --threshold"
        )
    return settled if least is None else Confidence(settled.weights, least if weights else 0.0)


def _least(record: Mapping[str, str]) -> float:
    least = float(record.get(LEAST, USUAL_LEAST))
    if not 0 <= least <= 1:
        raise InputError(f"{LEAST} {least}")
    return least

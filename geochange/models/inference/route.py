"""Runs the chips of a run by the model of a spec, with torch or without."""

from __future__ import annotations

from collections.abc import Sequence

from geochange.chip import Chip
from geochange.models import ModelSpec, cached_chip_model
from geochange.models.inference.host_prediction import predict_chips
from geochange.models.inference.prediction import Prediction
from geochange.parallelism import core_count


def predict(spec: ModelSpec, chips: Sequence[Chip], batch_size: int | None = None) -> Prediction:
    """Predict chips of one shape. See `inference.predict.predict`, which does it with torch."""
    if spec.without_torch:
        return predict_chips(cached_chip_model(spec), chips)
    from geochange.models.inference.predict import predict as predict_by_torch

    return predict_by_torch(spec, chips, batch_size)


def sum_threads(spec: ModelSpec) -> int:
    """The number of threads that split sums. It is the same in all workers."""
    if spec.without_torch:
        return core_count()
    from geochange.models.inference.predict import torch_threads

    return torch_threads()

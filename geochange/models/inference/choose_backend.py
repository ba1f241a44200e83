"""Route: chips go to this process's cores, or to a device of torch, by the kind of their model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from geochange.chip import Chip
from geochange.models import ModelSpec, cached_chip_model, cached_model, is_training_free
from geochange.models.inference.prediction import Prediction


def predict(spec: ModelSpec, chips: Sequence[Chip], batch_size: int | None = None) -> Prediction:
    """Predict chips of one shape with the model of a spec.

    Raises as `geochange.models.inference.predict.predict`, which says what it does for networks.
    """
    if is_training_free(spec.name):
        from geochange.models.classical import ClassicalModel
        from geochange.models.training_free.predict import predict_chips

        return predict_chips(cast(ClassicalModel, cached_model(spec)), chips)
    if spec.without_torch:
        from geochange.models.inference.cpu_prediction import predict_chips as predict_on_cores

        return predict_on_cores(cached_chip_model(spec), chips)
    # Imported where it is needed: it imports torch, which takes seconds and 250 MB.
    from geochange.models.inference.predict import predict as predict_on_device

    return predict_on_device(spec, chips, batch_size)

"""Prediction with a model without training: chip by chip, in the thread of the caller."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from geochange.chip import Chip
from geochange.models.classical import ClassicalModel
from geochange.models.inference.prediction import Prediction, check_finite


def predict_chips(model: ClassicalModel, chips: Sequence[Chip]) -> Prediction:
    """Predict chips of one shape; see `geochange.models.inference.predict.predict`.

    numpy works without the lock of Python, so that threads do not wait for each other.
    Raises NotFiniteError.
    """
    logits = np.empty((len(chips), *chips[0].shape), np.float32)
    for chip, answer in zip(chips, logits, strict=True):
        if not chip.valid.any():
            answer[:] = np.nan
            continue
        answer[:] = model.chip_logits(chip)
        check_finite(model, chip, answer)
    return Prediction(logits, np.empty((len(chips), 2, 0), np.float32))

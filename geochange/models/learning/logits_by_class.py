"""Logits of change where each land class is asked for alone, all from one look of the second opinion."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from geochange.chip import Chip
from geochange.models.detector import ChangeClipDetector
from geochange.models.inference.batch import collate
from geochange.models.land_cover_logits import mask_to_classes


@torch.inference_mode()
def logits_by_class(
    model: ChangeClipDetector, chip: Chip, logits: NDArray[np.float32]
) -> Iterator[NDArray[np.float32]]:
    """(height, width) for each land class, as `only` of DetectorSpec gives them.

    model: one without `only`, with a land network. logits: (1, height, width) of change, its own.
    """
    land, temperature = model.land_inference, model.card.temperature
    assert land is not None
    change = torch.from_numpy(logits) * temperature
    said, seen = land.predict(collate([chip], model.device), change)
    for number in range(len(land.classes)):
        yield mask_to_classes(said / temperature, seen, [number])[0].numpy()

"""Land logits: what stands on each pixel at both dates, and change only where that is asked for."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from geochange.land_cover import NO_LAND_CLASS

LandLogits = tuple[torch.Tensor, torch.Tensor]
"""(B, classes, H, W) float32, before and after; NaN in chips that nobody looked at."""

NO_CHANGE_LOGIT = -12.0
"""The logit of change where none of the classes that are asked for stands or stood."""


def any_class_logit(land: torch.Tensor, classes: Sequence[int]) -> torch.Tensor:
    """(B, classes, H, W) logits -> (B, H, W): the logit of one of these classes being there."""
    others = [number for number in range(land.shape[1]) if number not in classes]
    if not others:
        return torch.full_like(land[:, 0], torch.inf)
    return land[:, list(classes)].logsumexp(dim=1) - land[:, others].logsumexp(dim=1)


def mask_to_classes(logits: torch.Tensor, land: LandLogits, classes: Sequence[int]) -> torch.Tensor:
    """(B, H, W) logits of change, NO_CHANGE_LOGIT where none of these classes stands or stood.

    They stay as they are in chips that nobody looked at, for want of likely change.
    """
    before, after = (any_class_logit(date, classes) for date in land)
    return torch.where(torch.maximum(before, after) < 0, logits.clamp(max=NO_CHANGE_LOGIT), logits)


def class_numbers(land: LandLogits | None) -> torch.Tensor:
    """The most probable class of each pixel at both dates, (B, 2, H, W) uint8; NO_LAND_CLASS for NaN.

    Raises ValueError without logits.
    """
    if land is None:
        raise ValueError("this network has no land head")
    numbers = [date.argmax(dim=1).to(torch.uint8) for date in land]
    unseen = [date[:, 0].isnan() for date in land]
    return torch.stack(numbers, dim=1).masked_fill(torch.stack(unseen, dim=1), NO_LAND_CLASS)

"""Land loss: trains the land head with labels that only exclude some classes."""

from __future__ import annotations

import torch

from geochange.land_cover import BUILDING

SMOOTH_PX = 100.0
"""Added to numerator and denominator of the dice loss, so that it is defined without buildings."""


def allowed_mask(allowed: torch.Tensor, classes: int) -> torch.Tensor:
    """(B, H, W) bits -> (B, classes, H, W) bool, whether a pixel may be of a class."""
    bits = torch.arange(classes, device=allowed.device).view(1, -1, 1, 1)
    return (allowed.unsqueeze(1).int() >> bits) & 1 > 0


def land_loss(logits: torch.Tensor, allowed: torch.Tensor, known: float) -> torch.Tensor:
    """The mean of -log of the summed probability of the allowed classes, plus the dice of buildings.

    logits: (B, classes, H, W). allowed: (B, H, W) uint8, see `land_pictures.AllowedClasses`. known:
    the number of pixels of the whole step about which something is known.
    """
    logits = logits.float()
    may = allowed_mask(allowed, logits.shape[1])
    among = logits.masked_fill(~may, -torch.inf).logsumexp(dim=1)
    seen = allowed > 0
    total = (logits.logsumexp(dim=1) - among)[seen].sum()
    return total / max(1.0, known) + building_dice(logits, allowed, may)


def building_dice(logits: torch.Tensor, allowed: torch.Tensor, may: torch.Tensor) -> torch.Tensor:
    """1 minus the soft overlap of buildings, over pixels known to be a building or none."""
    truth = (allowed == 1 << BUILDING).float()
    decided = (allowed > 0) & ((truth > 0) | ~may[:, BUILDING])
    p = logits.softmax(dim=1)[:, BUILDING] * decided
    both, either = (p * truth).sum(), p.sum() + truth.sum()
    return 1 - (2 * both + SMOOTH_PX) / (either + SMOOTH_PX)

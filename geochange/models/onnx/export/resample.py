"""CLIP's preprocessing as products of matrices, for pictures whose size only the runtime knows.

ONNX's own resizing differs between runtimes where it smooths; a product of matrices does not.
"""

from __future__ import annotations

import torch

A = -0.5
"""The parameter of the cubic kernel that torch and Pillow use where they smooth (Keys 1981)."""


def cubic(distance: torch.Tensor) -> torch.Tensor:
    """Keys' kernel; 0 from a distance of 2 on."""
    x = distance.abs()
    near = ((A + 2) * x - (A + 3)) * x * x + 1
    far = ((A * x - 5 * A) * x + 8 * A) * x - 4 * A
    return torch.where(x < 1, near, torch.where(x < 2, far, torch.zeros_like(x)))


def resampling(size: int, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """(size, source) weights: a side of `source` px resized to `target` px, of which the middle stays.

    source, target: float tensors without dimension. As torch's bicubic interpolation with antialias.
    """
    scale = source / target
    stretch = scale.clamp(min=1.0)
    # Half to even, as Python's round.
    first = ((target - size) / 2).round()
    middle = (torch.arange(size) + first + 0.5)[:, None] * scale
    # In a trace the length is a tensor, which the types of torch do not say.
    place = torch.arange(source)[None, :]  # type: ignore[call-overload]
    low = (middle - 2 * stretch + 0.5).clamp(min=0.0).floor()
    high = (middle + 2 * stretch + 0.5).floor()
    weights = cubic((place - middle + 0.5) / stretch)
    weights = weights * ((place >= low) & (place < high)).to(weights.dtype)
    normal: torch.Tensor = weights / weights.sum(dim=1, keepdim=True)
    return normal


def squared(pictures: torch.Tensor, size: int) -> torch.Tensor:
    """(B, 3, H, W) in 0-255 -> (B, 3, size, size): the shorter side resized, the middle cropped."""
    sides = torch._shape_as_tensor(pictures)[2:].to(torch.float32)
    height, width = sides[0], sides[1]
    shorter = torch.minimum(height, width)
    down, right = (
        resampling(size, side, (side * size / shorter).floor().clamp(min=float(size)))
        for side in (height, width)
    )
    smooth: torch.Tensor = (down @ pictures.float() @ right.T).clamp(0, 255).round()
    return smooth

"""Swin blocks that attend to texts."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import nn
from torch.nn import functional as F

from geochange.models.changeclip.layers import DropPath

_MASKED_SCORE = -100.0  # value of the shift mask: finite, as published, and 0 after a softmax


def relative_index(window: int) -> torch.Tensor:
    """(window**2, window**2) row of the bias table for each pair of positions in a window (Swin)."""
    row, column = torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")
    place = torch.stack([row, column]).flatten(1)
    offset = place[:, :, None] - place[:, None, :] + window - 1
    return offset[0] * (2 * window - 1) + offset[1]


def to_windows(x: torch.Tensor, window: int) -> torch.Tensor:
    """(B, H, W, C) -> (B, windows, window**2, C), H and W multiples of `window`."""
    x = x.unflatten(1, (-1, window)).unflatten(3, (-1, window))
    return x.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def from_windows(x: torch.Tensor, window: int, height: int, width: int) -> torch.Tensor:
    """Undo `to_windows`: (B, windows, window**2, C) -> (B, height, width, C)."""
    x = x.unflatten(2, (window, window)).unflatten(1, (height // window, width // window))
    return x.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def shift_mask(height: int, width: int, window: int, shift: int) -> torch.Tensor:
    """(windows, window**2, window**2) 0, or -100 for pairs that only the shift brought together."""

    def bands(size: int) -> torch.Tensor:
        at = torch.arange(size)
        return (at >= size - window).long() + (at >= size - shift).long()

    region = bands(height)[:, None] * 3 + bands(width)[None, :]
    ids = to_windows(region[None, :, :, None], window)[0, :, :, 0]
    return (ids[:, :, None] != ids[:, None, :]).float() * _MASKED_SCORE


@lru_cache(maxsize=64)
def _mask(tall: int, wide: int, window: int, shift: int, device: torch.device) -> torch.Tensor:
    # Made once per size: a copy to the device in each block would make the host wait.
    with torch.inference_mode(False):
        return shift_mask(tall, wide, window, shift).to(device)


class WindowAttention(nn.Module):
    """Self-attention inside windows with a learned bias per offset (Liu 2021, eq. 4)."""

    relative_position_index: torch.Tensor

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        table = torch.empty((2 * window - 1) ** 2, heads)
        self.relative_position_bias_table = nn.Parameter(nn.init.trunc_normal_(table, std=0.02))
        self.register_buffer("relative_position_index", relative_index(window))
        self.qkv = nn.Linear(width, width * 3)
        self.proj = nn.Linear(width, width)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """x: (B, windows, places, C); mask: (windows, places, places), added to the scores."""
        bias = self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1)
        if mask is not None:
            bias = bias + mask.unsqueeze(1)
        qkv = self.qkv(x).unflatten(3, (3, self.heads, -1)).permute(3, 0, 1, 4, 2, 5)
        q, k, v = qkv.unbind(0)
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype))
        projected: torch.Tensor = self.proj(attended.transpose(2, 3).flatten(3))
        return projected


class LowRankBilinear(nn.Module):
    """Cross-attention of tokens to texts: softmax(WQ x . WK text / sqrt(rank)) . WV text."""

    def __init__(self, width: int, rank: int) -> None:
        super().__init__()
        self.WQ = nn.Linear(width, rank)
        self.WK = nn.Linear(width, rank)
        self.WV = nn.Linear(width, width * 2)

    def forward(self, x: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        """x: (B, N, width), text: (B, T, width); returns (B, N, 2 * width)."""
        # Written out: no fused attention supports keys that are narrower than values.
        scores = self.WQ(x) @ self.WK(text).transpose(1, 2) * self.WK.out_features**-0.5
        told: torch.Tensor = scores.softmax(dim=-1) @ self.WV(text)
        return told


class Mlp(nn.Module):
    """Linear, GELU, linear; the hidden layer is four times as wide."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, width * 4)
        self.fc2 = nn.Linear(width * 4, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., width) -> (..., width)."""
        out: torch.Tensor = self.fc2(F.gelu(self.fc1(x)))
        return out


class SwinBlock(nn.Module):
    """Attention to the texts, then within (shifted) windows, then an MLP."""

    def __init__(self, width: int, heads: int, window: int, rank: int, shifted: bool) -> None:
        super().__init__()
        self.window = window
        self.shift = window // 2 if shifted else 0
        self.norm1 = nn.LayerNorm(width)
        self.attn = WindowAttention(width, heads, window)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width)
        self.low_rank_bilinear = LowRankBilinear(width, rank)
        self.proj = nn.Linear(width * 2, width)
        self.drop_path: nn.Module = nn.Identity()

    def forward(self, x: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        """x: (B, H, W, C), text: (B, T, C); returns (B, H, W, C)."""
        told = self.low_rank_bilinear(x.flatten(1, 2), text)
        # The texts act on the residual stream before any norm, as published.
        x = x + self.proj(told).unflatten(1, x.shape[1:3])
        x = x + self.drop_path(self._attend(self.norm1(x)))
        out: torch.Tensor = x + self.drop_path(self.mlp(self.norm2(x)))
        return out

    def _attend(self, x: torch.Tensor) -> torch.Tensor:
        height, width = x.shape[1:3]
        # Padding follows the norm, and padded positions are not masked, as published.
        x = F.pad(x, (0, 0, 0, -width % self.window, 0, -height % self.window))
        tall, wide = x.shape[1:3]
        mask = None
        if self.shift:
            x = x.roll((-self.shift, -self.shift), dims=(1, 2))
            mask = _mask(tall, wide, self.window, self.shift, x.device)
        x = from_windows(self.attn(to_windows(x, self.window), mask), self.window, tall, wide)
        if self.shift:
            x = x.roll((self.shift, self.shift), dims=(1, 2))
        return x[:, :height, :width]


class SwinPair(nn.Module):
    """Two blocks, the second shifted and, while training, dropped at the given rate."""

    def __init__(self, width: int, heads: int, window: int, rank: int, drop_path: float) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            SwinBlock(width, heads, window, rank, shifted) for shifted in (False, True)
        )
        self.blocks[1].drop_path = DropPath(drop_path)

    def forward(self, x: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        """x: (B, H, W, C), text: (B, T, C); returns (B, H, W, C)."""
        for block in self.blocks:
            x = block(x, text)
        return x

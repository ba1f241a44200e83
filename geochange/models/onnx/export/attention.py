"""Attention of open_clip as plain products, which exporters write for any batch and length."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn import functional as F


class PlainAttention(nn.Module):
    """nn.MultiheadAttention for self-attention, batch first, with its weights."""

    def __init__(self, attention: nn.MultiheadAttention) -> None:
        super().__init__()
        self.heads = attention.num_heads
        self.weight, self.bias = attention.in_proj_weight, attention.in_proj_bias
        self.out = attention.out_proj

    def forward(
        self,
        x: torch.Tensor,
        *_: torch.Tensor,
        need_weights: bool = False,
        attn_mask: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, None]:
        """(B, N, C) -> (B, N, C)."""
        q, k, v = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2)
            for part in F.linear(x, self.weight, self.bias).chunk(3, dim=2)
        )
        scores = q @ k.transpose(2, 3) * q.shape[-1] ** -0.5
        scores = scores if attn_mask is None else scores + attn_mask
        told: torch.Tensor = (scores.softmax(dim=3) @ v).transpose(1, 2).flatten(2)
        return self.out(told), None


class PlainPool(nn.Module):
    """open_clip's attention pool: its first place attends to all."""

    def __init__(self, pool: nn.Module) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) of the pool's own size -> (B, embed)."""
        pool = self.pool
        tokens = x.flatten(2).transpose(1, 2)
        tokens = torch.cat([tokens.mean(dim=1, keepdim=True), tokens], dim=1)
        tokens = tokens + pool.get_parameter("positional_embedding")
        heads: int = pool.num_heads  # type: ignore[assignment]  # a number of a foreign module
        q, k, v = (
            pool.get_submodule(name)(part).unflatten(2, (heads, -1)).transpose(1, 2)
            for name, part in (("q_proj", tokens[:, :1]), ("k_proj", tokens), ("v_proj", tokens))
        )
        scores = (q @ k.transpose(2, 3) * q.shape[-1] ** -0.5).softmax(dim=3)
        told: torch.Tensor = pool.get_submodule("c_proj")((scores @ v).transpose(1, 2).flatten(2))
        return told[:, 0]


def plain(module: nn.Module) -> nn.Module:
    """A copy of a module with plain attention throughout."""
    copied = copy.deepcopy(module)
    for parent in list(copied.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.MultiheadAttention):
                setattr(parent, name, PlainAttention(child))
            elif type(child).__name__ == "AttentionPool2d":
                setattr(parent, name, PlainPool(child))
    return copied

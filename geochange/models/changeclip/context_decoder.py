"""The context decoder: text embeddings attend to the image (DenseCLIP, Rao 2022)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F


@dataclass(frozen=True, slots=True)
class ContextOptions:
    """Sizes of the context decoder; dropout applies inside its MLPs."""

    layers: int = 3
    width: int = 256
    heads: int = 4
    dropout: float = 0.1


class Attention(nn.Module):
    """Multi-head attention; queries, keys and values have no bias."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(width, width, bias=False)
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width, bias=False)
        self.proj = nn.Linear(width, width)

    def forward(self, x: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        """x: (B, N, width) queries, memory: (B, M, width) keys and values; returns (B, N, width)."""
        q, k, v = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2)
            for part in (self.q_proj(x), self.k_proj(memory), self.v_proj(memory))
        )
        told = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        projected: torch.Tensor = self.proj(told)
        return projected


class ContextLayer(nn.Module):
    """Pre-norm self-attention, cross-attention to the memory without a norm, and an MLP."""

    def __init__(self, options: ContextOptions) -> None:
        super().__init__()
        width = options.width
        self.self_attn = Attention(width, options.heads)
        self.cross_attn = Attention(width, options.heads)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.norm3 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, width * 4),
            nn.GELU(),
            nn.Dropout(options.dropout),
            nn.Linear(width * 4, width),
        )

    def forward(self, x: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        """x: (B, N, width) texts, memory: (B, M, width); returns (B, N, width)."""
        own = self.norm1(x)
        x = x + self.self_attn(own, own)
        x = x + self.cross_attn(self.norm2(x), memory)
        updated: torch.Tensor = x + self.mlp(self.norm3(x))
        return updated


class ContextDecoder(nn.Module):
    """The change of the text embeddings by the image; the network scales it by `gamma` and adds it."""

    def __init__(self, embed: int, options: ContextOptions) -> None:
        super().__init__()
        width = options.width
        self.memory_proj = nn.Sequential(
            nn.LayerNorm(embed), nn.Linear(embed, width), nn.LayerNorm(width)
        )
        self.text_proj = nn.Sequential(nn.LayerNorm(embed), nn.Linear(embed, width))
        self.decoder = nn.ModuleList(ContextLayer(options) for _ in range(options.layers))
        self.out_proj = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, embed))

    def forward(self, text: torch.Tensor, visual: torch.Tensor) -> torch.Tensor:
        """text: (B, T, embed), visual: (B, M, embed); returns (B, T, embed)."""
        memory = self.memory_proj(visual)
        x = self.text_proj(text)
        for layer in self.decoder:
            x = layer(x, memory)
        told: torch.Tensor = self.out_proj(x)
        return told

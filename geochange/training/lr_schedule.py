"""Learning rate schedule: the rate by step, and which parameters decay."""

from __future__ import annotations

from typing import Any

from torch import nn

_NORMS = (
    *(nn.LayerNorm, nn.GroupNorm, nn.SyncBatchNorm),
    *(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d),
)
_POSITIONS = "relative_position_bias_table"


def learning_rate(
    step: int,
    *,
    base: float,
    warmup_steps: int,
    warmup_factor: float,
    total_steps: int,
    power: float,
) -> float:
    """The learning rate of a step, counted from 0: linear warm-up, then polynomial decay to 0.

    It rises from warmup_factor * base to base, which it reaches at `warmup_steps`. From there it is
    base * (1 - t)^power, where t grows from 0 to 1 at `total_steps`.
    Source: ChangeCLIP (Dong et al. 2024), sec. 4.2. The decay is that of DeepLab (Chen et al. 2018,
    sec. 3.1), begun where the warm-up ends.
    """
    if step < warmup_steps:
        return base * (warmup_factor + (1 - warmup_factor) * step / warmup_steps)
    if step >= total_steps:
        return 0.0
    done = (step - warmup_steps) / (total_steps - warmup_steps)
    return float(base * (1 - done) ** power)


def parameter_groups(module: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """The trainable parameters of a module as groups for an optimizer, each with its weight decay.

    No decay: weights and biases of layer, group and batch norms, and tables of relative positions.
    All others decay, as published, biases of other layers and scalars too.
    """
    free = {
        id(parameter)
        for part in module.modules()
        for name, parameter in part.named_parameters(recurse=False)
        if isinstance(part, _NORMS) or name == _POSITIONS
    }
    trainable = [parameter for parameter in module.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trainable if id(p) not in free], "weight_decay": weight_decay},
        {"params": [p for p in trainable if id(p) in free], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]

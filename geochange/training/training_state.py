"""Training state: a network, its optimizer and its average, step by step, with save and restore."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from geochange.errors import InputError, RunError
from geochange.training.fabric_devices import Fabric

Loss = Callable[[torch.Tensor, torch.Tensor, Any], torch.Tensor]
"""(logits, labels, known pixels of the whole step) -> the part's share of the step's loss.

The known pixels are a float, or a tuple of one for each label where there are several.
"""

Rate = Callable[[int], float]
"""The learning rate of a step."""

DIVERGENCE_MESSAGE = (
    "the training diverges: lower optim.lr, or set optim.clip_norm=1, and train into another --out"
)
"""The meaning of a value that is not finite, and its cure."""

LR_FACTOR_KEY = "pace"
"""The key of a parameter group with its factor for the learning rate; 1 by default."""

_EMA, _OPTIMISER, _NETWORK = "average.", "optimiser.", "network."


class LabelledInputs(Protocol):
    """A micro-batch: the arguments of a network and the labels."""

    @property
    def inputs(self) -> tuple[torch.Tensor, ...]:
        """The arguments of the network."""
        ...

    @property
    def labels(self) -> torch.Tensor:
        """(batch, height, width) uint8, or (batch, label, height, width)."""
        ...

    @property
    def known(self) -> int | tuple[int, ...]:
        """The number of pixels whose label is known; of several labels that of each."""
        ...


@dataclass(frozen=True, slots=True)
class OptimizerSettings:
    """The settings of the optimizer; OptimOptions explains each."""

    loss: Loss
    rate: Rate
    betas: tuple[float, float] = (0.9, 0.999)
    clip_norm: float = 0.0
    ema: float = 0.0
    seed: int = 0
    compiled: bool = False


class TrainingState:
    """A module, its optimizer and, if wanted, its moving average, on the devices of a Fabric.

    groups: parameters with their weight decay.
    """

    def __init__(
        self,
        fabric: Fabric,
        module: nn.Module,
        groups: Sequence[Mapping[str, Any]],
        settings: OptimizerSettings,
    ) -> None:
        self.fabric, self.module, self.settings = fabric, module, settings
        self._moments = torch.optim.AdamW(
            [dict(group) for group in groups], lr=settings.rate(0), betas=settings.betas
        )
        forward = torch.compile(module) if settings.compiled else module
        self._forward, self._optimiser = fabric.setup(forward, self._moments)  # type: ignore[arg-type]
        self._average = None
        if settings.ema:
            average = get_ema_multi_avg_fn(settings.ema)
            self._average = AveragedModel(module, multi_avg_fn=average, use_buffers=True)

    @property
    def best_module(self) -> nn.Module:
        """The module to validate and to keep: the average if there is one."""
        return self.module if self._average is None else self._average.module

    @property
    def best_network(self) -> nn.Module:
        """The network of `best_module`, without its wrapper for training."""
        network: nn.Module = self.best_module.get_submodule("network")
        return network

    def learn(self, step: int, parts: Sequence[LabelledInputs]) -> float:
        """Take one step from its micro-batches; returns the loss of the step.

        Gradients are those of the mean over all known pixels of the step, however it is split into
        micro-batches and processes. Raises RunError on all processes alike where the loss or the
        gradient is not finite; the weights stay as they were.
        """
        fabric, course = self.fabric, self.settings
        self._forward.train()
        for group in self._optimiser.param_groups:
            group["lr"] = course.rate(step) * group.get(LR_FACTOR_KEY, 1.0)
        known = self._known(parts)
        # Dropout is seeded by the step, so that a resumed training draws the same numbers.
        torch.manual_seed((course.seed * 1_000_003 + step) * fabric.world_size + fabric.global_rank)
        total = 0.0
        for number, part in enumerate(parts, start=1):
            with fabric.no_backward_sync(self._forward, enabled=number < len(parts)):
                logits = self._forward(*(x.to(fabric.device) for x in part.inputs))
                loss = course.loss(logits, part.labels.to(fabric.device), known)
                fabric.backward(loss)
            total += loss.item()
        total = self._mean(total)
        if not math.isfinite(total):
            raise RunError(f"step {step + 1}: the loss is {total}; {DIVERGENCE_MESSAGE}")
        if course.clip_norm:
            self._clip(step)
        self._optimiser.step()
        self._optimiser.zero_grad()
        if self._average is not None:
            self._average.update_parameters(self.module)
            _keep_infinities(self._average.module, self.module)
        return total

    def _clip(self, step: int) -> None:
        """Clip the norm of the gradient. Raises RunError where it is not finite."""
        length = self.fabric.clip_gradients(
            self._forward,
            self._optimiser,
            max_norm=self.settings.clip_norm,
            error_if_nonfinite=False,
        )
        if length is not None and not math.isfinite(length):
            raise RunError(
                f"step {step + 1}: the gradient is {float(length)}; {DIVERGENCE_MESSAGE}"
            )

    def _known(self, parts: Sequence[LabelledInputs]) -> float | tuple[float, ...]:
        """Known pixels of the step per process: gradients are averaged over the processes."""
        counts = np.sum([np.atleast_1d(part.known) for part in parts], axis=0)
        means = tuple(max(1.0, self._mean(float(count))) for count in counts)
        return means if isinstance(parts[0].known, tuple) else means[0]

    def _mean(self, value: float) -> float:
        """The mean over the processes."""
        if self.fabric.world_size == 1:
            return value
        tensor = torch.tensor(value, dtype=torch.float64, device=self.fabric.device)
        mean = self.fabric.all_reduce(tensor, reduce_op="mean")
        return float(mean.item()) if isinstance(mean, torch.Tensor) else value

    def check(self, step: int) -> None:
        """Raise RunError where a weight is not finite after this many steps."""
        for name, value in self.module.state_dict().items():
            if not torch.isfinite(value).all():
                raise RunError(f"step {step}: {name} is no longer finite; {DIVERGENCE_MESSAGE}")

    def state(self) -> dict[str, torch.Tensor]:
        """All tensors by name that training changes, besides `best_module`."""
        names = {id(parameter): name for name, parameter in self.module.named_parameters()}
        kept = {
            f"{_OPTIMISER}{name}.{key}": torch.as_tensor(value).detach().cpu()
            for parameter, values in self._moments.state.items()
            for name in [names[id(parameter)]]
            for key, value in values.items()
        }
        if self._average is not None:
            kept[f"{_EMA}count"] = self._average.n_averaged.cpu()
            own = self.module.state_dict()
            kept |= {f"{_NETWORK}{name}": value.cpu() for name, value in own.items()}
        return kept

    def restore(self, kept: Mapping[str, torch.Tensor]) -> None:
        """Restore what `state` returned; `best_module` holds the same weights as then.

        Raises InputError where the tensors are of another network.
        """
        parameters = dict(self.module.named_parameters())
        learning = {name: each for name, each in parameters.items() if each.requires_grad}
        try:
            for name, parameter in learning.items():
                self._moments.state[parameter] = {
                    key: _like_parameter(kept[f"{_OPTIMISER}{name}.{key}"], parameter, key)
                    for key in ("step", "exp_avg", "exp_avg_sq")
                }
            if self._average is not None:
                self._average.n_averaged.copy_(kept[f"{_EMA}count"])
                own = {n: kept[_NETWORK + n] for n in self.module.state_dict()}
                self.module.load_state_dict(own)
        except (KeyError, RuntimeError) as error:
            raise InputError(
                f"the training state is of another network ({error}); start afresh"
            ) from error


def _keep_infinities(average: nn.Module, module: nn.Module) -> None:
    """Copy infinite values of the module to the average: the mean of two infinities is NaN."""
    for mean, value in zip(average.buffers(), module.buffers(), strict=True):
        mean.copy_(torch.where(value.isinf(), value, mean))


def _like_parameter(value: torch.Tensor, parameter: torch.Tensor, key: str) -> torch.Tensor:
    """A moment of AdamW, laid out like its parameter; the step count stays where AdamW keeps it."""
    if key == "step":
        return value.clone()
    moment = torch.empty_like(parameter, requires_grad=False)
    return moment.copy_(value)

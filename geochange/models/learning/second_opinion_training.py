"""Second opinion: how a land network learns its opinion of change, from planted pairs, in minutes.

Both networks stay as they are. What they see of the pairs is computed once and kept; the opinion,
some thousand weights, is then learnt from that alone. It needs no label of change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.special import logit
from torch import nn
from torch.nn import functional as F

from geochange.chip import UNKNOWN, Chip
from geochange.models.changeclip.land_cover_network import LandNetwork
from geochange.models.detector import ChangeClipDetector, DetectorSpec
from geochange.models.inference.batch import collate
from geochange.models.inference.predict import run_model
from geochange.models.weights.checkpoint import Checkpoint
from geochange.progress import Watch


@dataclass(frozen=True)
class SecondOpinionOptions:
    """How the opinion is learnt.

    pairs: of each kind. channels: of the opinion. batch: pairs of each kind in a step. rate: the
    learning rate, which falls to 0. dice: its weight beside the cross-entropy. most_false: the
    share of unchanged pixels of places kept out that the opinion may call changed.
    """

    pairs: int = 160
    channels: int = 16
    steps: int = 500
    batch: tuple[int, int, int] = (6, 3, 3)
    rate: float = 0.01
    dice: float = 0.5
    most_false: float = 0.01
    seed: int = 0


@dataclass(frozen=True)
class OpinionSamples:
    """What both networks see of the pairs of a kind, float16, and what changed."""

    evidence: torch.Tensor
    change: torch.Tensor
    labels: torch.Tensor

    def take(self, count: int, draw: np.random.Generator) -> OpinionSamples:
        """Some of them at random, all mirrored or none."""
        chosen = torch.from_numpy(
            draw.choice(len(self.labels), min(count, len(self.labels)), False)
        )
        sides = [side for side in (-1, -2) if draw.random() < 0.5]
        parts = (x[chosen].flip(sides) for x in (self.evidence, self.change, self.labels))
        evidence, change, labels = parts
        return OpinionSamples(evidence.float(), change.float(), labels)


def train_second_opinion(
    checkpoint: Checkpoint,
    training_pairs: Mapping[str, Iterable[Chip]],
    unchanged: Sequence[Chip],
    options: SecondOpinionOptions,
    watch: Watch,
) -> Checkpoint:
    """The checkpoint with an opinion of its land network, as sure as its threshold asks for.

    training_pairs: pairs by kind, of one size each, as many kinds as `options.batch`. unchanged:
    pairs without change, of places that are kept out.
    """
    assert checkpoint.card.land is not None
    plain = replace(checkpoint.card.land, opinion=0)
    bare = {name: x for name, x in checkpoint.land.items() if not name.startswith("opinion.")}
    without = replace(checkpoint, card=replace(checkpoint.card, land=plain), land=bare)
    model = DetectorSpec("").of(without)
    torch.manual_seed(options.seed)
    network = LandNetwork(replace(plain, opinion=options.channels))
    network.load_state_dict(dict(bare), strict=False)
    lessons = [
        _network_outputs(model, kind, chips, options, watch)
        for kind, chips in training_pairs.items()
    ]
    assert network.opinion is not None
    _fit_opinion(network.opinion, lessons, options, watch)
    card = replace(checkpoint.card, land=network.options)
    # Every class is asked for: what it then calls change, it calls so by its opinion alone.
    asked = DetectorSpec("", only=network.options.head.classes)
    opinionated = replace(checkpoint, card=card, land=network.state_dict())
    at = _least_logit(asked.of(opinionated), unchanged, options.most_false)
    for bias in [x for name, x in network.opinion.say.named_parameters() if name == "bias"]:
        bias.data += float(logit(card.threshold) - at) * card.temperature
    return replace(opinionated, land=network.state_dict())


@torch.inference_mode()
def _network_outputs(
    model: ChangeClipDetector,
    kind: str,
    chips: Iterable[Chip],
    options: SecondOpinionOptions,
    watch: Watch,
) -> OpinionSamples:
    """Both networks' view of pairs of one size."""
    assert model.land_inference is not None
    seen: list[tuple[torch.Tensor, ...]] = []
    for number, chip in enumerate(chips, start=1):
        batch = collate([chip], model.device)
        change = model.change_logits(batch) * model.card.temperature
        told = model.land_inference.network.compare(batch.before, batch.after, change)[1]
        label = torch.from_numpy(np.array(chip.label))
        seen.append((told[0].half().cpu(), change[0].half().cpu(), label))
        watch("look", number, options.pairs, kind)
    evidence, change, labels = (torch.stack(parts) for parts in zip(*seen, strict=True))
    return OpinionSamples(evidence, change, labels)


def _fit_opinion(
    opinion: nn.Module, lessons: list[OpinionSamples], options: SecondOpinionOptions, watch: Watch
) -> None:
    optimiser = torch.optim.AdamW(opinion.parameters(), lr=options.rate, weight_decay=1e-3)
    draw = np.random.default_rng(options.seed)
    for step in range(options.steps):
        for group in optimiser.param_groups:
            group["lr"] = options.rate * (1 - step / options.steps)
        parts = [each.take(n, draw) for each, n in zip(lessons, options.batch, strict=True)]
        logits = [opinion(part.change, part.evidence).flatten() for part in parts]
        labels = torch.cat([part.labels.flatten() for part in parts])
        loss = _loss(torch.cat(logits), labels, options.dice)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        watch("weigh", step + 1, options.steps, f"loss {loss.item():.3f}")
    opinion.requires_grad_(False)


def _loss(logits: torch.Tensor, labels: torch.Tensor, dice: float) -> torch.Tensor:
    """Cross-entropy, and the soft overlap over all pairs together: many have no change at all."""
    known = labels != UNKNOWN
    z, truth = logits[known], (labels[known] == 1).float()
    p = z.sigmoid()
    overlap = (2 * (p * truth).sum() + 100) / (p.sum() + truth.sum() + 100)
    return F.binary_cross_entropy_with_logits(z, truth) + dice * (1 - overlap)


def _least_logit(model: ChangeClipDetector, chips: Sequence[Chip], most_false: float) -> float:
    """The lowest logit from which on it calls no more of unchanged pixels changed."""
    logits = [run_model(model, [chip], 1, str(model.device)).logits.ravel() for chip in chips]
    return float(np.quantile(np.concatenate(logits), 1 - most_false))

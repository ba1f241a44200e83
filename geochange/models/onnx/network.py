"""A network of an ONNX file as a ChangeModel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from geochange.chip import Chip
from geochange.config import OnnxOptions
from geochange.errors import InputError
from geochange.models.changeclip.layers import band_tensor
from geochange.models.inference.batch import Batch
from geochange.models.land_cover_logits import NO_CHANGE_LOGIT
from geochange.models.onnx.describe import Description, describe, land_table
from geochange.models.onnx.outputs import (
    as_maps,
    change_logits,
    changed_numbers,
    class_numbers,
    dates_logits,
    enlarged,
)
from geochange.models.onnx.session import Session, check_weights
from geochange.models.protocol import Statistics

Maps = dict[str, torch.Tensor]
"""Outputs by name, (chip, channel, h, w)."""

Scores = tuple[torch.Tensor, torch.Tensor]


class OnnxNetwork:
    """Runs chips one at a time, whatever the device.

    An ONNX file may mix the pictures of a batch, and rounding may depend on its size. One by one, the
    answer for a chip depends on that chip alone; on a CPU to the last bit, with any number of threads.

    only: land classes, of which one must stand there before or after for a pixel to be change.
    provider: of onnxruntime, in the place of that of the device.
    """

    def __init__(
        self,
        known: Description,
        device: str = "cpu",
        only: Sequence[str] = (),
        provider: str | None = None,
    ) -> None:
        if known.bands is None:
            raise InputError(f"{known.path}: nobody says its bands")
        self.known = known
        self.device = torch.device(device)
        self.bands: int | None = known.bands
        self.threshold = known.options.threshold
        self._table = land_table(known.options)
        self._only = [self._table.names.index(name) for name in only]
        check_weights(known.path, known.outline.weights_bytes)
        self._session = Session(known.path, device, torch.get_num_threads(), provider)

    @property
    def land_classes(self) -> tuple[str, ...]:
        """The classes of dates, or those between the arrows of classes of change; often none."""
        return self._table.names

    @property
    def class_colours(self) -> dict[str, str]:
        """The colours of the classes of dates, as "#rrggbb" by class; often none."""
        said = self.known.options
        return {name: c for name, c in zip(said.classes, said.colours, strict=False) if name}

    def fit(self, sample: Sequence[Chip]) -> Statistics:
        """Empty: the network needs no statistics."""
        return {}

    def adopt(self, statistics: Statistics) -> None:
        """Does nothing."""

    def change_logits(self, batch: Batch, scores: Scores | None = None) -> torch.Tensor:
        """(B, H, W) float32; where there are K classes of change, of all of them together."""
        return self._say(batch)[0]

    def change_and_land(
        self, batch: Batch, scores: Scores | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The same, and (B, 2, H, W) uint8 numbers of land classes."""
        return self._say(batch)

    def land(self, batch: Batch) -> torch.Tensor:
        """(B, 2, H, W) uint8, what stands there by number."""
        return self._say(batch)[1]

    def _say(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        said = [self._one(batch[i : i + 1]) for i in range(len(batch))]
        if not said:
            size = batch.valid.shape[1:]
            return torch.zeros(0, *size), torch.zeros(0, 2, *size, dtype=torch.uint8)
        logits, land = zip(*said, strict=True)
        return torch.cat(logits).to(self.device), torch.cat(land).to(self.device)

    def _one(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        try:
            before, after = (self._padded(date.cpu()) for date in (batch.before, batch.after))
            height, width = before.shape[2:]
            maps = self._maps(self._feed(before, after), height, width)
            logits, land = self._told(maps, height, width)
        except InputError as error:
            said = str(error)
            named = said.startswith(str(self.known.path))
            raise InputError(said if named else f"{self.known.path}: {said}") from error
        rows, cols = batch.valid.shape[1:]
        logits, land = logits[:, :rows, :cols], land[..., :rows, :cols]
        return self._where_asked(logits, land), land

    def _padded(self, date: torch.Tensor) -> torch.Tensor:
        """A date whose last row and column are repeated to sides that the network takes."""
        multiple, rows, cols = self.known.options.multiple, *date.shape[2:]
        sides = []
        for length, fixed in zip((rows, cols), self.known.sides, strict=True):
            if fixed is not None and length > fixed:
                height, width = self.known.sides
                raise InputError(
                    f"takes {height} x {width} px and not {rows} x {cols}; leave --tile out"
                )
            sides.append(fixed or length + -length % multiple)
        if (rows, cols) == tuple(sides):
            return date
        pad = (0, sides[1] - cols, 0, sides[0] - rows)
        return F.pad(date.float(), pad, mode="replicate").to(date.dtype)

    def _feed(self, before: torch.Tensor, after: torch.Tensor) -> dict[str, NDArray[Any]]:
        ports, layout = self.known.inputs, self.known.layout
        dates = [self._normal(date) for date in (before, after)]
        if layout == "two":
            return {port.name: date for port, date in zip(ports, dates, strict=True)}
        both = np.stack(dates, axis=1) if layout == "dates" else np.concatenate(dates, axis=1)
        return {ports[0].name: both}

    def _normal(self, date: torch.Tensor) -> NDArray[Any]:
        """(1, C, H, W) as the network takes it: scaled, less the mean, by the deviation."""
        kind, options = self.known.inputs[0].kind, self.known.options
        if kind == "uint8":
            if date.dtype != torch.uint8:
                raise InputError("takes 8-bit pixels; leave --stretch out")
            return np.ascontiguousarray(date.numpy())
        if date.shape[1] != self.bands:
            raise InputError(f"takes {self.bands} bands and not {date.shape[1]}")
        x = date.float() / (options.scale or 1.0)
        mean, std = (
            band_tensor(numbers, x.device)
            for numbers in (options.mean or (0.0,), options.std or (1.0,))
        )
        return np.ascontiguousarray(((x - mean) / std).numpy().astype(kind))

    def _maps(self, feed: Mapping[str, NDArray[Any]], height: int, width: int) -> Maps:
        options = self.known.options
        change = [self.known.output.name] if self.known.output else []
        names = [*change, *filter(None, (options.before, options.after))]
        names = list(dict.fromkeys(names))
        answers = self._session.run(feed, names)
        return {
            name: as_maps(answer, height, width, name)
            for name, answer in zip(names, answers, strict=True)
        }

    def _told(self, maps: Maps, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
        options, output, table = self.known.options, self.known.output, self._table
        land = torch.zeros(1, 2, height, width, dtype=torch.uint8)
        dates = [
            _large(maps[name], height, width) for name in (options.before, options.after) if name
        ]
        if output is None:
            logits = dates_logits(*dates)
        else:
            smooth = self.known.says != "labels"
            small = change_logits(maps[output.name], self.known)[:, None]
            logits = enlarged(small, height, width, smooth)[:, 0]
        if dates:
            names = (options.before, options.after)
            numbers = zip(dates, (table.before, table.after), names, strict=True)
            land = torch.stack([class_numbers(*each) for each in numbers], dim=1)
        elif table.names and output is not None:
            seen = changed_numbers(_large(maps[output.name], height, width), self.known, table)
            land = torch.stack(seen, dim=1)
        return logits, land

    def _where_asked(self, logits: torch.Tensor, land: torch.Tensor) -> torch.Tensor:
        if not self._only:
            return logits
        asked = torch.isin(land, torch.tensor(self._only, dtype=torch.uint8)).any(dim=1)
        return torch.where(asked, logits, logits.clamp(max=NO_CHANGE_LOGIT))


def _large(maps: torch.Tensor, height: int, width: int) -> torch.Tensor:
    return enlarged(maps, height, width, smooth=maps.shape[1] > 1)


def build_network(
    path: Path, device: str, network: Mapping[str, Any], only: Sequence[str] = ()
) -> OnnxNetwork:
    """The network of a file, with the description of a ModelSpec. Raises InputError, OptionError."""
    options = OnnxOptions.parse(network["options"])
    return OnnxNetwork(describe(path, options), device, only, network["provider"])

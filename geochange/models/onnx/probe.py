"""Probes a network with noise: what its file does not say, as far as its answers tell it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geochange.config import OnnxOptions
from geochange.errors import InputError
from geochange.models.onnx.describe import FLOATS, Description
from geochange.models.onnx.outputs import as_maps
from geochange.models.onnx.session import Session, check_weights

LEAST_PX = 64
"""The least side of noise that is shown."""

MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
"""What sides may have to be multiples of."""

USUAL_BANDS = ("red", "green", "blue")
USUAL_SCALE = 255.0

Noise = NDArray[Any]


@dataclass(frozen=True)
class Probed:
    """What is known and guessed of a network.

    options: complete. guessed: the names of those that nobody said. answers: shape of each output.
    """

    known: Description
    options: OnnxOptions
    guessed: tuple[str, ...]
    answers: dict[str, tuple[int, ...]]


def probe(known: Description, threads: int = 1) -> Probed:
    """Run a network on noise of several sides. Raises InputError if it can take none of them."""
    check_weights(known.path, known.outline.weights_bytes)
    session = Session(known.path, "cpu", threads)
    bands = known.bands or len(USUAL_BANDS)
    multiple, answers = _fitting(session, known, bands)
    asked = {
        "bands": USUAL_BANDS if bands == len(USUAL_BANDS) else _numbered(bands, known),
        "scale": USUAL_SCALE if known.inputs[0].kind in FLOATS else None,
        "says": _guess_says(known, answers),
        "multiple": multiple,
    }
    said = known.options.model_fields_set
    guessed = {
        name: value
        for name, value in asked.items()
        if name not in said and value not in (None, (), OnnxOptions.model_fields[name].default)
    }
    options = OnnxOptions.parse({**known.options.model_dump(include=said), **guessed})
    shapes = {name: tuple(answer.shape) for name, answer in answers.items()}
    return Probed(replace(known, options=options), options, tuple(guessed), shapes)


def _numbered(bands: int, known: Description) -> tuple[str, ...]:
    return tuple(f"band {i}" for i in range(1, bands + 1)) if known.bands is None else ()


def _fitting(
    session: Session, known: Description, bands: int
) -> tuple[int | None, dict[str, Noise]]:
    """The least multiple of which sides may be, and the answers there."""
    refused: InputError | None = None
    said = "multiple" in known.options.model_fields_set
    for multiple in (known.options.multiple,) if said else MULTIPLES:
        height, width = (side or _odd(multiple) for side in known.sides)
        try:
            answers = _answers(session, known, bands, (height, width))
        except InputError as error:
            refused = refused or error
            continue
        return multiple, answers
    raise InputError(
        f"{known.path}: takes no noise of {LEAST_PX} px or more: {refused}; is it a network of two dates?"
    )


def _odd(multiple: int) -> int:
    """A side that is an odd multiple, so that no larger power of two divides it."""
    times = -(-LEAST_PX // multiple)
    return multiple * (times + 1 - times % 2)


def _answers(
    session: Session, known: Description, bands: int, size: tuple[int, int]
) -> dict[str, Noise]:
    port, rng = known.inputs[0], np.random.default_rng(0)
    dates = 1 if known.layout == "two" else 2
    shape = (1, dates * bands, *size) if known.layout != "dates" else (1, 2, bands, *size)
    feed = {}
    for each in known.inputs:
        noise = rng.random(shape)
        feed[each.name] = (noise * 255 if port.kind == "uint8" else noise).astype(port.kind)
    names = [each.name for each in known.outline.outputs]
    answers = dict(zip(names, session.run(feed, names), strict=True))
    telling = [known.output.name] if known.output else []
    for name in (*telling, *filter(None, (known.options.before, known.options.after))):
        as_maps(answers[name], *size, name)
    return answers


def _guess_says(known: Description, answers: dict[str, Noise]) -> str | None:
    """Probability if all answers lie in 0 to 1, and those of several channels add to 1."""
    if known.output is None or known.says == "labels":
        return None
    answer = np.asarray(answers[known.output.name], np.float64)
    inside = bool((answer >= 0).all() and (answer <= 1).all())
    many = answer.ndim == 4 and answer.shape[1] > 1
    adds = not many or np.allclose(answer.sum(axis=1), 1, atol=1e-3)
    return "probability" if inside and adds else "logits"

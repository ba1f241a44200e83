"""load_model: the network of a checkpoint, for logits with given class names."""

from __future__ import annotations

from geochange.models.detector import ChangeClipDetector, DetectorSpec
from geochange.models.inference.precision import Precision
from geochange.models.weights.checkpoint import read_checkpoint


def load_model(
    file: str, *, device: str = "cpu", precision: Precision = "float32"
) -> ChangeClipDetector:
    """The network of a checkpoint, for `logits` with given class names. It does not read CLIP.

    file: a checkpoint of geochange or the authors' .pth. DetectorSpec adds CLIP. Raises InputError.
    """
    spec = DetectorSpec(file, device=device, precision=precision)
    checkpoint = read_checkpoint(file)
    return ChangeClipDetector(spec, checkpoint.build().requires_grad_(False), checkpoint.card)

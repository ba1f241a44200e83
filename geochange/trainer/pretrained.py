"""Files of what is trained first: whether one is there to its last step, and whole."""

from __future__ import annotations

import logging
from pathlib import Path

from geochange.errors import InputError
from geochange.models.weights.resume_state import read_resume_state

logger = logging.getLogger(__name__)

DONE = "done"
"""The fact of a file that says whether its training came to its end."""


def is_done(file: Path) -> bool:
    """Whether a pretraining came to its end; a damaged file is removed, for a new one."""
    if not file.is_file():
        return False
    try:
        # With its tensors, whose bytes have a sum: a header is whole where they are not.
        return bool(read_resume_state(file).facts.get(DONE))
    except InputError as error:
        logger.warning("%s; it is trained again", error)
        file.unlink()
        return False

"""Reads unlabelled images of any format of Pillow, up to a size limit."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from geochange.errors import InputError

MOST_PX = 2**26
"""The largest image: 8192 x 8192 px."""

_UNREADABLE = (
    *(OSError, UnidentifiedImageError, Image.DecompressionBombError),
    *(SyntaxError, ValueError, TypeError, IndexError, EOFError, OverflowError, struct.error),
)
"""Exceptions of Pillow for damaged files."""


def open_picture(file: Path, mode: str = "RGB") -> Image.Image:
    """An image with its pixels, in a mode of Pillow. Raises InputError, which names the file."""
    try:
        # Pillow warns about large images, which are refused here.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(file)
        with image:
            if image.width * image.height > MOST_PX:
                raise InputError(
                    f"{file}: has {image.height:,} x {image.width:,} px, too many to read at "
                    "once; remove it, or cut it into smaller images"
                )
            return image.convert(mode)
    except InputError:
        raise
    except _UNREADABLE as error:
        raise InputError(f"{file} cannot be read as a picture; remove it") from error

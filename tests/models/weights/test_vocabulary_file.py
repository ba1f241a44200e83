from __future__ import annotations

from pathlib import Path

import pytest

from geochange.errors import InputError
from geochange.models.weights.vocabulary_file import read_vocabulary


def test_vocabulary_files(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("\n".join("abcdefghij\n"))
    assert read_vocabulary(path) == tuple("abcdefghij")
    path.write_text("a\n")
    with pytest.raises(InputError, match=r"names\.txt: the vocabulary has 1 names"):
        read_vocabulary(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_vocabulary(tmp_path / "none.txt")

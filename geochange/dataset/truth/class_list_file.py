"""The file classes.yaml of a data set: read from its folder or archive, as a Legend or changes."""

from __future__ import annotations

from pathlib import Path

from geochange.config.class_list import CLASS_LIST, ClassList
from geochange.config.yaml_files import LARGEST_BYTES, parse_options
from geochange.dataset.truth.class_labels import Legend
from geochange.dataset.truth.from_to_labels import FromToTable
from geochange.errors import InputError
from geochange.files.file_tree import is_file, read_file


def read_class_list(root: Path) -> ClassList | None:
    """The classes that a data set declares. None without the file. Raises InputError, OptionError."""
    file = root / CLASS_LIST
    if not is_file(file):
        return None
    raw = read_file(file, LARGEST_BYTES, "a list of classes")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: is not text; save it as UTF-8") from error
    return parse_options(ClassList, text, file)


def declared_legend(root: Path, usual: Legend) -> Legend:
    """The meaning of images of classes of both dates: as declared, else `usual`.

    Raises InputError, OptionError.
    """
    declared = read_class_list(root)
    if declared is None:
        return usual
    if declared.changes:
        raise InputError(
            f"{root / CLASS_LIST}: lists changes, but there are labels of both dates; leave changes out"
        )
    return _legend(declared)


def declared_changes(root: Path) -> FromToTable | None:
    """The meaning of the values of a label of changes. None where the labels are plain masks.

    Raises InputError, OptionError.
    """
    declared = read_class_list(root)
    if declared is None:
        return None
    if not declared.changes:
        raise InputError(
            f"{root / CLASS_LIST}: lists no changes, which explain the values of one label; add "
            "changes, or give labels of both dates in label1/ and label2/"
        )
    numbers = {name: number for number, name in enumerate(_legend(declared).names)}
    pairs = {
        change.value: None
        if change.before is None or change.after is None
        else (numbers[change.before], numbers[change.after])
        for change in declared.changes
    }
    return FromToTable(_legend(declared), pairs)


def _legend(declared: ClassList) -> Legend:
    colours = [int(colour[1:], 16) for colour in declared.colours if colour]
    return Legend(
        names=tuple(each.name for each in declared.classes),
        colours=tuple(colours),
        unknown=frozenset(declared.unknown),
        unchanged=declared.unchanged,
        numbers=declared.values,
    )

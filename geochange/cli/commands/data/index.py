"""`geochange data index`."""

from __future__ import annotations

from pathlib import Path

import click

from geochange.cli.path_types import Folder
from geochange.cli.rerun_hints import RESTART_HINT, with_hint


@click.command(epilog="Example: geochange data index SYSU-CD")
@click.argument("root", type=Folder())
@click.option("--layout", default="auto", show_default=True, metavar="NAME", help="how it is kept")
@click.option("--quiet", is_flag=True, help="print nothing but warnings and errors")
def index(root: Path, layout: str, quiet: bool) -> None:
    """Write train.txt, val.txt and test.txt of the chips in ROOT.

    A line holds the paths of before, after and label of a chip, with two spaces between them,
    relative to ROOT. Existing lists are replaced; other files with such a name are refused.
    """
    from geochange.dataset import records_of, splits_of
    from geochange.dataset.chip_lists import write_lists
    from geochange.dataset.layouts import LAYOUTS, PAIRS
    from geochange.dataset.split_names import is_there
    from geochange.errors import InputError

    splits = [split for split in splits_of(root, layout) if is_there(root, split)]
    if not splits or layout == PAIRS or layout not in ("auto", *LAYOUTS):
        raise InputError(
            f"{root}: holds no folders of chips to list; it needs train/, val/ or test/"
        )
    with with_hint(RESTART_HINT):
        chips = {split: records_of(root, split, layout) for split in splits}
        write_lists({root / f"{split}.txt": chips[split] for split in splits}, root)
    if not quiet:
        for split in splits:
            click.echo(f"{root / split}.txt  {len(chips[split]):,} chips")

"""`geochange data prompts`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geochange.cli.path_types import Folder
from geochange.cli.progress_display import closing_table, say_json, screen
from geochange.errors import InputError, OptionError
from geochange.models.weights.locate import clip_file

if TYPE_CHECKING:
    from geochange.training.data.chip_source import ChipSource


@click.command(epilog="Example: geochange data prompts SYSU-CD --split train --split val")
@click.argument("root", type=Folder())
@click.option("--split", "splits", multiple=True, metavar="NAME", help="else all that there are")
@click.option("--clip", metavar="MODEL", help="MODEL/TAG, FILE or MODEL@FILE; else OpenAI ViT-B/16")
@click.option(
    "--vocabulary", metavar="FILE", help="class names, one a line; else the 56 published ones"
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N")
@click.option(
    "--batch",
    type=click.IntRange(1, 4096),
    default=64,
    show_default=True,
    metavar="N",
    help="chips that CLIP sees at once, and that an interruption costs at most",
)
@click.option("--layout", default="auto", show_default=True, metavar="NAME", help="how it is kept")
@click.option("--bands", metavar="LIST", help="bands that are red, green, blue, such as 4,3,2")
@click.option("--quiet", is_flag=True, help="print nothing but warnings and errors")
@click.option("--log-json", is_flag=True, help="print progress and result as lines of JSON")
def prompts(root: Path, quiet: bool, log_json: bool, **given: Any) -> None:
    """Let CLIP name the classes of every chip of ROOT, at both dates.

    The names are stored beside the chips, as time1_clipcls_56_vit16.json and
    time2_clipcls_56_vit16.json in the folder of each split, where training and evaluation read
    them. Splits that have such files are skipped. An interrupted command goes on when it is given
    again.
    """
    clip, vocabulary = given["clip"], given["vocabulary"]
    if clip:
        clip_file(clip)
    if vocabulary and not Path(vocabulary).is_file():
        raise InputError(f"--vocabulary {vocabulary}: no such file; name a file of class names")
    sources = _sources(root, given["splits"], given["layout"], given["bands"])
    # Imported after the checks: torch loads slower than a refusal may take.
    from geochange.models.weights.checkpoint import DEFAULT_CLIP
    from geochange.models.weights.vocabulary_file import read_vocabulary
    from geochange.trainer.chip_names import ChipNamer

    names = read_vocabulary(vocabulary) if vocabulary else None
    prompter = ChipNamer(clip or DEFAULT_CLIP, names, given["device"], given["batch"])
    stored = {
        split: prompter.stored(source, root, split) is not None for split, source in sources.items()
    }
    with screen(quiet, log_json) as report:
        for split, source in sources.items():

            def progress(stage: str, done: int, total: int, split: str = split) -> None:
                report(stage, done, total, split)

            prompter.names(source, root, split, progress)
    counts = {split: len(source) for split, source in sources.items()}
    if log_json:
        say_json("result", chips=counts, stored=[split for split in stored if stored[split]])
    elif not quiet:
        word = {True: "were named already", False: "named"}
        rows = {split: f"{count:,} chips {word[stored[split]]}" for split, count in counts.items()}
        closing_table(rows, "Class names")


def _sources(
    root: Path, wanted: tuple[str, ...], layout: str, bands: str | None
) -> dict[str, ChipSource]:
    """The splits to work on, each opened. Raises OptionError for one that is not there."""
    from geochange.dataset import has_split, open_split, splits_of  # rasterio, which takes a while

    there = splits_of(root, layout)
    for split in wanted:
        if not has_split(root, split, layout):
            raise OptionError(f"--split {split}: {root} has {', '.join(there)}")
    return {split: open_split(root, split, layout=layout, bands=bands) for split in wanted or there}

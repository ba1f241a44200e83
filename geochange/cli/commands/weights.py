"""`geochange weights`: show, convert, average, join, calibrate and list files of weights."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geochange.cli.help_json import DescribedGroup
from geochange.cli.onnx_tables import onnx_rows, onnx_values, probe_onnx, write_description
from geochange.cli.path_types import File, Folder
from geochange.cli.progress_display import screen
from geochange.cli.rerun_hints import RESTART_HINT, with_hint
from geochange.cli.tables import print_grid
from geochange.cli.weights_tables import describe, naming_the_file, rows_of, summary_line, title_of
from geochange.errors import InputError, OptionError, OutputError
from geochange.files.atomic import temporary_name
from geochange.files.file_names import expand_user
from geochange.files.output_paths import check_target
from geochange.formatting import printable
from geochange.models.weights.locate import (
    FOLDER_ENV,
    ONNX,
    list_weights,
    locate_weights,
    weights_folder,
)

if TYPE_CHECKING:
    from geochange.models.weights.model_card import Card


@click.group(
    cls=DescribedGroup,
    epilog="Start with: geochange weights list   or: geochange weights show model.pth",
)
def weights() -> None:
    """Show, convert, average, join, calibrate, export and list files of weights."""


@weights.command(epilog="Example: geochange weights show best_mIoU_iter_40000.pth")
@click.argument("file")
@click.option(
    "--json", "as_json", is_flag=True, help="print one object of JSON, vocabulary and all"
)
@click.option(
    "--write", is_flag=True, help="write FILE.onnx.yaml, which describes the network to `run`"
)
def show(file: str, as_json: bool, write: bool) -> None:
    """Show what FILE holds, and check that all of its tensors fit.

    FILE is a ChangeCLIP checkpoint, ours or the authors' .pth, CLIP's weights, or a network as .onnx.
    A bare name is also looked for in the folder GEOCHANGE_WEIGHTS. No code of a pickle is run.

    Of an .onnx it shows what the file, its metadata and FILE.onnx.yaml say, and what its answers to
    noise tell; what is guessed must be checked.
    """
    if Path(file).suffix == ONNX:
        with naming_the_file(locate_weights(file)):
            probed = probe_onnx(file)
        described, rows = onnx_values(probed), onnx_rows(probed)
        if write:
            rows["written"] = str(write_description(probed))
    elif write:
        raise OptionError(f"--write: {file} describes itself; it is for a network as .onnx")
    else:
        described = describe(file)
        rows = rows_of(described)
    if as_json:
        click.echo(json.dumps(described, ensure_ascii=False))
    else:
        print_grid(_single_lines(rows))


def _write_options(command: Callable[..., None]) -> Callable[..., None]:
    """The arguments and options of commands that write checkpoints."""
    half = click.option("--half", is_flag=True, help="in float16: half the size, nearly one answer")
    threshold = click.option(
        "--threshold",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        help="probability from which a run calls a pixel changed; left out: as it is",
    )
    return half(threshold(command))


@weights.command(epilog="Example: geochange weights convert best.pth changeclip-rn50.safetensors")
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT", type=File())
@_write_options
def convert(source: str, target: Path, half: bool, threshold: float | None) -> None:
    """Convert a ChangeCLIP checkpoint to our format.

    IN is a checkpoint of ours or the authors' .pth. OUT ends in .safetensors and holds tensors and
    a card of plain text, nothing that can be executed. It appears whole or not at all. An existing
    OUT is replaced, unless it is IN itself.
    """
    target = _checked(target)
    path = locate_weights(source)
    _check_not_source(path, target)
    # Imported after the checks: torch loads slower than a refusal may take.
    from geochange.models.weights.convert import convert as rewrite

    with with_hint(RESTART_HINT), naming_the_file(path):
        card = rewrite(path, target, half=half, threshold=threshold)
    _show_written(target, card)


@weights.command(
    epilog="Example: geochange weights average a.safetensors b.safetensors mean.safetensors"
)
@click.argument("sources", metavar="IN...", nargs=-1, required=True)
@click.argument("target", metavar="OUT", type=File())
@_write_options
def average(sources: tuple[str, ...], target: Path, half: bool, threshold: float | None) -> None:
    """Write the mean of several states of one network, which is often better than each of them.

    Each IN is a checkpoint of the same training, or of trainings that started from the same
    weights. OUT is as in `convert`; its threshold is the mean of theirs.
    """
    if len(sources) < 2:
        raise OptionError("a mean needs two files or more; name two states of a network, then OUT")
    target = _checked(target)
    paths = [locate_weights(source) for source in sources]
    for path in paths:
        _check_not_source(path, target)
    # Imported after the checks, as above.
    from geochange.models.weights.convert import average as write_mean

    with with_hint(RESTART_HINT):
        card = write_mean(paths, target, half=half, threshold=threshold)
    _show_written(target, card)


@weights.command(
    epilog="Example: geochange weights join small.safetensors land.safetensors both.safetensors"
)
@click.argument("source", metavar="IN")
@click.argument("land", metavar="LAND")
@click.argument("target", metavar="OUT", type=File())
@_write_options
@click.option(
    "--weigh",
    type=Folder(),
    metavar="DATA",
    help="pictures from which it learns to weigh what both find",
)
@click.option(
    "--places",
    type=Folder(),
    metavar="DATA",
    help="pictures from which it learns to name places; IN holds a CLIP of its own",
)
def join(
    source: str, land: str, target: Path, weigh: Path | None, places: Path | None, **written: Any
) -> None:
    """Let a network see what stands on each pixel, by the land head of another.

    IN finds change. LAND is a checkpoint with a land head, such as land.safetensors of a training by
    configs/lite.yaml. OUT holds IN, and tower and land head of LAND beside it, which look where IN
    finds change likely. DATA is what configs/default.yaml learns from. With --weigh it learns an opinion
    of change, with --places to name places; each takes minutes. Prompts keep the CLIP of IN.
    """
    target = _checked(target)
    paths = locate_weights(source), locate_weights(land)
    for path in paths:
        _check_not_source(path, target)
    # Imported after the checks, as above.
    from geochange.models.weights.convert import join_land_network as write_joined
    from geochange.trainer.joined.lessons import learn_joined

    quiet = weigh is None and places is None
    with with_hint(RESTART_HINT), screen(quiet=quiet, log_json=False) as watch:
        then = partial(learn_joined, opinion=weigh, places=places, watch=watch)
        card = write_joined(*paths, target, **written, then=then)
    _show_written(target, card)


@weights.command(epilog="Example: geochange weights export changeclip-small changeclip.onnx")
@click.argument("source", metavar="MODEL")
@click.argument("target", metavar="OUT", type=File())
@click.option(
    "--prompts",
    type=click.Choice(["per-date", "published", "fixed"]),
    help="fixed: no CLIP inside; left out: as the checkpoint says",
)
@click.option("--clip", help="CLIP that names classes: MODEL/TAG, FILE or MODEL@FILE")
@click.option("--vocabulary", metavar="FILE", help="class names, one a line, in place of its own")
@click.option(
    "--stacked",
    is_flag=True,
    help="one input with both dates in 0-1 and a probability, for the QGIS plugin Deepness",
)
@click.option("--half", is_flag=True, help="weights in float16: half the size, nearly one answer")
@click.option("--tile", type=click.IntRange(32, 4096), help="tile size that it asks for")
def export(source: str, target: Path, **options: Any) -> None:
    """Write a ChangeCLIP as one ONNX file, which any runtime can run.

    MODEL is as that of `run`. OUT ends in .onnx and takes any batch, and sides that 32 divides. Its
    prompting is inside: class names are chosen for each picture as in a run. The land network that
    stands beside some is left out, so that changes have no names. `run --model OUT` finds what
    MODEL finds. OUT appears whole or not at all; an existing OUT is replaced.
    """
    target = _checked(target, ONNX)
    path = locate_weights(source)
    _check_not_source(path, target)
    # Imported after the checks, as above.
    from geochange.workflows.export_network import ExportOptions, check_export, export_network

    check_export(target)
    with with_hint(RESTART_HINT), naming_the_file(path):
        done = export_network(source, target, ExportOptions(**options))
    click.echo(
        f"{target}: opset {done.opset}, {done.operators:,} operators, {done.megabytes:,.0f} MB, its "
        f"answers within {done.off:.1g} of torch"
    )


@weights.command(
    epilog="Example: geochange weights calibrate small.safetensors DATA sure.safetensors"
)
@click.argument("source", metavar="IN")
@click.argument("data", metavar="DATA", type=Folder())
@click.argument("target", metavar="OUT", type=File())
@click.option(
    "--diagram",
    type=File(),
    metavar="FILE",
    help="a picture of how often polygons were changes, by their confidence (.png)",
)
def calibrate(source: str, data: Path, target: Path, diagram: Path | None) -> None:
    """Let a network say how sure each of its polygons is to be a change.

    OUT is IN with the confidence of its polygons, fitted to pairs planted into the pictures of DATA
    that are kept out of training, and to real visits of such places. Calibrate after every change of
    the network or of its threshold.
    """
    target = _checked(target)
    path = locate_weights(source)
    _check_not_source(path, target)
    if diagram is not None:
        check_target(expand_user(diagram))
    # Imported after the checks, as above.
    from geochange.training.metrics.reliability_plots import write_reliability
    from geochange.workflows.calibrate import calibrate as fit

    with with_hint(RESTART_HINT), screen(quiet=False, log_json=False) as watch:
        found = fit(path, target, data, watch=watch)
        if diagram is not None:
            write_reliability(expand_user(diagram), found.near, of="polygons")
    for name, said in (("near", found.near), ("far", found.far), ("by class", found.only)):
        if said is not None:
            click.echo(f"{name}: {said.pixels.sum():,} polygons, calibration error {said.ece:.3f}")
    click.echo(f"near polygons are written from a confidence of {found.rule.least_near:g} on")
    click.echo(f"{target}: {target.stat().st_size / 1e6:,.0f} MB")


def _show_written(target: Path, card: Card) -> None:
    click.echo(f"{target}: {title_of(card)}, {target.stat().st_size / 1e6:,.0f} MB")


@weights.command("list", epilog="Example: GEOCHANGE_WEIGHTS=~/weights geochange weights list")
def list_command() -> None:
    """List the weights in the folder GEOCHANGE_WEIGHTS."""
    folder = weights_folder()
    if folder is None:
        click.echo(
            f"{FOLDER_ENV} is not set; name your folder of weights: export {FOLDER_ENV}=~/weights"
        )
    elif not folder.is_dir():
        raise InputError(f"{FOLDER_ENV}={folder}: no such folder; create it, or name another one")
    elif not (files := list_weights()):
        click.echo(f"No weights (.pt, .pth, .bin, .safetensors or .onnx) in {folder}.")
    else:
        print_grid(_single_lines({path.name: summary_line(path) for path in files}))


def _single_lines(rows: Mapping[str, str]) -> dict[str, str]:
    """Rows whose texts, which come from files, are each on one line."""
    return {printable(name): printable(value) for name, value in rows.items()}


def _checked(given: Path, suffix: str = ".safetensors") -> Path:
    """The path of OUT. Raises OptionError for another suffix, OutputError for an impossible place."""
    target = expand_user(given)
    if target.suffix != suffix:
        raise OptionError(f"{target}: this command writes {suffix}; name it {target.stem}{suffix}")
    check_target(target)
    return target


def _check_not_source(source: Path, target: Path) -> None:
    """Refuse to overwrite IN, also by the temporary name of OUT."""
    for taken in (target, temporary_name(target)):
        if taken.exists() and taken.samefile(source):
            raise OutputError(f"{target}: would overwrite the input {source}; give another name")

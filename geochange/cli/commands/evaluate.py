"""`geochange evaluate`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geochange.cli.evaluation_tables import show_comparison, show_evaluation
from geochange.cli.options import given_options, options_of
from geochange.cli.path_types import File, Folder
from geochange.cli.progress_display import say_json, screen
from geochange.cli.rerun_hints import RESTART_HINT, with_hint
from geochange.config import CompareOptions, EvaluateOptions
from geochange.errors import InputError, OptionError, OutputError
from geochange.files.archives import file_on_disk, gdal_name
from geochange.files.atomic import write_text
from geochange.files.file_names import expand_user
from geochange.files.file_tree import archive_root, is_folder
from geochange.files.output_paths import check_folder, check_target, refuse_same_as_input
from geochange.files.report_files import refuse_foreign_image
from geochange.models import check_name

if TYPE_CHECKING:
    from geochange.workflows.compare import Comparison

WORST = 12
"""The number of chips on the contact sheet."""

_OF_CHIPS = {*EvaluateOptions.model_fields, "csv", "plots"} - {"tolerance"}
_OF_POLYGONS = {*CompareOptions.model_fields} - {"tolerance"}


@click.command(
    epilog="Example: geochange evaluate best.safetensors SYSU-CD --split test --plots pictures",
)
@click.argument("subject", metavar="MODEL|FOUND")
@click.argument("truth", metavar="ROOT|REFERENCE", type=Folder())
@options_of(EvaluateOptions)
@click.option("--pixel", type=float, metavar="X", help="of polygons: pixels of so many metres")
@click.option("--extent", metavar="RASTER", help="of polygons: compare on the grid of this raster")
@click.option("--within", metavar="FILE", help="of polygons: nothing counts outside of these")
@click.option(
    "--json",
    "json_file",
    type=File(),
    metavar="FILE",
    help="all figures",
)
@click.option("--csv", type=File(), metavar="FILE", help="a row a chip")
@click.option(
    "--plots",
    type=File(),
    metavar="DIR",
    help="folder for reliability.png and worst.png",
)
@click.option("--quiet", is_flag=True, help="print nothing but warnings and errors")
@click.option("--log-json", is_flag=True, help="print progress and result as lines of JSON")
def evaluate(
    subject: str,
    truth: Path,
    json_file: Path | None,
    quiet: bool,
    **given: Any,
) -> None:
    """Measure a model on labelled chips, or polygons against a reference.

    MODEL is any value of `geochange run --model`: a checkpoint, cva, irmad, package.module:Class.
    ROOT is the folder of a data set. The intervals are bootstrap intervals of 95 %, over chips.

    FOUND and REFERENCE are files of polygons (.gpkg, .geojson, .fgb, .shp, .kml and others). They
    are compared on the grid of the run that wrote FOUND, pixel by pixel and polygon by polygon.
    """
    chosen = set(given_options(given))
    # Behind --help: a library of polygons takes a moment.
    from geochange.vector.files.formats import is_vector

    found, reference = Path(gdal_name(subject)), Path(gdal_name(str(truth)))
    if is_vector(found) or is_vector(reference):
        _check_polygons(found, reference, chosen, json_file)
        values = {name: given[name] for name in CompareOptions.model_fields}
        _compare(found, reference, values, json_file, (quiet, given["log_json"]))
        return
    if extra := sorted(chosen & _OF_POLYGONS):
        raise OptionError(
            f"--{extra[0]} is for files of polygons; leave it out, or give two such files"
        )
    values = {name: given[name] for name in EvaluateOptions.model_fields}
    _check_chips(subject, truth, values)
    files = {"json": json_file, "csv": given["csv"], "plots": given["plots"]}
    _check_files(files)
    for name in ("json", "csv"):
        refuse_same_as_input(
            f"--{name}", files[name], [subject, values["vocabulary"], values["clip"]]
        )
    _measure(subject, truth, values, files, (quiet, given["log_json"]))


def _check_polygons(found: Path, reference: Path, chosen: set[str], json_file: Path | None) -> None:
    from geochange.vector.files.formats import VECTORS, exists, is_vector

    for path in (found, reference):
        if not is_vector(path):
            raise OptionError(
                f"{path}: not a file of polygons ({', '.join(VECTORS)}) like the other; "
                "give two of them, or a model and a folder of chips"
            )
        if not exists(path):
            raise InputError(f"{path}: no such file; check the path")
        refuse_same_as_input("--json", json_file, [file_on_disk(path)])
    if extra := sorted(chosen & _OF_CHIPS):
        raise OptionError(f"--{extra[0]} is for models and chips; leave it out to compare polygons")
    _check_file("json", json_file, ".json")


def _check_chips(model: str, root: Path, values: Mapping[str, Any]) -> None:
    """Refuse what is wrong before torch is loaded."""
    EvaluateOptions.parse(dict(values))
    check_name(model)
    if not is_folder(archive_root(expand_user(root))):
        raise InputError(f"{root}: no such folder; name the one that holds {values['split']}/")
    vocabulary = values["vocabulary"]
    if vocabulary and not Path(vocabulary).is_file():
        raise InputError(f"--vocabulary {vocabulary}: no such file; name a file of class names")
    from geochange.dataset import has_split, splits_of  # rasterio

    there = splits_of(root, values["layout"])
    if not has_split(root, values["split"], values["layout"]):
        raise OptionError(
            f"--split {values['split']}: {root} has {', '.join(there)}; add --split {there[-1]}"
        )


def _check_files(files: Mapping[str, Path | None]) -> None:
    """Refuse output files that cannot be written. Raises OutputError."""
    for name in ("json", "csv"):
        _check_file(name, files[name], f".{name}")
    plots = files["plots"]
    if plots is not None and plots.exists() and not plots.is_dir():
        raise OutputError(f"--plots {plots}: is a file; name a folder")
    if plots is None:
        return
    check_folder(plots / "worst.png" if plots.is_dir() else plots)
    for name in ("reliability.png", "worst.png"):
        if plots.is_dir():
            refuse_foreign_image(plots / name, "--plots")


def _check_file(name: str, path: Path | None, suffix: str) -> None:
    if path is None:
        return
    if path.suffix.lower() != suffix or path.is_dir():
        raise OutputError(f"--{name} {path}: name a file that ends in {suffix}")
    check_target(path)


def _measure(
    model: str,
    root: Path,
    values: Mapping[str, Any],
    files: Mapping[str, Path | None],
    silence: tuple[bool, bool],
) -> None:
    # Imported after the checks: torch loads slower than a refusal may take.
    from geochange.workflows.evaluate import evaluate as measure

    quiet, log_json = silence
    worst = WORST if files["plots"] else 0
    with with_hint(RESTART_HINT), screen(quiet, log_json) as report:
        found = measure(model, root, report, worst=worst, **values)
    writers = {"json": found.write_json, "csv": found.write_csv, "plots": found.write_plots}
    for name, path in files.items():
        if path is not None:
            writers[name](path)
    if log_json:
        say_json("result", **found.to_json())
    elif not quiet:
        show_evaluation(found)
        _show_written_files(files)


def _compare(
    found: Path,
    reference: Path,
    values: Mapping[str, Any],
    json_file: Path | None,
    silence: tuple[bool, bool],
) -> None:
    options = CompareOptions.parse(dict(values))
    # Imported after the checks, as above.
    from geochange.workflows.compare import compare

    quiet, log_json = silence
    with with_hint(RESTART_HINT):
        comparison = compare(
            found,
            reference,
            pixel_m=options.pixel,
            tolerance_px=options.tolerance,
            extent=options.extent,
            within=Path(gdal_name(options.within)) if options.within else None,
        )
    _show_comparison(comparison, json_file, quiet, log_json)


def _show_comparison(
    comparison: Comparison, json_file: Path | None, quiet: bool, log_json: bool
) -> None:
    if json_file is not None:
        text = json.dumps(comparison.to_json(), indent=2, ensure_ascii=False)
        write_text(json_file, text + "\n")
    if log_json:
        say_json("result", **comparison.to_json())
    elif not quiet:
        show_comparison(comparison)
        _show_written_files({"json": json_file})


def _show_written_files(files: Mapping[str, Path | None]) -> None:
    # Outside the table, which would cut a long path.
    for name, path in files.items():
        if path is not None:
            click.echo(f"{name:<6} {path}")

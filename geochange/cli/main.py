"""`geochange`: the group of commands, and what becomes of errors."""

from __future__ import annotations

import gc
import logging
import os
import sys
from typing import Any, NoReturn

import click

from geochange import __version__
from geochange.cli.import_path import leave_current_folder_out
from geochange.cli.lazy import lazy_group
from geochange.cli.rerun import words_of
from geochange.errors import GeochangeError, RunError

COMMANDS = {
    "run": (
        "geochange.cli.commands.run:run",
        "Find what changed between two rasters, as polygons.",
    ),
    "polygonize": (
        "geochange.cli.commands.polygonize:polygonize",
        "Draw the polygons again, from the probability.",
    ),
    "preview": (
        "geochange.cli.commands.preview:preview",
        "Draw before, after and changes as a PNG.",
    ),
    "check": ("geochange.cli.commands.check:check", "Look at a pair before it is compared."),
    "train": ("geochange.cli.commands.train:train", "Train ChangeCLIP on labelled chips."),
    "evaluate": (
        "geochange.cli.commands.evaluate:evaluate",
        "Measure a model or polygons against labels.",
    ),
    "data": ("geochange.cli.commands.data:data", "Make, list and check labelled chips."),
    "weights": (
        "geochange.cli.commands.weights:weights",
        "Show, convert, average and list files of weights.",
    ),
    "demo": ("geochange.cli.commands.demo:demo", "Make a pair with known changes and find them."),
}
"""Commands by name: where each lives, and its line in the help of the group."""

DONE, FAULT, REFUSED, INTERRUPTED = 0, 1, 2, 130


@click.group(
    cls=lazy_group(COMMANDS),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: geochange demo   or: geochange run before.tif after.tif --out changes.gpkg",
)
@click.version_option(__version__, prog_name="geochange")
def cli() -> None:
    """Two georeferenced pictures of the same ground in, polygons of what changed out."""


def main() -> None:
    """Run `geochange` and leave with its exit code; see `run_command`."""
    run_command(cli, "geochange")


def run_command(command: click.Command, name: str | None = None) -> NoReturn:
    """Run a command with the words of the command line and leave with its exit code.

    0 done, 1 fault, 2 refused input or options, 130 interrupted; what went wrong is one line.
    name: what it is called in its help; else the file's own.
    """
    leave_current_folder_out()
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.WARNING)
    # What GDAL says of a failure stands in the line that names it.
    logging.getLogger("rasterio").setLevel(logging.ERROR)
    code = _exit_code(sys.argv[1:], command, name or os.path.basename(sys.argv[0]))
    # Python would look through all of torch for cycles before it lets go: half a second.
    gc.freeze()
    sys.exit(code)


def _exit_code(arguments: list[str], command: click.Command = cli, name: str = "geochange") -> int:
    try:
        # With standalone_mode=False click returns the exit code of --help, and raises the rest.
        return command.main(arguments, prog_name=name, standalone_mode=False) or DONE
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "")
        return DONE
    except click.ClickException as error:
        _say(error.format_message(), _hint(error))
        return REFUSED
    except (KeyboardInterrupt, click.Abort) as error:
        _say(f"interrupted; {words_of(error)}")
        return INTERRUPTED
    except RunError as error:
        _say("; ".join(filter(None, (str(error), words_of(error)))))
        return FAULT
    except GeochangeError as error:
        _say(str(error))
        return REFUSED
    except Exception as error:  # the last resort of the command: one line, not a traceback
        if os.environ.get("GEOCHANGE_DEBUG"):
            raise
        reason = " ".join(str(error).split()) or "no reason given"
        _say(f"fault: {type(error).__name__}: {reason}", " (GEOCHANGE_DEBUG=1 shows where)")
        return FAULT


def _hint(error: click.ClickException) -> str:
    context: Any = getattr(error, "ctx", None)
    return f" (see {context.command_path} --help)" if context is not None else ""


def _say(message: str, hint: str = "") -> None:
    # Names from files end up in messages; what steers a terminal stays out.
    plain = "".join(c if c.isprintable() else " " for c in f"{message}{hint}")
    click.echo(f"geochange: {plain}", err=True)

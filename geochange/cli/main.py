"""`geochange`: the group of commands, and what becomes of errors."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from typing import Any, NoReturn

import click

from geochange import __version__
from geochange.cli.import_path import leave_current_folder_out
from geochange.cli.lazy import lazy_group
from geochange.cli.process import PrintError, prepare
from geochange.cli.rerun import words_of
from geochange.cli.system_faults import LATER, cure_of, memory_of
from geochange.errors import GeochangeError, RunError
from geochange.interrupt import Terminated, terminable

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
        "Show, convert, average, join and list files of weights.",
    ),
    "demo": ("geochange.cli.commands.demo:demo", "Make a pair with known changes and find them."),
}
"""Commands by name: where each lives, and its line in the help of the group."""

DONE, FAULT, REFUSED, INTERRUPTED = 0, 1, 2, 130

SIGNALLED = 128
"""What shells add to the number of the signal that ended a command."""

LONGEST_LINE = 4000
"""Characters of a message; a name can have a hundred thousand."""


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

    0 done, 1 fault, 2 refused input or options, 128 + n ended by signal n (130 by Ctrl-C); what
    went wrong is one line. name: what it is called in its help; else the file's own.
    """
    leave_current_folder_out()
    prepare()
    try:
        os.getcwd()
    except OSError:  # torch's libraries could not be loaded from here either
        _say("the current folder was deleted; change into another one (cd)")
        sys.exit(REFUSED)
    with terminable():
        code = _exit_code(sys.argv[1:], command, name or os.path.basename(sys.argv[0]))
    # Python would look through all of torch for cycles before it lets go: half a second.
    gc.freeze()
    sys.exit(code)


def _exit_code(arguments: list[str], command: click.Command = cli, name: str = "geochange") -> int:
    try:
        code = _invoke(arguments, command, name) or DONE
        if sys.stdout is not None:  # closed by whoever began this
            sys.stdout.flush()
        return code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "")
        return DONE
    except click.ClickException as error:
        _say(error.format_message(), _hint(error))
        return REFUSED
    except Terminated as error:
        _say(f"ended by {error}; {words_of(error)}")
        return SIGNALLED + error.number
    except (KeyboardInterrupt, click.Abort) as error:
        _say(f"interrupted; {words_of(error)}")
        return INTERRUPTED
    except RunError as error:
        return _failed(str(error), error)
    except GeochangeError as error:
        # What a library without memory says of a file must not pass for a fault of the file.
        if (lacking := memory_of(error.__cause__)) is not None:
            return _failed(lacking, error)
        _say(str(error))
        return REFUSED
    except PrintError as error:
        return _unread(error)
    except Exception as error:  # noqa: BLE001 - the last resort: one line, not a traceback
        return _unforeseen(error)


def _invoke(arguments: list[str], command: click.Command, name: str) -> int | None:
    """What click's own main does, but that it takes every broken pipe for a reader that is gone."""
    if f"_{name}_COMPLETE".replace("-", "_").upper() in os.environ:
        command.main(arguments, prog_name=name)  # words for the shell to offer
    try:
        with command.make_context(name, list(arguments)) as context:
            result: int | None = command.invoke(context)
            return result
    except click.exceptions.Exit as error:
        return error.exit_code


def _unforeseen(error: Exception) -> int:
    """The exit code of an error that is none of ours: the machine's, or a fault."""
    if (lacking := memory_of(error)) is not None:
        return _failed(lacking, error)
    if isinstance(error, OSError) and (cure := cure_of(error)) is not None:
        if error.errno in LATER:
            return _failed(cure, error)
        _say(cure)
        return REFUSED
    if os.environ.get("GEOCHANGE_DEBUG"):
        raise error
    reason = " ".join(str(error).split()) or "no reason given"
    _say(f"fault: {type(error).__name__}: {reason}", " (GEOCHANGE_DEBUG=1 shows where)")
    return FAULT


def _unread(error: PrintError) -> int:
    """The exit code where nobody reads what is printed: silent for `| head`, as of other programs."""
    if error.signal:
        return SIGNALLED + error.signal
    _say(f"the output cannot be printed ({error}); make room where it goes, or send it elsewhere")
    return FAULT


def _failed(message: str, error: BaseException) -> int:
    _say("; ".join(filter(None, (message, words_of(error)))))
    return FAULT


def _hint(error: click.ClickException) -> str:
    context: Any = getattr(error, "ctx", None)
    return f" (see {context.command_path} --help)" if context is not None else ""


def _say(message: str, hint: str = "") -> None:
    # Names from files end up in messages; what steers a terminal stays out.
    plain = "".join(c if c.isprintable() else " " for c in f"{message}{hint}")
    if len(plain) > LONGEST_LINE:
        plain = f"{plain[: LONGEST_LINE // 2]} ... {plain[-LONGEST_LINE // 2 :]}"
    with suppress(OSError, PrintError):  # a terminal that was closed
        click.echo(f"geochange: {plain}", err=True)

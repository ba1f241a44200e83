"""`geochange`: the group of commands, and the handling of errors."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from typing import Any, NoReturn

import click

from geochange import __version__
from geochange.cli.help_json import with_help_json
from geochange.cli.import_path import leave_current_folder_out
from geochange.cli.lazy_groups import lazy_group
from geochange.cli.process_setup import PrintError, prepare
from geochange.cli.rerun_hints import hint_of
from geochange.cli.system_errors import TEMPORARY_ERRNOS, out_of_memory_text, system_error_text
from geochange.errors import GeochangeError, RunError, one_line
from geochange.formatting import printable
from geochange.interrupt import Terminated, raise_on_termination

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
    "models": (
        "geochange.cli.commands.models:models",
        "Show the models that come along, and what each is made for.",
    ),
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
    "doctor": (
        "geochange.cli.commands.doctor:doctor",
        "Check this installation, and describe it for a report.",
    ),
}
"""Commands by name: the module of each, and its line in the help of the group."""

DONE, FAULT, REFUSED, INTERRUPTED = 0, 1, 2, 130

SIGNAL_EXIT_BASE = 128
"""The number that shells add to the signal that ended a command."""

LONGEST_LINE = 4000
"""The largest number of characters of a message. A name can have a hundred thousand."""


@click.group(
    cls=lazy_group(COMMANDS),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: geochange demo   or: geochange run before.tif after.tif --out changes.gpkg",
)
@click.version_option(__version__, prog_name="geochange")
def cli() -> None:
    """Two georeferenced pictures of the same ground in, polygons of what changed out."""


with_help_json(cli)


def main() -> None:
    """Run `geochange` and exit with its exit code; see `run_command`."""
    run_command(cli, "geochange")


def run_command(command: click.Command, name: str | None = None) -> NoReturn:
    """Run a command with the arguments of the command line, and exit with its exit code.

    0 done, 1 fault, 2 refused input or options, 128 + n ended by signal n (130 by Ctrl-C). Errors are
    one line. name: its name in the help; by default that of the file.
    """
    leave_current_folder_out()
    prepare()
    try:
        os.getcwd()
    except OSError:  # loading torch's libraries can fail here, too
        _print_error("the current folder was deleted; change into another one (cd)")
        sys.exit(REFUSED)
    with_help_json(command)
    with raise_on_termination():
        code = _exit_code(sys.argv[1:], command, name or os.path.basename(sys.argv[0]))
    # Otherwise Python searches all of torch for reference cycles at exit, which takes half a second.
    gc.freeze()
    sys.exit(code)


def _exit_code(arguments: list[str], command: click.Command = cli, name: str = "geochange") -> int:
    try:
        code = _invoke(arguments, command, name) or DONE
        if sys.stdout is not None:  # closed by the parent process
            sys.stdout.flush()
        return code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "")
        return DONE
    except click.ClickException as error:
        _print_error(error.format_message(), _hint(error))
        return REFUSED
    except Terminated as error:
        _print_error(f"ended by {error}; {hint_of(error)}")
        return SIGNAL_EXIT_BASE + error.number
    except (KeyboardInterrupt, click.Abort) as error:
        _print_error(f"interrupted; {hint_of(error)}")
        return INTERRUPTED
    except RunError as error:
        return _report_fault(str(error), error)
    except GeochangeError as error:
        # An error of a library that lacks memory must not look like a fault of a file.
        if (lacking := out_of_memory_text(error.__cause__)) is not None:
            return _report_fault(lacking, error)
        _print_error(str(error))
        return REFUSED
    except PrintError as error:
        return _exit_code_broken_pipe(error)
    except Exception as error:  # noqa: BLE001 - the last resort: one line, not a traceback
        return _exit_code_unexpected(error)


def _invoke(arguments: list[str], command: click.Command, name: str) -> int | None:
    """As click's own main, but a broken pipe always means that the reader has ended."""
    if f"_{name}_COMPLETE".replace("-", "_").upper() in os.environ:
        command.main(arguments, prog_name=name)  # completion for the shell
    try:
        with command.make_context(name, list(arguments)) as context:
            result: int | None = command.invoke(context)
            return result
    except click.exceptions.Exit as error:
        return error.exit_code


def _exit_code_unexpected(error: Exception) -> int:
    """The exit code of an unexpected error: a fault of the machine, or of geochange."""
    if (lacking := out_of_memory_text(error)) is not None:
        return _report_fault(lacking, error)
    if isinstance(error, OSError) and (cure := system_error_text(error)) is not None:
        if error.errno in TEMPORARY_ERRNOS:
            return _report_fault(cure, error)
        _print_error(cure)
        return REFUSED
    if os.environ.get("GEOCHANGE_DEBUG"):
        raise error
    reason = one_line(error) or "no reason given"
    _print_error(f"fault: {type(error).__name__}: {reason}", " (GEOCHANGE_DEBUG=1 shows where)")
    return FAULT


def _exit_code_broken_pipe(error: PrintError) -> int:
    """The exit code if nobody reads the output: silent for `| head`, as in other programs."""
    if error.signal:
        return SIGNAL_EXIT_BASE + error.signal
    _print_error(
        f"the output cannot be printed ({error}); make room where it goes, or send it elsewhere"
    )
    return FAULT


def _report_fault(message: str, error: BaseException) -> int:
    _print_error("; ".join(filter(None, (message, hint_of(error)))))
    return FAULT


def _hint(error: click.ClickException) -> str:
    context: Any = getattr(error, "ctx", None)
    return f" (see {context.command_path} --help)" if context is not None else ""


def _print_error(message: str, hint: str = "") -> None:
    # Messages contain names of files, so control characters are removed.
    plain = printable(f"{message}{hint}", " ")
    if len(plain) > LONGEST_LINE:
        plain = f"{plain[: LONGEST_LINE // 2]} ... {plain[-LONGEST_LINE // 2 :]}"
    with suppress(OSError, PrintError):  # a closed terminal
        click.echo(f"geochange: {plain}", err=True)

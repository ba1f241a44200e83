"""`geochange doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from geochange.cli.progress_display import say_json
from geochange.errors import RunError

if TYPE_CHECKING:
    from geochange.workflows.doctor import Diagnosis


@click.command(epilog="Example: geochange doctor")
@click.option("--log-json", is_flag=True, help="print the result as a line of JSON")
def doctor(log_json: bool) -> None:
    """Check this installation, and describe it for a report.

    It loads every library, lets GDAL, PROJ and each device do something small, and shows versions
    and paths. The name of the user is left out. It ends with exit code 1 where a check fails.
    """
    from geochange.workflows.doctor import examine  # the libraries are loaded in it

    found = examine()
    if log_json:
        say_json("result", **found.to_json())
    else:
        show(found)
    if found.failed:
        error = RunError(", ".join(f"{check.name}: {check.found}" for check in found.failed))
        error.add_note("then try again: geochange doctor")
        raise error


def show(found: Diagnosis) -> None:
    """Show it as text that can be pasted into an issue."""
    checks = {
        check.name: ("" if check.passed else "FAILED: ") + check.found for check in found.checks
    }
    for rows in (found.system, found.variables, found.packages, checks):
        for name, value in rows.items():
            click.echo(f"{name:<18}{value}")
        click.echo("" if rows else "no variable is set\n")

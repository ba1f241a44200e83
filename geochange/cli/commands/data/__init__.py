"""`geochange data`: the group of commands about labelled chips."""

from __future__ import annotations

import click

from geochange.cli.lazy_groups import lazy_group

COMMANDS = {
    "check": (
        "geochange.cli.commands.data.check:check",
        "Count, and look for leaks and odd labels.",
    ),
    "index": ("geochange.cli.commands.data.index:index", "Write train.txt, val.txt and test.txt."),
    "prompts": (
        "geochange.cli.commands.data.prompts:prompts",
        "Let CLIP name what every chip shows.",
    ),
    "planted": (
        "geochange.cli.commands.data.planted:planted",
        "Show pairs made by planting changes.",
    ),
    "chips": (
        "geochange.cli.commands.data.chips:chips",
        "Cut a labelled pair of rasters into chips.",
    ),
}
"""Commands by name: the module of each, and its line in the help of the group."""


@click.group(
    cls=lazy_group(COMMANDS),
    epilog="Start with: geochange data check SYSU-CD   or: geochange data chips --help",
)
def data() -> None:
    """Make, list and check labelled chips: time1/ time2/ label/ under train/, val/ and test/."""

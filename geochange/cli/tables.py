"""Tables on standard output: one layout for all."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text


def titled_table(title: str | None, first: str, *others: str, numbers: bool = True) -> Table:
    """An empty table with a bold first column. Other columns hold numbers, or text that wraps.

    Without a title and without column names, only the rows are shown.
    """
    named = bool(first or any(others))
    table = Table(title=title, title_justify="left", show_header=named)
    table.add_column(first, style="bold", no_wrap=True)
    for name in others:
        table.add_column(name, justify="right" if numbers else "left", overflow="fold")
    return table


def print_rows(rows: Mapping[str, str], title: str) -> None:
    """Print names and figures under a title."""
    table = titled_table(title, "", "")
    for name, value in rows.items():
        table.add_row(plain(name), plain(value))
    Console().print(table)


def print_grid(rows: Mapping[str, str]) -> None:
    """Print names and texts in two columns without lines."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(plain(name), plain(value))
    Console().print(table)


def plain(words: str) -> Text:
    """Text from a file, which is never read as markup."""
    return Text(words)

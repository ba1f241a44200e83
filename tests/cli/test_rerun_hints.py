"""The message after an interruption fits the command that was interrupted."""

from __future__ import annotations

import click
import pytest

from geochange.cli import main
from geochange.cli.rerun_hints import with_hint
from geochange.errors import RunError


@pytest.fixture
def ended_by(capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]  # a local function
    def end(error: type[BaseException], words: str | None) -> tuple[int, str]:
        @click.command()
        def command() -> None:
            if words is None:
                raise error("broke")
            with with_hint(words):
                raise error("broke")

        code = main._exit_code([], command)
        return code, capsys.readouterr().err.strip().splitlines()[-1]

    return end


def test_the_hint_follows_an_interruption(ended_by) -> None:  # type: ignore[no-untyped-def]  # as above
    usual = (130, "geochange: interrupted; the same command again goes on where it was")
    assert ended_by(KeyboardInterrupt, None) == usual
    assert ended_by(KeyboardInterrupt, "add --resume") == (
        130,
        "geochange: interrupted; add --resume",
    )


def test_the_hint_follows_an_error_of_the_run(ended_by) -> None:  # type: ignore[no-untyped-def]  # as above
    usual = (1, "geochange: broke; the same command again goes on where it was")
    assert ended_by(RunError, None) == usual
    assert ended_by(RunError, "add --resume") == (1, "geochange: broke")

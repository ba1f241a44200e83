"""What the command prints: JSON lines, nothing, or numbers with units; and one option per field."""

from __future__ import annotations

import json
from dataclasses import replace

import click
import pytest
from click.testing import CliRunner
from pydantic import BaseModel, Field

from geochange.cli.main import COMMANDS, cli
from geochange.cli.options import options_of
from geochange.cli.progress_display import screen
from geochange.config import RunOptions
from geochange.formatting import area
from geochange.progress import BlockFigures, show_blocks
from geochange.storage.traffic import Traffic


@pytest.mark.parametrize(
    ("square_metres", "words"),
    [
        (0, "0 m²"),
        (9_999, "9,999 m²"),
        (10_000, "1.00 ha"),
        (123_456, "12.35 ha"),
        (1e6, "1.00 km²"),
        (1_234_567_890, "1,234.57 km²"),
    ],
)
def test_areas_come_in_the_unit_people_say(square_metres: float, words: str) -> None:
    assert area(square_metres) == words


def test_json_lines_say_the_last_of_a_stage_always(capsys: pytest.CaptureFixture[str]) -> None:
    with screen(quiet=False, log_json=True) as report:
        for done in range(1, 101):
            report("infer", done, 100)
        report("write", 5, 5)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["event"] for line in lines} == {"progress"}
    told = [(line["stage"], line["done_px"], line["total_px"]) for line in lines]
    assert told[0] == ("infer", 1, 100)
    assert ("infer", 100, 100) in told
    assert told[-1] == ("write", 5, 5)
    assert len(told) < 20


def test_json_lines_say_how_much_of_the_whole_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    with screen(quiet=False, log_json=True, weights={"infer": 0.75, "write": 0.25}) as report:
        report("infer", 1, 2)
        report("infer", 2, 2)
        report("write", 1, 2)
        report("write", 2, 2)
        report("write", 0, 2)
    told = [json.loads(line)["share"] for line in capsys.readouterr().out.splitlines()]
    assert told == [0.375, 0.75, 0.875, 1.0]


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with screen(quiet=True, log_json=False) as report:
        report("infer", 1, 2)
    assert capsys.readouterr() == ("", "")


def test_bars_go_to_standard_error_and_leave_the_output_clean(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with screen(quiet=False, log_json=False) as report:
        report("infer", 50, 100)
        report("infer", 100, 100)
    told = capsys.readouterr()
    assert told.out == ""
    assert "infer" in told.err
    assert "100 %" in told.err


def test_every_field_is_an_option_with_its_default() -> None:
    class Options(BaseModel):
        far: float = Field(1.5, description="how far")
        many: int | None = Field(None, description="how many")
        loud_voice: bool = Field(False, description="whether to shout")
        name: str = Field("it", description="of what")

    @click.command()
    @options_of(Options)
    def command(**options: object) -> None:
        click.echo(json.dumps(options))

    defaults = {"far": 1.5, "many": None, "loud_voice": False, "name": "it"}
    assert json.loads(CliRunner().invoke(command, []).output) == defaults
    words = ["--far", "2", "--many", "3", "--loud-voice", "--name", "x"]
    told = json.loads(CliRunner().invoke(command, words).output)
    assert told == {"far": 2.0, "many": 3, "loud_voice": True, "name": "x"}


def test_help_of_run_lists_every_option() -> None:
    told = CliRunner().invoke(cli, ["run", "--help"])
    assert told.exit_code == 0
    for name in RunOptions.model_fields:
        assert f"--{name.replace('_', '-')}" in told.output
    assert "Example: geochange run" in told.output


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_of_the_table_is_there_under_its_name(name: str) -> None:
    told = CliRunner().invoke(cli, [name, "--help"])
    assert told.exit_code == 0
    assert told.output.startswith(f"Usage: cli {name}")
    assert COMMANDS[name][1] in " ".join(CliRunner().invoke(cli, ["--help"]).output.split())


FIGURES = BlockFigures(3, 8, 1.23456, 4.0, 2, Traffic(1_000_000, 2_000_000, 4_000_000, 5))


def test_json_lines_say_the_figures_of_blocks(capsys: pytest.CaptureFixture[str]) -> None:
    with screen(quiet=False, log_json=True) as report:
        show_blocks(report, FIGURES)
    said = json.loads(capsys.readouterr().out)
    del said["time"]
    assert said == {
        **{"event": "blocks", "blocks_done": 3, "blocks_total": 8, "blocks_per_s": 1.235},
        **{"left_s": 4.0, "workers": 2, "input_bytes": 1_000_000, "work_read_bytes": 2_000_000},
        **{"work_written_bytes": 4_000_000, "retries": 5},
    }


def test_a_bar_shows_the_blocks_of_a_cluster_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with screen(quiet=False, log_json=False) as report:
        report("infer", 1, 2)
        show_blocks(report, replace(FIGURES, workers=0))
    assert "blocks" not in capsys.readouterr().err
    with screen(quiet=False, log_json=False) as report:
        show_blocks(report, FIGURES)
    told = " ".join(capsys.readouterr().err.split())
    assert "blocks" in told and "3 MB in, 4 MB out, 5 retries" in told

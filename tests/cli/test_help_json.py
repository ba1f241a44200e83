"""`--help-json`: what a form needs to know of the options, the same as the command itself says."""

from __future__ import annotations

import json
from typing import Any

import click
import pytest
from click.testing import CliRunner
from doc_pages import ROOT, pipeline_command

from geochange.cli.help_json import with_help_json
from geochange.cli.main import cli
from geochange.config import RunOptions
from geochange.models import BUILTIN
from geochange.models.weights.locate import SHIPPED
from geochange.mosaic.taper import TAPERS


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    done = CliRunner().invoke(cli, ["--help-json"])
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.output)
    return found


def parameters(command: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {parameter["name"]: parameter for parameter in command["parameters"]}


def test_every_option_is_there_with_its_default(told: dict[str, Any]) -> None:
    found = parameters(told["commands"]["run"])
    assert [name for name in ("before", "after") if found[name]["kind"] == "argument"]
    for name, field in RunOptions.model_fields.items():
        assert (found[name]["default"], found[name]["help"]) == (field.default, field.description)
    assert found["out"]["required"] and found["out"]["type"] == "path"
    assert found["coregister"]["type"] == "boolean" and "metavar" not in found["coregister"]
    assert found["device"]["flags"] == ["--device", "--devices"]
    assert found["tile"]["group"] == "How it is worked"


def test_limits_and_values_are_those_of_the_code(told: dict[str, Any]) -> None:
    found = parameters(told["commands"]["run"])
    assert (found["tile"]["minimum"], found["tile"]["maximum"]) == (32, 4096)
    assert (found["threshold"]["exclusiveMinimum"], found["threshold"]["maximum"]) == (0, 1)
    assert found["taper"]["enum"] == list(TAPERS)
    assert found["model"]["examples"] == [*SHIPPED, *BUILTIN]
    assert parameters(told["commands"]["demo"])["size"]["minimum"] == 512
    for name, parameter in found.items():
        for value in parameter.get("enum", parameter.get("examples", [])):
            RunOptions.parse({name: value})


def test_a_command_says_the_same_by_itself(told: dict[str, Any]) -> None:
    done = CliRunner().invoke(cli, ["data", "chips", "--help-json"])
    alone = json.loads(done.output)
    inner = told["commands"]["data"]["commands"]["chips"]
    assert alone["parameters"] == inner["parameters"]
    assert alone["format"] == 1 and alone["help"] == inner["help"]


def test_a_pipeline_has_it_too() -> None:
    command = with_help_json(pipeline_command(ROOT / "pipelines" / "monitor.py"))
    found = parameters(json.loads(CliRunner().invoke(command, ["--help-json"]).output))
    assert found["source"]["many"] and found["pairs"]["enum"] == ["consecutive", "first-last"]


def test_it_is_added_once_and_hides_nothing() -> None:
    @click.command()
    @click.option("--much", type=float, default=2.0)
    def command(much: float) -> None:
        click.echo(f"{much}")

    assert len(with_help_json(with_help_json(command)).params) == 2
    assert CliRunner().invoke(command, ["--much", "3"]).output == "3.0\n"


@pytest.mark.parametrize("name", ["show", "convert", "average", "join", "export", "calibrate"])
def test_commands_for_weights_have_it_too(told: dict[str, Any], name: str) -> None:
    done = CliRunner().invoke(cli, ["weights", name, "--help-json"])
    assert done.exit_code == 0, done.output
    inner = told["commands"]["weights"]["commands"][name]
    assert json.loads(done.output)["parameters"] == inner["parameters"]

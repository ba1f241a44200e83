"""The words of a command from a filled form, and the command itself takes them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner
from doc_pages import ROOT, pipeline_command
from geochange_plugin.command.arguments import bands_of, command_words, settings_of, words_of
from geochange_plugin.command.errors import CommandError, PluginError
from geochange_plugin.command.options import CommandHelp, Option, form_options, load, parse, save

from geochange.cli.help_json import with_help_json
from geochange.cli.main import cli


@pytest.fixture(scope="module")
def manual() -> CommandHelp:
    """What the command of this project says of itself."""
    texts = {"geochange": CliRunner().invoke(cli, ["--help-json"]).output}
    for name in ("finetune.py", "monitor.py"):
        command = with_help_json(pipeline_command(ROOT / "pipelines" / name))
        texts[name] = CliRunner().invoke(command, ["--help-json"]).output
    return parse(texts)


def test_only_what_differs_from_the_defaults_is_said(manual: CommandHelp) -> None:
    options = manual.options("run")
    assert words_of(options, {option.name: option.default for option in options}) == []
    values = {
        "tile": 512,
        "min_area": 1234567.0,
        "threshold": 0.55,
        "orthogonal": True,
        "coregister": False,
        "stretch": "-5,10",
        "device": "",
        "clip": None,
    }
    assert set(words_of(options, values)) == {
        "--tile=512",
        "--min-area=1234567",
        "--threshold=0.55",
        "--orthogonal",
        "--stretch=-5,10",
    }


def test_the_command_takes_every_word(manual: CommandHelp) -> None:
    """Each option once, with a value that is not its default, as click parses it."""
    options = form_options(manual.options("run"), ("log_json", "dry_run", "quiet"))
    values = {option.name: _other(option) for option in options}
    words = command_words([], words_of(options, values), ["-before.tif", "after.tif"])
    run = cli.get_command(None, "run")  # type: ignore[arg-type]
    assert run is not None
    taken = run.make_context("run", words).params
    assert (taken["before"], taken["log_json"]) == ("-before.tif", True)
    assert {name: str(taken[name]) for name in values} == {n: str(v) for n, v in values.items()}


def _other(option: Option) -> Any:
    if option.kind == "boolean":
        return True
    if option.kind == "integer":
        return (option.lowest or 1) + 1
    if option.kind == "number":
        return 0.25
    return option.values[-1] if option.values else "-text"


def test_what_a_pipeline_passes_on(manual: CommandHelp) -> None:
    words = settings_of(manual.options("run"), {"tile": 512, "coregister": True, "model": None})
    assert sorted(words) == ["--set=coregister=true", "--set=tile=512"]
    several = next(o for o in manual.options("finetune.py") if o.name == "settings")
    assert words_of([several], {"settings": ["a=1", "b=2"]}) == ["--set=a=1", "--set=b=2"]


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ([], [], None),
        ([4, 3, 2], [], "4,3,2"),
        ([], [1], "1"),
        ([4, 3, 2], [4, 3, 2], "4,3,2"),
        ([4, 3, 2], [3, 2, 1], "4,3,2:3,2,1"),
    ],
)
def test_bands_as_the_option_writes_them(
    before: list[int], after: list[int], text: str | None
) -> None:
    assert bands_of(before, after) == text


def test_as_many_bands_of_each_date() -> None:
    with pytest.raises(PluginError, match="3 bands are chosen before and 1 after"):
        bands_of([1, 2, 3], [4])


def test_what_is_kept_is_read_again(manual: CommandHelp, tmp_path: Any) -> None:
    file = tmp_path / "profile" / "options.json"
    assert load(file) is None
    save(manual, file)
    again = load(file)
    assert again is not None and again.version == manual.version
    assert again.options("run") == manual.options("run")
    file.write_text('{"geochange": {"format": 99}}')
    assert load(file) is None


@pytest.mark.parametrize("text", ["no JSON", "[]", json.dumps({"format": 2, "version": "9"})])
def test_another_form_is_refused_with_a_cure(text: str) -> None:
    with pytest.raises(CommandError, match=r"install geochange again|update the plugin"):
        parse({"geochange": text})


def test_limits_and_values_reach_the_form(manual: CommandHelp) -> None:
    options = {option.name: option for option in manual.options("run")}
    assert (options["threshold"].lowest, options["threshold"].highest) == (0, 1)
    assert options["taper"].values == ("hann", "linear", "flat")
    assert options["min_area"].title == "Min area"
    assert manual.options("data", "chips") and "LABELS" in manual.help("data", "chips")
    assert manual.options("no such command") == []

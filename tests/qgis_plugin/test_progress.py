"""What a command says reaches the form: its share, stages, warnings, its result or its error."""

from __future__ import annotations

import json

import pytest
from geochange_plugin.command.errors import CommandError
from geochange_plugin.command.progress import OutputReader
from geochange_plugin.command.results import check_lines, comparison_lines, gain_lines

from geochange.cli.progress_display import say_json, screen


class Heard:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.shares: list[float] = []
        self.stages: list[str] = []
        self.edits: list[str] = []
        self.warned: list[str] = []

    def share(self, done: float) -> None:
        self.shares.append(done)

    def stage(self, text: str) -> None:
        self.stages.append(text)

    def say(self, text: str) -> None:
        self.edits.append(text)

    def warn(self, text: str) -> None:
        self.warned.append(text)


def test_it_reads_what_the_command_writes(capsys: pytest.CaptureFixture[str]) -> None:
    with screen(quiet=False, log_json=True, weights={"infer": 0.9, "write": 0.1}) as report:
        report("infer", 5, 10)
        report("infer", 10, 10)
        report("write", 1, 1)
    say_json("result", out="changes.gpkg", polygons=3)
    heard = Heard()
    follower = OutputReader(heard)
    for line in capsys.readouterr().out.splitlines():
        follower.on_line("out", line + "\n")
    assert heard.shares == [0.45, 0.9, 1.0]
    assert heard.stages == ["Looking for change", "Writing files"]
    assert follower.ended(0)["polygons"] == 3 and heard.edits == []


def test_stages_side_by_side_are_told_once_and_notes_now_and_then() -> None:
    heard = Heard()
    follower = OutputReader(heard)

    def tell(stage: str, share: float, note: str = "") -> None:
        event = {"event": "progress", "stage": stage, "share": share, "note": note}
        follower.on_line("out", json.dumps(event))

    for step in range(10):
        tell("infer", 0.01 * step)
        tell("polygons", 0.01 * step)
    assert heard.stages == ["Looking for change", "Drawing polygons"]
    tell("learn", 0.1, "loss 0.5")
    tell("learn", 0.101, "loss 0.4")
    tell("learn", 0.13, "loss 0.3")
    assert heard.stages[2:] == ["Learning (loss 0.5)", "Learning (loss 0.3)"]


def test_warnings_and_the_error_with_its_cure() -> None:
    heard = Heard()
    follower = OutputReader(heard)
    follower.on_line("err", "WARNING after lies 2 px south: --coregister puts it back\n")
    follower.on_line("err", "geochange: a.tif: no such file; check the path\n")
    assert heard.warned == ["after lies 2 px south: --coregister puts it back"]
    with pytest.raises(CommandError, match=r"^a.tif: no such file; check the path$"):
        follower.ended(2)


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        (
            "/usr/bin/python3: No module named geochange",
            1,
            "this Python has no geochange; Settings",
        ),
        ("", -9, "ended by signal 9; run the same again"),
        ("Segmentation fault", 139, r"code 139 \(Segmentation fault\); see Diagnostics"),
    ],
)
def test_an_error_without_a_line_of_its_own_has_a_cure_too(
    line: str, code: int, words: str
) -> None:
    follower = OutputReader(Heard())
    follower.on_line("err", line)
    with pytest.raises(CommandError, match=words):
        follower.ended(code)


def test_a_broken_environment_is_told_without_its_traceback() -> None:
    heard = Heard()
    follower = OutputReader(heard)
    for line in (
        "Traceback (most recent call last):",
        '  File "x.py", line 1, in <module>',
        "ImportError: libtorch.so: cannot open shared object file",
    ):
        follower.on_line("err", line)
    assert heard.edits == []
    with pytest.raises(
        CommandError, match=r"is broken \(ImportError: libtorch.so.*installs it anew"
    ):
        follower.ended(1)


def test_another_version_of_geochange_is_told_as_such() -> None:
    follower = OutputReader(Heard())
    follower.on_line("err", "geochange: No such option '--new'. (see geochange run --help)")
    with pytest.raises(CommandError, match=r"another version of geochange .*'--new'.*press Try it"):
        follower.ended(2)


def test_lines_that_are_no_events_are_for_the_log() -> None:
    heard = Heard()
    follower = OutputReader(heard)
    for line in ("{not JSON", '{"a": 1}', "plain"):
        follower.on_line("out", line)
    assert heard.edits == ["{not JSON", '{"a": 1}', "plain"]


def test_results_as_lines() -> None:
    date = {
        "acquired": "2024-05-31",
        "crs": "EPSG:32632",
        "shape": [512, 1024],
        "pixel_m": 0.5,
        "bands": 3,
        "dtype": "uint8",
        "nodata": 0.25,
        "cloud": 0.0,
    }
    ground = {"km2": 0.0655, "of_before": 1.0, "of_after": 0.5}
    pair = {"before": date, "after": {**date, "acquired": None}, "common_ground": ground}
    lines = check_lines({**pair, "shift_px": [3.0, -4.0], "warnings": []})
    assert lines[0].startswith("before: taken 2024-05-31, EPSG:32632, 1,024 x 512 px of 0.5 m")
    assert "taken not said" in lines[1] and "50% of after" in lines[2]
    assert lines[3:] == ["shift of after: 5.0 px", "Nothing speaks against comparing them."]
    figures = dict.fromkeys(("iou", "f1", "precision", "recall"), 0.5)
    found = {"pixels": figures, "boundary": {"tolerance_px": 2, "f1": 0.25}}
    told = comparison_lines({**found, "left_out": {"found": 0, "reference": 2}})
    assert told[-2:] == [
        "boundary F1, 2 px: 0.2500",
        "reference: 2 polygons lie elsewhere and are left out",
    ]
    gain = {"before": {"f1": 0.5}, "after": {"f1": 0.4}}
    assert gain_lines(gain) == ["f1: 0.500 before, 0.400 after (-0.100)"]

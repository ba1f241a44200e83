"""Options from YAML, `--set`, and options written out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from geochange.config import TrainOptions
from geochange.config.yaml_files import LARGEST_BYTES, parse_setting, read_options, to_yaml
from geochange.errors import GeochangeError, InputError, OptionError

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))


def read(tmp_path: Path, text: str, **overrides: object) -> TrainOptions:
    file = tmp_path / "options.yaml"
    file.write_text(text)
    return read_options(TrainOptions, file, overrides)


def test_a_file_overrides_defaults_and_settings_override_the_file(tmp_path: Path) -> None:
    options = read(
        tmp_path, "optim: {lr: 3e-5, steps: 1700}", **{"optim.steps": 1900, "data.root": "x"}
    )
    assert (options.optim.lr, options.optim.steps, options.data.root) == (3e-5, 1900, "x")
    assert options.optim.warmup_steps == 1500


def test_what_is_written_out_reads_the_same_again(tmp_path: Path) -> None:
    options = read(tmp_path, "seed: 3\noptim: {batch: 4, betas: [0.5, 0.9]}\ndata: {name: 'a: b'}")
    assert read(tmp_path, to_yaml(options)) == options
    assert read(tmp_path, to_yaml(TrainOptions())) == TrainOptions() == read(tmp_path, "")


def test_every_option_says_what_it_means() -> None:
    for line in to_yaml(TrainOptions()).splitlines():
        assert re.search(r": .*# \S+|:  # \S+", line), line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("optim: {lrr: 1}", "no option optim.lrr; there are loss, lr, "),
        ("optimm: {lr: 1}", "no option optimm; there are seed, "),
        ("optim: {lr: -1}", "optim.lr -1"),
        ("optim: {lr: fast}", "optim.lr fast"),
        ("optim: 3", "optim is a section; set options in it, such as optim.loss"),
        (
            "optim: {steps: 4, warmup_steps: 5}",
            "options.yaml: optim.warmup_steps 5 is more than optim.steps 4",
        ),
        ("data: {train: val}", "options.yaml: data.train and data.val are both val"),
        ("augment: {size: 100}", "augment.size 100"),
        ("network: {variant: huge}", "optim.batch has no number for network.variant huge"),
        ("device: {devices: 0}", "at least 1"),
        ("[1, 2]", "not a list of options by name"),
        ("7: 3", "not a list of options by name"),
        ("just words", "not a list of options by name"),
        ("optim: {lr: 1}\noptim: {lr: 2}", "optim occurs twice"),
        ("data: &a {name: x}\noptim: *a", "aliases"),
        ("x: !!python/object/apply:os.system [true]", "not valid YAML"),
        ("a: [1", "not valid YAML"),
        ("{[1]: 2}", "not valid YAML"),
        ("a: " + "[" * 3000, "not valid YAML"),
        ("#" * (LARGEST_BYTES + 1), "too large"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(GeochangeError, match=re.escape(told)) as refused:
        read(tmp_path, text)
    assert str(tmp_path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing\.yaml cannot be read"):
        read_options(TrainOptions, tmp_path / "missing.yaml", {})
    binary = tmp_path / "picture.yaml"
    binary.write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(InputError, match="it is not text"):
        read_options(TrainOptions, binary, {})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("optim.steps=5", ("optim.steps", 5)),
        ("data.root=/a b/c=d", ("data.root", "/a b/c=d")),
        ("network.start=null", ("network.start", None)),
        ("optim.betas=[0.5, 0.9]", ("optim.betas", [0.5, 0.9])),
        ("data.name=", ("data.name", None)),
    ],
)
def test_settings_are_values_of_yaml(text: str, value: tuple[str, object]) -> None:
    assert parse_setting(text) == value


def test_numbers_as_people_write_them(tmp_path: Path) -> None:
    # YAML 1.1 reads 1e-4 as a string.
    assert read(tmp_path, "", **dict([parse_setting("optim.lr=1e-4")])).optim.lr == 1e-4


@pytest.mark.parametrize("text", ["optim.lr", "=3", "a..b=1", "a=[1", "a=!!python/name:os.system"])
def test_settings_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(OptionError, match="--set"):
        parse_setting(text)


def test_a_setting_inside_a_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="seed is not a section"):
        read(tmp_path, "seed: 3", **{"seed.x": 1})


@pytest.mark.parametrize(
    ("text", "setting", "blamed"),
    [
        ("optim: {lr: 1}", "optim.lr=-1", "--set: optim.lr -1"),
        ("optim: {lr: 1}", "optim=3", "--set: optim is a section"),
        ("optim: {lr: 1}", "optim.lrr=1", "--set: no option optim.lrr"),
        ("optim: {lr: -1}", "seed=3", "options.yaml: optim.lr -1"),
        ("optim: {warmup_steps: 9}", "optim.steps=4", "options.yaml and --set optim.steps: "),
        ("network: {variant: huge}", "seed=1", "options.yaml and --set seed: optim.batch"),
    ],
)
def test_a_mistake_is_blamed_on_whoever_made_it(
    tmp_path: Path, text: str, setting: str, blamed: str
) -> None:
    with pytest.raises(OptionError) as refused:
        read(tmp_path, text, **dict([parse_setting(setting)]))
    assert blamed in str(refused.value)
    assert blamed.startswith("options.yaml") or "options.yaml" not in str(refused.value)


def test_there_is_a_configuration_of_every_set() -> None:
    names = {path.stem for path in CONFIGS}
    assert {"sysu", "levir", "levir_plus", "whu", "cdd", "smoke"} <= names


PUBLISHED = {
    "sysu": (3e-5, 20_000),
    "levir": (1e-4, 30_000),
    "levir_plus": (1e-4, 40_000),
    "whu": (1e-4, 20_000),
    "cdd": (1e-4, 40_000),
}


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize(("variant", "batch"), [("rn50", 40), ("vit-b16", 24)])
def test_published_numbers(name: str, variant: str, batch: int) -> None:
    file = ROOT / "configs" / f"{name}.yaml"
    options = read_options(TrainOptions, file, {"network.variant": variant})
    assert (options.optim.lr, options.optim.steps) == PUBLISHED[name]
    assert options.batch == batch
    assert (options.optim.weight_decay, options.optim.betas) == (0.01, (0.9, 0.999))
    assert (options.optim.warmup_steps, options.optim.warmup_factor) == (1500, 1e-6)
    assert options.optim.loss == "cross_entropy"
    assert options.network.start == "clip"
    assert (options.augment.size, options.augment.crop_share) == (256, 0.75)

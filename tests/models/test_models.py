"""Models by name: found, built once per process, or refused with one line."""

from __future__ import annotations

import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import pytest

from geochange.config import RunOptions
from geochange.errors import OptionError
from geochange.models import BUILTIN, SHIPPED, ModelSpec, build, cached_model, check_name
from geochange.models.protocol import ChangeModel


class Counted:
    """A model that counts how often it was created, and keeps its statistics."""

    bands = None
    threshold = 0.5
    made = 0

    def __init__(self) -> None:
        type(self).made += 1
        self.device = self.statistics = None

    def to(self, device: str) -> None:
        self.device = device

    def fit(self, sample: Any) -> dict[str, Any]:
        return {}

    def adopt(self, statistics: Any) -> None:
        self.statistics = statistics

    def change_logits(self, batch: Any) -> Any:
        raise NotImplementedError


class NoModel:
    kind: ClassVar[str] = "spoon"


COUNTED = f"{__name__}:Counted"


def test_the_default_is_built_in() -> None:
    default = RunOptions().model
    assert default in SHIPPED and SHIPPED[default].is_file()


@pytest.mark.parametrize("name", ["cva", "irmad"])
def test_a_name_of_the_table_is_built(name: str) -> None:
    assert isinstance(build(name), ChangeModel)


@pytest.mark.parametrize("name", list(BUILTIN))
def test_names_of_the_table_are_known(name: str) -> None:
    check_name(name)


def test_a_dotted_path_is_built_and_put_on_the_device() -> None:
    model = build(COUNTED, "meta")
    assert isinstance(model, Counted)
    assert model.device == "meta"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("cav", "--model cav: not known; choose changeclip-small, cva, irmad"),
        ("", "--model : not known"),
        ("nowhere.at.all:Model", "--model nowhere.at.all:Model: cannot be imported"),
        (f"{__name__}:Missing", f"--model {__name__}:Missing: cannot be imported"),
        (":Model", "--model :Model: not known; choose"),
        (r"C:\weights\net", r"--model C:\weights\net: not known; choose"),
        (
            f"{__name__}:NoModel",
            f"--model {__name__}:NoModel: NoModel is not a ChangeModel; it needs",
        ),
    ],
)
def test_what_is_no_model_is_refused(name: str, line: str) -> None:
    with pytest.raises(OptionError) as caught:
        cached_model(ModelSpec(name))
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_a_spec_is_the_same_however_it_was_put_together() -> None:
    one = ModelSpec("cva", "cpu", {"a": [1.5], "b": 2})
    other = ModelSpec("cva", "cpu", {"b": 2, "a": [1.5]})
    assert one.key() == other.key() == pickle.loads(pickle.dumps(one)).key()


@pytest.mark.parametrize(
    "other",
    [
        ModelSpec("irmad", "cpu", {"a": 1}),
        ModelSpec("cva", "cpu", {"a": 1}, sha256="0"),
        ModelSpec("cva", "cpu", {"a": 2}),
        ModelSpec("cva", "cpu"),
    ],
)
def test_another_spec_has_another_key(other: ModelSpec) -> None:
    assert other.key() != ModelSpec("cva", "cpu", {"a": 1}).key()


def test_where_a_model_is_computed_is_no_part_of_its_key() -> None:
    keys = {ModelSpec("cva", device, {"a": 1}).key() for device in ("cpu", "cuda:0", "auto", "0,1")}
    assert len(keys) == 1


def test_numbers_of_a_spec_keep_their_last_bit() -> None:
    value = 0.1 + 0.2
    assert json.loads(ModelSpec("cva", "cpu", {"a": value}).key())[1]["a"] == value


def test_many_threads_share_one_model_of_a_spec() -> None:
    spec = ModelSpec(COUNTED, "cpu", {"only": "here"})
    before = Counted.made
    with ThreadPoolExecutor(8) as pool:
        models = list(pool.map(lambda _: cached_model(spec), range(32)))
    assert Counted.made == before + 1
    assert len({id(model) for model in models}) == 1
    assert models[0].statistics == {"only": "here"}
    assert cached_model(ModelSpec(COUNTED, "cpu", {"only": "there"})) is not models[0]

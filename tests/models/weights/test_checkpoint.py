from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from changeclip_cases import CLIP_SHAPE, SMALL, SMALL_LITE, small, small_clip
from safetensors.torch import save_file

from geochange.errors import InputError, OutputError
from geochange.models.changeclip.land_cover_head import LandOptions
from geochange.models.detector import DetectorSpec
from geochange.models.prompts import published_vocabulary
from geochange.models.weights import checkpoint as module
from geochange.models.weights.checkpoint import (
    Checkpoint,
    read_checkpoint,
    read_clip,
    write_checkpoint,
)
from geochange.models.weights.convert import convert
from geochange.models.weights.locate import (
    FOLDER_ENV,
    SHIPPED,
    clip_file,
    list_weights,
    locate_weights,
)
from geochange.models.weights.model_card import Card
from geochange.models.weights.openclip import Published, read_shape
from geochange.models.weights.resume_state import ResumeState, read_resume_state

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER_ENV, raising=False)


def _checkpoint(kind: str = "resnet") -> Checkpoint:
    card = Card(
        SMALL[kind],
        prompts="published",
        threshold=0.4,
        metrics={"iou": 0.71},
        provenance={"data": "SYSU-CD"},
        licence="CC-BY-4.0",
    )
    return Checkpoint(card, small(kind).state_dict())


@pytest.mark.parametrize("kind", SMALL)
def test_what_is_written_is_read(kind: str, tmp_path: Path) -> None:
    written = _checkpoint(kind)
    write_checkpoint(tmp_path / "model.safetensors", written)
    read = read_checkpoint(tmp_path / "model.safetensors")
    assert read.card == written.card
    state = read.build().state_dict()
    assert all(torch.equal(state[name], value) for name, value in written.tensors.items())
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("inf"), float("nan")])
def test_a_temperature_that_is_none_is_refused(temperature: float) -> None:
    text = Card(SMALL["resnet"], temperature=temperature).to_json()
    with pytest.raises(InputError, match="temperature"):
        Card.from_json(text)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        write_checkpoint(tmp_path / "none" / "model.safetensors", _checkpoint())


@pytest.mark.parametrize("kind", SMALL)
def test_the_authors_file_is_known_by_its_tensors(kind: str, tmp_path: Path) -> None:
    state = small(kind).state_dict()
    torch.save({"meta": {"epoch": 3}, "state_dict": state}, tmp_path / "best.pth")
    read = read_checkpoint(tmp_path / "best.pth")
    assert read.card.options == SMALL[kind]
    assert (read.card.prompts, read.card.threshold) == ("per-date", 0.5)
    assert read.card.vocabulary == published_vocabulary()
    assert torch.equal(read.build().gamma, state["gamma"])


def test_data_parallel_names_are_plain_again(tmp_path: Path) -> None:
    state = {f"module.{name}": value for name, value in small("vit").state_dict().items()}
    torch.save(state, tmp_path / "best.pth")
    assert read_checkpoint(tmp_path / "best.pth").card.options == SMALL["vit"]


def test_convert(tmp_path: Path) -> None:
    torch.save({"state_dict": small("vit").state_dict()}, tmp_path / "best.pth")
    card = convert(tmp_path / "best.pth", tmp_path / "ours.safetensors")
    assert card.provenance == {"source": "best.pth"}
    assert read_checkpoint(tmp_path / "ours.safetensors").card == card


def test_convert_to_half_precision(tmp_path: Path) -> None:
    torch.save({"state_dict": small("vit").state_dict()}, tmp_path / "best.pth")
    convert(tmp_path / "best.pth", tmp_path / "whole.safetensors")
    convert(tmp_path / "best.pth", tmp_path / "half.safetensors", half=True)
    whole, half = (tmp_path / f"{name}.safetensors" for name in ("whole", "half"))
    assert half.stat().st_size < 0.52 * whole.stat().st_size
    built = read_checkpoint(half).build().state_dict()
    for name, value in read_checkpoint(whole).build().state_dict().items():
        assert built[name].dtype == value.dtype
        torch.testing.assert_close(built[name], value, atol=1e-4, rtol=1e-3)


def test_wrong_tensors_are_listed(tmp_path: Path) -> None:
    tensors = dict(small("resnet").state_dict())
    tensors["gamma"] = torch.ones(7)
    del tensors["backbone.conv1.weight"]
    tensors["surplus"] = torch.ones(1)
    checkpoint = Checkpoint(Card(SMALL["resnet"]), tensors)
    with pytest.raises(InputError) as refused:
        checkpoint.build()
    message = str(refused.value)
    assert "backbone.conv1.weight is missing" in message
    assert "surplus has no place" in message
    assert "gamma is (7,), expected (32,)" in message


def test_only_the_first_few_wrong_tensors_are_listed() -> None:
    with pytest.raises(InputError, match=r"4 missing|; .* and \d+ more$"):
        Checkpoint(Card(SMALL["resnet"]), {}).build()


@pytest.mark.parametrize("size", [100, 5000])
@pytest.mark.parametrize("name", ["model.safetensors", "model.pth"])
def test_a_truncated_file_is_named(name: str, size: int, tmp_path: Path) -> None:
    path = tmp_path / name
    if name.endswith("pth"):
        torch.save({"state_dict": small("resnet").state_dict()}, path)
    else:
        write_checkpoint(path, _checkpoint())
    path.write_bytes(path.read_bytes()[:-size])
    with pytest.raises(InputError, match=r"model\.(safetensors|pth): .*truncated or damaged"):
        read_checkpoint(path)


def test_neither_changeclip_nor_clip(tmp_path: Path) -> None:
    save_file({"conv.weight": torch.ones(2)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match=r"neither ChangeCLIP's nor CLIP's.*conv\.weight"):
        read_checkpoint(tmp_path / "other.safetensors")


def test_one_models_weights_given_for_the_others(tmp_path: Path) -> None:
    save_file(small_clip().state_dict(), tmp_path / "clip.safetensors")
    write_checkpoint(tmp_path / "model.safetensors", _checkpoint())
    with pytest.raises(InputError, match="--clip takes them"):
        read_checkpoint(tmp_path / "clip.safetensors")
    with pytest.raises(InputError, match="--model takes them"):
        read_clip(str(tmp_path / "model.safetensors"))


def test_the_folder_of_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=f"no weights at model.pth; {FOLDER_ENV} may name"):
        locate_weights("model.pth")
    assert list_weights() == []
    monkeypatch.setenv(FOLDER_ENV, str(tmp_path))
    for name in ("model.pth", "notes.txt"):
        (tmp_path / name).touch()
    assert locate_weights("model.pth") == tmp_path / "model.pth"
    assert list_weights() == [tmp_path / "model.pth"]
    with pytest.raises(InputError, match="nor in"):
        locate_weights("other.pth")
    with pytest.raises(InputError, match="is a folder; name the file"):
        locate_weights(tmp_path)
    with pytest.raises(InputError, match=f"in it, such as {tmp_path}/model.pth"):
        clip_file(str(tmp_path))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_clip_files_of_every_kind(tmp_path: Path) -> None:
    state = small_clip().state_dict()
    save_file(state, tmp_path / "a.safetensors")
    torch.save(state, tmp_path / "b.bin")
    torch.save({"state_dict": {f"module.{n}": v for n, v in state.items()}}, tmp_path / "c.pt")
    custom = {n if n.startswith(("visual.", "logit")) else f"text.{n}": v for n, v in state.items()}
    torch.save(custom, tmp_path / "d.bin")
    for name in ("a.safetensors", "b.bin", "c.pt", "d.bin"):
        read = read_clip(str(tmp_path / name))
        assert not read.quickgelu
        assert read.tensors.keys() == state.keys()
        assert all(torch.equal(read.tensors[n], state[n]) for n in state)
        assert read_shape(read.tensors) == CLIP_SHAPE
    assert read_clip(f"ViT-B-32-quickgelu@{tmp_path / 'b.bin'}").quickgelu


class _Archived(torch.nn.Module):
    """Like OpenAI's archives: the model, and three numbers."""

    def __init__(self) -> None:
        super().__init__()
        for name, child in small_clip().named_children():
            self.add_module(name, child)
        for name, parameter in small_clip().named_parameters(recurse=False):
            self.register_parameter(name, parameter)
        for name in ("input_resolution", "context_length", "vocab_size"):
            self.register_buffer(name, torch.tensor(32))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        seen: torch.Tensor = self.visual(image)
        return seen


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_openais_archive_wants_quickgelu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    traced = torch.jit.trace(_Archived(), torch.zeros(1, 3, 32, 32))
    torch.jit.save(traced, tmp_path / "ViT-B-16.pt")
    monkeypatch.setenv(FOLDER_ENV, str(tmp_path))
    for name in ("ViT-B-16.pt", "ViT-B-16-quickgelu/openai", "ViT-B-16-quickgelu"):
        read = read_clip(name)
        assert read.quickgelu
        assert read.tensors.keys() == small_clip().state_dict().keys()


def test_no_network_and_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(entry: Published) -> str:
        raise OSError("no route to host")

    monkeypatch.setattr(module, "download", fail)
    monkeypatch.setenv(FOLDER_ENV, str(tmp_path))
    with pytest.raises(InputError) as refused:
        read_clip("ViT-B-16-quickgelu/openai")
    for part in ("no route", "https://", "as ViT-B-16.pt into", str(tmp_path), "--prompts fixed"):
        assert part in str(refused.value)


def test_a_clip_nobody_knows() -> None:
    with pytest.raises(InputError, match="neither a file nor a MODEL/TAG"):
        read_clip("ViT-Q-16")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('"changeclip/1"', '"changeclip/9"'), "'changeclip/9'"),
        (('"published"', '"sometimes"'), "sometimes"),
        (('"threshold": 0.4', '"threshold": 4'), "between 0 and 1"),
        (('"licence"', '"license"'), "license"),
        (('"format": "', '"format": "x'), "it is of format 'x"),
        (('"blocks"', '"bricks"'), "bricks"),
        (("{", "["), "cannot be read"),
    ],
)
def test_a_card_that_cannot_be_right(change: tuple[str, str], says: str) -> None:
    text = _checkpoint().card.to_json()
    assert change[0] in text
    with pytest.raises(InputError, match=says):
        Card.from_json(text.replace(*change, 1))


def test_a_file_of_too_many_tensors_is_refused_by_its_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geochange.models.weights.tensor_file.MOST_TENSORS", 3)
    save_file({name: torch.zeros(1) for name in "abcd"}, tmp_path / "many.safetensors")
    with pytest.raises(InputError, match="it lists 4 tensors; the limit is 3"):
        read_checkpoint(tmp_path / "many.safetensors")


def test_the_card_keeps_a_vocabulary_of_ones_own() -> None:
    card = replace(_checkpoint().card, vocabulary=tuple("abcdefghij"))
    assert Card.from_json(card.to_json()) == card


def test_a_flipped_byte_anywhere_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "last.safetensors"
    memory = ResumeState({"optimiser.a.exp_avg": torch.arange(3.0)}, {"step": 7})
    write_checkpoint(file, _checkpoint(), memory)
    whole = file.read_bytes()
    for place in np.linspace(0, len(whole) - 1, 40).astype(int):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(InputError, match=r"last\.safetensors: "):
            read_checkpoint(file)
        with pytest.raises(InputError, match=r"last\.safetensors: "):
            read_resume_state(file)


def test_a_file_of_another_writer_needs_no_sum(tmp_path: Path) -> None:
    written = _checkpoint()
    save_file(
        dict(written.tensors), tmp_path / "a.safetensors", {"geochange": written.card.to_json()}
    )
    assert read_checkpoint(tmp_path / "a.safetensors").card == written.card


def test_what_ships_is_read() -> None:
    for path in SHIPPED.values():
        read_checkpoint(path).build()


def test_too_few_names_are_refused_where_texts_need_them(tmp_path: Path) -> None:
    few = replace(_checkpoint(), card=replace(_checkpoint().card, vocabulary=()))
    write_checkpoint(tmp_path / "few.safetensors", few)
    save_file(small_clip().state_dict(), tmp_path / "clip.safetensors")
    spec = DetectorSpec(str(tmp_path / "few.safetensors"), clip=str(tmp_path / "clip.safetensors"))
    with pytest.raises(InputError, match=r"has 0 names.*; give other names with --vocabulary"):
        spec.build()
    named = replace(spec, vocabulary=tuple("abcdefghij")).build()
    assert named.classes == tuple("abcdefghij")


@pytest.mark.parametrize("colours", [("#112233",), ("#112233", "red"), ("#112233", 5)])
def test_colours_are_one_for_each_land_class(colours: tuple[str, ...]) -> None:
    sizes = replace(SMALL_LITE, land=LandOptions(("pond", "shed"), 8, 4))
    right = Card(sizes, colours=("#112233", "#aabbcc"))
    again = Card.from_json(right.to_json())
    assert again.land_classes.by_name == {"pond": "#112233", "shed": "#aabbcc"}
    assert "colours" not in Card(sizes).to_json()
    with pytest.raises(
        InputError, match=r'its card is not valid: colours; it needs 2 as "#rrggbb"'
    ):
        Card.from_json(replace(right, colours=colours).to_json())

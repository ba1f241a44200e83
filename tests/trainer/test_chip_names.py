"""Class names of a split: read, computed, stored and resumed; and the command."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from changeclip_cases import small_clip
from makers import noise
from PIL import Image
from safetensors.torch import save_file

from geochange.chip import Chip
from geochange.cli.main import _exit_code
from geochange.errors import InputError, OutputError
from geochange.models.class_ranking import ClassNamer, clip_tag
from geochange.models.prompts import published_vocabulary
from geochange.models.weights.checkpoint import DEFAULT_CLIP
from geochange.trainer import chip_names, clip_answers
from geochange.trainer.chip_names import ChipNamer, name_chips, stored_names
from geochange.training.data.class_file import read_classes, write_classes

VOCABULARY = published_vocabulary()
PUBLISHED = "clipcls_56_vit16.json"


@dataclass(frozen=True)
class Shelf:
    """Chips made from their number, with names of pictures as requested."""

    paths: tuple[tuple[str, str], ...]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> Chip:
        before, after = noise((32, 32, 3), 2 * number), noise((32, 32, 3), 2 * number + 1)
        return Chip(before, after, np.ones((32, 32), bool), np.zeros((32, 32), np.uint8))

    def pictures(self, number: int) -> tuple[str, str]:
        return self.paths[number]

    def name(self, number: int) -> str:
        return str(number)


def shelf(count: int = 5, dates: tuple[str, str] = ("time1", "time2")) -> Shelf:
    names = [f"{number:03d}.png" for number in range(count)]
    return Shelf(tuple((f"val/{dates[0]}/{n}", f"val/{dates[1]}/{n}") for n in names))


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("clip") / "clip.safetensors"
    save_file(small_clip().state_dict(), file)
    return str(file)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "val").mkdir()
    return tmp_path


def stems(*numbers: int) -> list[tuple[str, ...]]:
    """Nine names for each number, all different."""
    return [tuple(VOCABULARY[(n + place) % 56] for place in range(9)) for n in numbers]


def store(file: Path, named: dict[str, tuple[str, ...]]) -> None:
    ranked = {path: [(n, 0.5) for n in names] for path, names in named.items()}
    write_classes(file, list(ranked.items()))


def store_both(
    folder: Path, source: Shelf, rename: Callable[[str], str] = str, dates: Any = ("time1", "time2")
) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Class files for a source, in reverse order, with paths of another machine."""
    named = []
    for date in (0, 1):
        names = stems(*range(10 * date, 10 * date + len(source)))
        paths = [rename(both[date]) for both in source.paths]
        pairs = list(zip(paths, names, strict=True))
        store(folder / f"{dates[date]}_{PUBLISHED}", dict(reversed(pairs)))
        named.append(names)
    return list(zip(*named, strict=True))


def test_nothing_is_stored(root: Path) -> None:
    assert stored_names(root, "val", shelf()) is None


@pytest.mark.parametrize(
    "rename",
    [
        str,
        lambda path: f"/home/user/CDdata/SYSU-CD/{path}",
        lambda path: "D:\\data\\" + path.replace("/", "\\"),
        lambda path: Path(path).name,
    ],
)
def test_files_of_any_machine_are_read(root: Path, rename: Callable[[str], str]) -> None:
    wanted = store_both(root / "val", shelf(), rename)
    assert stored_names(root, "val", shelf()) == wanted


def test_files_called_as_the_folders_of_the_pictures(root: Path) -> None:
    source = shelf(dates=("A", "B"))
    wanted = store_both(root / "val", source, dates=("A", "B"))
    assert stored_names(root, "val", source) == wanted
    store_both(root / "val", shelf(2))  # the files that geochange would write come first
    with pytest.raises(InputError, match=r"time1_clipcls_56_vit16.json: holds no val/A/002.png"):
        stored_names(root, "val", source)


def test_a_split_that_is_no_folder_has_its_name_before_the_file(tmp_path: Path) -> None:
    wanted = store_both(tmp_path, shelf(), dates=("val_time1", "val_time2"))
    assert stored_names(tmp_path, "val", shelf()) == wanted
    assert stored_names(tmp_path, "train", shelf()) is None


@pytest.mark.slow
def test_the_names_of_an_archive_lie_beside_it(tmp_path: Path, clip: str) -> None:
    archive = tmp_path / "set.zip"
    archive.write_bytes(b"PK")
    named = name_chips(shelf(2), archive, "val", clip)
    assert stored_names(archive, "val", shelf(2), clip) == named
    files = sorted(path.name for path in tmp_path.iterdir())
    assert [name[:13] for name in files] == ["set.zip", "set_val_time1", "set_val_time2"]


def test_pictures_of_one_name_are_told_apart_by_their_folders(root: Path) -> None:
    places = [f"{town}/{date}/{n}.png" for town in "xy" for date in "ab" for n in (1, 2)]
    pairs = [(p, p.replace("/a/", "/b/")) for p in places if "/a/" in p]
    source = Shelf(tuple(pairs))
    wanted = store_both(root / "val", source, lambda path: f"/far/{path}")
    assert stored_names(root, "val", source) == wanted
    twice = {f"/{far}/{path}": stems(0)[0] for far in ("c", "d") for path, _ in pairs}
    store(root / "val" / f"time1_{PUBLISHED}", twice)
    with pytest.raises(InputError, match=r"time1_.*does not tell apart"):
        stored_names(root, "val", source)


@pytest.mark.slow
def test_a_picture_may_belong_to_several_chips(root: Path, clip: str) -> None:
    first, second = shelf(2).paths
    source = Shelf((first, (first[0], second[1])))
    named = name_chips(source, root, "val", clip)
    assert named == stored_names(root, "val", source, clip)


@pytest.mark.slow
def test_a_chip_that_a_file_lacks_is_named_and_the_cure_is_one(root: Path, clip: str) -> None:
    store_both(root / "val", shelf(4))
    cure = "remove the files of both dates, and `geochange data prompts` makes them again"
    with pytest.raises(InputError, match=f"time1_.*: holds no val/time1/004.png; {cure}"):
        stored_names(root, "val", shelf(5))
    for file in (root / "val").iterdir():
        file.unlink()
    made = name_chips(shelf(5), root, "val", clip)
    assert stored_names(root, "val", shelf(5), clip) == made


def test_a_file_of_one_date_alone(root: Path) -> None:
    store_both(root / "val", shelf())
    (root / "val" / f"time2_{PUBLISHED}").unlink()
    with pytest.raises(InputError, match=r"time1_.*exists without time2_clipcls_56_vit16.json"):
        stored_names(root, "val", shelf())


def expected(clip: str, source: Shelf) -> list[Any]:
    """The names by CLIP, chip by chip."""
    namer = ChipNamer(clip)._namer
    chips = [source[n] for n in range(len(source))]
    return [tuple(tuple(n for n, _ in d[:9]) for d in both) for both in namer.rank(chips)]


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 2, 64])
def test_clip_is_asked_and_what_it_says_is_kept(root: Path, clip: str, batch: int) -> None:
    source, steps = shelf(), []
    named = ChipNamer(clip, batch=batch).names(source, root, "val", lambda *at: steps.append(at))
    assert named == expected(clip, source)
    assert steps[0] == ("prompts", 0, 5)
    assert steps[-1] == ("prompts", 5, 5)
    assert len(steps) == 1 + -(-5 // batch)
    kind = f"clipcls_56_{clip_tag(clip)}.json"
    assert sorted(p.name for p in (root / "val").iterdir()) == [f"time1_{kind}", f"time2_{kind}"]
    entries = json.loads((root / "val" / f"time2_{kind}").read_text())
    assert [entry["image_path"] for entry in entries] == [after for _, after in source.paths]
    for entry, (_, best) in zip(entries, named, strict=True):
        assert next(iter(entry)) == "image_path"
        assert tuple(list(entry)[1:10]) == best
        assert set(entry) - {"image_path"} == set(VOCABULARY)
        values = [value for name, value in entry.items() if name != "image_path"]
        assert all(len(value.split(".")[1]) == 4 for value in values)
        assert values == sorted(values, reverse=True)
        assert sum(map(float, values)) == pytest.approx(1, abs=56 * 5e-5)


def test_what_is_stored_is_not_asked_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> ClassNamer:
        raise AssertionError("CLIP was read")

    monkeypatch.setattr(chip_names, "read_class_namer", fail)
    wanted = store_both(root / "val", shelf())
    assert name_chips(shelf(), root, "val", DEFAULT_CLIP, None) == wanted


@pytest.mark.slow
def test_another_vocabulary_has_files_of_its_own(root: Path, clip: str) -> None:
    own = VOCABULARY[::-1][:20]
    named = name_chips(shelf(2), root, "val", clip, own)
    assert all(set(names) <= set(own) for both in named for names in both)
    assert stored_names(root, "val", shelf(2), clip) is None
    assert stored_names(root, "val", shelf(2), clip, own) == named
    with pytest.raises(InputError, match="the vocabulary has image_path"):
        name_chips(shelf(2), root, "val", clip, (*own, "image_path"))


class Killed(BaseException):
    """An exception that no handler expects."""


@contextmanager
def killed_after(chips: int) -> Iterator[Callable[[str, int, int], None]]:
    def progress(stage: str, done: int, total: int) -> None:
        if done >= chips:
            raise Killed

    with pytest.raises(Killed):
        yield progress


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of chips in each call of CLIP."""
    counts: list[int] = []
    rank = ClassNamer.rank

    def counting(self: ClassNamer, chips: Any) -> Any:
        counts.append(len(chips))
        return rank(self, chips)

    monkeypatch.setattr(ClassNamer, "rank", counting)
    return counts


def part_of(root: Path) -> Path:
    (part,) = (root / "val").glob(".*.part")
    return part


@pytest.mark.slow
def test_an_interrupted_prompting_goes_on(root: Path, clip: str, asked: list[int]) -> None:
    source, prompter = shelf(7), ChipNamer(clip, batch=2)
    wanted = expected(clip, source)
    asked.clear()
    with killed_after(4) as progress:
        prompter.names(source, root, "val", progress)
    assert asked == [2, 2]
    assert stored_names(root, "val", source, clip) is None
    assert [p.name for p in (root / "val").iterdir()] == [part_of(root).name]
    assert prompter.names(source, root, "val") == wanted
    assert asked == [2, 2, 2, 1]
    assert len(list((root / "val").iterdir())) == 2
    assert stored_names(root, "val", source, clip) == wanted


def cut(data: bytes) -> bytes:
    return data[:-10]


def spoil(data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    lines[3] = b'["not", "an entry"]\n'
    return b"".join(lines)


def rename(data: bytes) -> bytes:
    return data.replace(b"time2/001.png", b"time2/901.png")


def age(data: bytes) -> bytes:
    return data.replace(b'"geochange": "', b'"geochange": "0.0.')


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "kept"), [(cut, 3), (spoil, 2), (rename, 1), (age, 0), (lambda _: b"", 0)]
)
def test_answers_are_gone_on_from_as_far_as_they_are_whole(
    root: Path, clip: str, asked: list[int], damage: Callable[[bytes], bytes], kept: int
) -> None:
    source, prompter = shelf(6), ChipNamer(clip, batch=2)
    wanted = expected(clip, source)
    with killed_after(4) as progress:
        prompter.names(source, root, "val", progress)
    part = part_of(root)
    part.write_bytes(damage(part.read_bytes()))
    asked.clear()
    assert prompter.names(source, root, "val") == wanted
    assert sum(asked) == 6 - kept


@pytest.mark.slow
def test_killed_between_the_two_files(
    root: Path, clip: str, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(file: Path, entries: Any) -> None:
        if "time2" in file.name:
            raise Killed
        write_classes(file, entries)

    with monkeypatch.context() as patch:
        patch.setattr(chip_names, "write_classes", stop)
        with pytest.raises(Killed):
            name_chips(shelf(), root, "val", clip)
    assert stored_names(root, "val", shelf(), clip) is None
    asked.clear()
    named = name_chips(shelf(), root, "val", clip)
    assert asked == []
    assert named == stored_names(root, "val", shelf(), clip)


@pytest.mark.slow
def test_another_clip_does_not_go_on_with_the_answers(
    root: Path, clip: str, asked: list[int], tmp_path: Path
) -> None:
    other = tmp_path / "other.safetensors"
    save_file(small_clip(1).state_dict(), other)
    with killed_after(2) as progress:
        ChipNamer(clip, batch=2).names(shelf(), root, "val", progress)
    asked.clear()
    assert name_chips(shelf(), root, "val", str(other)) == expected(str(other), shelf())
    assert asked[0] == 5


def test_a_clip_that_is_not_there_leaves_nothing_behind(root: Path) -> None:
    (root / "no.pt").write_bytes(b"no weights")
    with pytest.raises(InputError, match=r"no\.pt"):
        name_chips(shelf(), root, "val", str(root / "no.pt"))
    assert list((root / "val").iterdir()) == []


@pytest.mark.slow
def test_a_folder_that_cannot_be_written(
    root: Path, clip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise OutputError("cannot write")

    monkeypatch.setattr(clip_answers, "check_folder", refuse)
    with pytest.raises(OutputError, match=r"cannot write class names in .*val: make it writable"):
        name_chips(shelf(), root, "val", clip)


@pytest.mark.slow
def test_answers_that_cannot_be_opened_are_named(root: Path, clip: str) -> None:
    (root / "val" / f".both_clipcls_56_{clip_tag(clip)}.jsonl.part").mkdir()
    with pytest.raises(
        OutputError, match=r"\.part cannot be written \(Is a directory\); remove it"
    ):
        name_chips(shelf(), root, "val", clip)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_disk_that_is_full() -> None:
    with pytest.raises(OutputError, match=r"written \(No space left on device\); free some space"):
        clip_answers.append_answers(
            Path("/dev/full"), [({"image_path": "1.png"}, {"image_path": "2.png"})]
        )


@pytest.mark.slow
def test_a_chip_that_cannot_be_read_is_refused_by_name(root: Path, clip: str) -> None:
    class Broken(Shelf):
        def __getitem__(self, number: int) -> Chip:
            if number == 3:
                raise InputError("val/time1/003.png: cut off")
            return super().__getitem__(number)

    with pytest.raises(InputError, match=r"003\.png: cut off"):
        ChipNamer(clip, batch=2).names(Broken(shelf().paths), root, "val")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data set of two splits, of three chips each."""
    root = tmp_path / "SET"
    for split in ("train", "val"):
        for number, date in enumerate(("time1", "time2", "label")):
            folder = root / split / date
            folder.mkdir(parents=True)
            for chip in range(3):
                pixels = noise((32, 32, 3), 10 * number + chip)
                picture = pixels if date != "label" else (pixels[..., 0] > 100) * np.uint8(255)
                Image.fromarray(picture).save(folder / f"{chip}.png")
    return root


def command(*arguments: object) -> int:
    return _exit_code(["data", "prompts", *map(str, arguments)])


@pytest.mark.slow
def test_the_command_names_every_split(
    data: Path, clip: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(data, "--clip", clip, "--device", "cpu", "--split", "val") == 0
    assert "3 chips named" in capsys.readouterr().out
    assert command(data, "--clip", clip, "--device", "cpu", "--batch", 2) == 0
    shown = capsys.readouterr().out
    assert "3 chips named" in shown and "3 chips were named already" in shown
    for split in ("train", "val"):
        (file,) = (data / split).glob("time2_clipcls_56_clip-*.json")
        assert [Path(path).name for path in read_classes(file)] == ["0.png", "1.png", "2.png"]
    assert command(data, "--clip", clip, "--quiet") == 0
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_the_command_says_what_it_did_in_json(
    data: Path, clip: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(data, "--clip", clip, "--device", "cpu", "--split", "val", "--log-json") == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[-2]["event"] == "progress"
    assert (events[-2]["done_chips"], events[-2]["note"]) == (3, "val")
    assert (events[-1]["chips"], events[-1]["stored"]) == ({"val": 3}, [])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--split", "test"), "has train, val"),
        (("--clip", "none.pt"), "no weights at none.pt"),
        (("--vocabulary", "none.txt"), "none.txt: no such file"),
        (("--batch", "0"), "--batch"),
        (("--device", "cuda:99"), "not usable here"),
        (("--layout", "none"), "none"),
    ],
)
def test_the_command_refuses_in_one_line(
    data: Path,
    clip: str,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, str],
    said: str,
) -> None:
    given = arguments if "--clip" in arguments else ("--clip", clip, *arguments)
    assert command(data, *given) == 2
    error = capsys.readouterr().err
    assert said in error and len(error.splitlines()) == 1
    assert not [p for p in data.rglob("*") if p.is_file() and p.suffix != ".png"]

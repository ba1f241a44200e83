from __future__ import annotations

import os
import pickle
import subprocess
import sys
import types
import zipfile
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from geochange.errors import InputError
from geochange.models.weights.safe_pickle import read_archive, read_stream

WEIGHTS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.n": torch.tensor(3)}


class _Calls:
    """Pickles as a call of any function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def _saved(value: object, archive: bool = True) -> BytesIO:
    stream = BytesIO()
    torch.save(value, stream, _use_new_zipfile_serialization=archive)
    stream.seek(0)
    return stream


def _read(stream: BytesIO) -> dict[str, torch.Tensor]:
    archive = stream.read(2) == b"PK"
    stream.seek(0)
    return read_archive(stream)[0] if archive else read_stream(stream)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Callable[[], types.ModuleType]:
    """A package that exists when the pickle is written, and not when it is read, as mm* packages."""
    module = types.ModuleType("mmengine_like")

    class History:
        def __init__(self) -> None:
            self.values = np.arange(3.0)
            self.methods = {"mean": History.mean}

        @staticmethod
        def mean() -> None: ...

    class Settings(dict):  # type: ignore[type-arg]  # any keys
        pass

    for kind in (History, Settings):
        kind.__module__, kind.__qualname__ = module.__name__, kind.__name__
        setattr(module, kind.__name__, kind)
    module.History.mean.__module__ = module.__name__
    module.History.mean.__qualname__ = "History.mean"
    monkeypatch.setitem(sys.modules, module.__name__, module)

    def leave() -> None:
        monkeypatch.delitem(sys.modules, module.__name__)

    module.leave = leave  # type: ignore[attr-defined]  # made above
    return module  # type: ignore[return-value]  # a module, used as one


@pytest.mark.parametrize("archive", [True, False])
def test_tensors_come_back_as_they_were(archive: bool) -> None:
    base = torch.arange(24.0).reshape(4, 6)
    tensors = {
        **{"half": base.half(), "bf16": base.bfloat16(), "long": base.long(), "bool": base > 3},
        **{"turned": base.T, "part": base[1:3, ::2], "empty": torch.empty(0, 3), "one": base[0, 0]},
        "parameter": torch.nn.Parameter(base),
    }
    read = _read(_saved(OrderedDict(tensors), archive))
    assert read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert read[name].dtype == tensor.dtype
        assert torch.equal(read[name], tensor)


@pytest.mark.parametrize("archive", [True, False])
def test_all_but_the_weights_is_stepped_over(elsewhere: Any, archive: bool) -> None:
    saved = _saved(
        {
            "meta": {"time": "today", "score": np.float64(0.5), "at": Path("/x"), "s": {1, 2}},
            "message_hub": {"log": elsewhere.History(), "cfg": elsewhere.Settings(a=1)},
            "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}, "groups": [{"lr": 1e-4}]},
            "counts": defaultdict(list, {"a": [1]}),
            "state_dict": OrderedDict(WEIGHTS),
        },
        archive,
    )
    elsewhere.leave()
    read = _read(saved)
    assert read.keys() == WEIGHTS.keys()
    assert all(torch.equal(read[name], WEIGHTS[name]) for name in WEIGHTS)


@pytest.mark.parametrize("archive", [True, False])
@pytest.mark.parametrize(
    ("function", "arguments", "named"),
    [
        (os.system, ("touch pwned",), "system"),
        (eval, ("open('pwned', 'w')",), "builtins.eval"),
        (exec, ("open('pwned', 'w')",), "builtins.exec"),
        (subprocess.Popen, (["touch", "pwned"],), "subprocess.Popen"),
        (torch.hub.load, ("x", "y"), "torch.hub.load"),
        (pytest.main, ([],), "main"),
    ],
)
def test_what_wants_to_be_called_is_refused_by_name(
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    named: str,
    archive: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    value = {"state_dict": WEIGHTS, "message_hub": [_Calls(function, *arguments)]}
    with pytest.raises(InputError, match=f"none of its code was run: it (uses|calls) .*{named}"):
        _read(_saved(value, archive))
    assert list(tmp_path.iterdir()) == []


def test_results_of_calls_cannot_be_called() -> None:
    # getattr("", "upper")() as pickle instructions
    program = b"\x80\x02c__builtin__\ngetattr\nX\x00\x00\x00\x00X\x05\x00\x00\x00upper\x86R)R."
    assert pickle.loads(program) == ""
    with pytest.raises(InputError, match=r"calls the result of builtins\.getattr"):
        read_stream(BytesIO(program))


def test_a_plain_pickle_is_refused_even_where_harmless() -> None:
    with pytest.raises(InputError, match="holds no torch tensors"):
        read_stream(BytesIO(pickle.dumps({"a": 1})))


def test_bytes_that_are_no_pickle() -> None:
    with pytest.raises(InputError, match="the pickle is damaged"):
        read_stream(BytesIO(b"\x00\x01 not a pickle"))


def _rewritten(stream: BytesIO, change: Callable[[str, bytes], bytes]) -> BytesIO:
    made = BytesIO()
    with zipfile.ZipFile(stream) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    made.seek(0)
    return made


@pytest.mark.parametrize("keep", [0.3, 0.9, 0.999])
@pytest.mark.parametrize("archive", [True, False])
def test_a_truncated_file(archive: bool, keep: float) -> None:
    whole = _saved({"state_dict": {"a": torch.ones(1000)}}, archive).getvalue()
    with pytest.raises(InputError, match=r"truncated|damaged"):
        _read(BytesIO(whole[: int(keep * len(whole))]))


def test_a_storage_cut_short() -> None:
    def cut(name: str, data: bytes) -> bytes:
        return data[:-4] if "/data/" in name else data

    with pytest.raises(InputError, match="storage 0 is cut short"):
        read_archive(_rewritten(_saved({"a": torch.ones(5)}), cut))


def test_a_tensor_that_reaches_beyond_its_bytes() -> None:
    def widen(name: str, data: bytes) -> bytes:
        # BININT1 5 is the size and also the count of the storage: change only the size.
        head, found, tail = data.rpartition(b"K\x05\x85")
        return head + b"K\x7f\x85" + tail if found and name.endswith("data.pkl") else data

    with pytest.raises(InputError, match=r"a tensor of \(127,\) in 5 values"):
        read_archive(_rewritten(_saved({"a": torch.ones(5)}), widen))


STORAGE = ("storage", torch.FloatStorage, "0", "cpu", 5)


@pytest.mark.parametrize(
    ("pid", "size", "stride", "says"),
    [
        (STORAGE[:4], (5,), (1,), "an incomplete storage"),
        (("shelf", *STORAGE[1:]), (5,), (1,), "a storage of an unknown kind"),
        ((*STORAGE[:4], -5), (5,), (1,), "an invalid size"),
        (STORAGE, {5: 1}, (1,), "an invalid shape"),
        (STORAGE, (5,), (1, 1), "a tensor whose stride and size differ in length"),
        (STORAGE, (True,), (1,), "an invalid size"),
    ],
)
def test_tensors_that_cannot_be(pid: object, size: object, stride: object, says: str) -> None:
    class Stored:
        """What torch.save writes in the place of the values."""

    class Pickler(pickle.Pickler):
        def persistent_id(self, thing: Any) -> Any:
            return pid if isinstance(thing, Stored) else None

    stream = BytesIO()
    made = torch._utils._rebuild_tensor_v2, Stored(), 0, size, stride, False, OrderedDict()
    Pickler(stream, 2).dump({"a": _Calls(*made)})
    with pytest.raises(InputError, match=says):
        read_archive(_archived(stream.getvalue()))


def _archived(program: bytes) -> BytesIO:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("archive/data.pkl", program)
        archive.writestr("archive/data/0", bytes(20))
    packed.seek(0)
    return packed


def test_programs_without_end_are_left_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geochange.models.weights.restricted_unpickler.MOST_STEPS", 50)
    assert read_archive(_saved({"a": torch.ones(1)}))[0].keys() == {"a"}
    with pytest.raises(InputError, match="more than 50 steps"):
        read_archive(_saved({"a": torch.ones(1), "n": [None] * 60}))
    long = pickle.PROTO + b"\x02" + pickle.GLOBAL + b"a" * 600 + b"\nb\n" + pickle.STOP
    with pytest.raises(InputError, match="a name of 601 characters"):
        read_archive(_archived(long))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_torchscript_archive_is_read_without_running_it() -> None:
    module = torch.nn.Sequential(OrderedDict(a=torch.nn.Linear(2, 3), b=torch.nn.BatchNorm1d(3)))
    stream = BytesIO()
    torch.jit.save(torch.jit.trace(module.eval(), torch.zeros(1, 2)), stream)
    stream.seek(0)
    read, script = read_archive(stream)
    assert script
    expected = module.state_dict()
    assert read.keys() == expected.keys()
    assert all(torch.equal(read[name], expected[name]) for name in expected)

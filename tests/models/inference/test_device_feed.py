"""A device serves all callers in order, and errors reach the callers that they concern."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_devices import Difference, FakeCuda, Naming, chips_of, differences
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import make_chip, noise

from geochange.chip import Chip
from geochange.errors import RunError
from geochange.models.inference import device_transfer
from geochange.models.inference.device_feed import MAX_IN_FLIGHT, DeviceFeed
from geochange.models.inference.engine import InferenceEngine
from geochange.models.inference.prediction import Prediction
from geochange.models.inference.request import Request

WAIT_S = 30


def ask(feed: DeviceFeed, chips: list[Chip]) -> Prediction:
    request = Request(feed.model, chips, None)
    feed.submit(request)
    return feed.wait_for(request)


@contextmanager
def feeding(model: Any, batch: int | None = 4, device: str = "cpu") -> Iterator[DeviceFeed]:
    feed = DeviceFeed(model, device, batch)
    try:
        yield feed
    finally:
        model.gate.set()
        feed.close(WAIT_S)
        assert not feed.alive


@contextmanager
def many(count: int) -> Iterator[Callable[..., Future[Any]]]:
    with ThreadPoolExecutor(count) as pool:
        yield pool.submit


def until(true: Callable[[], bool]) -> None:
    for _ in range(WAIT_S * 1000):
        if true():
            return
        time.sleep(0.001)
    raise AssertionError("it never came to that")


def breaking(chips: list[Chip], place: int) -> list[Chip]:
    chips[place].before[0, 0, 0] = 13
    return chips


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(1, 7))
def test_every_caller_has_the_answers_to_its_own_chips(counts: list[int], batch: int) -> None:
    asked = [chips_of(count, seed) for seed, count in enumerate(counts)]
    with feeding(Difference(), batch) as feed, many(len(asked)) as submit:
        answers = [submit(ask, feed, chips) for chips in asked]
        for chips, answer in zip(asked, answers, strict=True):
            np.testing.assert_array_equal(answer.result().logits, differences(chips))
        until(lambda: feed.waiting == 0)
    assert sum(feed.model.sizes) == sum(counts)
    assert max(feed.model.sizes) <= batch


def held(
    feed: DeviceFeed, submit: Callable[..., Future[Any]], parts: list[list[Chip]]
) -> list[Any]:
    """Callers in this order, after a first batch that is answered only when all of them wait."""
    model: Any = feed.model
    model.gate.clear()
    answers, waiting = [], 0
    for part in parts:
        answers.append(submit(ask, feed, part))
        waiting += len(part)
        until(lambda waiting=waiting: feed.waiting == waiting)
        if len(answers) == 1:
            assert model.entered.acquire(timeout=WAIT_S)
    return answers


def test_batches_are_filled_across_callers_in_the_order_of_arrival() -> None:
    parts = [chips_of(n, n) for n in (1, 4, 3, 3, 2)]
    with feeding(Difference()) as feed, many(5) as submit:
        answers = held(feed, submit, parts)
        feed.model.gate.set()
        for part, answer in zip(parts, answers, strict=True):
            np.testing.assert_array_equal(answer.result().logits, differences(part))
    # The first chip alone, then the waiting ones in fours, whoever owns them.
    assert feed.model.sizes == [1, 4, 4, 4]


def test_chips_of_another_shape_are_a_batch_of_their_own() -> None:
    parts = [chips_of(1), chips_of(2, 1), chips_of(3, 2, size=8), chips_of(1, 3, size=8)]
    with feeding(Difference()) as feed, many(4) as submit:
        answers = held(feed, submit, parts)
        feed.model.gate.set()
        for part, answer in zip(parts, answers, strict=True):
            np.testing.assert_array_equal(answer.result().logits, differences(part))
    assert feed.model.sizes == [1, 2, 4]


def test_what_breaks_reaches_the_callers_of_that_batch_and_no_others() -> None:
    # The second is loaded alone; then the third with the first chip of the fourth, which fails.
    parts = [chips_of(1), chips_of(3, 1), chips_of(3, 2), breaking(chips_of(2, 3), 0), chips_of(3)]
    with feeding(Difference()) as feed, many(5) as submit:
        answers = held(feed, submit, parts)
        feed.model.gate.set()
        for number in (0, 1, 4):
            answers[number].result()
        for number in (2, 3):
            with pytest.raises(ArithmeticError, match="thirteen"):
                answers[number].result()
        assert feed.alive
        np.testing.assert_array_equal(ask(feed, parts[1]).logits, differences(parts[1]))
        assert feed.waiting == 0


def test_what_waits_of_a_caller_that_failed_is_not_shown() -> None:
    with feeding(Difference(), 1) as feed:
        with pytest.raises(ArithmeticError):
            ask(feed, breaking(chips_of(50), 0))
        ask(feed, chips_of(1))
    assert len(feed.model.sizes) < 10


def test_a_chip_that_cannot_be_stacked_fails_its_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: Any) -> Any:
        raise MemoryError("no room to stack")

    with feeding(Difference()) as feed:
        with monkeypatch.context() as patch:
            patch.setattr("geochange.models.inference.engine.stack", full)
            with pytest.raises(MemoryError, match="no room"):
                ask(feed, chips_of(2))
        np.testing.assert_array_equal(ask(feed, chips_of(2)).logits, differences(chips_of(2)))


@pytest.mark.parametrize("thread", ["_load_all", "_launch_all"])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_feed_that_fell_over_leaves_nobody_waiting(
    thread: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fall(*given: Any) -> Any:
        raise SystemError("a fault of our own")

    inner = {"_load_all": "_await_chips", "_launch_all": "_next"}[thread]
    begun = threading.Event()
    true = getattr(DeviceFeed, inner)

    def falling(self: DeviceFeed, *given: Any, **named: Any) -> Any:
        got = true(self, *given, **named)
        begun.wait(WAIT_S)
        return fall() if got is not None else got

    monkeypatch.setattr(DeviceFeed, inner, falling)
    feed = DeviceFeed(Difference(), "cpu", 2)
    with many(3) as submit:
        answers = [submit(ask, feed, chips_of(5, seed)) for seed in range(3)]
        until(lambda: feed.waiting == 15)
        begun.set()
        for answer in answers:
            with pytest.raises(RunError, match="serves the device failed"):
                answer.result(WAIT_S)
    until(lambda: not any(t.is_alive() for t in feed._threads))
    with pytest.raises(RunError, match="serve this device have ended"):
        feed.submit(Request(feed.model, chips_of(1), None))


def test_a_feed_that_is_closed_serves_who_waits() -> None:
    with feeding(Difference(), 1) as feed, many(2) as submit:
        answers = held(feed, submit, [chips_of(1), chips_of(5, 1)])
        feed.close()
        feed.model.gate.set()
        np.testing.assert_array_equal(answers[1].result().logits, differences(chips_of(5, 1)))


def test_a_process_that_ends_waits_for_the_present_batch_alone() -> None:
    with feeding(Difference(), 1) as feed, many(3) as submit:
        answers = held(feed, submit, [chips_of(1), chips_of(50, 1)])
        ending = submit(feed.abandon)
        with pytest.raises(RunError, match="ends"):
            answers[1].result(WAIT_S)
        assert not ending.done()
        feed.model.gate.set()
        ending.result(WAIT_S)
        assert not feed.alive
        assert len(feed.model.sizes) <= 3


@pytest.mark.slow
def test_the_interpreter_ends_while_a_feed_works(tmp_path: Path) -> None:
    script = tmp_path / "ends.py"
    script.write_text(
        "import sys, threading\n"
        f"sys.path[:0] = {[str(Path(__file__).parents[2] / 'support')]!r}\n"
        "from fake_devices import chips_of\n"
        "from geochange.models import ModelSpec\n"
        "from geochange.models.inference.predict import predict\n"
        "spec = ModelSpec('cva', 'cpu', {'before_offset': [0, 0], 'before_matrix': [[1], [1]],\n"
        "                 'after_offset': [0, 0], 'after_matrix': [[1], [1]], 'cut': 1.0})\n"
        "work = lambda: [predict(spec, chips_of(64, size=128), 4) for _ in range(1000)]\n"
        "threading.excepthook = lambda args: print(args.exc_value, flush=True)\n"
        "threading.Thread(target=work, daemon=True).start()\n"
        "predict(spec, chips_of(64, size=128), 4)\n"
    )
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_too_little_memory_halves_the_batch_and_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    chips = chips_of(20)
    with feeding(Difference(holds=3), 16) as feed:
        np.testing.assert_array_equal(ask(feed, chips).logits, differences(chips))
        np.testing.assert_array_equal(ask(feed, chips).logits, differences(chips))
        sizes = feed.model.sizes
    assert sizes[:3] == [16, 8, 4]
    assert set(sizes[3:]) == {2}
    (said,) = caplog.messages
    assert said.startswith("cpu has too little memory for 16 tiles at once: continuing with fewer")
    assert "--batch 8" in said
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_too_little_for_one_tile_is_one_line_with_its_cure() -> None:
    with (
        feeding(Difference(holds=0), 2) as feed,
        pytest.raises(
            RunError, match=r"^cpu has too little memory for a single tile of 5 x 6"
        ) as e,
    ):
        ask(feed, chips_of(3))
    assert "--tile" in str(e.value) and "--device" in str(e.value)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("model", [Naming(holds=1), Naming(holds_scores=1), Naming(2, 1)])
def test_memory_may_run_out_at_either_step(model: Naming) -> None:
    chips = chips_of(9)
    with feeding(model, 4) as feed:
        said = ask(feed, chips)
    for i, chip in enumerate(chips):
        peaks = [date[..., 0].max() for date in (chip.before, chip.after)]
        np.testing.assert_array_equal(said.scores[i, :, 1], peaks)
        assert (said.logits[i] == peaks[1]).all()


def test_the_next_batch_is_scored_before_the_present_one_is_decided_on() -> None:
    with feeding(Naming(), 2) as feed, many(2) as submit:
        answers = held(feed, submit, [chips_of(2), chips_of(4, 1)])
        feed.model.gate.set()
        for answer in answers:
            answer.result()
    asked = feed.model.asked
    assert sorted(asked) == ["decide 2"] * 3 + ["score 2"] * 3
    # The logits of the first were computed while nothing else was queued.
    assert asked[:2] == ["score 2", "decide 2"]


def test_no_data_is_nan_and_a_number_that_is_none_is_a_fault() -> None:
    class Endless(Difference):
        def change_logits(self, batch: Any) -> Any:
            return super().change_logits(batch) / (batch.before[:, 0] != 100)

    chips = chips_of(4)
    for chip in chips:
        chip.before[chip.before == 100] = 99
    chips[2].valid[:3] = False
    with feeding(Endless()) as feed:
        logits = ask(feed, chips).logits
        np.testing.assert_array_equal(np.isnan(logits), [~chip.valid for chip in chips])
        chips[1].before[0, 0, 0] = 100
        with pytest.raises(
            FloatingPointError, match=r"test_device_feed:.*Endless answered with numbers"
        ):
            ask(feed, chips)


def test_a_cpu_has_sixteen_at_once_by_itself() -> None:
    with feeding(Difference(), None) as feed:
        ask(feed, chips_of(40))
    assert feed.model.sizes == [16, 16, 8]


class TestOnAGpu:
    """The same on a simulated GPU, whose streams and events only record what they do."""

    @pytest.fixture(autouse=True)
    def cuda(self, monkeypatch: pytest.MonkeyPatch) -> FakeCuda:
        made = FakeCuda()
        monkeypatch.setattr(device_transfer, "cuda", made)
        monkeypatch.setattr(device_transfer.CudaCopier, "pinned", False)
        make = device_transfer.CudaCopier.__init__

        def on_the_cpu(self: Any, device: Any) -> None:
            make(self, device_transfer.torch.device("cpu"))

        monkeypatch.setattr(device_transfer.CudaCopier, "__init__", on_the_cpu)
        return made

    @pytest.mark.slow
    @settings(max_examples=10, deadline=None)
    @given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.sampled_from([1, 3, 4, 8]))
    def test_answers_are_those_of_the_cpu(self, counts: list[int], batch: int) -> None:
        asked = [chips_of(count, seed) for seed, count in enumerate(counts)]
        with feeding(Naming(), batch, "cuda:0") as feed, many(len(asked)) as submit:
            answers = [submit(ask, feed, chips) for chips in asked]
            for chips, answer in zip(asked, answers, strict=True):
                peaks = [chip.after[..., 0].max() for chip in chips]
                np.testing.assert_array_equal(answer.result().logits[:, 0, 0], peaks)

    def test_batches_have_one_of_few_sizes(self) -> None:
        with feeding(Difference(), 12, "cuda:0") as feed:
            for count in (1, 2, 3, 5, 11, 12):
                ask(feed, chips_of(count))
        assert feed.model.sizes == [1, 2, 4, 8, 12, 12]

    def test_filling_is_left_out_when_a_batch_is_halved(self) -> None:
        chips = chips_of(5)
        with feeding(Difference(holds=2), 8, "cuda:0") as feed:
            np.testing.assert_array_equal(ask(feed, chips).logits, differences(chips))
        # Rows 6 and 7 of the last quarter are padding, so they are not predicted.
        assert feed.model.sizes == [8, 4, 2, 2, 2]

    def test_a_batch_that_is_not_full_waits_while_the_device_works(self, cuda: FakeCuda) -> None:
        with feeding(Difference(), 4, "cuda:0") as feed, many(4) as submit:
            answers = held(feed, submit, [chips_of(4), chips_of(1, 1), chips_of(1, 2)])
            time.sleep(0.05)  # a batch of one would be loaded by now
            answers.append(submit(ask, feed, chips_of(2, 3)))
            until(lambda: feed.waiting == 8)
            feed.model.gate.set()
            for answer in answers:
                answer.result()
        assert feed.model.sizes == [4, 4]

    def test_no_more_is_launched_than_is_kept(self, cuda: FakeCuda) -> None:
        with feeding(Difference(), 1, "cuda:0") as feed:
            ask(feed, chips_of(12))
            assert len(feed._in_flight) <= MAX_IN_FLIGHT
        launched = cuda.told.count("record compute")
        assert launched == 12

    def test_when_memory_runs_out_it_is_given_back_first(self, cuda: FakeCuda) -> None:
        with feeding(Difference(holds=1), 2, "cuda:0") as feed:
            ask(feed, chips_of(2))
        assert cuda.told.count("empty cache") == 1

    def test_the_size_is_measured_with_the_first_chips(
        self, cuda: FakeCuda, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("geochange.models.inference.batch_size.cuda", FakeCuda(10**6))
        with feeding(Difference(), None, "cuda:0") as feed:
            ask(feed, chips_of(100))
            ask(feed, chips_of(3))
        # One and two chips are measured, the first twice; all later chips are predicted.
        assert feed.model.sizes == [1, 1, 2, 128, 4]


def test_a_looker_in_hand_takes_given_names() -> None:
    model, chips = Naming(), chips_of(3)
    names = [(("a",) * i, ("b",) * (5 - i)) for i in range(3)]
    looker, request = InferenceEngine(model, "cpu"), Request(model, chips, names)
    looker.run(looker.load([(request, place) for place in request.seen], 4))
    said = request.gather()
    assert said.scores.shape == (3, 2, 0)
    assert said.logits[:, 0, 0].tolist() == [i - 10 * (5 - i) for i in range(3)]


def test_chips_of_several_shapes_are_no_request() -> None:
    other = make_chip(noise((4, 4, 2)), noise((4, 4, 2)))
    with pytest.raises(ValueError, match="the same shape"):
        Request(Difference(), [*chips_of(1), other], None)

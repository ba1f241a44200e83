"""From chips to logits, in order: chips without data are skipped, non-finite logits are errors."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import fake_devices as fed
import numpy as np
import pytest
import torch
from makers import make_chip, noise

from geochange.chip import Chip
from geochange.models import ModelSpec
from geochange.models.inference import device_feed, engine
from geochange.models.inference import predict as predicting
from geochange.models.inference.batch import Batch
from geochange.models.inference.device_transfer import HostCopier
from geochange.models.inference.predict import predict, run_model, run_model_with_tta

SEEN: list[int] = []


class Difference:
    """Logit = first band after minus first band before. A value of 13 in before raises an error."""

    bands = None
    threshold = 0.5
    busy = threading.Lock()

    def fit(self, sample: Any) -> dict[str, Any]:
        return {}

    def adopt(self, statistics: Any) -> None:
        pass

    def change_logits(self, batch: Batch) -> torch.Tensor:
        assert self.busy.acquire(blocking=False), "two batches at a time on one device"
        try:
            SEEN.append(len(batch))
            time.sleep(0.001)  # lets other threads run
            assert not torch.is_grad_enabled()
            before, after = batch.before[:, 0].double(), batch.after[:, 0].double()
            return (after - before) / (before != 13)
        finally:
            self.busy.release()


class Naming(Difference):
    """Scores two classes: the mean and the peak of the first band."""

    classes = ("mean", "peak")

    def class_scores(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        dates = (date[:, 0].float().flatten(1) for date in (batch.before, batch.after))
        before, after = (torch.stack([d.mean(1), d.amax(1)], dim=1) for d in dates)
        return before, after

    def change_logits(self, batch: Batch, scores: Any = None) -> torch.Tensor:
        _, after = scores
        return after[:, :1, None].expand(batch.valid.shape)

    def named_logits(self, batch: Batch, names: Any) -> torch.Tensor:
        lengths = [len(one) - 10.0 * len(other) for one, other in zip(*names, strict=True)]
        return torch.tensor(lengths)[:, None, None].expand(batch.valid.shape)


def mean_and_peak(picture: np.ndarray) -> tuple[float, float]:
    return float(picture[..., 0].mean()), float(picture[..., 0].max())


SPEC = ModelSpec(f"{__name__}:Difference")


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    SEEN.clear()


def chips_of(count: int, seed: int = 0) -> list[Chip]:
    pictures = 20 + noise((count, 2, 6, 5, 2), seed) // 2
    return [make_chip(before, after) for before, after in pictures]


def difference(chip: Chip) -> np.ndarray:
    return chip.after[..., 0].astype(np.float32) - chip.before[..., 0]


@pytest.mark.parametrize(
    ("size", "batches"), [(1, [1] * 7), (2, [2, 2, 2, 1]), (7, [7]), (64, [7])]
)
def test_answers_come_in_the_order_of_the_chips(size: int, batches: list[int]) -> None:
    chips = chips_of(7)
    prediction = predict(SPEC, chips, size)
    assert prediction.logits.dtype == np.float32
    assert prediction.scores.shape == (7, 2, 0)
    np.testing.assert_array_equal(prediction.logits, [difference(chip) for chip in chips])
    assert batches == SEEN


def test_pixels_without_data_are_nan_and_no_others() -> None:
    chips = chips_of(3)
    chips[1].valid[2:4, 1] = False
    logits = predict(SPEC, chips, 2).logits
    np.testing.assert_array_equal(np.isnan(logits), [~chip.valid for chip in chips])
    np.testing.assert_array_equal(logits[1][chips[1].valid], difference(chips[1])[chips[1].valid])


def test_a_chip_without_data_is_not_shown_to_the_network() -> None:
    chips = chips_of(4)
    chips[0].valid[:] = chips[2].valid[:] = False
    logits = predict(SPEC, chips, 4).logits
    assert SEEN == [2]
    assert np.isnan(logits[[0, 2]]).all()
    np.testing.assert_array_equal(logits[[1, 3]], [difference(chips[1]), difference(chips[3])])


def test_chips_without_data_alone_are_an_answer_without_a_look() -> None:
    chips = chips_of(2)
    for chip in chips:
        chip.valid[:] = False
    assert np.isnan(predict(SPEC, chips, 4).logits).all()
    assert SEEN == []


def test_classes_are_scored_by_chip_and_date() -> None:
    chips = chips_of(5)
    chips[3].valid[:] = False
    prediction = predict(ModelSpec(f"{__name__}:Naming"), chips, 2)
    expected = np.array([[mean_and_peak(chip.before), mean_and_peak(chip.after)] for chip in chips])
    assert prediction.scores.dtype == np.float32
    assert np.isnan(prediction.scores[3]).all()
    kept = [0, 1, 2, 4]
    np.testing.assert_allclose(prediction.scores[kept], expected[kept], rtol=1e-6)
    # The network gets the scores of its own batch, and its logits here are made of them.
    np.testing.assert_allclose(prediction.logits[kept, 0, 0], expected[kept, 1, 0], rtol=1e-6)


@pytest.mark.parametrize("after", [13, 50])
def test_an_answer_that_is_not_finite_is_a_fault_and_not_no_change(after: int) -> None:
    chips = chips_of(2)
    chips[1].before[0, 0, 0], chips[1].after[0, 0, 0] = 13, after
    with pytest.raises(FloatingPointError, match=f"{__name__}:Difference answered with numbers"):
        predict(SPEC, chips, 1)


def test_threads_take_turns_on_a_device() -> None:
    chips = [chips_of(8, seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda part: predict(SPEC, part, 2).logits, chips))
    for part, logits in zip(chips, answers, strict=True):
        np.testing.assert_array_equal(logits, [difference(chip) for chip in part])


def test_a_model_in_hand_answers_as_that_of_its_spec() -> None:
    chips = chips_of(5)
    shown = run_model(Difference(), chips, 2, "cpu")
    np.testing.assert_array_equal(shown.logits, predict(SPEC, chips, 2).logits)
    assert shown.scores.shape == (5, 2, 0)


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_class_names_that_are_given_go_with_their_chips(batch_size: int) -> None:
    chips = chips_of(5)
    chips[1].valid[:] = False
    names = [(("a",) * i, ("b",) * (5 - i)) for i in range(5)]
    shown = run_model(Naming(), chips, batch_size, "cpu", names)
    assert np.isnan(shown.logits[1]).all()
    for i in (0, 2, 3, 4):
        assert (shown.logits[i] == i - 10 * (5 - i)).all()
    assert shown.scores.shape == (5, 2, 0)


class Corner(Difference):
    """Marks the upper left corner of the date before, however the chip is rotated."""

    def change_logits(self, batch: Batch) -> torch.Tensor:
        logits = torch.zeros(batch.valid.shape)
        logits[:, 0, 0] = batch.before[:, 0, 0, 0].float()
        return logits


def test_turned_chips_are_turned_back() -> None:
    # A model of single pixels gives each view the same logits.
    chips = chips_of(3)
    chips[2].valid[0, 1:3] = False
    plain = run_model(Difference(), chips, 2, "cpu").logits
    np.testing.assert_array_equal(run_model_with_tta(Difference(), chips, 2, "cpu"), plain)


def test_each_way_to_turn_is_shown_once() -> None:
    (chip,) = chips_of(1)
    (logits,) = run_model_with_tta(Corner(), [chip], 1, "cpu")
    # Every corner is the upper left one twice: of a rotated chip, and of a mirrored one.
    expected = np.zeros(chip.shape, np.float32)
    for corner in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        expected[corner] = chip.before[corner][0] * 2 / 8
    np.testing.assert_array_equal(logits, expected)


def test_turned_chips_keep_their_names() -> None:
    names = [(("a",) * 3, ("b",))]
    assert (run_model_with_tta(Naming(), chips_of(1), 1, "cpu", names) == 3 - 10).all()


@pytest.fixture
def two_devices(monkeypatch: pytest.MonkeyPatch) -> dict[str, fed.Difference]:
    """Devices "one" and "two", each with its own model; both are the CPU."""
    models = {"one": fed.Difference(), "two": fed.Difference()}
    monkeypatch.setattr(predicting, "devices_of", lambda wanted: tuple(wanted.split(",")))
    monkeypatch.setattr(predicting, "cached_model", lambda spec, device: models[device])
    monkeypatch.setattr(engine, "copier_for", lambda device: HostCopier())
    monkeypatch.setattr(device_feed, "measure_batch_size", lambda look, device: 16)
    return models


def test_blocks_go_to_the_device_with_the_fewest_chips_waiting(
    two_devices: dict[str, fed.Difference],
) -> None:
    spec, parts = ModelSpec("two", "one,two"), [fed.chips_of(n, n) for n in (5, 3, 1, 2)]
    for model in two_devices.values():
        model.gate.clear()
    with ThreadPoolExecutor(4) as pool:
        answers, waiting = [], 0
        for part in parts:
            answers.append(pool.submit(predict, spec, part))
            waiting += len(part)
            while sum(f.waiting for _, f in predicting._feeds.values()) != waiting:
                time.sleep(0.001)
        shares = [predicting._feeds[device][1].waiting for device in ("one", "two")]
        for model in two_devices.values():
            model.gate.set()
        for part, answer in zip(parts, answers, strict=True):
            np.testing.assert_array_equal(answer.result().logits, fed.differences(part))
    # 5 to the first; 3, then 1 to the second, which has fewer; 2 again, because 4 is less than 5.
    assert shares == [5, 6]


def test_a_feed_is_kept_for_a_model_and_made_anew_for_another(
    two_devices: dict[str, fed.Difference],
) -> None:
    spec = ModelSpec("two", "one")
    kept = []
    for given in (spec, spec, ModelSpec("other", "one"), spec):
        predict(given, fed.chips_of(1), 4)
        kept.append(predicting._feeds["one"][1])
    assert kept[0] is kept[1]
    assert len({id(one) for one in kept}) == 3
    kept[-1].close(30)
    predict(spec, fed.chips_of(1), 4)
    assert predicting._feeds["one"][1] is not kept[-1], "one that ended is replaced"


def test_nobody_waits_for_a_process_that_ends(two_devices: dict[str, fed.Difference]) -> None:
    predict(ModelSpec("two", "one,two"), fed.chips_of(2))
    feeds = [one for _, one in predicting._feeds.values()]
    predicting._close_feeds()
    assert not any(one.alive for one in feeds)
    assert predicting._feeds == {}

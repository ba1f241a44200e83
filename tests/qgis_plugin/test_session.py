"""A review: its order, filter, counts, and undo."""

from __future__ import annotations

import pytest
from geochange_plugin.review.session import (
    ACCEPT,
    ORDERS,
    REJECT,
    STATUSES,
    UNSET,
    Change,
    Filter,
    Session,
    status_of,
)

from geochange.qgis.schema import STATUSES as OF_THE_FILE

CHANGES = [
    Change(1, UNSET, 0.6, 50, (10, 0), "farmland -> building"),
    Change(2, ACCEPT, 0.9, 10, (30, 5), "farmland -> road"),
    Change(3, UNSET, 0.9, 90, (30, 1)),
    Change(4, REJECT, None, None, (0, 0)),
]


def session(by: str = "most certain first", filtered: Filter | None = None, new: bool = True):  # type: ignore[no-untyped-def]
    made = Session.of(CHANGES)
    made.arrange(by, filtered or Filter(), new)
    return made


def say(review: Session, status: str) -> None:
    edit = review.edit(status)
    assert edit is not None
    review.note_saved(edit)


def test_the_words_are_those_of_the_file() -> None:
    assert STATUSES == OF_THE_FILE
    assert [status_of(value) for value in (None, "", " ", "NULL", "accept", "odd")] == [
        *[UNSET] * 4,
        ACCEPT,
        "odd",
    ]


@pytest.mark.parametrize(
    ("by", "order"),
    [
        ("most certain first", [3, 1, 2, 4]),
        ("least certain first", [1, 3, 4, 2]),
        ("largest first", [3, 1, 2, 4]),
        ("from north to south", [3, 1, 2, 4]),
    ],
)
def test_orders_show_what_is_new_first(by: str, order: list[int]) -> None:
    assert by in ORDERS and session(by).order == order


def test_reviewed_ones_may_stay_in_their_place() -> None:
    assert session("from north to south", new=False).order == [3, 2, 1, 4]


def test_filters() -> None:
    assert session(filtered=Filter(name="farmland -> road")).order == [2]
    assert session(filtered=Filter(lowest=0.7)).order == [3, 2, 4]
    assert session(filtered=Filter(highest=0.7)).order == [1, 4]
    nothing = session(filtered=Filter(name="sea"))
    assert nothing.current is None and nothing.edit(ACCEPT) is None and nothing.step(1) is None
    assert nothing.next_new() is None and nothing.counts().share == 1.0
    assert session().names() == ["farmland -> building", "farmland -> road"]


def test_a_review_goes_through_what_is_new_and_counts() -> None:
    review = session()
    assert review.counts().share == 0.5
    say(review, ACCEPT)
    assert review.next_new().id == 1
    say(review, REJECT)
    counts = review.counts()
    assert (counts.accepted, counts.rejected, counts.unset, counts.share) == (2, 2, 0, 1.0)
    assert review.next_new().id == 2  # nothing is new any more: the next one
    assert review.order == [3, 1, 2, 4]  # the order does not jump


def test_steps_stay_at_either_end() -> None:
    review = session()
    assert review.step(-1).id == 3 and review.step(9).id == 4 and review.step(-1).id == 2
    assert review.show(1) and review.current.id == 1 and not review.show(99)


def test_undo_takes_back_one_by_one_and_shows_it() -> None:
    review = session()
    say(review, ACCEPT)
    review.next_new()
    say(review, REJECT)
    say(review, REJECT)  # the same again is nothing to undo
    edit = review.undo_edit()
    assert edit is not None and (edit.id, edit.old, edit.new) == (1, REJECT, UNSET)
    assert review.changes[1].status == REJECT  # until it is saved
    review.note_undone(edit)
    assert review.changes[1].status == UNSET and review.current.id == 1
    last = review.undo_edit()
    assert last is not None and last.id == 3
    review.note_undone(last)
    assert review.undo_edit() is None and review.counts().unset == 2


def test_a_status_that_could_not_be_saved_is_not_shown() -> None:
    review = session()
    assert review.edit(ACCEPT) is not None
    assert review.current.status == UNSET and review.undo_edit() is None

"""A review: the order of the changes, where one is, what was said, and undo. No QGIS in here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Callable

UNSET, ACCEPT, REJECT = STATUSES = ("unset", "accept", "reject")
"""What a review may say; an empty one is unset."""


@dataclass(frozen=True)
class Change:
    """A change, as far as its review needs it.

    place: (north, east) of its middle, in the CRS of its layer. name: its class, such as "farmland ->
    building"; "" without one.
    """

    id: int
    status: str = UNSET
    confidence: float | None = None
    area_m2: float | None = None
    place: tuple[float, float] = (0.0, 0.0)
    name: str = ""

    @property
    def reviewed(self) -> bool:
        """Whether somebody has said something of it."""
        return self.status != UNSET


Key = Callable[[Change], tuple[float, ...]]

ORDERS: dict[str, Key] = {
    "most certain first": lambda change: (-(change.confidence or 0.0),),
    "least certain first": lambda change: (change.confidence or 0.0,),
    "largest first": lambda change: (-(change.area_m2 or 0.0),),
    "from north to south": lambda change: (-change.place[0], change.place[1]),
}
"""Orders by the names that people choose."""


@dataclass(frozen=True)
class Filter:
    """Which changes are gone through. name: None for all. lowest, highest: of the confidence."""

    name: str | None = None
    lowest: float = 0.0
    highest: float = 1.0

    def passes(self, change: Change) -> bool:
        """Whether a change is meant. One without a confidence always is, by that measure."""
        sure = change.confidence
        certain = sure is None or self.lowest <= sure <= self.highest
        return certain and (self.name is None or change.name == self.name)


@dataclass(frozen=True)
class Edit:
    """A status to save: of which change, what it was, and what it becomes."""

    id: int
    old: str
    new: str


@dataclass(frozen=True)
class Counts:
    """How many changes have which status."""

    unset: int
    accepted: int
    rejected: int

    @property
    def all(self) -> int:
        """How many there are."""
        return self.unset + self.accepted + self.rejected

    @property
    def share(self) -> float:
        """How much is done, 0 to 1."""
        return 1 - self.unset / self.all if self.all else 1.0


@dataclass
class Session:
    """A review under way. The order stays as it is until `arrange` is called again."""

    changes: dict[int, Change]
    order: list[int] = field(default_factory=list)
    at: int = 0
    edits: list[Edit] = field(default_factory=list)

    @classmethod
    def of(cls, changes: Iterable[Change]) -> Session:
        """A review of some changes."""
        return cls({change.id: change for change in changes})

    def arrange(self, by: str, filtered: Filter, new_first: bool = True) -> None:
        """Put the changes that pass a filter in an order, and go to the first of them."""
        key = ORDERS[by]
        meant = [change for change in self.changes.values() if filtered.passes(change)]
        meant.sort(key=lambda change: (new_first and change.reviewed, *key(change), change.id))
        self.order, self.at = [change.id for change in meant], 0

    @property
    def current(self) -> Change | None:
        """The change that is looked at; None where there is none."""
        return self.changes[self.order[self.at]] if self.order else None

    def step(self, by: int) -> Change | None:
        """Go on or back; stays at either end."""
        self.at = min(max(self.at + by, 0), max(len(self.order) - 1, 0))
        return self.current

    def next_new(self) -> Change | None:
        """Go to the next change that is not reviewed, round the end; else to the next one."""
        count = len(self.order)
        for ahead in range(1, count):
            number = (self.at + ahead) % count
            if not self.changes[self.order[number]].reviewed:
                self.at = number
                return self.current
        return self.step(1)

    def edit(self, status: str) -> Edit | None:
        """What has to be saved for the current change to have a status; nothing is changed yet."""
        change = self.current
        return None if change is None else Edit(change.id, change.status, status)

    def note_saved(self, edit: Edit) -> None:
        """An edit was saved; it can be undone."""
        self._set(edit.id, edit.new)
        if edit.old != edit.new:
            self.edits.append(edit)

    def undo_edit(self) -> Edit | None:
        """What has to be saved to undo the last edit; None where nothing was said."""
        if not self.edits:
            return None
        last = self.edits[-1]
        return Edit(last.id, last.new, last.old)

    def note_undone(self, edit: Edit) -> None:
        """The last edit was undone; its change is looked at again."""
        self.edits.pop()
        self._set(edit.id, edit.new)
        self.show(edit.id)

    def show(self, number: int) -> bool:
        """Go to a change by its id; whether it is among those that are gone through."""
        if number not in self.order:
            return False
        self.at = self.order.index(number)
        return True

    def _set(self, number: int, status: str) -> None:
        if number in self.changes:
            self.changes[number] = replace(self.changes[number], status=status)

    def counts(self) -> Counts:
        """The counts of the changes that are gone through."""
        said = [self.changes[number].status for number in self.order]
        return Counts(said.count(UNSET), said.count(ACCEPT), said.count(REJECT))

    def names(self) -> list[str]:
        """The classes that there are."""
        return sorted({change.name for change in self.changes.values() if change.name})


def status_of(value: object) -> str:
    """The status in a field: empty ones are unset. Others stay, and count as reviewed."""
    text = "" if value is None else str(value).strip()
    return text if text and text != "NULL" else UNSET

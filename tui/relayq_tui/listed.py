"""Lists of jobs that stand in columns: any order of their slots, as a sequence of rows."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import compress
from typing import overload

from relayq_tui.columns import EMPTY, Columns
from relayq_tui.rows import JobRow


class Rows(Sequence[JobRow]):
    """Jobs in some order. A row is made when it is asked for: go through very many with `sieve`."""

    __slots__ = ("columns", "slots")

    def __init__(self, columns: Columns, slots: Iterable[int] = ()) -> None:
        self.columns = columns
        self.slots = slots if isinstance(slots, array) else array("i", slots)

    def __len__(self) -> int:
        """How many there are."""
        return len(self.slots)

    @overload
    def __getitem__(self, index: int) -> JobRow: ...

    @overload
    def __getitem__(self, index: slice) -> Rows: ...

    def __getitem__(self, index: int | slice) -> JobRow | Rows:
        """A job, or a part of the list."""
        found = self.slots[index]
        return Rows(self.columns, found) if isinstance(found, array) else self.columns.row(found)

    def __iter__(self) -> Iterator[JobRow]:
        """Each job."""
        return map(self.columns.row, self.slots)

    @property
    def ids(self) -> Iterator[str]:
        """The id of each job."""
        return map(self.columns.id, self.slots)

    def index_of(self, job: str) -> int | None:
        """Where a job stands, None when it does not."""
        slot = self.columns.find(job)
        try:
            return None if slot == EMPTY else self.slots.index(slot)
        except ValueError:
            return None

    def living(self) -> Rows:
        """Without the jobs that are gone."""
        return Rows(self.columns, compress(self.slots, map(self.columns.alive.__getitem__, self.slots)))

    def kept(self) -> Rows:
        """The same list, which stays as it is whatever happens to the jobs."""
        return Rows(self.columns.copy(), self.slots[:])


class Newest(Rows):
    """All jobs, newest first; of the same age, by id. `_ages` are their times, negative, for bisection."""

    __slots__ = ("_ages",)

    def __init__(self, columns: Columns) -> None:
        living = (slot for slot in range(len(columns.alive)) if columns.alive[slot])
        super().__init__(columns, sorted(living, key=by_age_in(columns)))
        self._ages = array("q", (-columns.submitted[slot] for slot in self.slots))

    def add(self, slot: int) -> None:
        """A job has come."""
        at, age = self._place(slot), -self.columns.submitted[slot]
        self.slots.insert(at, slot)
        self._ages.insert(at, age)

    def remove(self, slot: int) -> None:
        """A job goes; its time must not have changed."""
        at = self._place(slot)
        del self.slots[at], self._ages[at]

    def _place(self, slot: int) -> int:
        age = -self.columns.submitted[slot]
        first = bisect_left(self._ages, age)
        last = bisect_right(self._ages, age, first)
        return bisect_left(self.slots, self.columns.id(slot), first, last, key=self.columns.id)


class Jobs(Mapping[str, JobRow]):
    """The jobs by id. What it looks into is another one when everything is read anew."""

    def __init__(self) -> None:
        self.columns = Columns()

    def __len__(self) -> int:
        """How many there are."""
        return len(self.columns)

    def __iter__(self) -> Iterator[str]:
        """Each id."""
        columns = self.columns
        return (columns.id(slot) for slot in range(len(columns.alive)) if columns.alive[slot])

    def __contains__(self, job: object) -> bool:
        """Is it here?"""
        return isinstance(job, str) and self.columns.find(job) != EMPTY

    def __getitem__(self, job: str) -> JobRow:
        """The job; KeyError when it is not here."""
        slot = self.columns.find(job)
        if slot == EMPTY:
            raise KeyError(job)
        return self.columns.row(slot)

    def get(self, job: str, default: object = None) -> JobRow | None:  # type: ignore[override]  # only None
        """The job, or None: asked for every job that is read, and most are new."""
        slot = self.columns.find(job)
        return None if slot == EMPTY else self.columns.row(slot)


def by_age_in(columns: Columns) -> Callable[[int], tuple[int, str]]:
    """The key that puts the newest first, for slots."""
    return lambda slot: (-columns.submitted[slot], columns.id(slot))

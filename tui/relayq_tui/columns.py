"""Jobs in columns: a row that would take six hundred bytes as an object takes some hundred and eighty here.

A job has a number, its slot, and its facts stand at that place of each column: the time of
submission, the others as milliseconds since the one before it (0 is never), the id as its
sixteen bytes, name and command in one long text. What many jobs
have in common (state, queue, worker...) is a `Lot`, held once. What few jobs have stands
aside. Whoever wants to look at a job gets a `JobRow` made for the moment.

A changed job keeps its slot. The slot of a job that is gone keeps what was in it until
`release`, so that a list which still names it can be drawn; then it is used again.
"""

from __future__ import annotations

from array import array
from collections import defaultdict, deque
from collections.abc import Hashable, Iterator, Mapping
from copy import copy
from hashlib import blake2b
from operator import attrgetter
from typing import NamedTuple, Self

from relayq.model.lifecycle import State
from relayq.store.records import ArrayCounts
from relayq_tui.rows import JobRow

ID_BYTES = 16
GAP, END = "\0", "\n"  # behind the name and behind the command: nothing that is safe to draw holds them
END_BYTE = END.encode()
EMPTY = -1
NO_TEXT = FAR = 0xFFFFFFFF  # FAR: the times of the job do not fit, and stand in `far`
FIRST_ROOM, GROWTH, FULL = 4_096, 4, 0.6  # of the table that finds an id
RESTING = 2_000  # slots of jobs that are gone and may still be looked at
WASTE_BYTES, WASTE_SHARE = 1 << 16, 8


class Lot(NamedTuple):
    """What many jobs have in common."""

    state: State
    reason: str
    queue: str
    worker: str
    priority: int
    attempt: int
    max_attempts: int
    exit_code: int | None
    needs: str
    by: str
    cancel_asked: bool
    labels: Mapping[str, str]


class Rest(NamedTuple):
    """What few jobs have."""

    array: ArrayCounts | None = None
    progress: float | None = None
    message: str = ""
    after: tuple[str, ...] = ()
    unique: str = ""


NOTHING = Rest()
_lot_of = attrgetter(*Lot._fields)
_rest_of = attrgetter(*Rest._fields)


class Lots:
    """Every lot that some job has; `held` is by number, None where a number is free."""

    def __init__(self) -> None:
        self.held: list[Lot | None] = [None]  # number 0 is that of no job
        self._users = array("I", [0])
        self._numbers: dict[Hashable, int] = {}
        self._free: list[int] = []

    def __len__(self) -> int:
        """How many there are."""
        return len(self._numbers)

    def take(self, row: JobRow) -> int:
        """The number of the lot that the job has; it is the job's until it is dropped."""
        lot = Lot(*_lot_of(row))
        key = _key_of(lot)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = self._hold(lot)
        self._users[number] += 1
        return number

    def drop(self, number: int) -> None:
        """A job no longer has it."""
        lot = self.held[number]
        if lot is None:
            return
        self._users[number] -= 1
        if not self._users[number]:
            del self._numbers[_key_of(lot)]
            self.held[number] = None
            self._free.append(number)

    def _hold(self, lot: Lot) -> int:
        if self._free:
            number = self._free.pop()
            self.held[number] = lot
            return number
        self.held.append(lot)
        self._users.append(0)
        return len(self.held) - 1


class Texts:
    """Texts, each with its end, in one; a place that is free again is for a text of the same length."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.waste = 0
        self._holes: defaultdict[int, list[int]] = defaultdict(list)

    def add(self, text: bytes) -> int:
        """Where it stands now."""
        if holes := self._holes.get(len(text)):
            self.waste -= len(text)
            at = holes.pop()
            self.data[at : at + len(text)] = text
            return at
        self.data += text
        return len(self.data) - len(text)

    def read(self, at: int) -> bytes:
        """The text that stands there, without its end."""
        return bytes(self.data[at : self.data.index(END_BYTE, at)])

    def drop(self, at: int) -> None:
        """Nobody needs it any more."""
        size = self.data.index(END_BYTE, at) + 1 - at
        self.waste += size
        self._holes[size].append(at)

    def copy(self) -> Self:
        """The same, on its own."""
        made = copy(self)
        made.data = self.data[:]
        made._holes = defaultdict(list, {size: holes[:] for size, holes in self._holes.items()})
        return made


class Columns:
    """Facts by slot. The columns may be read by whoever goes through very many jobs; none is written to."""

    def __init__(self) -> None:
        self.lots, self.texts = Lots(), Texts()
        self.ids = bytearray()
        self.alive = bytearray()
        self.lot = array("I")
        self.submitted = array("q")
        self.ready, self.started, self.ended = array("I"), array("I"), array("I")
        self.far: dict[int, tuple[int, int, int]] = {}
        self.text_at = array("I")
        self.foreign: set[int] = set()  # slots whose text is more than ASCII, or whose id no hub has made
        self.rest: dict[int, Rest] = {}
        self.has_texts_in_order = True  # is each a line behind that of the slot before?
        self._long_ids: dict[bytes, str] = {}
        self._table = array("i", [EMPTY]) * FIRST_ROOM
        self._count = 0
        self._gone: deque[int] = deque()
        self._free: list[int] = []

    def __len__(self) -> int:
        """How many jobs there are."""
        return self._count

    def find(self, job: str) -> int:
        """The slot of a job, EMPTY when it is not here."""
        return self._find(self._key(job))

    def put(self, row: JobRow) -> int:
        """Take a job, new or changed; its slot."""
        key = self._key(row.id)
        slot = self._find(key)
        if slot == EMPTY:
            slot = self._enter(key, row.id)
        self._put_text(slot, f"{row.name}{GAP}{row.command}{END}")
        number, was = self.lots.take(row), self.lot[slot]
        self.lot[slot] = number
        self.lots.drop(was)
        self._put_times(slot, row.submitted_ms, (row.ready_ms, row.started_ms, row.ended_ms))
        rest = _rest_of(row)
        if rest != NOTHING:
            self.rest[slot] = Rest(*rest)
        else:
            self.rest.pop(slot, None)
        return slot

    def drop(self, job: str) -> int:
        """A job is gone; the slot it had, EMPTY when it was not here."""
        key = self._key(job)
        slot = self._find(key)
        if slot != EMPTY:
            self._forget(key)
            self.alive[slot] = 0
            self._count -= 1
            self._gone.append(slot)
        return slot

    def release(self) -> None:
        """No list names jobs that are gone: their slots may be used again."""
        self._free.extend(self._gone)
        self._gone.clear()

    def row(self, slot: int) -> JobRow:
        """The job as it is now."""
        name, command = self.text(slot)
        lot, rest = self.lots.held[self.lot[slot]], self.rest.get(slot, NOTHING)
        assert lot is not None
        submitted_ms, ready_ms, started_ms, ended_ms = self.times(slot)
        return JobRow(
            id=self.id(slot), name=name, command=command, state=lot.state, reason=lot.reason, queue=lot.queue,
            worker=lot.worker, priority=lot.priority, attempt=lot.attempt, max_attempts=lot.max_attempts,
            exit_code=lot.exit_code, submitted_ms=submitted_ms, ready_ms=ready_ms,
            started_ms=started_ms, ended_ms=ended_ms, labels=lot.labels, needs=lot.needs,
            array=rest.array, progress=rest.progress, message=rest.message, after=rest.after, by=lot.by,
            unique=rest.unique, cancel_asked=lot.cancel_asked,
        )  # fmt: skip

    def id(self, slot: int) -> str:
        """The id of the job."""
        raw = bytes(self.ids[slot * ID_BYTES : slot * ID_BYTES + ID_BYTES])
        return raw.decode("ascii") if raw[0] else self._long_ids[raw]

    def text(self, slot: int) -> tuple[str, str]:
        """Its name and its command."""
        text = self.texts.read(self.text_at[slot]).decode("utf-8", "surrogatepass")
        name, _, command = text.partition(GAP)
        return name, command

    def times(self, slot: int) -> tuple[int, int, int, int]:
        """When it was submitted, ready, started and ended."""
        submitted, ready = self.submitted[slot], self.ready[slot]
        if ready == FAR:
            return (submitted, *self.far[slot])
        before, started, ended = submitted - 1, self.started[slot], self.ended[slot]
        return submitted, ready and before + ready, started and before + started, ended and before + ended

    def waiting_for_others(self) -> Iterator[int]:
        """The slots of the jobs that depend on others."""
        return (slot for slot, rest in self.rest.items() if rest.after and self.alive[slot])

    def copy(self) -> Self:
        """The same, which stays as it is whatever happens to this."""
        made = copy(self)
        for name, value in vars(self).items():
            setattr(made, name, copy(value))
        made.texts, made.lots = self.texts.copy(), copy(self.lots)
        made.lots.held = self.lots.held[:]
        return made

    # -- finding a job by its id -----------------------------------------------------

    def _key(self, job: str) -> bytes:
        """The id in sixteen bytes; of one that no hub makes, a digest behind a zero."""
        key = job.encode("utf-8", "surrogatepass")
        if len(key) == ID_BYTES and key.isascii() and key[0]:
            return key
        return b"\0" + blake2b(key, digest_size=ID_BYTES - 1).digest()

    def _find(self, key: bytes) -> int:
        table, ids = self._table, self.ids
        last = len(table) - 1
        at = hash(key) & last
        while (slot := table[at]) != EMPTY:
            if ids[slot * ID_BYTES : slot * ID_BYTES + ID_BYTES] == key:
                return slot
            at = (at + 1) & last
        return EMPTY

    def _enter(self, key: bytes, job: str) -> int:
        slot = self._claim()
        self.ids[slot * ID_BYTES : slot * ID_BYTES + ID_BYTES] = key
        if not key[0]:
            self._long_ids[key] = job
        self.alive[slot] = 1
        self._count += 1
        if self._count > FULL * len(self._table):
            self._table = array("i", [EMPTY]) * (GROWTH * len(self._table))
            for other in range(len(self.alive)):
                if self.alive[other]:
                    self._index(other)
        else:
            self._index(slot)
        return slot

    def _index(self, slot: int) -> None:
        last = len(self._table) - 1
        at = hash(bytes(self.ids[slot * ID_BYTES : slot * ID_BYTES + ID_BYTES])) & last
        while self._table[at] != EMPTY:
            at = (at + 1) & last
        self._table[at] = slot

    def _forget(self, key: bytes) -> None:
        """Take it out of the table; those that had to stand behind it move up."""
        table, ids = self._table, self.ids
        last = len(table) - 1
        at = hash(key) & last
        while ids[table[at] * ID_BYTES : table[at] * ID_BYTES + ID_BYTES] != key:
            at = (at + 1) & last
        table[at] = EMPTY
        at = (at + 1) & last
        while (slot := table[at]) != EMPTY:
            table[at] = EMPTY
            self._index(slot)
            at = (at + 1) & last

    # -- room ------------------------------------------------------------------------

    def _claim(self) -> int:
        """A slot with nothing in it."""
        if not self._free and len(self._gone) > RESTING:
            self._free.append(self._gone.popleft())
        if self._free:
            slot = self._free.pop()
            self._empty(slot)
            return slot
        self.ids += bytes(ID_BYTES)
        self.alive.append(0)
        for column in (self.lot, self.submitted, self.ready, self.started, self.ended):
            column.append(0)
        self.text_at.append(NO_TEXT)
        return len(self.alive) - 1

    def _empty(self, slot: int) -> None:
        raw = bytes(self.ids[slot * ID_BYTES : slot * ID_BYTES + ID_BYTES])
        if not raw[0] and self._find(raw) == EMPTY:
            self._long_ids.pop(raw, None)
        self.lots.drop(self.lot[slot])
        self.lot[slot] = 0
        self.texts.drop(self.text_at[slot])
        self.text_at[slot] = NO_TEXT
        self.rest.pop(slot, None)

    def _put_times(self, slot: int, submitted_ms: int, others: tuple[int, int, int]) -> None:
        self.far.pop(slot, None)
        before = submitted_ms - 1
        if all(not ms or 0 < ms - before < FAR for ms in others):
            ready, started, ended = (ms and ms - before for ms in others)
        else:
            self.far[slot], ready, started, ended = others, FAR, 0, 0
        self.submitted[slot], self.ready[slot] = submitted_ms, ready
        self.started[slot], self.ended[slot] = started, ended

    def _put_text(self, slot: int, text: str) -> None:
        raw, at = text.encode("utf-8", "surrogatepass"), self.text_at[slot]
        if at != NO_TEXT:
            if self.texts.data.startswith(raw, at):
                return
            self.texts.drop(at)
        self.text_at[slot] = self.texts.add(raw)
        is_last = slot == len(self.alive) - 1 and self.text_at[slot] + len(raw) == len(self.texts.data)
        self.has_texts_in_order = self.has_texts_in_order and is_last and raw.count(b"\n") == 1
        if text.isascii() and self.ids[slot * ID_BYTES]:
            self.foreign.discard(slot)
        else:
            self.foreign.add(slot)
        if self.texts.waste > WASTE_BYTES + len(self.texts.data) // WASTE_SHARE:
            self._pack_texts()

    def _pack_texts(self) -> None:
        """The texts anew, without the holes."""
        packed, data = Texts(), self.texts.data
        for slot, at in enumerate(self.text_at):
            if at != NO_TEXT:
                self.text_at[slot] = packed.add(bytes(data[at : data.index(END_BYTE, at) + 1]))
        self.texts = packed


def _key_of(lot: Lot) -> Hashable:
    return (*lot[:-1], tuple(lot.labels.items())) if lot.labels else lot[:-1]

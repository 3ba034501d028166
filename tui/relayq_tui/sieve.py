"""Ask a query of very many jobs in columns: the same answer as its test gives row by row, without the rows.

What a lot knows is asked once for each lot. Plain words are looked for in the text of all
jobs as it stands. For times and patterns a stand-in with the attributes that the query's
own test reads goes from job to job. Whatever else there may be is asked of the row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import compress
from types import SimpleNamespace
from typing import Any

from relayq.model.ids import ALPHABET
from relayq.model.lifecycle import FINAL, State
from relayq.query import Node, Query, Term, Test, cost_of, is_plain, sort_key, test_of, with_words_together
from relayq_tui.columns import END, END_BYTE, FAR, GAP, ID_BYTES, Columns
from relayq_tui.listed import Rows

OF_LOTS = frozenset(
    {"state", "queue", "worker", "prio", "exit", "try", "cost", "tag", "label", "run", "by", "reason"}
)
OF_TIMES = frozenset({"age", "dur", "wait", "new"})
OF_TEXTS = frozenset({"", "name", "cmd", "id"})
OF_WORDS = frozenset({"", "cmd", "id"})
GAP_BYTE = GAP.encode()
IN_IDS = frozenset(ALPHABET)
SHORT_FROM = 10  # people see the last six of sixteen characters
Slots = Sequence[int]


def sift(query: Query, rows: Rows, now_ms: int) -> Rows:
    """The jobs that match, in the order they stand in."""
    if query.matches_all:
        return Rows(rows.columns, rows.slots[:])
    return Rows(rows.columns, _Sieve(rows.columns, now_ms).through(query.node, rows.slots.tolist()))


def ordered(query: Query, rows: Rows, now_ms: int) -> Rows:
    """The jobs in the order that is asked for; what has no value comes last."""
    found, sieve = list(rows.slots), _Sieve(rows.columns, now_ms)
    for name, is_descending in reversed(query.sort):
        key = _of_slots(sort_key(name, is_descending, now_ms), sieve.stand_in(name))
        found.sort(key=key, reverse=is_descending)
    return Rows(rows.columns, found)


def _of_slots(key: Callable[[Any], Any], at: Callable[[int], Any]) -> Callable[[int], Any]:
    return lambda slot: key(at(slot))


def of_lots(rows: Rows, fits: Callable[[Any], bool]) -> Rows:
    """The jobs whose lot fits."""
    return Rows(rows.columns, _Sieve(rows.columns, 0).of_lots(fits, rows.slots))


def ran_after(rows: Rows, from_ms: int) -> Rows:
    """The jobs that ran after `from_ms`, or still run."""
    columns = rows.columns
    is_final = bytes(lot is not None and lot.state in FINAL for lot in columns.lots.held)
    ran = (
        slot
        for slot in rows.slots
        if (found := columns.times(slot))[2] and (found[3] >= from_ms or not is_final[columns.lot[slot]])
    )
    return Rows(columns, ran)


def times(rows: Rows) -> Iterator[Times]:
    """The times of each job; what is yielded holds them until the next one."""
    return map(_Sieve(rows.columns, 0).each_times(), rows.slots)


def named(rows: Rows, name: str) -> Rows:
    """The jobs of this name."""
    begin = f"{name}{GAP}".encode("utf-8", "surrogatepass")
    is_here, at = rows.columns.texts.data.startswith, rows.columns.text_at
    return Rows(rows.columns, (slot for slot in rows.slots if is_here(begin, at[slot])))


def _is_of_lots(node: Node) -> bool:
    """Does it ask for nothing but what lots know?"""
    return node.field in OF_LOTS if isinstance(node, Term) else all(map(_is_of_lots, node.parts))


class Times:
    """Stands in for a job where only its times and its state are asked for."""

    __slots__ = ("ended_ms", "ready_ms", "started_ms", "state", "submitted_ms")

    state: State
    submitted_ms: int
    ready_ms: int
    started_ms: int
    ended_ms: int

    @property
    def is_final(self) -> bool:
        """Has it ended?"""
        return self.state in FINAL


class _Sieve:
    """One look at the columns, at one time."""

    def __init__(self, columns: Columns, now_ms: int) -> None:
        self._columns, self._now_ms = columns, now_ms

    def through(self, node: Node, slots: Slots) -> Slots:
        """Those of the slots whose jobs fulfil the condition, in their order."""
        if _is_of_lots(node):
            test, now_ms = test_of(node), self._now_ms
            return self.of_lots(lambda lot: test(lot, now_ms), slots)
        if isinstance(node, Term):
            return self._through_term(node, slots)
        if node.kind == "all":
            for part in sorted(node.parts, key=cost_of):
                slots = self.through(part, slots)
            return slots
        if node.kind == "not":
            out = set(self.through(node.parts[0], slots))
            return [slot for slot in slots if slot not in out]
        parts = sorted(with_words_together(node), key=cost_of)
        if len(parts) == 1:
            return self.through(parts[0], slots)
        found: set[int] = set()
        left = slots
        for part in parts:
            found.update(self.through(part, left))
            left = [slot for slot in left if slot not in found]
        return [slot for slot in slots if slot in found]

    def of_lots(self, fits: Callable[[Any], bool], slots: Slots) -> Slots:
        """Those whose lot fits."""
        columns = self._columns
        verdicts = bytes(lot is not None and bool(fits(lot)) for lot in columns.lots.held)
        if verdicts.count(1) == len(columns.lots):
            return slots
        return list(compress(slots, map(verdicts.__getitem__, map(columns.lot.__getitem__, slots))))

    def stand_in(self, field: str) -> Callable[[int], Any]:
        """What gives, for a slot, something with the attributes that the field reads."""
        columns = self._columns
        if field in OF_LOTS:
            held, lot = columns.lots.held, columns.lot
            return lambda slot: held[lot[slot]]
        if field in OF_TIMES:
            return self.each_times()
        return self._texts(field) if field in OF_TEXTS else columns.row

    def _through_term(self, term: Term, slots: Slots) -> Slots:
        test, now_ms = term.test, self._now_ms
        if term.field in OF_TIMES:
            return self._by_times(test, slots)
        if term.field == "after":
            waiting = set(self._columns.waiting_for_others())
            slots = [slot for slot in slots if slot in waiting]
        if term.field == "name":
            return self._by_names(term, slots)
        if term.field in OF_WORDS and all(map(is_plain, term.items)):
            return self._by_words(term, slots)
        at = self.stand_in(term.field)
        return [slot for slot in slots if test(at(slot), now_ms)]

    # -- stand-ins -------------------------------------------------------------------

    def each_times(self) -> Callable[[int], Times]:
        columns, it = self._columns, Times()

        def at(slot: int) -> Times:
            it.state = self._states[columns.lot[slot]]
            it.submitted_ms, it.ready_ms, it.started_ms, it.ended_ms = columns.times(slot)
            return it

        return at

    def _by_times(self, test: Test, slots: Slots) -> Slots:
        """As with `each_times`, without a call for each job: they are asked for by all who type `dur:>5m`."""
        columns, it, at, states = self._columns, Times(), self.each_times(), self._states
        lots, submitted, ready = columns.lot, columns.submitted, columns.ready
        started, ended, found, now_ms = columns.started, columns.ended, list[int](), self._now_ms
        it.submitted_ms = 1  # every time counts from the millisecond before that
        for slot in slots:
            it.ready_ms = ready[slot]
            if it.ready_ms == FAR:
                is_wanted = test(at(slot), now_ms)
            else:
                it.state, it.started_ms, it.ended_ms = states[lots[slot]], started[slot], ended[slot]
                is_wanted = test(it, now_ms - submitted[slot] + 1)
            if is_wanted:
                found.append(slot)
        return found

    @cached_property
    def _states(self) -> Sequence[State]:
        """The state of each lot."""
        return [lot.state if lot is not None else State.PENDING for lot in self._columns.lots.held]

    def _texts(self, field: str) -> Callable[[int], SimpleNamespace]:
        columns, it = self._columns, SimpleNamespace(id="", name="", command="")
        data, text_at = columns.texts.data, columns.text_at

        def name(slot: int) -> SimpleNamespace:
            start = text_at[slot]
            it.name = data[start : data.index(GAP_BYTE, start)].decode("utf-8", "surrogatepass")
            return it

        def command(slot: int) -> SimpleNamespace:
            start = data.index(GAP_BYTE, text_at[slot]) + 1
            it.command = data[start : data.index(END_BYTE, start)].decode("utf-8", "surrogatepass")
            return it

        def every(slot: int) -> SimpleNamespace:
            it.id = columns.id(slot)
            it.name, it.command = columns.text(slot)
            return it

        return {"name": name, "cmd": command}.get(field, every)

    # -- texts -----------------------------------------------------------------------

    def _by_names(self, term: Term, slots: Slots) -> Slots:
        """Names are told apart as bytes, and each is judged once."""
        columns, verdicts = self._columns, dict[bytes, bool]()
        data, at, found = columns.texts.data, columns.text_at, list[int]()
        for slot in slots:
            start = at[slot]
            name = bytes(data[start : data.index(GAP_BYTE, start)])
            verdict = verdicts.get(name)
            if verdict is None:
                it = SimpleNamespace(name=name.decode("utf-8", "surrogatepass"))
                verdict = verdicts[name] = term.test(it, self._now_ms)
            if verdict:
                found.append(slot)
        return found

    def _by_words(self, term: Term, slots: Slots) -> Slots:
        """Text of ASCII letters is searched as it stands, any other is tested."""
        words = [item.text.lower() for item in term.items if term.field != "id"]
        plain = [word for word in words if word.isascii() and GAP not in word and END not in word]
        found = self._with_one_of(plain, slots, is_command=term.field == "cmd")
        named = {slot for item in term.items for slot in self._with_id(item.text.upper())}
        foreign = self._columns.foreign and self._columns.foreign.intersection(slots)
        if not foreign and (not named or term.field == "cmd"):
            return found
        at, hits = self.stand_in(""), (set(found) if term.field == "cmd" else named.union(found)) - foreign
        hits.update(slot for slot in foreign if term.test(at(slot), self._now_ms))
        return [slot for slot in slots if slot in hits]

    def _with_one_of(self, words: Sequence[str], slots: Slots, *, is_command: bool) -> Slots:
        if len(words) == 1:
            return self._with_word(words[0], slots, is_command=is_command)
        if len(words) == 2 and not is_command and self._is_worth_lines(slots):
            (one, other), lines = words, self._lines
            return [s for s in slots if one in lines[s] or other in lines[s]]
        found = {slot for word in words for slot in self._with_word(word, slots, is_command=is_command)}
        return [slot for slot in slots if slot in found] if found else []

    def _with_word(self, word: str, slots: Slots, *, is_command: bool) -> Slots:
        columns = self._columns
        at, read, raw = columns.text_at, columns.texts.read, word.encode()
        if 2 * len(slots) < len(columns):
            found = [s for s in slots if read(at[s]).lower().find(raw) >= 0]
        elif self._is_worth_lines(slots):
            lines = self._lines
            found = [s for s in slots if word in lines[s]]
        else:
            find = self._small.find
            found = [s for s in slots if find(raw, start := at[s], find(END_BYTE, start)) >= 0]
        return [s for s in found if word in columns.text(s)[1].lower()] if is_command else found

    def _is_worth_lines(self, slots: Slots) -> bool:
        return self._columns.has_texts_in_order and 2 * len(slots) >= len(self._columns)

    @cached_property
    def _small(self) -> bytes:
        """All texts in small letters."""
        return bytes(self._columns.texts.data).lower()

    @cached_property
    def _lines(self) -> Sequence[str]:
        """The text of each slot in small letters, where they stand in order: a text is quicker than bytes."""
        return self._columns.texts.data.decode("utf-8", "surrogatepass").lower().split(END)

    def _with_id(self, word: str) -> Iterator[int]:
        """The jobs whose id begins with the word, or the end of it that people see."""
        if not IN_IDS.issuperset(word) or len(word) > ID_BYTES:
            return
        raw, ids = word.encode(), self._columns.ids
        is_short = len(raw) <= ID_BYTES - SHORT_FROM
        at = ids.find(raw)
        while at >= 0:
            if at % ID_BYTES == 0 or (is_short and at % ID_BYTES == SHORT_FROM):
                yield at // ID_BYTES
            at = ids.find(raw, at + 1)

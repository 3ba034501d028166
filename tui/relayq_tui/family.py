"""The flow a job belongs to: everything it waits for and everything that waits for it.

What is known of the jobs' times says which way through the flow is the longest (the
critical path), how much of it is done, and when the last job of it may end. Nothing is
guessed: where the usual time of a job is not known, or a job it needs has failed, there
is no end to be told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from relayq.model.duration import format_duration
from relayq.model.lifecycle import State
from relayq_tui.glyphs import Glyphs, clock
from relayq_tui.rows import JobRow
from relayq_tui.store import Store
from relayq_tui.widgets.layers import Edge, Node

MOST = 300
LOST = (State.FAILED, State.CANCELLED, State.SKIPPED, State.EXPIRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A flow: `nodes` and `edges` to draw, `rows` by id, `critical` the longest way, in its order.

    `length_ms` is how long that way takes, `done_ms` how much of it is done, `end_ms` when the
    last job may end; 0 is unknown. `blockers` are what keeps the asked job from starting.
    """

    nodes: Sequence[Node]
    edges: Sequence[Edge]
    rows: Mapping[str, JobRow]
    critical: Sequence[str]
    length_ms: int
    done_ms: int
    end_ms: int
    blockers: Sequence[JobRow]


def family(store: Store, job: str, glyphs: Glyphs, dependents: Iterable[str] = ()) -> Family:
    """The flow of a job; `dependents` are those that the hub says wait for it."""
    waited_for = _reversed(store)
    waited_for[job] += [other for other in dependents if other not in waited_for[job]]
    rows = _reach(store, job, waited_for)
    edges = [(before, row.id) for row in rows.values() for before in row.after if before in rows]
    edges += [(job, other) for other in waited_for[job] if other in rows and (job, other) not in edges]
    ways = _Ways(store, rows, edges)
    critical = ways.longest()
    asked = rows.get(job)
    return Family(
        nodes=[_node(row, store, glyphs) for row in rows.values()],
        edges=edges,
        rows=rows,
        critical=critical,
        length_ms=sum(ways.length_ms(one) for one in critical),
        done_ms=sum(ways.done_ms(one) for one in critical),
        end_ms=ways.end_ms(),
        blockers=_blockers(rows, asked) if asked else (),
    )


def _blockers(rows: Mapping[str, JobRow], asked: JobRow) -> list[JobRow]:
    """What the job waits for in the end: what has no success and waits for nothing; the lost first."""
    found: dict[str, JobRow] = {}
    ahead = list(asked.after)
    while ahead:
        row = rows.get(ahead.pop())
        if row is None or row.id in found or row.state is State.SUCCEEDED:
            continue
        found[row.id] = row
        ahead += row.after
    roots = [row for row in found.values() if not any(one in found for one in row.after)]
    return sorted(roots, key=lambda row: (row.state not in LOST, row.submitted_ms))


def _reversed(store: Store) -> dict[str, list[str]]:
    """Who waits for each job."""
    found: dict[str, list[str]] = defaultdict(list)
    for row in store.waiting_for_others():
        for before in row.after:
            found[before].append(row.id)
    return found


def _reach(store: Store, job: str, waited_for: Mapping[str, Sequence[str]]) -> dict[str, JobRow]:
    """Everything that can be reached from the job against or along the arrows, the oldest first."""
    found: dict[str, JobRow] = {}
    ahead = [job]
    while ahead and len(found) < MOST:
        name = ahead.pop()
        row = store.jobs.get(name)
        if row is not None and name not in found:
            found[name] = row
            ahead += [*row.after, *waited_for.get(name, ())]
    return dict(sorted(found.items(), key=lambda item: item[1].submitted_ms))


def _node(row: JobRow, store: Store, glyphs: Glyphs) -> Node:
    return Node(
        id=row.id, label=f"{row.short_id} {row.title}", state=row.state, detail=_detail(row, store, glyphs)
    )


def _detail(row: JobRow, store: Store, glyphs: Glyphs) -> str:
    now_ms = store.now_ms()
    run_ms = row.run_ms(now_ms)
    if row.state is State.FAILED:
        return "" if row.exit_code is None else str(row.exit_code)
    if row.is_final:
        return "" if run_ms is None else format_duration(run_ms)
    end_ms = store.history.end_ms(row, now_ms)
    if end_ms is not None:
        return f"{glyphs.about}{clock(end_ms)}"
    usual = store.history.usual_ms(row.title, row.worker)
    return "" if usual is None else f"{glyphs.about}{format_duration(usual[0])}"


class _Ways:
    """The ways through a flow, by how long their jobs take."""

    def __init__(self, store: Store, rows: Mapping[str, JobRow], edges: Iterable[Edge]) -> None:
        self._store, self._rows = store, rows
        self._before: dict[str, list[str]] = defaultdict(list)
        for source, target in edges:
            self._before[target].append(source)

    def length_ms(self, job: str) -> int:
        """How long a job takes: as it ran, else as its like usually does."""
        row = self._rows[job]
        run_ms = row.run_ms(self._store.now_ms()) or 0
        if row.is_final:
            return run_ms
        usual = self._store.history.usual_ms(row.title, row.worker)
        return max(run_ms, usual[0] if usual else 0)

    def done_ms(self, job: str) -> int:
        """How much of it has run, if that was for good."""
        row = self._rows[job]
        return 0 if row.state in LOST else min(self.length_ms(job), row.run_ms(self._store.now_ms()) or 0)

    def longest(self) -> list[str]:
        """The ids along the longest way, first to last."""
        best: dict[str, tuple[int, str]] = {}
        for job in self._in_order():
            length, before = max(
                ((best[one][0], one) for one in self._before[job] if one in best), default=(0, "")
            )
            best[job] = (length + self.length_ms(job), before)
        way: list[str] = []
        job = max(best, key=lambda one: best[one][0], default="")
        while job:
            way.append(job)
            job = best[job][1]
        return way[::-1]

    def end_ms(self) -> int:
        """When the last one may end; 0 when that cannot be told."""
        ends: dict[str, int] = {}
        for job in self._in_order():
            end_ms = self._end_ms(job, max((ends.get(one, 0) for one in self._before[job]), default=0))
            if not end_ms:
                return 0
            ends[job] = end_ms
        last = max(ends.values(), default=0)
        return last if last > self._store.now_ms() else 0

    def _end_ms(self, job: str, earliest_ms: int) -> int:
        row, now_ms = self._rows[job], self._store.now_ms()
        if row.state in LOST:
            return 0
        if row.is_final:
            return row.ended_ms
        running = self._store.history.end_ms(row, now_ms)
        if running is not None:
            return running
        usual = self._store.history.usual_ms(row.title)
        return max(now_ms, earliest_ms, row.ready_ms) + usual[0] if usual else 0

    def _in_order(self) -> list[str]:
        """Each job after those it waits for; what stands in a circle is left out."""
        left = {job: len(self._before[job]) for job in self._rows}
        after: dict[str, list[str]] = defaultdict(list)
        for target, sources in self._before.items():
            for source in sources:
                after[source].append(target)
        ready = [job for job, count in left.items() if not count]
        for job in ready:
            for target in after[job]:
                left[target] -= 1
                if not left[target]:
                    ready.append(target)
        return ready

"""What ran where and when, as lanes of a timeline, made from what the store knows.

A lane is a worker or a queue. Beside the jobs that ran stand the times in which a worker
was away, and ahead of now what is planned: delayed jobs and the firings of schedules.
`at_ms` may lie in the past: then the timeline is as it was at that time, for the replay.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, islice
from statistics import median
from typing import Literal

from relayq.model.duration import format_duration
from relayq.model.lifecycle import State
from relayq_tui.glyphs import clock
from relayq_tui.rows import JobRow
from relayq_tui.sieve import Times, of_lots, ran_after, times
from relayq_tui.store import DAY_MS, Store
from relayq_tui.vitals import slots
from relayq_tui.widgets.spans import Lane, Span, Track

Group = Literal["worker", "queue"]
GROUPS: tuple[Group, ...] = ("worker", "queue")
PLANNED, ARRAYS = "planned", "arrays"  # lanes that are no workers
MINUTE_MS = 60_000
LOOKED_AT = 20_000
RATE_MIN, ASKED = 10, 100
STEPS = 90  # of the tracks below the lanes
ENDED = (State.SUCCEEDED, State.FAILED)


class Chronicle:
    """The timeline as the store tells it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def lanes(self, group: Group, from_ms: int, at_ms: int) -> list[Lane]:
        """The lanes with what ran after `from_ms`, as it was at `at_ms`."""
        spans: dict[str, list[Span]] = defaultdict(list)
        for row in self.ran(from_ms):
            if row.started_ms <= at_ms:
                spans[row.worker if group == "worker" else row.queue].append(self._span(row, at_ms))
        named = self._workers(spans, at_ms) if group == "worker" else _queues(spans)
        planned = list(self._planned(at_ms))
        return [*named, Lane(name=PLANNED, spans=planned)] if planned else list(named)

    def ran(self, from_ms: int) -> Iterator[JobRow]:
        """The jobs that ran after `from_ms`; of very many only the newest are looked at."""
        yield from ran_after(self._store.newest[:LOOKED_AT], from_ms)

    def busy(self, from_ms: int, to_ms: int) -> float:
        """What share of the workers' slots was taken in this time, 0 to 1."""
        to_ms = min(to_ms, self._store.now_ms())
        room = sum(slots(worker)[1] for worker in self._store.workers.values() if worker.online)
        spent = sum(
            max(0, min(to_ms, row.ended_ms if row.is_final else to_ms) - max(from_ms, row.started_ms))
            for row in self.ran(from_ms)
        )
        return min(1.0, spent / (room * (to_ms - from_ms))) if room and to_ms > from_ms else 0.0

    def tracks(self, from_ms: int, at_ms: int) -> list[Track]:
        """How many waited, how many ended a minute, how long the slowest twentieth waited.

        What stands behind each is the hub's own figure of now, which knows more jobs than the store.
        """
        series, step_ms = self._store.series, max(MINUTE_MS, (at_ms - from_ms) // STEPS)
        found = _Counted(from_ms, step_ms, max(1, (at_ms - from_ms) // step_ms + 1))
        for one in times(self._store.newest[:LOOKED_AT]):
            found.take(one, at_ms)
        ended = series.ended[-1] if series.ended else 0.0
        waited_ms = int(series.p95_wait_s[-1] * 1000) if series.p95_wait_s else 0
        told: tuple[tuple[str, Sequence[float], str], ...] = (
            ("waiting", found.waiting(), self._drains(self._store.now_ms())),
            ("ended/min", found.ended(), f"{ended:.0f}"),
            ("p95 wait", found.waits(), format_duration(waited_ms)),
        )
        return [
            Track(name=name, values=values, from_ms=from_ms, step_ms=step_ms, note=note)
            for name, values, note in told
        ]

    def _span(self, row: JobRow, at_ms: int) -> Span:
        is_over = row.is_final and row.ended_ms <= at_ms
        eta_ms = self._store.history.end_ms(row, at_ms) if not is_over and not row.is_final else row.ended_ms
        return Span(
            start_ms=row.started_ms,
            end_ms=row.ended_ms if is_over else None,
            label=row.title,
            state=row.state if is_over or not row.is_final else State.RUNNING,
            job=row.id,
            eta_ms=0 if is_over else eta_ms or 0,
        )

    def _workers(self, spans: Mapping[str, list[Span]], at_ms: int) -> Iterator[Lane]:
        """Those that are there first; then those that only the past knows."""
        known = sorted(self._store.workers.values(), key=lambda worker: (not worker.online, worker.name))
        for worker in known:
            taken, room = slots(worker)
            away: list[Span] = []
            if not worker.online and 0 < worker.seen_ms <= at_ms:
                away = [
                    Span(start_ms=worker.seen_ms, end_ms=None, label=f"offline since {clock(worker.seen_ms)}")
                ]
            note = f"{taken}/{room}" if worker.online else "-"
            yield Lane(name=worker.name, note=note, spans=[*spans.get(worker.name, ()), *away])
        for name in sorted(set(spans) - set(self._store.workers)):
            yield Lane(name=name or ARRAYS, spans=spans[name])

    def _planned(self, at_ms: int) -> Iterator[Span]:
        for schedule in self._store.schedules:
            for fire_ms in schedule.next_ms[:1]:
                if fire_ms > at_ms and not schedule.is_paused:
                    yield Span(start_ms=fire_ms, end_ms=fire_ms, label=schedule.name, state=State.PENDING)
        for row in self._delayed():
            if row.ready_ms > at_ms:
                yield Span(
                    start_ms=row.ready_ms, end_ms=row.ready_ms, label=row.title, state=row.state, job=row.id
                )

    def _delayed(self) -> Iterable[JobRow]:
        looked_at = self._store.newest[:LOOKED_AT]
        return of_lots(looked_at, lambda lot: lot.state is State.PENDING and lot.reason == "delay")

    def _drains(self, now_ms: int) -> str:
        """When nothing will wait any more, if more ends than comes, and within a day."""
        series, waiting = self._store.series, self._store.count(State.RUNNABLE)
        rate = _ended_a_minute(series.ended[-RATE_MIN - 1 :]) - _usual(series.submitted[-RATE_MIN - 1 :])
        if not waiting or rate <= 0 or waiting / rate * MINUTE_MS > DAY_MS or self._stands():
            return str(waiting)
        return f"{waiting}, drains {clock(now_ms + int(waiting / rate * MINUTE_MS))}"

    def _stands(self) -> bool:
        """Has nothing ended lately that is like what waits? What ended else tells nothing of it."""
        known = of_lots(self._store.newest[:LOOKED_AT], lambda lot: lot.state is State.RUNNABLE)
        places = [self._store.place(row) for row in islice(known, ASKED)]
        return bool(places) and not any(place and place[1] is not None for place in places)


def _ended_a_minute(ended: Sequence[float]) -> float:
    """From the first minute on in which any ended: before it nobody worked, or there was no fleet yet.

    The last minute is not over: it counts only where there is no other.
    """
    first = next((number for number, count in enumerate(ended) if count), len(ended))
    over = ended[first:-1] or ended[first:]
    return sum(over) / max(1, len(over))


def _usual(submitted: Sequence[float]) -> float:
    """What comes in a minute like any other: many at once do not go on coming."""
    return median(submitted[:-1] or (0.0,))


def _queues(spans: Mapping[str, list[Span]]) -> Iterator[Lane]:
    for name in sorted(spans):
        yield Lane(name=name, spans=spans[name])


class _Counted:
    """What jobs did in each step of a stretch of time."""

    def __init__(self, from_ms: int, step_ms: int, steps: int) -> None:
        self._from_ms, self._step_ms, self._steps = from_ms, step_ms, steps
        self._came = [0] * (steps + 1)
        self._ended = [0] * steps
        self._waits: dict[int, list[int]] = defaultdict(list)

    def take(self, row: Times, at_ms: int) -> None:
        """Count a job: from when to when it waited, when it began, when it ended."""
        ready_ms = row.ready_ms or row.submitted_ms
        if row.state is State.PENDING:
            return
        left_ms = row.started_ms or (row.ended_ms if row.is_final else at_ms + self._step_ms)
        if left_ms < self._from_ms or ready_ms > at_ms:
            return
        self._came[self._instant(ready_ms)] += 1
        self._came[self._instant(left_ms)] -= 1
        if self._from_ms <= row.started_ms <= at_ms:
            self._waits[(row.started_ms - self._from_ms) // self._step_ms].append(row.started_ms - ready_ms)
        if row.is_final and self._from_ms <= row.ended_ms <= at_ms:
            self._ended[min(self._steps - 1, (row.ended_ms - self._from_ms) // self._step_ms)] += 1

    def waiting(self) -> list[float]:
        """How many waited as each step began."""
        return list(map(float, accumulate(self._came[:-1])))

    def ended(self) -> list[float]:
        """How many ended, a minute."""
        return [count * MINUTE_MS / self._step_ms for count in self._ended]

    def waits(self) -> list[float]:
        """How long the slowest twentieth of those that began had waited, in seconds."""
        found = (sorted(self._waits.get(step, ())) for step in range(self._steps))
        return [waits[len(waits) * 19 // 20] / 1000 if waits else 0.0 for waits in found]

    def _instant(self, at_ms: int) -> int:
        """The first beginning of a step that is not before this time."""
        return max(0, min(self._steps, -((self._from_ms - at_ms) // self._step_ms)))


def last_day(store: Store) -> dict[str, tuple[int, int]]:
    """Of each worker, how many jobs succeeded and how many failed within a day, as far as the store knows."""
    since_ms = store.now_ms() - DAY_MS
    ends = Counter(
        (row.worker, row.state is State.SUCCEEDED)
        for row in of_lots(store.newest[:LOOKED_AT], lambda lot: lot.state in ENDED)
        if row.ended_ms >= since_ms
    )
    return {worker: (ends[worker, True], ends[worker, False]) for worker, _ in ends}

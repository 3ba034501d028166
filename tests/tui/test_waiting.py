"""The places of waiting jobs: by age and priority, queue by queue, and how soon."""

from __future__ import annotations

from typing import Any

from relayq.model.lifecycle import State
from relayq_tui.feed import Counts, JobsChanged, JobsGone, Snapshot
from relayq_tui.rows import JobRow
from relayq_tui.store import Store

NOW = 1_700_000_000_000
MINUTE = 60_000


def job(number: int, state: State = State.RUNNABLE, **fields: Any) -> JobRow:
    """A job that was ready `number` minutes ago."""
    ready_ms = NOW - number * MINUTE
    return JobRow(
        id=f"{number:016}", name=f"n{number}", command="true", state=state,
        submitted_ms=ready_ms, ready_ms=ready_ms, **fields,
    )  # fmt: skip


def places(*rows: JobRow, **counts: Any) -> dict[str, tuple[int, int | None] | None]:
    """Where these stand."""
    store = Store(lambda: NOW)
    store.apply(Counts(by_state={}, **counts))
    store.apply(Snapshot(jobs=rows, at_ms=NOW))
    return {row.name: store.place(row) for row in rows}


def ended(number: int, *, began: float = 2, over: float = 1) -> JobRow:
    """A job that began and was over so many minutes ago."""
    started_ms, ended_ms = NOW - int(began * MINUTE), NOW - int(over * MINUTE)
    return job(number, State.SUCCEEDED, started_ms=started_ms, ended_ms=ended_ms)


def test_the_oldest_is_first_and_priority_counts_ten_minutes() -> None:
    found = places(job(1), job(5), job(3, priority=1), job(2, queue="gpu"), job(9, needs="mac"))
    assert found == {"n1": (3, None), "n5": (2, None), "n3": (1, None), "n2": (1, None), "n9": (1, None)}


def test_how_soon_is_told_from_what_ended_lately() -> None:
    steady = (ended(100 + minute, began=minute + 2, over=minute) for minute in range(10))  # two at once
    found = places(job(1), job(2), *steady)
    assert (found["n2"], found["n1"]) == ((1, MINUTE), (2, 2 * MINUTE))


def test_how_soon_is_right_in_the_first_minutes_of_a_fleet() -> None:
    four_at_once = [ended(number, began=2, over=1) for number in range(100, 104)]
    assert places(job(1), *four_at_once)["n1"] == (1, MINUTE // 4)
    again = [ended(number, began=1, over=0) for number in range(104, 108)]
    assert places(job(1), *four_at_once, *again)["n1"] == (1, MINUTE // 4)


def test_it_takes_longer_when_nothing_ends_any_more() -> None:
    two = [ended(number, began=9, over=8) for number in range(100, 102)]
    assert places(job(1), *two)["n1"] == (1, 4 * MINUTE)


def test_of_long_jobs_as_much_is_looked_at_as_they_run() -> None:
    two = [ended(number, began=61, over=1) for number in range(100, 102)]
    assert places(job(1), *two)["n1"] == (1, int(29.5 * MINUTE))


def test_a_thousand_ends_in_a_short_while_are_a_short_while() -> None:
    minutes = [1 - number / 2_000 for number in range(2_000)]
    many = [ended(2_000 + n, began=ago, over=ago) for n, ago in enumerate(minutes)]
    assert places(job(1), *many)["n1"] == (1, 30)


def test_a_paused_queue_has_places_and_no_time() -> None:
    assert places(job(1), ended(100), paused=("default",))["n1"] == (1, None)


def test_what_runs_waits_by_itself_or_has_ended_has_no_place() -> None:
    assert places(job(1, State.RUNNING), job(2, State.PENDING), ended(100)) == {
        "n1": None, "n2": None, "n100": None,
    }  # fmt: skip


def test_who_starts_ends_or_goes_makes_room_for_the_others() -> None:
    rows = [job(number) for number in (1, 2, 3, 4)]
    store = Store(lambda: NOW)
    store.apply(Snapshot(jobs=rows, at_ms=NOW))
    store.apply(JobsChanged([job(4, State.RUNNING), job(1, priority=1)]))
    store.apply(JobsGone([rows[2].id]))
    assert [store.place(row) for row in store.newest] == [(1, None), (2, None), None]
    assert store.place(rows[2]) is None

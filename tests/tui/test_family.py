"""The flow of a job: its relatives, the longest way, when it may end, what blocks it."""

from __future__ import annotations

from typing import Any

from relayq.model.lifecycle import State
from relayq_tui.family import Family, family
from relayq_tui.feed import Snapshot
from relayq_tui.glyphs import UNICODE
from relayq_tui.rows import JobRow
from relayq_tui.store import Store

NOW = 10_000_000
MINUTE = 60_000


def job(id: str, state: State = State.SUCCEEDED, *, after: tuple[str, ...] = (), **fields: Any) -> JobRow:
    """A job that ran a minute, if it ran."""
    times = (
        {"started_ms": NOW - 10 * MINUTE, "ended_ms": NOW - 9 * MINUTE} if state is State.SUCCEEDED else {}
    )
    facts = {"name": id.lower(), "command": "true", "submitted_ms": NOW - 20 * MINUTE, **times, **fields}
    return JobRow(id=id, state=state, after=after, **facts)


def flow(*rows: JobRow, of: str) -> Family:
    """The flow of one of these jobs."""
    store = Store(lambda: NOW)
    store.apply(Snapshot(jobs=rows, at_ms=NOW))
    return family(store, of, UNICODE)


def usual(name: str, minutes: int) -> list[JobRow]:
    """Runs from which the usual time of a name is known."""
    return [
        job(
            f"{name}{number}",
            name=name,
            started_ms=NOW - 90 * MINUTE + number,
            ended_ms=NOW - (90 - minutes) * MINUTE + number,
        )
        for number in range(3)
    ]


def test_relatives_are_found_both_ways() -> None:
    found = flow(job("A"), job("B", after=("A",)), job("C", after=("B",)), job("X"), of="B")
    assert set(found.rows) == {"A", "B", "C"}
    assert set(found.edges) == {("A", "B"), ("B", "C")}


def test_a_job_alone_is_its_own_flow() -> None:
    found = flow(job("A"), of="A")
    assert [node.id for node in found.nodes] == ["A"]
    assert found.edges == []


def test_an_unknown_job_has_no_flow() -> None:
    assert flow(job("A"), of="Z").nodes == []


def test_the_longest_way_counts_what_ran() -> None:
    long = job("B", after=("A",), started_ms=NOW - 8 * MINUTE, ended_ms=NOW - 2 * MINUTE)
    found = flow(job("A"), long, job("C", after=("A",)), job("D", after=("B", "C")), of="A")
    assert found.critical == ["A", "B", "D"]
    assert found.length_ms == 8 * MINUTE
    assert found.done_ms == 8 * MINUTE


def test_the_end_follows_from_the_usual_times() -> None:
    rows = (*usual("copy", 5), *usual("send", 2))
    first = job("A", State.RUNNABLE, name="copy")
    second = job("B", State.PENDING, name="send", after=("A",), reason="dependency")
    assert flow(*rows, first, second, of="B").end_ms == NOW + 7 * MINUTE


def test_without_a_usual_time_no_end_is_told() -> None:
    assert flow(job("A", State.RUNNABLE), job("B", State.PENDING, after=("A",)), of="B").end_ms == 0


def test_after_a_failure_no_end_is_told() -> None:
    rows = usual("send", 2)
    failed = job("A", State.FAILED)
    assert flow(*rows, failed, job("B", State.PENDING, name="send", after=("A",)), of="B").end_ms == 0


def test_what_blocks_is_where_it_stops_and_the_lost_come_first() -> None:
    waiting, failed = job("A", State.RUNNABLE), job("B", State.FAILED)
    middle = job("C", State.PENDING, after=("A", "B", "S"))
    found = flow(job("S"), waiting, failed, middle, job("D", State.PENDING, after=("C",)), of="D")
    assert [row.id for row in found.blockers] == ["B", "A"]


def test_a_circle_is_no_endless_loop() -> None:
    found = flow(job("A", State.PENDING, after=("B",)), job("B", State.PENDING, after=("A",)), of="A")
    assert set(found.rows) == {"A", "B"}
    assert found.critical == []
    assert found.blockers == []

"""What ran where and when, as lanes and tracks; and as a trace for Perfetto."""

from __future__ import annotations

import json
from typing import Any

from relayq.model.lifecycle import State
from relayq_tui.chronicle import ARRAYS, PLANNED, Chronicle, last_day
from relayq_tui.feed import Counts, JobsChanged, SchedulesChanged, Series, Snapshot, WorkersChanged
from relayq_tui.rows import JobRow, ScheduleRow, WorkerRow
from relayq_tui.store import Store
from relayq_tui.trace import perfetto

NOW = 100_000_000
MINUTE = 60_000


def ran(id: str, worker: str = "pi", *, began: int = 10, ended: int = 5, **fields: Any) -> JobRow:
    """A job that ran from `began` to `ended` minutes ago."""
    facts: dict[str, Any] = {"state": State.SUCCEEDED, "name": "backup", "command": "true", **fields}
    return JobRow(
        id=id, worker=worker, started_ms=NOW - began * MINUTE, ended_ms=NOW - ended * MINUTE, **facts
    )


def store(*rows: JobRow, workers: tuple[WorkerRow, ...] = ()) -> Store:
    """A store with these."""
    known = Store(lambda: NOW)
    known.apply(Snapshot(jobs=rows, at_ms=NOW))
    known.apply(WorkersChanged(workers))
    return known


PI = WorkerRow(name="pi", offer={"cpus_milli": 2000}, seen_ms=NOW)
MAC = WorkerRow(name="mac", online=False, seen_ms=NOW - 30 * MINUTE)


def test_each_worker_has_a_lane_and_those_that_are_there_come_first() -> None:
    lanes = Chronicle(store(ran("A"), workers=(MAC, PI))).lanes("worker", 0, NOW)
    assert [lane.name for lane in lanes] == ["pi", "mac"]
    assert [(span.job, span.state) for span in lanes[0].spans] == [("A", State.SUCCEEDED)]


def test_a_worker_that_is_away_shows_since_when() -> None:
    lanes = Chronicle(store(workers=(MAC,))).lanes("worker", 0, NOW)
    [away] = lanes[0].spans
    assert away.state is None
    assert away.start_ms == MAC.seen_ms


def test_jobs_of_arrays_and_of_forgotten_workers_have_lanes_too() -> None:
    lanes = Chronicle(store(ran("A", ""), ran("B", "gone"), workers=(PI,))).lanes("worker", 0, NOW)
    assert [lane.name for lane in lanes] == ["pi", ARRAYS, "gone"]


def test_queues_can_be_lanes() -> None:
    known = store(ran("A", queue="gpu"), ran("B", queue="ai"))
    assert [lane.name for lane in Chronicle(known).lanes("queue", 0, NOW)] == ["ai", "gpu"]


def test_in_the_past_a_job_that_has_ended_since_still_runs() -> None:
    [lane] = Chronicle(store(ran("A"), workers=(PI,))).lanes("worker", 0, NOW - 7 * MINUTE)
    [span] = lane.spans
    assert (span.state, span.end_ms, span.eta_ms) == (State.RUNNING, None, NOW - 5 * MINUTE)
    [lane] = Chronicle(store(ran("A"), workers=(PI,))).lanes("worker", 0, NOW - 11 * MINUTE)
    assert list(lane.spans) == []


def test_what_is_planned_stands_ahead() -> None:
    known = store(
        JobRow(id="D", name="vacuum", command="x", state=State.PENDING, reason="delay", ready_ms=NOW + MINUTE)
    )
    known.apply(
        SchedulesChanged(
            [
                ScheduleRow(name="nightly", origin="local", rule="", next_ms=(NOW + 5 * MINUTE,)),
                ScheduleRow(name="paused", origin="local", rule="", next_ms=(NOW + 5,), is_paused=True),
            ]
        )
    )
    [lane] = Chronicle(known).lanes("worker", 0, NOW)
    assert lane.name == PLANNED
    assert [span.label for span in lane.spans] == ["nightly", "vacuum"]


def test_how_busy_the_slots_were() -> None:
    chronicle = Chronicle(store(ran("A", began=10, ended=0), workers=(PI,)))
    assert chronicle.busy(NOW - 10 * MINUTE, NOW) == 0.5
    assert chronicle.busy(NOW - 20 * MINUTE, NOW + 20 * MINUTE) == 0.25
    assert Chronicle(store()).busy(0, NOW) == 0.0


def test_how_many_waited_at_each_time_is_known_from_the_jobs() -> None:
    early = ran("A", began=4, ended=1, ready_ms=NOW - 6 * MINUTE)
    late = JobRow(id="B", name="b", command="x", state=State.RUNNABLE, ready_ms=NOW - 2 * MINUTE)
    waiting, ended, waits = Chronicle(store(early, late)).tracks(NOW - 8 * MINUTE, NOW)
    assert list(waiting.values) == [0, 0, 1, 1, 0, 0, 1, 1, 1]
    assert list(ended.values) == [0, 0, 0, 0, 0, 0, 0, 1, 0]
    assert list(waits.values) == [0, 0, 0, 0, 120, 0, 0, 0, 0]
    assert (ended.from_ms, ended.step_ms) == (NOW - 8 * MINUTE, MINUTE)


def test_behind_the_tracks_stands_what_the_hub_counts() -> None:
    known = store()
    known.apply(Counts(by_state={State.RUNNABLE: 4, State.RUNNING: 1}))
    known.apply(Series(submitted=[1, 0, 3], ended=[0, 1, 6], p95_wait_s=[0, 0, 12]))
    assert [track.note for track in Chronicle(known).tracks(NOW - MINUTE, NOW)] == [
        "4, drains 03:54",
        "6",
        "12s",
    ]


def test_it_is_told_when_nothing_will_wait_any_more() -> None:
    known = store()
    known.apply(Counts(by_state={State.RUNNABLE: 20}))
    known.apply(Series(submitted=[0] * 10, ended=[2] * 10))
    assert Chronicle(known).tracks(0, NOW)[0].note == "20, drains 03:56"
    known.apply(Series(submitted=[3] * 10, ended=[2] * 10))
    assert Chronicle(known).tracks(0, NOW)[0].note == "20"


def test_the_pace_counts_from_the_first_end_on_and_many_that_came_at_once_do_not_go_on_coming() -> None:
    known = store()
    known.apply(Counts(by_state={State.RUNNABLE: 20}))
    known.apply(Series(submitted=[0] * 7 + [26, 0, 0], ended=[0] * 7 + [0, 3, 3]))
    assert Chronicle(known).tracks(0, NOW)[0].note == "20, drains 03:53"  # 3 a minute
    known.apply(Series(submitted=[0] * 9 + [21], ended=[0] * 9 + [1]))
    assert Chronicle(known).tracks(0, NOW)[0].note == "20, drains 04:06"  # 1 in this minute
    known.apply(Counts(by_state={State.RUNNABLE: 20_000}))
    assert Chronicle(known).tracks(0, NOW)[0].note == "20000"  # in a fortnight: no time of the day


def test_what_waits_for_a_worker_that_is_not_there_drains_at_no_time() -> None:
    like = {"state": State.RUNNABLE, "name": "b", "command": "x", "ready_ms": NOW - MINUTE}
    known = store(ran("A", ended=1), JobRow(id="B", needs="gpu=4", **like))  # type: ignore[arg-type]  # they fit
    known.apply(Counts(by_state={State.RUNNABLE: 1}))
    known.apply(Series(submitted=[0] * 10, ended=[2] * 10))
    assert Chronicle(known).tracks(0, NOW)[0].note == "1"
    known.apply(JobsChanged([JobRow(id="C", **like)]))  # type: ignore[arg-type]  # they fit
    assert Chronicle(known).tracks(0, NOW)[0].note == "1, drains 03:47"


def test_the_last_day_counts_what_ended_in_it() -> None:
    old = ran("O", began=30 * 60, ended=25 * 60)
    known = store(ran("A"), ran("B", state=State.FAILED), ran("C", state=State.CANCELLED), old)
    assert last_day(known) == {"pi": (1, 1)}


def test_a_trace_has_a_process_for_each_worker_and_a_thread_for_what_overlaps() -> None:
    rows = [ran("A"), ran("B", began=8), ran("C", began=4, ended=3), ran("D", "mac", exit_code=1)]
    trace = json.loads(perfetto(rows, NOW))
    names = {e["pid"]: e["args"]["name"] for e in trace["traceEvents"] if e["ph"] == "M"}
    runs = [e for e in trace["traceEvents"] if e["ph"] == "X"]
    assert {(names[e["pid"]], e["args"]["id"], e["tid"]) for e in runs} == {
        ("pi", "A", 1), ("pi", "B", 2), ("pi", "C", 1), ("mac", "D", 1),
    }  # fmt: skip
    assert runs[0]["dur"] == 5 * MINUTE * 1000

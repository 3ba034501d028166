"""The store: what the feed said, in order, and what has changed since the last look."""

from __future__ import annotations

import random
from dataclasses import replace

from relayq.model.lifecycle import State
from relayq_tui.demo_home import many
from relayq_tui.feed import Connection, Counts, EventsSeen, JobsChanged, JobsGone, Snapshot
from relayq_tui.rows import EventRow, JobRow
from relayq_tui.store import MAX_JOBS, Store

NOW = 1_787_436_847_000


def row(number: int, state: State = State.RUNNABLE, **fields: object) -> JobRow:
    """A job submitted `number` seconds ago."""
    return JobRow(
        id=f"{number:016d}", name=f"job-{number}", command="true", state=state,
        submitted_ms=NOW - number * 1000, **fields,  # type: ignore[arg-type]  # the fields of a test
    )  # fmt: skip


def store(*rows: JobRow) -> Store:
    """A store that has seen these."""
    made = Store(lambda: NOW)
    made.apply(Snapshot(jobs=rows, at_ms=NOW))
    made.drain()
    return made


def ids(made: Store) -> list[str]:
    """The jobs in their order."""
    return [one.id for one in made.newest]


def test_the_newest_job_is_the_first() -> None:
    made = store(row(3), row(1), row(2))
    assert [one.name for one in made.newest] == ["job-1", "job-2", "job-3"]


def test_a_changed_job_stays_where_it_is() -> None:
    made = store(row(1), row(2), row(3))
    made.apply(JobsChanged([replace(row(2), state=State.RUNNING)]))
    assert [one.state for one in made.newest] == [State.RUNNABLE, State.RUNNING, State.RUNNABLE]


def test_changes_are_told_once() -> None:
    made = store(row(1), row(2))
    made.apply(JobsChanged([row(2)]))
    assert made.drain().jobs == {row(2).id}
    assert not made.drain()


def test_a_job_that_is_gone_is_nowhere() -> None:
    made = store(row(1), row(2))
    made.apply(JobsGone([row(1).id, "unknown"]))
    assert ids(made) == [row(2).id]
    assert row(1).id not in made.jobs


def test_older_jobs_never_replace_what_is_known_already() -> None:
    made = store(row(1, State.RUNNING))
    made.apply(Snapshot(jobs=[row(1, State.RUNNABLE), row(9)], at_ms=NOW, is_whole=False))
    assert [one.state for one in made.newest] == [State.RUNNING, State.RUNNABLE]


def test_a_whole_snapshot_forgets_everything_else() -> None:
    made = store(row(1), row(2))
    made.apply(Snapshot(jobs=[row(3)], at_ms=NOW))
    assert ids(made) == [row(3).id]


def test_any_mixture_of_changes_leaves_the_order_right() -> None:
    dice, made = random.Random(5), store()
    for _ in range(2_000):
        number = dice.randrange(300)
        if dice.random() < 0.3:
            made.apply(JobsGone([row(number).id]))
        else:
            made.apply(JobsChanged([row(number, dice.choice(list(State)))]))
    assert list(made.newest) == sorted(made.jobs.values(), key=lambda one: (-one.submitted_ms, one.id))


def test_no_more_jobs_are_kept_than_memory_allows() -> None:
    made = store(*many(NOW, MAX_JOBS))
    oldest = made.newest[-1]
    made.apply(JobsChanged([row(0)]))
    assert len(made.newest) == len(made.jobs) == MAX_JOBS
    assert oldest.id not in made.jobs


def test_the_latest_failure_is_remembered_until_it_is_mended() -> None:
    failed = row(5, State.FAILED, ended_ms=NOW - 1000)
    made = store(failed, row(6, State.FAILED, ended_ms=NOW - 9000))
    assert made.latest_failure() is failed
    made.apply(JobsChanged([replace(failed, state=State.RUNNABLE)]))
    assert made.latest_failure() is None


def test_a_failure_of_last_week_flags_nobody() -> None:
    made = store(row(5, State.FAILED, ended_ms=NOW - 8 * 86_400_000))
    assert made.latest_failure() is None


def test_counts_are_the_hubs_own() -> None:
    made = store(row(1))
    made.apply(Counts(by_state={State.FAILED: 3, State.EXPIRED: 2}))
    assert made.count(State.FAILED, State.EXPIRED) == 5
    assert "counts" in made.drain().parts


def test_the_age_of_the_data_is_that_of_the_last_word_from_the_hub() -> None:
    made = store(row(1))
    made.apply(Connection(state="lost", message="gone"))
    assert made.data_ms == NOW
    assert made.connection.state == "lost"


def test_events_are_kept_up_to_a_number() -> None:
    made = store()
    made.apply(EventsSeen([EventRow(f"{number}-0", "start", "x") for number in range(3_000)]))
    assert len(made.events) == 2_000
    assert made.events[-1].at_ms == 2_999


def test_a_usual_run_is_the_median_of_its_like() -> None:
    made = store(*(
        row(n, State.SUCCEEDED, started_ms=NOW - n * 1000, ended_ms=NOW - n * 1000 + n * 10, worker="w")
        for n in range(1, 4)
    ))  # fmt: skip
    assert made.history.usual_ms("job-1", "w") is None
    same = [replace(one, name="same") for one in made.newest]
    made.apply(JobsChanged(same))
    assert made.history.usual_ms("same", "w") == (20, 3)
    assert made.history.usual_ms("same", "another worker") == (20, 3)


def test_a_job_that_tells_its_progress_is_believed() -> None:
    made = store()
    half = row(1, State.RUNNING, started_ms=NOW - 10_000, progress=50.0)
    assert made.history.end_ms(half, NOW) == NOW + 10_000

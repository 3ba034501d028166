"""The listing: what matches a query, kept up to date job by job."""

from __future__ import annotations

import random
from dataclasses import replace

from relayq.model.lifecycle import State
from relayq.query import parse
from relayq_tui.feed import JobsChanged, JobsGone, Snapshot
from relayq_tui.listing import AGAIN_MS, Listing
from relayq_tui.store import Store
from tests.tui.test_store import NOW, row, store


class Clock:
    """A clock to be moved."""

    def __init__(self) -> None:
        self.ms = NOW

    def __call__(self) -> int:
        return self.ms


def listing(made: Store, text: str = "") -> Listing:
    """A listing that has asked."""
    found = Listing(made)
    found.ask(parse(text))
    return found


def names(found: Listing) -> list[str]:
    """What it shows."""
    return [one.name for one in found.rows]


def test_nothing_asked_is_everything() -> None:
    assert names(listing(store(row(2), row(1)))) == ["job-1", "job-2"]


def test_a_job_that_begins_to_match_comes_in_its_place() -> None:
    made = store(row(1, State.FAILED), row(2), row(3, State.FAILED))
    found = listing(made, "state:failed")
    made.apply(JobsChanged([replace(row(2), state=State.FAILED)]))
    assert found.take(made.drain())
    assert names(found) == ["job-1", "job-2", "job-3"]


def test_a_job_that_no_longer_matches_goes() -> None:
    made = store(row(1, State.FAILED), row(2, State.FAILED))
    found = listing(made, "state:failed")
    made.apply(JobsChanged([row(1, State.RUNNABLE)]))
    assert found.take(made.drain())
    assert names(found) == ["job-2"]


def test_a_change_that_moves_nothing_is_no_reason_to_draw_the_list() -> None:
    made = store(row(1, State.FAILED))
    found = listing(made, "state:failed")
    made.apply(JobsChanged([replace(row(1, State.FAILED), message="new")]))
    assert not found.take(made.drain())
    assert found.rows[0].message == "new"


def test_a_forgotten_job_goes() -> None:
    made = store(row(1), row(2))
    found = listing(made, "name:job")
    made.apply(JobsGone([row(1).id]))
    assert found.take(made.drain())
    assert names(found) == ["job-2"]


def test_another_order_is_asked_for_again_only_once_in_a_while() -> None:
    clock = Clock()
    made = Store(clock)
    made.apply(Snapshot(jobs=[row(1, priority=1), row(2, priority=2)], at_ms=NOW))
    made.drain()
    found = listing(made, "sort:-prio")
    assert names(found) == ["job-2", "job-1"]
    made.apply(JobsChanged([row(1, priority=9)]))
    assert not found.take(made.drain())
    clock.ms += AGAIN_MS
    made.apply(JobsChanged([row(1, priority=9)]))
    assert not found.take(made.drain(), is_held=True)
    assert names(found) == ["job-2", "job-1"]
    made.apply(JobsChanged([row(1, priority=9)]))
    assert found.take(made.drain())
    assert names(found) == ["job-1", "job-2"]


def test_step_by_step_comes_to_the_same_as_asking_afresh() -> None:
    dice, made = random.Random(3), store()
    found = listing(made, "state:failed,running -name:job-7")
    for _ in range(1_500):
        number = dice.randrange(120)
        if dice.random() < 0.2:
            made.apply(JobsGone([row(number).id]))
        else:
            made.apply(JobsChanged([row(number, dice.choice(list(State)))]))
        found.take(made.drain())
    assert list(found.rows) == list(listing(made, found.query.text).rows)

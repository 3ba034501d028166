"""Jobs in columns: what was put in comes out, whatever came and went before, and queries see the same."""

from __future__ import annotations

import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayq.model.ids import ALPHABET
from relayq.model.lifecycle import State
from relayq.query import parse
from relayq.store.records import ArrayCounts
from relayq_tui import columns as columns_module
from relayq_tui.columns import EMPTY, Columns
from relayq_tui.demo_home import many
from relayq_tui.listed import Newest, Rows
from relayq_tui.rows import JobRow
from relayq_tui.sieve import named, ordered, ran_after, sift

NOW = 1_787_436_847_000
HOUR = 3_600_000
COUNTS = ArrayCounts(size=9, start=0, waiting=1, running=1, succeeded=3, failed=2, cancelled=1, skipped=1)
WORDS = ("train", "Train-lora", "naïve", "ÅSE", "", "lora 7", "TRA", "a\tb")
QUERIES = (
    "train",
    "tra lora",
    "-train",
    "train OR lora",
    "(train OR naï) -state:failed",
    "NAÏ",
    "åse",
    "cmd:tra",
    "cmd:naï",
    "cmd:=train",
    "cmd:~^t.*n$",
    "name:~^T",
    "name:tra*",
    "name:=train",
    "name:ÅSE",
    "~tr.in",
    "tr?in",
    "id:AB",
    "AB",
    "id:ab0",
    "after:AB",
    "queue:gpu",
    "state:failed,running",
    "-queue:ai",
    "prio:>=0",
    "exit:none",
    "exit:>0",
    "try:>1",
    "tag:k",
    "label:k=v",
    "label:gpu",
    "run:5",
    "by:you",
    "reason:exit",
    "age:<2h",
    "age:1h..9h",
    "dur:>5m",
    "dur:none",
    "wait:<30s",
    "cost:>1",
    "state:done dur:>1m tra",
    "-(queue:gpu OR train)",
    "queue:gpu OR dur:>5m",
    '"a"',
)
SORTS = (
    "sort:-dur",
    "sort:wait",
    "sort:name",
    "sort:-prio",
    "sort:state",
    "sort:new",
    "sort:-age",
    "sort:cmd",
    "sort:by",
)

ids = st.one_of(
    st.text(ALPHABET, min_size=16, max_size=16),
    st.sampled_from(
        ["ABCDEFGHJK" + "AB0TRA", "TRA" + "0" * 13, "A", "short", "an id longer than any other id", "Ä" * 8]
    ),
)
times = st.integers(0, 10 * HOUR).map(lambda ms: NOW - ms)
jobs = st.builds(
    JobRow,
    id=ids,
    name=st.sampled_from(WORDS),
    command=st.sampled_from(WORDS),
    state=st.sampled_from(State),
    reason=st.sampled_from(["", "exit", "delay"]),
    queue=st.sampled_from(["gpu", "ai"]),
    worker=st.sampled_from(["", "pi"]),
    priority=st.integers(-3, 3),
    attempt=st.integers(0, 3),
    max_attempts=st.integers(1, 3),
    exit_code=st.none() | st.integers(0, 2),
    submitted_ms=times,
    ready_ms=st.just(0) | times,
    started_ms=st.just(0) | times,
    ended_ms=st.just(0) | times,
    labels=st.sampled_from([{}, {"k": "v"}, {"k": "w", "run": "a#5"}]),
    needs=st.sampled_from(["", "gpu,cpus=2"]),
    array=st.none() | st.just(COUNTS),
    progress=st.none() | st.just(0.5),
    message=st.sampled_from(["", "so far"]),
    after=st.sampled_from([(), ("ABCDEFGHJK" + "AB0TRA",)]),
    by=st.sampled_from(["", "you@pi"]),
    unique=st.sampled_from(["", "u"]),
    cancel_asked=st.booleans(),
)


def filled(rows: list[JobRow]) -> Columns:
    """Columns that hold these."""
    made = Columns()
    for row in rows:
        made.put(row)
    return made


@given(st.lists(st.tuples(st.sampled_from("ppppdr"), jobs), max_size=60))
def test_what_was_put_in_comes_out(steps: list[tuple[str, JobRow]]) -> None:
    made, expected = Columns(), dict[str, JobRow]()
    for kind, row in steps:
        if kind == "p":
            made.put(row)
            expected[row.id] = row
        elif kind == "d":
            assert (made.drop(row.id) != EMPTY) == (expected.pop(row.id, None) is not None)
        else:
            made.release()
    assert {job: made.row(made.find(job)) for job in expected} == expected
    assert len(made) == len(expected) == sum(made.alive)
    assert [made.find(row.id) for _, row in steps if row.id not in expected].count(EMPTY) == len(
        [row for _, row in steps if row.id not in expected]
    )


def test_thousands_come_change_and_go() -> None:
    dice, made, expected = random.Random(4), Columns(), dict[str, JobRow]()
    for step in range(30_000):
        row = JobRow(
            id=f"{dice.randrange(6_000):016}",
            name=f"n{dice.randrange(9)}",
            command="x" * dice.randrange(40),
            state=dice.choice(list(State)),
            submitted_ms=NOW,
            priority=dice.randrange(5),
        )
        if dice.random() < 0.3:
            made.drop(row.id)
            expected.pop(row.id, None)
        else:
            made.put(row)
            expected[row.id] = row
        if step % 500 == 0:
            made.release()
    assert {job: made.row(made.find(job)) for job in expected} == expected
    assert len(made.alive) < len(expected) + 2 * columns_module.RESTING
    assert len(made.lots.held) <= 9 * 5 + 2
    assert (
        len(made.texts.data)
        < 2 * sum(map(len, (f"{r.name} {r.command} " for r in expected.values()))) + 65_536
    )


def test_a_job_that_is_gone_can_still_be_drawn_until_nobody_names_it() -> None:
    made = filled([JobRow(id="A", name="a", command="x", state=State.RUNNING)])
    slot = made.drop("A")
    made.put(JobRow(id="B", name="b", command="y", state=State.FAILED))
    assert made.row(slot).name == "a"
    made.release()
    made.put(JobRow(id="C", name="c", command="z", state=State.FAILED))
    assert made.row(slot).name == "c"


def test_a_list_that_is_kept_stays_as_it_is() -> None:
    made = filled([JobRow(id="A", name="a", command="x", state=State.RUNNING)])
    kept = Newest(made).kept()
    made.put(JobRow(id="A", name="a", command="longer", state=State.FAILED))
    made.drop("A")
    made.release()
    made.put(JobRow(id="B", name="b", command="y", state=State.FAILED))
    assert [(row.id, row.command, row.state) for row in kept] == [("A", "x", State.RUNNING)]


@given(st.lists(jobs, max_size=12, unique_by=lambda row: row.id), st.sampled_from(QUERIES), st.booleans())
def test_a_sieve_lets_through_what_the_query_does(rows: list[JobRow], text: str, is_mixed: bool) -> None:
    query, made = parse(text), filled(rows)
    if is_mixed:  # the texts no longer stand in the order of the slots, and some slots are dead
        made.put(JobRow(id="gone", name="train", command="lora", state=State.FAILED))
        made.drop("gone")
        for row in rows[::2]:
            made.put(JobRow(id=row.id, name="other", command="thing", state=State.FAILED))
        for row in rows[::2]:
            made.put(row)
    listed = Newest(made)
    found = sift(query, listed, NOW)
    assert list(found) == query.select(list(listed), NOW)
    few = listed[: len(listed) // 3]
    assert list(sift(query, few, NOW)) == query.select(list(few), NOW)


@given(st.lists(jobs, max_size=12, unique_by=lambda row: row.id), st.sampled_from(SORTS))
def test_an_order_is_the_same_in_columns(rows: list[JobRow], text: str) -> None:
    query, listed = parse(text), Newest(filled(rows))
    assert list(ordered(query, listed, NOW)) == query.ordered(list(listed), NOW)


@given(st.lists(jobs, max_size=12, unique_by=lambda row: row.id))
def test_what_ran_and_what_has_a_name_are_found(rows: list[JobRow]) -> None:
    listed = Newest(filled(rows))
    assert list(named(listed, "train")) == [row for row in listed if row.name == "train"]
    since = NOW - HOUR
    assert list(ran_after(listed, since)) == [
        row for row in listed if row.started_ms and (not row.is_final or row.ended_ms >= since)
    ]


def test_where_a_job_stands_in_a_list() -> None:
    listed = Newest(filled([JobRow(id=one, name=one, command="", state=State.FAILED) for one in "ABC"]))
    assert [listed.index_of(one) for one in ("A", "C", "D")] == [0, 2, None]
    assert Rows(listed.columns, listed.slots[:1]).index_of("C") is None
    with pytest.raises(IndexError):
        _ = listed[3]


def test_a_row_takes_little_memory() -> None:
    rows = many(NOW, 20_000)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        held = Newest(filled(rows))
        each = (tracemalloc.get_traced_memory()[0] - before) / len(held)
    finally:
        tracemalloc.stop()
    text = sum(len(f"{row.name} {row.command} ") for row in rows) / len(rows)
    assert each - text < 125

"""The query language: what each word finds, what a plan allows, where an error points."""

from __future__ import annotations

import time
from typing import Any

import pytest

from relayq.model.lifecycle import FINAL, State
from relayq.query import FIELDS, QueryError, parse, quote
from tests.unit.query_rows import NOW_MS, D, H, M, Row, S


def finds(text: str, **facts: Any) -> bool:
    """Does the query find a row with these facts?"""
    return parse(text).matches(Row(**facts), NOW_MS)


FOUND = [
    "",
    "  ",
    "state:failed",
    "state:FAILED",
    "state:fail",
    "state:running,failed",
    "state:ended",
    "queue:gpu",
    "queue:g*",
    "queue:~^g",
    "worker:mac-????",
    "worker:pi*,mac*",
    "name:LORA",
    "name:train*",
    "name:=train-lora",
    "name:~^train",
    "name:~(train|build)",
    'name:~"^train.lora$"',
    'cmd:"train.py --ep"',
    "cmd:epochs",
    "exit:137",
    "exit:>0",
    "exit:1,137",
    "exit:100..140",
    "prio:>=5",
    "prio:8",
    "prio:-5..8",
    "try:>2",
    "dur:>14m",
    "dur:=15m",
    "dur:10m..20m",
    "wait:<=15m",
    "age:<2d",
    "age:>30m",
    "by:actions",
    "reason:exit",
    "after:7RDKN0",
    "after:abcd",
    "id:7RDK",
    "id:0123",
    "label:arm64",
    "label:nightly",
    "label:a*",
    "label:~cpus",
    "label:team=ml",
    "tag:nightly",
    "tag:team",
    "tag:team=ml",
    "tag:t*",
    "-tag:test",
    "train",
    "EPOCHS",
    "7rdkm4",
    "01234",
    '"train.py --epochs 9"',
    "~^py",
    "tr*a",
    "train lora",
    "train AND lora",
    "(train OR nothing)",
    "nothing OR train",
    "-(nothing OR never) state:failed",
    "NOT nothing",
    "--train",
    "state:failed sort:-dur,name group:worker",
]
MISSED = [
    "state:running",
    "-state:failed",
    "queue:GPU",
    "queue:g",
    "queue:~^x",
    "worker:mac-mini?",
    "name:lora*",
    "name:=train",
    "name:~^lora",
    'name:"~^train"',
    'name:"train*"',
    "exit:0",
    "exit:none",
    "exit:<137",
    "prio:>8",
    "dur:>15m",
    "wait:>15m",
    "age:>2d",
    "after:7RDKM4",
    "id:RDKM4",
    "label:arm6",
    "label:test",
    "tag:arm64",
    "tag:team=cv",
    "-train",
    "train nothing",
    "train -lora",
    "(nothing OR never) train",
    "-(train OR nothing)",
    "cost:>0",
    "run:acme",
]


@pytest.mark.parametrize("text", FOUND)
def test_a_query_finds_the_row(text: str) -> None:
    assert finds(text)


@pytest.mark.parametrize("text", MISSED)
def test_a_query_passes_the_row_over(text: str) -> None:
    assert not finds(text)


def test_or_binds_weaker_than_words_beside_each_other() -> None:
    assert finds("nothing never OR train")
    assert not finds("nothing (never OR train)")


def test_a_job_that_never_ran_has_no_duration_and_no_exit_code() -> None:
    facts = {"state": State.PENDING, "started_ms": 0, "ended_ms": 0, "exit_code": None}
    assert not finds("dur:>=0", **facts)
    assert not finds("exit:<1000", **facts)
    assert finds("exit:none dur:none -exit:0", **facts)


def test_a_running_job_has_run_until_now() -> None:
    assert finds("dur:>2m dur:<3m", state=State.RUNNING, started_ms=NOW_MS - 161 * S, ended_ms=0)


def test_a_job_waits_from_when_it_was_ready() -> None:
    waiting = {"state": State.RUNNABLE, "started_ms": 0, "ended_ms": 0}
    assert finds("wait:<2m age:>1h", submitted_ms=NOW_MS - 2 * H, ready_ms=NOW_MS - M, **waiting)


def test_the_run_that_submitted_is_a_label() -> None:
    assert finds("run:acme/site#9183", labels={"run": "acme/site#9183"})
    assert finds("run:#9183", labels={"run": "acme/site#9183"})


def test_what_a_job_cost_is_compared() -> None:
    assert finds("cost:>0.01", cost=0.02)
    assert not finds("cost:>0.01", cost=0.01)


def test_quoting_makes_any_text_stand_for_itself() -> None:
    odd = 'say "hi", ~a* OR \\ (x) state:y'
    assert finds(f"name:{quote(odd)}", name=odd)
    assert not finds(f"name:{quote(odd)}")


ERRORS = [
    ("stat:failed", 0, "there is no field 'stat', did you mean state:?"),
    ("gpu zzz:1", 4, "there is no field 'zzz', the fields are state"),
    ("state:sleeping", 6, "there is no state 'sleeping'"),
    ("state:running,r", 14, "there is no state 'r'"),
    ("state:", 6, "a value is missing here"),
    ("queue:gpu,", 10, "a value is missing here"),
    ("exit:>", 6, "a value is missing here"),
    ("exit:five", 5, "'five' is not a number"),
    ("exit:~1", 6, "a number has no pattern"),
    ("dur:>5x", 5, "'5x' is not a duration"),
    ("dur:5m", 4, "say whether it is longer or shorter"),
    ("name:~a(b", 7, "this is no regular expression"),
    ("name:>a", 6, "text has no order"),
    ('cmd:"ffmpeg', 4, "this quote is never closed"),
    ('cmd:"a"b', 7, "a space is missing"),
    ("(a OR b", 0, "this parenthesis is never closed"),
    ("a) b", 1, "this parenthesis was never opened"),
    ("a OR", 4, "a condition is missing here"),
    ("OR a", 0, "a condition is missing here"),
    ("()", 1, "a condition is missing here"),
    ("a -", 3, "a condition is missing here"),
    ("sort:colour", 5, "cannot sort by 'colour'"),
    ("group:dur", 6, "cannot group by 'dur'"),
    ("a -sort:dur", 3, "sort: is no condition"),
    ("(a sort:dur)", 3, "sort: is no condition"),
    ("after:hello!", 6, "not how the id of a job begins"),
    ("(" * 41 + "a" + ")" * 41, 40, "nested too deep"),
    ("a" * 2001, 2000, "too long"),
]


@pytest.mark.parametrize(("text", "column", "message"), ERRORS)
def test_an_error_points_to_its_place(text: str, column: int, message: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert message in str(caught.value)
    assert caught.value.column == column
    assert caught.value.exit_code == 2


def test_an_error_is_shown_with_a_caret() -> None:
    with pytest.raises(QueryError) as caught:
        parse("queue:gpu stat:x")
    text, pointer = caught.value.pointed.splitlines()
    assert text == "queue:gpu stat:x"
    assert pointer == " " * 10 + "^"


@pytest.mark.parametrize("text", ["after:7RDKL0 state:run", "id:7RDKM4:12", "state:wait", "state:canc"])
def test_what_people_see_on_the_screen_may_be_typed(text: str) -> None:
    parse(text)


def test_the_plan_holds_what_an_index_can_answer() -> None:
    plan = parse("state:failed,running queue:gpu worker:pi4 age:<2d age:>1h train").plan
    assert plan.states == {State.FAILED, State.RUNNING}
    assert (plan.queue, plan.worker) == ("gpu", "pi4")
    assert (plan.max_age_ms, plan.min_age_ms) == (2 * D, H)
    assert plan.since_ms(NOW_MS) == NOW_MS - 2 * D


def test_the_plan_leaves_out_what_need_not_hold() -> None:
    plan = parse("(state:failed OR queue:gpu) worker:pi* -queue:ai (age:<1h OR x)").plan
    assert (plan.states, plan.queue, plan.worker, plan.max_age_ms) == (None, "", "", None)
    assert plan.since_ms(NOW_MS) == 0


def test_the_plan_knows_the_states_that_are_left() -> None:
    assert parse("-state:ended").plan.states == frozenset(State) - FINAL
    assert parse("state:failed (state:failed OR state:done)").plan.states == {State.FAILED}
    assert parse("state:failed state:running").plan.states == frozenset()
    assert parse("state:failed OR state:done").plan.states == {State.FAILED, State.SUCCEEDED}


def test_rows_are_put_in_the_order_that_is_asked_for() -> None:
    short, long = Row(name="b", ended_ms=NOW_MS - 15 * M), Row(name="a")
    never = Row(name="c", started_ms=0)
    ordered = parse("sort:-dur").ordered([never, short, long], NOW_MS)
    assert [row.name for row in ordered] == ["a", "b", "c"]
    ordered = parse("sort:dur").ordered([never, long, short], NOW_MS)
    assert [row.name for row in ordered] == ["b", "a", "c"]


def test_a_second_order_decides_between_equals() -> None:
    rows = [Row(queue="b", name="y"), Row(queue="a", name="y"), Row(queue="b", name="x")]
    ordered = parse("sort:name,-queue").ordered(rows, NOW_MS)
    assert [(row.name, row.queue) for row in ordered] == [("x", "b"), ("y", "b"), ("y", "a")]


def test_new_sorts_by_the_time_of_submission() -> None:
    rows = [Row(name="old", submitted_ms=1), Row(name="new", submitted_ms=2)]
    assert [row.name for row in parse("sort:-new").ordered(rows, NOW_MS)] == ["new", "old"]


def test_rows_are_grouped_by_a_field() -> None:
    query = parse("group:worker")
    assert (query.group, query.group_of(Row(), NOW_MS)) == ("worker", "mac-mini")
    assert parse("").group_of(Row(), NOW_MS) == ""
    assert parse("group:exit").group_of(Row(exit_code=None), NOW_MS) == ""


def test_two_queries_are_asked_together() -> None:
    both = parse("train OR never sort:name").also(parse("queue:gpu sort:dur"))
    assert both.matches(Row(), NOW_MS)
    assert not both.matches(Row(queue="ai"), NOW_MS)
    assert (both.plan.queue, both.sort) == ("gpu", (("name", False),))


def test_a_query_for_nothing_in_particular_finds_everything() -> None:
    rows = [Row(), Row(name="x")]
    assert parse("sort:name").matches_all
    assert parse("").select(rows, NOW_MS) == rows


def test_every_field_says_what_it_is() -> None:
    assert all(field.help and field.kind for field in FIELDS.values())


def test_a_hundred_thousand_rows_are_filtered_while_one_types() -> None:
    rows = [Row(name=f"train-{n}", queue="gpu" if n % 3 else "ai") for n in range(20_000)]
    query = parse("state:failed queue:gpu -train-7")
    fastest_s = min(_seconds(lambda: query.select(rows, NOW_MS)) for _ in range(5))
    assert fastest_s < 0.050 / 5 * 3  # a fifth of the rows, and room for a busy machine


def _seconds(work: Any) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began

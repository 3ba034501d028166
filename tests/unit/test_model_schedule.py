"""Schedules: right by construction, the same after their JSON, and what they decide about late slots."""

from __future__ import annotations

from itertools import islice, takewhile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayq.errors import SpecError
from relayq.model.body import Submitted, parse_halves
from relayq.model.cron import slot_id
from relayq.model.job import JobSpec
from relayq.model.schedule import (
    Rule,
    Schedule,
    SignedSchedule,
    check_slot,
    labelled,
    parse_rule,
    parse_schedule,
    schedule_halves,
    slot_halves,
)

SPEC = JobSpec.from_dict({"command": "true"})
DAY = 86_400_000
NOW = 1_800_000_000_000
NIGHTLY = Rule(cron="30 2 * * *", zone="Europe/Berlin")

RULES = st.one_of(
    st.sampled_from(["30 2 * * *", "*/5 * * * *", "0 9 * * mon-fri", "@hourly"]).map(
        lambda text: Rule(cron=text, zone="America/New_York")
    ),
    st.integers(1_000, 40 * DAY).map(lambda ms: Rule(every_ms=ms)),
    st.sets(st.integers(NOW, NOW + 9 * DAY), min_size=1, max_size=5).map(
        lambda times: Rule(at_ms=tuple(sorted(times)))
    ),
)
SCHEDULES = st.builds(
    Schedule,
    name=st.just("nightly"),
    rule=RULES,
    spec=st.just(SPEC),
    start_ms=st.sampled_from([0, NOW - DAY]),
    end_ms=st.sampled_from([0, NOW + 90 * DAY]),
    misfire=st.sampled_from(["once", "skip", "all"]),
    runs_max=st.integers(1, 100),
    late_ms=st.integers(0, DAY),
    overlap=st.sampled_from(["allow", "skip", "queue", "cancel"]),
)


WHO = Submitted(fleet="home", by="0123abcd", reply="x" * 43)


def signed(schedule: Schedule, iat_s: int = 5) -> SignedSchedule:
    """The schedule as it is read after it was signed."""
    return parse_schedule(*schedule_halves(schedule, WHO, iat_s))


def every(ms: int, **fields: Any) -> Schedule:
    """A schedule with an interval."""
    return Schedule(name="tick", rule=Rule(every_ms=ms), spec=SPEC, **fields)


@settings(max_examples=100, deadline=None)
@given(schedule=SCHEDULES)
def test_a_schedule_is_the_same_after_it_was_signed_and_read(schedule: Schedule) -> None:
    read = signed(schedule, 1_800_000_000)
    assert (read.fleet, read.iat) == ("home", 1_800_000_000)
    assert read.schedule.rule == schedule.rule
    assert schedule_halves(read.schedule, WHO, 1) == schedule_halves(schedule, WHO, 1)
    assert list(islice(read.schedule.slots(NOW), 5)) == list(islice(schedule.slots(NOW), 5))


@settings(max_examples=100, deadline=None)
@given(schedule=SCHEDULES, ahead_ms=st.integers(0, 30 * DAY), floor_ms=st.integers(0, 3 * DAY))
def test_every_due_slot_is_either_run_or_counted_as_missed(
    schedule: Schedule, ahead_ms: int, floor_ms: int
) -> None:
    floor_ms += NOW - 5 * DAY
    now_ms = NOW + ahead_ms
    due = list(islice(takewhile(lambda slot: slot <= now_ms, schedule.slots(floor_ms)), 20_000))
    plan = schedule.plan(floor_ms, now_ms)
    if plan is None:
        assert due == []
        return
    if len(due) < 20_000:
        assert len(plan.run) + plan.missed == len(due)
        assert plan.upto_ms == due[-1]
        assert list(plan.run) == due[len(due) - len(plan.run) :]
    assert all(schedule.has_slot(slot_ms) for slot_ms in plan.run)
    assert schedule.latest(now_ms) == plan.upto_ms


@pytest.mark.parametrize(
    ("misfire", "late", "run"),
    [
        ({"misfire": "once"}, DAY // 2, 1),
        ({"misfire": "skip"}, DAY // 2, 0),
        ({"misfire": "skip"}, 30_000, 1),
        ({"misfire": "all"}, DAY // 2, 4),
        ({"misfire": "all", "runs_max": 3}, DAY // 2, 3),
    ],
)
def test_after_a_power_cut_the_missed_slots_are_treated_as_the_policy_says(
    misfire: dict[str, Any], late: int, run: int
) -> None:
    schedule = Schedule(name="nightly", rule=NIGHTLY, spec=SPEC, **misfire)
    last = schedule.latest(NOW)
    assert last is not None
    plan = schedule.plan(last - 4 * DAY, last + late)
    assert plan is not None
    assert (len(plan.run), plan.missed) == (run, 4 - run)
    assert plan.run == tuple(last - n * DAY for n in reversed(range(run)))


def test_a_month_of_missed_seconds_is_counted_and_not_walked() -> None:
    plan = every(1_000).plan(NOW, NOW + 30 * DAY)
    assert plan is not None
    assert (plan.run, plan.missed) == ((NOW + 30 * DAY,), 30 * 86_400 - 1)


def test_an_interval_counts_from_its_start_or_from_1970_on_every_machine_alike() -> None:
    assert next(every(7_000).slots(NOW)) == NOW - NOW % 7_000 + 7_000
    assert list(islice(every(7_000, start_ms=NOW + 5).slots(NOW), 2)) == [NOW + 5, NOW + 7_005]


def test_start_and_end_bound_the_slots_both_included() -> None:
    schedule = every(1_000, start_ms=NOW, end_ms=NOW + 2_000)
    assert list(schedule.slots(0)) == [NOW, NOW + 1_000, NOW + 2_000]
    assert schedule.latest(NOW + DAY) == NOW + 2_000
    assert schedule.latest(NOW - 1) is None


def test_jitter_is_drawn_alike_by_everybody_and_leaves_the_slot_time_alone() -> None:
    schedules = [every(600_000, jitter_ms=300_000) for _ in range(2)]
    slots = list(islice(schedules[0].slots(NOW), 50))
    drawn = [[schedule.due_ms(slot) - slot for slot in slots] for schedule in schedules]
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) > 40
    assert 0 <= min(drawn[0]) <= max(drawn[0]) <= 300_000
    assert slots == list(islice(every(600_000).slots(NOW), 50))


def test_a_slot_is_not_due_before_its_jitter_is_over() -> None:
    schedule = every(600_000, jitter_ms=300_000)
    slot = next(slot for slot in schedule.slots(NOW) if schedule.due_ms(slot) > slot)
    assert schedule.plan(slot - 1, schedule.due_ms(slot) - 1) is None
    assert schedule.plan(slot - 1, schedule.due_ms(slot)) is not None


def test_the_job_of_a_slot_follows_from_schedule_and_slot_time() -> None:
    one = signed(Schedule(name="nightly", rule=NIGHTLY, spec=SPEC))
    slot = next(one.schedule.slots(NOW))
    made = parse_halves(*slot_halves(one, slot))
    assert (made.op, made.id, made.fleet) == ("submit", slot_id("home", "nightly", slot), "home")
    assert (made.iat, made.spec, made.by, made.reply) == (slot // 1000, SPEC, WHO.by, WHO.reply)


def test_without_its_hidden_half_a_schedule_tells_when_and_not_what() -> None:
    spec = JobSpec.from_dict(
        {"command": "cat secrets", "name": "hush", "queue": "media", "env": {"A": "hidden"}}
    )
    head, _ = schedule_halves(Schedule(name="nightly", rule=NIGHTLY, spec=spec), WHO, 5)
    assert not {word for word in ("cat", "hush", "hidden") if word in head.decode()}
    read = parse_schedule(head).schedule
    assert (read.rule, read.spec.queue, read.spec.command) == (NIGHTLY, "media", "(sealed)")


def test_a_worker_accepts_slots_of_the_rule_whose_time_has_come() -> None:
    one = signed(every(60_000), NOW // 1000)
    slot = next(one.schedule.slots(NOW))
    check_slot(one, slot, slot // 1000)
    check_slot(one, slot, slot // 1000 - 3_000)  # its clock may be late
    check_slot(one, slot, 5)  # its clock has no battery
    with pytest.raises(SpecError, match="has not come yet"):
        check_slot(one, slot + 120 * 60_000, NOW // 1000)
    with pytest.raises(SpecError, match="does not fire at"):
        check_slot(one, slot + 1, slot // 1000)


def test_a_schedules_jobs_carry_its_name() -> None:
    spec = labelled(
        JobSpec.from_dict({"command": "true", "labels": {"schedule": "other", "a": "b"}}), "nightly"
    )
    assert spec.name == "nightly"
    assert dict(spec.labels) == {"a": "b", "schedule": "nightly"}
    assert labelled(SPEC.but(name="mine"), "nightly").name == "mine"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("every 15m", Rule(every_ms=900_000)),
        ("30 2 * * *", Rule(cron="30 2 * * *", zone="Europe/Berlin")),
        ("at 2027-01-31T18:00:00Z", Rule(at_ms=(1_801_418_400_000,))),
    ],
)
def test_a_rule_is_read_as_people_write_it(text: str, rule: Rule) -> None:
    assert parse_rule(text, "Europe/Berlin") == rule
    assert rule.text == text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "a b"}, "is not a name"),
        ({"rule": Rule()}, "has one rule"),
        ({"rule": Rule(cron="* * * * *", every_ms=5)}, "has one rule"),
        ({"rule": Rule(cron="61 * * * *")}, "the nearest valid one is '59 * * * *' (field 'cron')"),
        ({"rule": Rule(cron="0 9 * * *", zone="Europe/Berln")}, "did you mean Europe/Berlin? (field 'zone')"),
        ({"rule": Rule(cron="0 9 * * *", zone="../../etc/passwd")}, "is not a time zone known here"),
        ({"rule": Rule(cron="0 9 * * *", zone="a\0b")}, "is not a time zone known here"),
        ({"rule": Rule(every_ms=999)}, "is too often: at least 1s"),
        ({"rule": Rule(at_ms=(5, 4))}, "must be in order"),
        ({"start_ms": 10, "end_ms": 10}, "ends before it starts"),
        ({"rule": Rule(at_ms=(NOW,)), "end_ms": NOW - 1}, "has no firing between its start and its end"),
        ({"jitter_ms": 3_600_000}, "a jitter of 1h is too large"),
        ({"misfire": "never"}, "is not one of once, skip, all"),
        ({"misfire": "all", "runs_max": 101}, "too large: at most 100"),
        ({"overlap": "maybe"}, "is not one of skip, allow, queue, cancel"),
        ({"late_ms": -1}, "is too small"),
        ({"spec": SPEC.but(at_ms=5)}, "start by its rule"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused_with_the_field(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError) as caught:
        Schedule(**{"name": "nightly", "rule": Rule(every_ms=3_600_000), "spec": SPEC, **fields})
    assert said in str(caught.value)


GOOD = {
    "op": "schedule",
    "fleet": "home",
    "iat": 5,
    "by": "0123abcd",
    "name": "a",
    "rule": {"every": "1m"},
    "spec": {},
}
HIDDEN = {"command": "true"}


@pytest.mark.parametrize(
    "change",
    [
        {"op": "submit"}, {"op": None}, {"fleet": ""}, {"iat": "5"}, {"iat": -1}, {"name": 5}, {"rule": None},
        {"rule": {}}, {"rule": {"every": "1m", "x": 1}}, {"rule": {"cron": 5}}, {"rule": {"at": "x"}},
        {"spec": {"command": "open"}}, {"spec": 5}, {"by": 5}, {"reply": []}, {"x": 1},
        {"misfire": "all:x"}, {"misfire": "all:0"}, {"misfire": 5},
        {"start": "2027"}, {"jitter": []}, {"github": 5}, {"overlap": []},
    ],
)  # fmt: skip
def test_a_signed_schedule_that_is_not_one_is_a_spec_error(change: dict[str, Any]) -> None:
    import json

    parse_schedule(json.dumps(GOOD).encode(), HIDDEN)
    with pytest.raises(SpecError):
        parse_schedule(json.dumps({**GOOD, **change}).encode(), HIDDEN)

"""Cron rules: when they fire, through every change of the clock, and what is said of unreadable ones."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers import cron as oracle
from hypothesis import example, given, settings
from hypothesis import strategies as st

from relayq.model import cron as subject
from relayq.model.cron import Cron, CronError, nearest, slot_id
from relayq.model.ids import is_id

DAY_S = 86_400
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Asia/Kathmandu",
)
# Two days around each of these, clocks are moved somewhere.
MOVES = [
    "2027-03-14T00:00", "2027-03-28T00:00", "2027-04-04T00:00", "2027-10-03T00:00", "2027-10-31T00:00",
    "2027-11-07T00:00", "2018-11-04T00:00", "2018-02-18T00:00", "2027-06-01T00:00",
]  # fmt: skip


def field(low: int, high: int) -> st.SearchStrategy[str]:
    """What may stand in a field."""
    number = st.integers(low, high)
    span = st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}")
    step = st.tuples(st.just("*") | span, st.integers(1, high)).map(lambda pair: f"{pair[0]}/{pair[1]}")
    part = number.map(str) | span | step
    return st.just("*") | st.lists(part, min_size=1, max_size=3).map(",".join)


RULES = st.tuples(field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 6)).map(" ".join)


def fires(rule: str, zone: str, start: str, count: int = 4) -> list[str]:
    """The next firings by the clock on the wall, with its offset."""
    where = ZoneInfo(zone)
    start_s = int(datetime.fromisoformat(start).replace(tzinfo=where).timestamp())
    return [
        f"{datetime.fromtimestamp(s, where):%m-%d %H:%M%z}"
        for s in islice(Cron(rule, zone).after(start_s), count)
    ]


def by_watching(cron: Cron, first_s: int, last_s: int) -> list[int]:
    """When it fires, found out by looking at the clock every minute.

    A rule of hours fires when the clock first shows, or has leapt over, one of its times;
    a rule of every hour whenever the clock shows one of its minutes.
    """
    found, furthest = [], None
    for now_s in range(first_s - 3 * DAY_S, last_s + 1, 60):
        wall = datetime.fromtimestamp(now_s, cron.zone).replace(tzinfo=None)
        if len(cron.hours) == 24:
            hit = shows(cron, wall)
        else:
            start = furthest or wall - timedelta(minutes=1)
            hit = any(
                shows(cron, start + timedelta(minutes=n))
                for n in range(1, (wall - start) // timedelta(minutes=1) + 1)
            )
            furthest = max(start, wall)
        if hit and first_s < now_s:
            found.append(now_s)
    return found


def shows(cron: Cron, wall: datetime) -> bool:
    """Is this one of the rule's times?"""
    return (
        wall.minute in cron.minutes
        and wall.hour in cron.hours
        and wall.month in cron.months
        and cron._is_day(wall.date())
    )


@settings(max_examples=40, deadline=None)
@given(rule=RULES, zone=st.sampled_from(ZONES), start=st.sampled_from(MOVES))
@example(rule="30 2 * * *", zone="Europe/Berlin", start="2027-03-28T00:00")
@example(rule="*/7 * * * *", zone="Australia/Lord_Howe", start="2027-04-04T00:00")
@example(rule="0 0 * * *", zone="America/Sao_Paulo", start="2018-11-04T00:00")
def test_it_fires_when_somebody_who_watches_the_clock_would(rule: str, zone: str, start: str) -> None:
    try:
        cron = Cron(rule, zone)
    except CronError:
        return
    first_s = int(datetime.fromisoformat(start).replace(tzinfo=UTC).timestamp()) - DAY_S
    last_s = first_s + 3 * DAY_S
    assert list(takewhile(lambda at_s: at_s <= last_s, cron.after(first_s))) == by_watching(
        cron, first_s, last_s
    )


@settings(max_examples=100, deadline=None)
@given(rule=RULES, start_s=st.integers(1_600_000_000, 1_900_000_000))
def test_where_no_clock_is_moved_it_fires_as_apscheduler_would(rule: str, start_s: int) -> None:
    minute, hour, day, month, weekday = rule.split()
    if not day.startswith("*") and not weekday.startswith("*"):
        weekday = "*"
    try:
        cron = Cron(" ".join((minute, hour, day, month, weekday)))
    except CronError:
        return
    named = ",".join(WEEKDAYS[number] for number in cron.weekdays)
    try:
        trigger = apscheduler_cron(minute, hour, day, month, named)
    except ValueError:  # it refuses steps that are longer than their range
        numbers = (cron.minutes, cron.hours, cron.days, cron.months)
        trigger = apscheduler_cron(*(",".join(map(str, values)) for values in numbers), named)
    now = datetime.fromtimestamp(start_s + 1, UTC)
    for at_s in islice(cron.after(start_s), 5):
        now = trigger.get_next_fire_time(None, now)
        assert now == datetime.fromtimestamp(at_s, UTC)
        now += timedelta(seconds=1)


def apscheduler_cron(minute: str, hour: str, day: str, month: str, weekday: str) -> Any:
    """APScheduler's own, in UTC."""
    return oracle.CronTrigger(
        minute=minute, hour=hour, day=day, month=month, day_of_week=weekday, timezone=UTC
    )


def test_a_time_that_does_not_exist_fires_at_the_next_valid_moment() -> None:
    told = fires("30 2 * * *", "Europe/Berlin", "2027-03-27T00:00", 3)
    assert told == ["03-27 02:30+0100", "03-28 03:00+0200", "03-29 02:30+0200"]


def test_all_times_that_do_not_exist_fire_together_once() -> None:
    told = fires("*/15 2 * * *", "Europe/Berlin", "2027-03-28T00:00", 2)
    assert told == ["03-28 03:00+0200", "03-29 02:00+0200"]


def test_a_time_that_exists_twice_fires_the_first_time() -> None:
    told = fires("30 2 * * *", "Europe/Berlin", "2027-10-31T00:00", 2)
    assert told == ["10-31 02:30+0200", "11-01 02:30+0100"]


def test_every_hour_means_every_hour_that_passes() -> None:
    told = fires("30 * * * *", "Europe/Berlin", "2027-10-31T01:00", 4)
    assert told == ["10-31 01:30+0200", "10-31 02:30+0200", "10-31 02:30+0100", "10-31 03:30+0100"]
    assert fires("30 * * * *", "Europe/Berlin", "2027-03-28T01:00", 2) == [
        "03-28 01:30+0100",
        "03-28 03:30+0200",
    ]


def test_day_and_weekday_together_mean_either() -> None:
    assert fires("0 9 13 * fri", "UTC", "2027-11-01T00:00", 3) == [
        "11-05 09:00+0000",
        "11-12 09:00+0000",
        "11-13 09:00+0000",
    ]
    assert fires("0 9 */13 * fri", "UTC", "2027-11-01T00:00", 1) == ["01-14 09:00+0000"]


def test_a_leap_day_is_waited_for() -> None:
    assert fires("0 0 29 2 *", "UTC", "2097-01-01T00:00", 1) == ["02-29 00:00+0000"]


@pytest.mark.parametrize(
    ("rule", "why", "near"),
    [
        ("61 * * * *", "minute 61 is out of range: 0 to 59", "59 * * * *"),
        ("* * * *", "does not have five fields", "* * * * *"),
        ("", "does not have five fields", "* * * * *"),
        ("0 0 12 * * ? *", "does not have five fields", "0 12 * * *"),
        ("0 24 * * *", "hour 24 is out of range", "0 0 * * *"),
        ("0 9 * * moday", "'moday' is not a weekday", "0 9 * * mon"),
        ("0 9 * febuary *", "'febuary' is not a month", "0 9 * feb *"),
        ("0 22-2 * * *", "runs backwards", "0 22-23,0-2 * * *"),
        ("*/0 * * * *", "is not a number above 0", "* * * * *"),
        ("0 0 30 2 *", "would never fire", "0 0 29 2 *"),
        ("0 0 31 4,6 *", "would never fire", "0 0 30 4,6 *"),
        ("@houly", "it is none of @hourly, @daily", "@hourly"),
        ("0 9 * * 1#2", "is not a weekday", "0 9 * * 0"),
        ("-5 * * * *", "is not a minute", "0-5 * * * *"),
        ("² * * * *", "is not a minute", "0 * * * *"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_with_the_nearest_that_can(rule: str, why: str, near: str) -> None:
    with pytest.raises(CronError, match=re.escape(why)) as caught:
        Cron(rule)
    assert caught.value.nearest == near
    Cron(near)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="0123456789*/-,@ abcdehijlmnoprtuwy?#L", max_size=40) | st.text(max_size=20))
def test_whatever_is_typed_there_is_a_valid_rule_near_it(text: str) -> None:
    try:
        Cron(text)
    except CronError as error:
        assert error.nearest == nearest(text)
        Cron(error.nearest)


@settings(max_examples=40, deadline=None)
@given(rule=RULES, zone=st.sampled_from(ZONES), now_s=st.integers(1_600_000_000, 1_900_000_000))
def test_the_latest_firing_is_the_one_before_the_next(rule: str, zone: str, now_s: int) -> None:
    try:
        cron = Cron(rule, zone)
    except CronError:
        return
    latest = cron.latest(now_s)
    assert latest is not None
    assert latest <= now_s
    assert next(cron.after(latest)) > now_s


@pytest.mark.parametrize(
    ("rule", "count"), [("*/5 * * * *", 8640), ("*/30 * * * *", 1440), ("0 * * * *", 720), ("30 2 * * *", 30)]
)
def test_firings_of_a_month_are_counted(rule: str, count: int) -> None:
    assert Cron(rule).firings_a_month == count


def test_the_id_of_a_slot_is_the_id_of_a_job_and_its_own() -> None:
    ids = {slot_id(*what) for what in (("a", "b", 1), ("a", "b", 2), ("b", "b", 1), ("a", "c", 1))}
    assert len(ids) == 4
    assert all(is_id(job) for job in ids)
    assert slot_id("home", "nightly", 1_789_950_600_000) == "QRBCNZYM5XQM01HP"


def test_a_github_step_can_run_the_file_alone() -> None:
    """The syntax of Python 3.9, and no import but the standard library's."""
    assert subject.__file__
    with open(subject.__file__, encoding="utf-8") as file:
        tree = ast.parse(file.read(), feature_version=(3, 9))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not any(str(name).startswith("relayq") for name in modules)

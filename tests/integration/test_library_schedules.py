"""Schedules in a real hub: each slot once, whoever fires it and whatever was forgotten meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from relayq.errors import HubFull
from relayq.model.cron import Cron, slot_id
from relayq.model.schedule import Rule
from relayq.store.hub import Hub
from relayq.store.wire import Wire, fire_args
from relayq.trust.keys import SigningKey
from tests.integration.schedule_support import DAY, Clock, schedule, words

MINUTE = 60_000


@pytest.fixture
async def clock(hub_url: str, fleet: str) -> AsyncIterator[Clock]:
    """An empty fleet."""
    async with Hub(hub_url, fleet) as hub:
        yield Clock(hub)


async def test_a_slot_is_fired_once_by_any_number_of_schedulers(clock: Clock) -> None:
    await clock.add(schedule())
    schedulers = [await clock.firing(f"pi{number}") for number in range(3)]
    now_ms = await clock.advance(MINUTE)
    told = [words(await one.fire_due(now_ms)) for one in schedulers]
    assert told == [["new"], ["before"], ["before"]]
    record = await clock.record()
    assert (record.fired, record.last_who, record.last_slot_ms) == (1, "pi0", now_ms - now_ms % MINUTE)
    job = await clock.jobs.record(record.last_job)
    assert job
    assert (job.state, record.last_state) == ("RUNNABLE", "RUNNABLE")


async def test_a_slot_that_was_fired_stays_so_when_its_job_is_forgotten(clock: Clock) -> None:
    made = await clock.add(schedule(overlap="allow"))
    late = await clock.firing("late")
    now_ms = await clock.advance(MINUTE)
    await (await clock.firing()).fire_due(now_ms)
    assert len(await clock.end_jobs()) == 1
    assert words(await late.fire_due(now_ms)) == ["before"]
    assert (await clock.fire_late(made, now_ms - now_ms % MINUTE))[1][0].word == "before"
    assert await clock.end_jobs() == []
    assert (await clock.record()).last_state is None


async def test_what_came_before_the_schedule_was_added_is_not_due(clock: Clock) -> None:
    made = await clock.add(schedule())
    now_ms = await clock.now_ms()
    assert await (await clock.firing()).fire_due(now_ms) == []
    assert (await clock.fire_late(made, now_ms - now_ms % MINUTE))[1][0].word == "before"


async def test_a_twin_that_comes_first_makes_the_job_and_the_scheduler_nothing(clock: Clock) -> None:
    made = await clock.add(schedule(overlap="allow"))
    local = await clock.firing()
    now_ms = await clock.advance(MINUTE)
    word, [slot] = await clock.fire_late(made, now_ms - now_ms % MINUTE)
    assert (word, slot.word) == ("ok", "new")
    assert words(await local.fire_due(now_ms)) == ["before"]
    record = await clock.record()
    assert (record.last_who, record.fired, record.missed) == ("github", 1, 0)


async def test_the_standard_library_alone_fires_a_slot(clock: Clock, hub_url: str, fleet: str) -> None:
    """What a step on GitHub does: the rule says which slot came last, the hub has all the rest."""
    await clock.add(schedule("nightly", Rule(cron="30 2 * * *", zone="Europe/Berlin")))
    now_ms = await clock.advance(DAY)
    slot_s = Cron("30 2 * * *", "Europe/Berlin").latest(now_ms // 1000)
    assert slot_s
    job = slot_id(fleet, "nightly", slot_s * 1000)
    wire = Wire(hub_url)
    for word in (b"new", b"before"):
        reply = wire.call(*fire_args(fleet, "nightly", "30 2 * * * Europe/Berlin", slot_s * 1000, job))
        assert reply == [b"ok", [str(slot_s * 1000).encode(), word, job.encode()]]
    wire.close()
    assert (await clock.record("nightly")).last_who == "github"


async def test_a_slot_fired_out_of_turn_is_not_counted_as_missed(clock: Clock) -> None:
    made = await clock.add(schedule(overlap="allow"))
    local = await clock.firing()
    now_ms = await clock.advance(3 * MINUTE)
    await clock.fire_late(made, now_ms - now_ms % MINUTE - MINUTE)
    assert words(await local.fire_due(now_ms)) == ["new"]
    assert (await clock.record()).missed == 1


async def test_a_twin_of_another_rule_changes_nothing(clock: Clock) -> None:
    made = await clock.add(schedule())
    now_ms = await clock.advance(MINUTE)
    other = replace(made, rule=Rule(every_ms=1_000))
    assert await clock.fire_late(other, now_ms - now_ms % MINUTE) == ("changed", [])
    assert await clock.fire_late(replace(made, name="nobody"), now_ms) == ("unknown", [])


@pytest.mark.parametrize(
    ("misfire", "run", "missed"), [("once", 1, 1439), ("skip", 1, 1439), ("all", 100, 1340)]
)
async def test_a_day_of_power_cut_follows_the_policy(
    clock: Clock, misfire: str, run: int, missed: int
) -> None:
    await clock.add(schedule(misfire=misfire, overlap="allow"))
    await clock.advance(-(await clock.now_ms()) % MINUTE)
    local = await clock.firing()
    await local.fire_due(await clock.now_ms())
    before = await clock.record()
    await local.fire_due(await clock.advance(DAY + 1))
    record = await clock.record()
    assert (record.fired - before.fired, record.missed - before.missed) == (run, missed)


async def test_missed_slots_are_counted_once_by_schedulers_that_take_turns(clock: Clock) -> None:
    await clock.add(schedule(overlap="allow"))
    await clock.advance(-(await clock.now_ms()) % MINUTE + 1)
    first, second = await clock.firing("pi1"), await clock.firing("pi2")
    await first.fire_due(await clock.now_ms())
    before = await clock.record()
    for number in range(6):
        await (second if number % 2 else first).fire_due(await clock.advance(10 * MINUTE))
    record = await clock.record()
    assert (record.fired - before.fired, record.missed - before.missed) == (6, 54)


async def test_skip_leaves_out_even_the_last_when_it_is_too_late(clock: Clock) -> None:
    await clock.add(schedule(rule=Rule(every_ms=DAY), misfire="skip", late_ms=MINUTE))
    local = await clock.firing()
    now_ms = await clock.now_ms()
    now_ms = await clock.advance(DAY - now_ms % DAY + 2 * MINUTE)
    assert await local.fire_due(now_ms) == []
    record = await clock.record()
    assert (record.fired, record.missed, record.history[0].word) == (0, 1, "missed 1")


async def test_a_paused_schedule_does_not_fire_and_makes_up_for_nothing(clock: Clock) -> None:
    made = await clock.add(schedule(misfire="all"))
    local = await clock.firing()
    assert await clock.store.pause("tick") == "paused"
    assert await clock.store.pause("tick") == "was-paused"
    now_ms = await clock.advance(10 * MINUTE)
    assert await local.fire_due(now_ms) == []
    assert (await clock.fire_late(made, now_ms - now_ms % MINUTE))[0] == "paused"
    assert await clock.store.resume("tick") == "resumed"
    await local.load()
    assert await local.fire_due(now_ms) == []
    assert words(await local.fire_due(await clock.advance(MINUTE))) == ["new"]


async def test_a_scheduler_that_has_not_heard_of_a_change_fires_nothing_of_the_old_rule(clock: Clock) -> None:
    made = await clock.add(schedule())
    unaware = await clock.firing()
    record = await clock.record()
    slower = replace(made, rule=Rule(every_ms=DAY))
    envelope = clock.signed(slower)
    assert await clock.store.change(slower, envelope, by="x", rev=record.rev, restart=True) == "changed"
    assert await clock.store.change(slower, envelope, by="x", rev=record.rev) == "raced"
    assert await unaware.fire_due(await clock.advance(MINUTE)) == []
    assert unaware.kept["tick"].schedule.rule == slower.rule


@pytest.mark.parametrize(
    ("overlap", "told", "states"),
    [
        ("skip", ["overlap"], ["RUNNABLE"]),
        ("allow", ["new"], ["RUNNABLE", "RUNNABLE"]),
        ("queue", ["new"], ["PENDING", "RUNNABLE"]),
        ("cancel", ["new"], ["CANCELLED", "RUNNABLE"]),
    ],
)
async def test_a_job_that_still_lives_is_treated_as_the_overlap_policy_says(
    clock: Clock, overlap: str, told: list[str], states: list[str]
) -> None:
    await clock.add(schedule(overlap=overlap))
    local = await clock.firing()
    await local.fire_due(await clock.advance(MINUTE))
    assert words(await local.fire_due(await clock.advance(MINUTE))) == told
    assert sorted(job.state.value for job in await clock.jobs.list_jobs()) == states
    assert (await clock.record()).passed == (overlap == "skip")


async def test_a_queued_job_starts_when_the_one_before_has_ended(clock: Clock) -> None:
    await clock.add(schedule(overlap="queue"))
    local = await clock.firing()
    await local.fire_due(await clock.advance(MINUTE))
    first = (await clock.record()).last_job
    await local.fire_due(await clock.advance(MINUTE))
    await clock.jobs.cancel(first)
    job = await clock.jobs.record((await clock.record()).last_job)
    assert job
    assert job.state == "RUNNABLE"


async def test_a_unique_key_that_is_taken_makes_no_second_job(clock: Clock) -> None:
    await clock.add(schedule(overlap="allow", spec={"unique": "one"}))
    local = await clock.firing()
    await local.fire_due(await clock.advance(MINUTE))
    first = (await clock.record()).last_job
    assert words(await local.fire_due(await clock.advance(MINUTE))) == ["unique"]
    assert ((await clock.record()).history[0].job, (await clock.record()).passed) == (first, 1)


async def test_an_array_is_a_schedules_job_like_any_other(clock: Clock) -> None:
    await clock.add(schedule(spec={"array": 5}))
    await (await clock.firing()).fire_due(await clock.advance(MINUTE))
    job = await clock.jobs.record((await clock.record()).last_job)
    assert job
    assert job.array
    assert job.array.size == 5


async def test_a_full_hub_leaves_the_slot_to_be_fired_later(clock: Clock) -> None:
    made = await clock.add(schedule())
    local = await clock.firing()
    now_ms = await clock.advance(MINUTE)
    maxmemory = (await clock.hub.link.call("CONFIG", "GET", "maxmemory"))[1]
    used = (await clock.hub.link.call("INFO", "memory")).decode().partition("used_memory:")[2].split()[0]
    await clock.hub.link.call("CONFIG", "SET", "maxmemory", int(used) * 11 // 10)
    try:
        await clock.hub.run("tick", {})
        with pytest.raises(HubFull):
            await clock.fire_late(made, now_ms - now_ms % MINUTE)
        assert await local.fire_due(now_ms) == []
    finally:
        await clock.hub.link.call("CONFIG", "SET", "maxmemory", maxmemory)
        await clock.hub.run("tick", {})
    assert words(await local.fire_due(now_ms)) == ["new"]


async def test_a_schedule_of_a_stranger_is_not_fired(clock: Clock) -> None:
    stranger = SigningKey.generate()
    await clock.add(schedule(), key=stranger)
    await clock.add(schedule("other"))
    local = await clock.firing()
    assert (list(local.kept), list(local.refused)) == (["other"], ["tick"])
    assert [name for name, _ in await local.fire_due(await clock.advance(MINUTE))] == ["other"]


async def test_a_schedule_under_another_name_is_not_fired(clock: Clock) -> None:
    """A hub that swaps two of them must not have one fire at the other's times."""
    await clock.add(schedule())
    await clock.hub.link.call("HSET", clock.hub.keys.prefix + "sc", "tick", clock.signed(schedule("other")))
    assert (await clock.firing()).kept == {}


async def test_a_removed_schedule_is_gone_and_its_name_is_free(clock: Clock) -> None:
    made = await clock.add(schedule())
    local = await clock.firing()
    assert await clock.store.add(made, clock.signed(made), by="x") == "exists"
    assert await clock.store.remove("tick") == "removed"
    assert await clock.store.remove("tick") == "unknown"
    assert await local.fire_due(await clock.advance(MINUTE)) == []
    keys = await clock.hub.link.call("KEYS", clock.hub.keys.prefix + "s[dlz]:*")
    assert keys == []
    await clock.add(made)


async def test_the_history_is_bounded_and_the_newest_comes_first(clock: Clock) -> None:
    await clock.add(schedule(overlap="allow", misfire="all"))
    local = await clock.firing()
    for _ in range(3):
        await local.fire_due(await clock.advance(20 * MINUTE))
    record = await clock.record()
    assert len(record.history) == 50
    assert record.history[0].slot_ms == record.last_slot_ms
    assert record.fired in (59, 60)


async def test_schedulers_are_known_while_they_are_heard(clock: Clock) -> None:
    await clock.store.beat("pi4#1")
    assert (await clock.store.board()).schedulers == ["pi4#1"]
    await clock.advance(61_000)
    assert (await clock.store.board()).schedulers == []


async def test_schedulers_that_fire_together_fire_once(clock: Clock, hub_url: str, fleet: str) -> None:
    await clock.add(schedule(overlap="allow", misfire="all"))
    hubs = [Hub(hub_url, fleet) for _ in range(4)]
    schedulers = [await Clock(hub).firing(f"pi{number}") for number, hub in enumerate(hubs)]
    now_ms = await clock.advance(50 * MINUTE)
    told = await asyncio.gather(*(one.fire_due(now_ms) for one in schedulers))
    new = [slot.slot_ms for decided in told for _, slot in decided if slot.word == "new"]
    assert len(new) == len(set(new)) == (await clock.record()).fired >= 49
    for hub in hubs:
        await hub.close()


async def test_a_schedule_goes_on_after_a_year_that_had_not_come(clock: Clock) -> None:
    await clock.add(schedule(overlap="allow", misfire="skip"))
    await clock.hub.run("tick", {})
    scheduler = await clock.firing()
    await scheduler.fire_due(await clock.advance(3650 * DAY))
    await clock.hub.run("tick", {})
    _, version = await clock.store.beat("pi4")
    await clock.advance(-3650 * DAY)
    await clock.hub.run("tick", {})
    assert (await clock.store.beat("pi4"))[1] != version
    now_ms = await clock.advance(2 * MINUTE)
    assert words(await (await clock.firing()).fire_due(now_ms))[-1:] == ["new"]


async def test_slots_that_were_fired_some_hours_too_soon_are_not_fired_again(clock: Clock) -> None:
    await clock.add(schedule(overlap="allow"))
    await clock.hub.run("tick", {})
    now_ms = await clock.advance(5 * 60 * MINUTE)
    await (await clock.firing()).fire_due(now_ms)
    await clock.hub.run("tick", {})
    await clock.end_jobs()
    await clock.advance(-5 * 60 * MINUTE)
    await clock.hub.run("tick", {})
    now_ms = await clock.advance(MINUTE)
    assert await (await clock.firing()).fire_due(now_ms) == []

"""Schedulers that run: they fire on time, die and come back, and their jobs are judged by workers."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from relayq.model.cron import slot_id
from relayq.model.job import JobSpec, routing
from relayq.model.needs import lane_of
from relayq.model.schedule import Rule, Schedule
from relayq.scheduling import Scheduler, SchedulerOptions
from relayq.store.records import Submission
from relayq.trust.keys import SigningKey
from relayq.trust.slots import slot_envelope
from tests.fault.clock import off_by
from tests.integration.schedule_support import DAY, KEY, Clock, schedule
from tests.integration.worker_support import Rig
from tests.support import eventually

SECOND = Rule(every_ms=1_000)


@pytest.fixture
async def rig(hub_url: str, fleet: str, home: Path) -> AsyncIterator[Rig]:
    rig = Rig(hub_url, fleet, home)
    async with rig.hub:
        yield rig


class OwnersClock(Clock):
    """Schedules that the owner of a rig has signed and sealed for its workers."""

    def __init__(self, rig: Rig) -> None:
        super().__init__(rig.hub)
        self.rig = rig

    def signed(self, made: Schedule, key: SigningKey = KEY) -> bytes:
        return self.rig.author(None if key is KEY else key).schedule(made, 1_600_000_000)


@pytest.fixture
def clock(rig: Rig) -> Clock:
    return OwnersClock(rig)


@asynccontextmanager
async def scheduling(rig: Rig, name: str = "pi4") -> AsyncIterator[Scheduler]:
    """A scheduler in this process."""
    options = SchedulerOptions(url=rig.url, fleet=rig.fleet, name=name, believed=lambda: (rig.key.public,))
    scheduler = Scheduler(options)
    running = asyncio.create_task(scheduler.run())
    try:
        yield scheduler
    finally:
        scheduler.stop()
        await running


def process(rig: Rig, *options: str, through: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
    """`relayq scheduler` in a process of its own."""
    environment = os.environ | {"RELAYQ_URL": rig.url, "RELAYQ_FLEET": rig.fleet}
    argv = [*through, sys.executable, "-m", "relayq", "scheduler", *options]
    return subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


async def test_slots_are_fired_on_time_and_a_worker_runs_their_jobs(rig: Rig, clock: Clock) -> None:
    await clock.add(schedule(rule=SECOND, spec={"command": rig.mark("ran")}), key=rig.key)
    async with rig.worker(), scheduling(rig):
        await eventually(lambda: len(rig.marked("ran")) >= 3, "three slots have run")
    record = await clock.record()
    on_time = [slot for slot in record.history if slot.word == "new" and slot.fired_ms - slot.slot_ms < 900]
    assert len(on_time) >= 2
    assert {slot.who for slot in record.history} == {"pi4"}
    first = await rig.record(record.history[-1].job)
    assert first.state == "SUCCEEDED"


async def test_what_is_added_changed_and_paused_is_heard_of(
    rig: Rig, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relayq.scheduling.POLL_S", 0.1)

    async def fired() -> int:
        return (await clock.record()).fired

    async with scheduling(rig):
        await clock.add(schedule(rule=SECOND, overlap="allow"), key=rig.key)
        await eventually(fired, "it has fired")
        await clock.store.pause("tick")
        count = await fired()
        assert await clock.store.resume("tick") == "resumed"
        await eventually(lambda: more_than(clock, count), "it fires again")


async def more_than(clock: Clock, count: int) -> bool:
    """Have more slots been fired by now?"""
    return (await clock.record()).fired > count


async def test_a_hub_that_was_away_costs_no_slot(
    rig: Rig, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relayq.scheduling.POLL_S", 0.1)
    await clock.add(schedule(rule=SECOND, overlap="allow", misfire="all"), key=rig.key)
    async with scheduling(rig):
        await eventually(lambda: more_than(clock, 0), "it has fired")
        await rig.hub.link.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        count = (await clock.record()).fired
        await eventually(lambda: more_than(clock, count + 1), "it fires on")
    assert_each_once(await clock.record())


def assert_each_once(record: object) -> None:
    """Every slot between the first and the last that is remembered was fired, once."""
    fired = sorted(slot.slot_ms for slot in record.history if slot.word == "new")  # type: ignore[attr-defined]
    assert fired == list(range(fired[0], fired[-1] + 1, 1_000))


async def test_three_schedulers_that_are_killed_at_random_fire_each_slot_once(rig: Rig, clock: Clock) -> None:
    await clock.add(schedule(rule=SECOND, overlap="allow", misfire="all"), key=rig.key)
    dice = random.Random(5)
    schedulers = [process(rig, "--name", f"pi{number}") for number in range(3)]
    try:
        for kills in range(4):
            await eventually(
                lambda count=kills: more_than(clock, 1 + 2 * count), "slots are fired", timeout_s=30
            )
            number = dice.randrange(3)
            schedulers[number].kill()
            schedulers[number].wait()
            schedulers[number] = process(rig, "--name", f"pi{number}")
    finally:
        for one in schedulers:
            one.kill()
            one.wait()
    record = await clock.record()
    assert_each_once(record)
    assert record.missed == 0
    assert record.fired == len([slot for slot in record.history if slot.word == "new"])


@pytest.mark.parametrize("off", [-400 * DAY // 1000, DAY // 1000])
async def test_a_scheduler_whose_clock_is_wrong_goes_by_the_hubs(rig: Rig, clock: Clock, off: int) -> None:
    made = await clock.add(schedule(rule=Rule(every_ms=DAY)), key=rig.key)

    def once() -> bytes:
        ended = process(rig, "--once", through=off_by(off))
        return ended.communicate(timeout=60)[0]

    assert await asyncio.to_thread(once) == b""
    now_ms = await clock.advance(DAY)
    said = await asyncio.to_thread(once)
    assert said.split()[:2] == [b"tick", b"new"]
    assert (await clock.record()).last_slot_ms == made.latest(now_ms)


async def test_a_scheduler_says_what_it_fired_once_and_leaves(rig: Rig, clock: Clock) -> None:
    await clock.add(schedule(), key=rig.key)
    await clock.advance(60_000)
    said = [process(rig, "--once").communicate(timeout=60)[0].split() for _ in range(2)]
    assert [words[:2] for words in said] == [[b"tick", b"new"], []]
    assert (await clock.store.board()).schedulers == []


async def test_a_term_ends_a_scheduler_and_the_hub_hears_of_it(rig: Rig, clock: Clock) -> None:
    scheduler = process(rig)

    async def schedulers() -> list[str]:
        return (await clock.store.board()).schedulers

    await eventually(schedulers, "it has been heard", timeout_s=30)
    scheduler.terminate()
    assert await asyncio.to_thread(scheduler.wait, 30) == 0
    assert await schedulers() == []


async def test_a_worker_is_a_scheduler_too_when_it_is_asked_to_be(rig: Rig, clock: Clock) -> None:
    await clock.add(schedule(rule=SECOND, spec={"command": rig.mark("ran")}), key=rig.key)
    worker = rig.process("w1", "--scheduler", "--trust", rig.key.public)
    await eventually(lambda: rig.marked("ran"), "a slot has run", timeout_s=30)
    worker.signal(15)
    assert await worker.left() == 0


# -- what a worker refuses


async def judged(rig: Rig, envelope: bytes, slot_ms: int, command: str, name: str = "tick") -> str:
    """Submit a slot's job as a hub that lies would; how it ended, and why."""
    spec = JobSpec.from_dict({"command": command, "name": name, "labels": {"schedule": name}})
    job = slot_id(rig.fleet, name, slot_ms)
    lie = Submission(routing=routing(spec, job), lane=lane_of(spec), envelope=envelope)
    assert await rig.jobs.submit([lie]) == ["new"]
    record = await rig.ended(job)
    return f"{record.state} {record.reason} {record.message}"


async def test_a_worker_runs_no_slot_that_does_not_follow_from_a_signed_schedule(
    rig: Rig, clock: Clock
) -> None:
    made = schedule(rule=Rule(every_ms=60_000), spec={"command": rig.mark("ran")})
    now_ms = await clock.now_ms()
    slot_ms = now_ms - now_ms % 60_000
    signed = clock.signed(made, rig.key)
    async with rig.worker():
        for envelope, at_ms, why in (
            (slot_envelope(clock.signed(made, SigningKey.generate()), slot_ms), slot_ms, "not trusted"),
            (
                slot_envelope(signed[:-1] + bytes([signed[-1] ^ 1]), slot_ms),
                slot_ms - 60_000,
                "the signature is not one of",
            ),
            (slot_envelope(signed, slot_ms + 1), slot_ms + 1, "does not fire at"),
            (slot_envelope(signed, slot_ms + DAY), slot_ms + DAY, "has not come ye"),
            (slot_envelope(signed, slot_ms - 40 * DAY), slot_ms - 40 * DAY, "has expired"),
            (slot_envelope(signed, slot_ms - 120_000), slot_ms - 180_000, "signed for another job"),
            (signed, slot_ms - 240_000, "the signature is not one of"),
        ):
            assert why in await judged(rig, envelope, at_ms, rig.mark("ran"))
        assert rig.marked("ran") == []
        good = slot_ms - 300_000
        assert (await judged(rig, slot_envelope(signed, good), good, rig.mark("ran"))).startswith("SUCCEEDED")


async def test_a_slot_that_has_run_here_does_not_run_again_when_the_hub_forgot_it(
    rig: Rig, clock: Clock
) -> None:
    made = schedule(spec={"command": rig.mark("ran")})
    now_ms = await clock.now_ms()
    slot_ms = now_ms - now_ms % 60_000
    envelope = slot_envelope(clock.signed(made, rig.key), slot_ms)
    async with rig.worker():
        for _ in range(2):
            assert (await judged(rig, envelope, slot_ms, rig.mark("ran"))).startswith("SUCCEEDED")
            await clock.end_jobs()
    assert rig.marked("ran") == ["x"]

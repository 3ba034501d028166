"""A year of schedules with the hub's clock in the test's hands: every slot once, whatever happens.

Two changes of the clock in Europe and two in America, three schedulers that are killed and
come back at random, some between firing a slot and hearing of it, and a twin that comes
late or never. Jobs are forgotten all the while, so that no job's record tells that its
slot was fired. What is expected is reckoned by hand, without the code under test.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from relayq.model.cron import slot_id
from relayq.model.schedule import Rule, Schedule
from relayq.scheduling import Firing
from relayq.store.hub import Hub
from relayq.store.schedules import Schedules
from tests.integration.schedule_support import RING, Clock, schedule

HOUR = 3_600_000
START = datetime(2027, 1, 1, 0, 5, tzinfo=UTC)
END = START + timedelta(days=366)
BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")

NIGHTLY = Rule(cron="30 2 * * *", zone="Europe/Berlin")
HOURLY = Rule(cron="15 * * * *", zone="Europe/Berlin")
WORKDAYS = Rule(cron="0 1,9 * * mon-fri", zone="America/New_York")
SIX_HOURS = Rule(every_ms=6 * HOUR)


def nightly() -> Iterator[datetime]:
    """Half past two in Berlin; on the night without it at three, on the night with two of them the first."""
    for day in range(367):
        wall = datetime(2027, 1, 1, 2, 30) + timedelta(days=day)
        yield (
            datetime(2027, 3, 28, 1, 0, tzinfo=UTC)
            if wall.date() == datetime(2027, 3, 28).date()
            else (wall.replace(tzinfo=BERLIN, fold=0).astimezone(UTC))
        )


def hourly() -> Iterator[datetime]:
    """A quarter past every hour that passes: both zones differ by whole hours from UTC."""
    yield from (datetime(2027, 1, 1, 0, 15, tzinfo=UTC) + timedelta(hours=hour) for hour in range(367 * 24))


def workdays() -> Iterator[datetime]:
    """One and nine in New York on weekdays; both changes of the clock there fall on Sundays."""
    for day in range(-1, 367):
        for hour in (1, 9):
            wall = datetime(2027, 1, 1, hour) + timedelta(days=day)
            if wall.weekday() < 5:
                yield wall.replace(tzinfo=NEW_YORK).astimezone(UTC)


def six_hours() -> Iterator[datetime]:
    """Midnight, six, noon and six in UTC."""
    yield from (datetime(2027, 1, 1, tzinfo=UTC) + timedelta(hours=6 * n) for n in range(4 * 367))


PLANS = {
    "nightly": (NIGHTLY, nightly), "hourly": (HOURLY, hourly),
    "workdays": (WORKDAYS, workdays), "six-hours": (SIX_HOURS, six_hours),
}  # fmt: skip


def expected(fleet: str, first_ms: int, last_ms: int) -> dict[str, tuple[str, int]]:
    """The job of every slot: id -> (schedule, slot time)."""
    found = {}
    for name, (_, reckon) in PLANS.items():
        for moment in reckon():
            ms = int(moment.timestamp()) * 1000
            if first_ms < ms <= last_ms:
                found[slot_id(fleet, name, ms)] = (name, ms)
    return found


class Year:
    """The schedulers, the twin and the chance that befalls them."""

    def __init__(self, clock: Clock, schedules: list[Schedule], dice: random.Random) -> None:
        self.clock, self.schedules, self.dice = clock, schedules, dice
        self.schedulers: list[Firing | None] = [None, None, None]
        self.late: list[tuple[int, Schedule, int]] = []  # arrives at, what, slot
        self.came_first = 0

    async def step(self, now_ms: int) -> None:
        """What happens at one moment."""
        for number, scheduler in enumerate(self.schedulers):
            if self.dice.random() < 0.15:
                self.schedulers[number] = None
            elif scheduler is None and self.dice.random() < 0.5:
                self.schedulers[number] = await self.clock.firing(f"pi{number}")
        self._start_twin(now_ms)
        await self._let_twins_arrive(now_ms)
        for number, scheduler in enumerate(self.schedulers):
            if scheduler is not None:
                await self._fire(number, scheduler, now_ms)

    def _start_twin(self, now_ms: int) -> None:
        """GitHub starts a run for the latest slot; it comes at once, or up to five hours late."""
        one = self.dice.choice(self.schedules)
        slot_ms = one.latest(now_ms)
        if slot_ms is not None and self.dice.random() < 0.5:
            self.late.append((now_ms + max(0, self.dice.randrange(-HOUR, 5 * HOUR)), one, slot_ms))

    async def _let_twins_arrive(self, now_ms: int) -> None:
        arrived = [late for late in self.late if late[0] <= now_ms]
        self.late = [late for late in self.late if late[0] > now_ms]
        for _, one, slot_ms in arrived:
            _, [slot] = await self.clock.fire_late(one, slot_ms)
            self.came_first += slot.word == "new"

    async def _fire(self, number: int, scheduler: Firing, now_ms: int) -> None:
        """Fire what is due; now and then it dies before it hears what became of it."""
        if self.dice.random() < 0.05:
            forgetful = Firing(Schedules(self.clock.hub), scheduler.fleet, scheduler.who, lambda: RING)
            await forgetful.load()
            await forgetful.fire_due(now_ms)
            self.schedulers[number] = None if self.dice.random() < 0.5 else scheduler
        else:
            await scheduler.fire_due(now_ms)


@pytest.fixture
async def clock(hub_url: str, fleet: str) -> AsyncIterator[Clock]:
    """A fleet in which the year has just begun."""
    async with Hub(hub_url, fleet) as hub:
        clock = Clock(hub)
        await clock.advance(int(START.timestamp() * 1000) - await clock.now_ms())
        yield clock


async def test_every_slot_of_a_year_is_fired_exactly_once(clock: Clock) -> None:
    dice = random.Random(2027)
    schedules = [
        await clock.add(schedule(name, rule, misfire="all", overlap="allow"))
        for name, (rule, _) in PLANS.items()
    ]
    first_ms = now_ms = await clock.now_ms()
    year, made = Year(clock, schedules, dice), Counter[str]()
    while now_ms < END.timestamp() * 1000:
        now_ms = await clock.advance(dice.randrange(60_000, 9 * HOUR))
        await year.step(now_ms)
        if dice.random() < 0.02:
            made.update(await clock.end_jobs())
    await (await clock.firing()).fire_due(now_ms)
    made.update(await clock.end_jobs())

    wanted = expected(clock.hub.fleet, first_ms, now_ms)
    assert len(wanted) > 11_000
    assert [wanted[job] for job in wanted if made[job] != 1] == []
    assert set(made) == set(wanted)
    board = await clock.store.board()
    assert sum(record.fired for record in board.schedules) == len(wanted)
    assert [record.missed for record in board.schedules] == [0, 0, 0, 0]
    assert year.came_first > 50

"""Fire schedules: as many schedulers as you like, each slot once.

A scheduler reads the schedules from the hub, believes those that are signed by a key it
trusts, and asks the hub to fire each slot when its time has come. It needs no key of its
own: a slot's job follows from the signed schedule. What is due is judged by the hub's
clock, read before each firing; APScheduler, whose jobs live in memory alone, wakes it at
the right moment by this machine's clock and the known difference of the two.

Every few seconds it says that it lives, looks whether the schedules have changed, and
looks through all of them once more, so that a clock that jumped, a hub that was away or
a machine that slept cost no slot: what is late is treated as its schedule says.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Thread
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from relayq.errors import HubDenied, HubError, HubFull, HubSchema, HubTooOld, Refused, RelayQError
from relayq.model.cron import slot_id
from relayq.model.schedule import Schedule
from relayq.store.hub import Hub, connect
from relayq.store.schedules import ScheduleRecord, Schedules, Slot
from relayq.trust.keys import Keyring
from relayq.trust.slots import read_schedule

log = logging.getLogger("relayq.scheduler")

POLL_S = 2.0
GOODBYE_S = 2.0
EARLY_MS_MAX = 2_000
LOOKS_MAX = 3
LOOKS_A_LOAD = 30  # who is believed may change without a schedule's changing
# What lies further ahead needs no alarm yet.
HORIZON_S = 86_400
HOPELESS = (HubDenied, HubSchema, HubTooOld)


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerOptions:
    """`believed` gives the keys whose schedules it fires; `tend` is called after it made a job.

    Both are called in threads of their own.
    """

    url: str
    fleet: str
    name: str
    believed: Callable[[], Iterable[str]]
    tend: Callable[[], None] | None = None


@dataclass(slots=True)
class _Kept:
    """A schedule that is believed, and up to where its slots have been decided."""

    schedule: Schedule
    rev: str
    floor_ms: int
    is_paused: bool


@dataclass(slots=True)
class Firing:
    """Decides what is due and asks the hub to fire it; knows nothing of waking up.

    `who` is the name told to the hub. `kept` are the schedules it believes, by name.
    """

    store: Schedules
    fleet: str
    who: str
    ring: Callable[[], Keyring]
    kept: dict[str, _Kept] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    async def load(self) -> None:
        """Read all schedules anew, and who is believed."""
        board, ring = await self.store.board(), await asyncio.to_thread(self.ring)
        refused, self.refused = self.refused, {}
        self.kept = {
            record.name: _Kept(schedule, record.rev, record.floor_ms, bool(record.paused_ms))
            for record in board.schedules
            if (schedule := self._believed(record, ring)) is not None
        }
        for name, why in self.refused.items():
            if refused.get(name) != why:
                log.warning("schedule refused", extra={"schedule": name, "why": why})

    async def fire_due(self, now_ms: int) -> list[tuple[str, Slot]]:
        """Fire whatever is due at a time of the hub's clock; (schedule, slot) of each that was decided."""
        decided = []
        for name in sorted(self.kept):
            try:
                decided += [(name, slot) for slot in await self.fire(name, now_ms)]
            except HubFull as error:
                log.warning("slot waits", extra={"schedule": name, "why": str(error)})
        return decided

    async def fire(self, name: str, now_ms: int) -> list[Slot]:
        """Fire what is due of one schedule, by what it is now."""
        for _ in range(LOOKS_MAX):
            word, slots = await self._try(name, now_ms)
            if word not in ("changed", "behind"):
                break
            await self.load()
        if word in ("unknown", "paused"):
            await self.load()
        return slots

    async def _try(self, name: str, now_ms: int) -> tuple[str, list[Slot]]:
        """Fire what is due of one schedule by what is known of it; the hub's word, and what became of it."""
        kept = self.kept.get(name)
        plan = None if kept is None or kept.is_paused else kept.schedule.plan(kept.floor_ms, now_ms)
        if kept is None or plan is None:
            return "ok", []
        runs = [(slot_ms, slot_id(self.fleet, name, slot_ms)) for slot_ms in plan.run]
        known = {"rev": kept.rev, "floor": kept.floor_ms, "upto": plan.upto_ms, "missed": plan.missed}
        word, slots = await self.store.fire(name, runs, who=self.who, known=known)
        if word == "ok":
            kept.floor_ms = max(kept.floor_ms, plan.upto_ms)
        for slot in slots:
            if slot.word != "before":
                log.info("slot fired", extra={"schedule": name, "word": slot.word, "job": slot.job})
        return word, slots

    def _believed(self, record: ScheduleRecord, ring: Keyring) -> Schedule | None:
        try:
            signed = read_schedule(record.envelope, ring)
        except Refused as error:
            self.refused[record.name] = str(error)
            return None
        if signed.fleet != self.fleet or signed.schedule.name != record.name:
            self.refused[record.name] = "it was signed for another fleet or under another name"
            return None
        return signed.schedule


class Scheduler:
    """One scheduler. `run` fires slots until `stop`, which may be called from its loop at any time."""

    def __init__(self, options: SchedulerOptions) -> None:
        self._options = options
        self._id = f"{options.name}#{secrets.token_hex(3)}"
        self._stopped = asyncio.Event()
        self._turn = asyncio.Lock()
        self._alarms = AsyncIOScheduler(timezone=UTC)
        self._ahead_ms = 0.0  # how far the hub's clock is ahead of ours
        self._version = ""
        self._looks = 0
        self._is_lost = False

    def stop(self) -> None:
        """End soon."""
        self._stopped.set()

    async def run(self) -> None:
        """Fire what is due, when it is due, until told to stop."""
        hub = await self._connected()
        if hub is None:
            return
        self._firing = self._firing_of(hub)
        self._alarms.start()
        log.info("scheduler ready", extra={"scheduler": self._options.name})
        try:
            while not self._stopped.is_set():
                await self._look()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopped.wait(), POLL_S)
        finally:
            self._alarms.shutdown(wait=False)
            with suppress(HubError, TimeoutError):
                async with asyncio.timeout(GOODBYE_S):
                    await self._firing.store.leave(self._id)
            await hub.close()

    async def run_once(self) -> list[tuple[str, Slot]]:
        """Fire what is due now; what became of it."""
        async with Hub(self._options.url, self._options.fleet) as hub:
            self._firing = self._firing_of(hub)
            now_ms, _ = await self._beat()
            await self._firing.load()
            decided = await self._firing.fire_due(now_ms)
            await self._firing.store.leave(self._id)
            self._tend([slot for _, slot in decided])
            return decided

    def _firing_of(self, hub: Hub) -> Firing:
        return Firing(Schedules(hub), self._options.fleet, self._options.name, self._ring)

    def _ring(self) -> Keyring:
        return Keyring(sorted(set(self._options.believed())))

    async def _connected(self) -> Hub | None:
        """The hub, once it is there; None when told to stop before that."""
        while not self._stopped.is_set():
            try:
                return await connect(self._options.url, self._options.fleet)
            except HubError as error:
                self._endure(error)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), POLL_S)
        return None

    async def _look(self) -> None:
        """Say that it lives; take what has changed; fire what is due and set the alarms."""
        async with self._turn:
            try:
                now_ms, version = await self._beat()
                self._looks += 1
                if version != self._version or self._looks % LOOKS_A_LOAD == 0:
                    await self._firing.load()
                self._tend([slot for _, slot in await self._firing.fire_due(now_ms)])
                self._set_alarms()
                self._version, self._is_lost = version, False
            except HubError as error:
                self._endure(error)

    async def _wake(self, name: str) -> None:
        """An alarm: the slot is due, or will be in a moment by the hub's clock."""
        async with self._turn:
            try:
                now_ms, _ = await self._beat()
                kept = self._firing.kept.get(name)
                due_ms = kept.schedule.next_due_ms(kept.floor_ms) if kept else None
                if due_ms is not None and now_ms < due_ms <= now_ms + EARLY_MS_MAX:
                    await asyncio.sleep((due_ms - now_ms) / 1000)
                    now_ms, _ = await self._beat()
                self._tend(await self._firing.fire(name, now_ms))
                self._set_alarm(name)
            except HubError as error:
                self._endure(error)

    async def _beat(self) -> tuple[int, str]:
        began = time.monotonic()
        now_ms, version = await self._firing.store.beat(self._id)
        half_ms = (time.monotonic() - began) * 500
        self._ahead_ms = now_ms + half_ms - time.time() * 1000
        return now_ms, version

    def _set_alarms(self) -> None:
        self._alarms.remove_all_jobs()
        for name in self._firing.kept:
            self._set_alarm(name)

    def _set_alarm(self, name: str) -> None:
        """Wake for the next slot; one that is due already is seen to by the next look."""
        kept = self._firing.kept.get(name)
        due_ms = None if kept is None or kept.is_paused else kept.schedule.next_due_ms(kept.floor_ms)
        if due_ms is None:
            return
        at_s = (due_ms - self._ahead_ms) / 1000
        if time.time() < at_s < time.time() + HORIZON_S:
            moment = datetime.fromtimestamp(at_s, UTC)
            self._alarms.add_job(
                self._wake, "date", run_date=moment, args=(name,), id=name, misfire_grace_time=None,
                replace_existing=True,
            )  # fmt: skip

    def _tend(self, slots: Iterable[Slot]) -> None:
        if self._options.tend and any(slot.word == "new" for slot in slots):
            Thread(target=self._options.tend, daemon=True, name="relayq-tend").start()

    def _endure(self, error: HubError) -> None:
        """A hub that is away comes back; what waiting cannot mend is raised."""
        if isinstance(error, HOPELESS):
            raise error
        if not self._is_lost:
            self._is_lost = True
            log.warning("hub unreachable, slots wait: %s", error)


class Beside:
    """A scheduler in a thread with a loop of its own, for as long as the block lasts."""

    def __init__(self, options: SchedulerOptions) -> None:
        self._options = options
        self._thread = Thread(target=self._live, daemon=True, name="relayq-scheduler")

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: Any) -> None:
        with suppress(AttributeError, RuntimeError):  # it may have ended by itself
            self._loop.call_soon_threadsafe(self._scheduler.stop)
        self._thread.join(GOODBYE_S * 2)

    def _live(self) -> None:
        try:
            asyncio.run(self._run())
        except RelayQError as error:
            log.error("scheduler left: %s", error)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._scheduler = Scheduler(self._options)
        await self._scheduler.run()

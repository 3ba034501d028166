"""Who may do what with schedules: a worker all of it, a submit-only user fires slots that there are."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relayq.hub.acl import SUBMITTER, WORKER
from relayq.model.schedule import Rule, Schedule
from relayq.store.hub import connect
from relayq.store.inbox import Inboxes
from relayq.store.schedules import Schedules
from relayq.store.wire import FIRE, Wire, fire_entry, push_args
from tests.integration.schedule_support import Clock, schedule
from tests.integration.worker_support import Rig
from tests.security.hub_support import RoleHub
from tests.support import ENGINE, eventually

MINUTE = 60_000


class Site:
    """A hub with roles, its owner's rig, and the owner's schedule of every minute."""

    def __init__(self, hub: RoleHub, rig: Rig) -> None:
        self.hub, self.rig, self.clock = hub, rig, Clock(rig.hub)
        self.made = schedule(rule=Rule(every_ms=MINUTE), spec={"command": rig.mark("ran")}, overlap="allow")

    def signed(self, made: Schedule) -> bytes:
        """Signed and sealed by the owner."""
        return self.rig.author().schedule(made, int(time.time()))

    async def slot(self) -> int:
        """A slot that has come and was not fired."""
        assert await self.clock.store.add(self.made, self.signed(self.made), by="owner") == "added"
        now_ms = await self.clock.advance(MINUTE)
        return now_ms - now_ms % MINUTE

    def push(self, *entries: bytes) -> None:
        """Push firings as the submit-only user."""
        submitter = Wire(self.hub.url("s-ci"))
        submitter.call(*push_args(self.rig.fleet, "ci", [(FIRE, entry) for entry in entries]))
        submitter.close()


@pytest.fixture
async def site(fleet: str, home: Path) -> AsyncIterator[Site]:
    hub = RoleHub(fleet, ENGINE)
    for role, name in ((WORKER, "w1"), (SUBMITTER, "ci")):
        hub.add(role, name)
    hub.start()
    rig = Rig(hub.url(), fleet, home)
    rig.worker_url = hub.url("w-w1")
    async with rig.hub:
        await Inboxes(rig.hub).open("ci", hub.users["s-ci"].mark)
        yield Site(hub, rig)
    hub.close()


async def test_a_workers_user_may_do_all_that_schedules_need(site: Site) -> None:
    slot_ms = await site.slot()
    link = await connect(site.hub.url("w-w1"), site.rig.fleet)
    clock = Clock(link)
    assert (await clock.fire_late(site.made, slot_ms))[1][0].word == "new"
    assert await clock.store.pause("tick") == "paused"
    assert await clock.store.resume("tick") == "resumed"
    assert (await clock.store.beat("pi4"))[0] > slot_ms
    record = await clock.record()
    assert await clock.store.change(site.made, record.envelope, by="x", rev=record.rev) == "changed"
    assert await clock.store.ran("tick", record.last_job, "hand") == "noted"
    assert await Schedules(link).remove("tick") == "removed"
    await clock.store.leave("pi4")
    await link.close()


async def test_a_submit_only_user_fires_a_slot_once(site: Site) -> None:
    slot_ms = await site.slot()
    async with site.rig.worker():
        entry = fire_entry("tick", "every 1m", slot_ms)
        site.push(entry, entry)
        await eventually(lambda: site.rig.marked("ran"), "the slot has run")
        site.push(entry, fire_entry("nobody", "every 1m", slot_ms))
        assert "no schedule nobody" in (await site.rig.refusals(1))[0].why
    record = await site.clock.record()
    assert (record.fired, record.last_who, record.last_slot_ms) == (1, "github", slot_ms)
    assert site.rig.marked("ran") == ["x"]


async def test_a_submit_only_user_fires_nothing_that_the_schedule_does_not_have(site: Site) -> None:
    slot_ms = await site.slot()
    good = json.loads(fire_entry("tick", "every 1m", slot_ms))
    async with site.rig.worker():
        for number, (change, why) in enumerate(
            (
                ({"slot": slot_ms + 1}, "does not fire at"),
                ({"slot": slot_ms + 120 * MINUTE}, "has not come yet"),
                ({"slot": slot_ms - 40 * 1440 * MINUTE}, "has expired"),
                ({"slot": "now"}, "is not a whole number"),
                ({"schedule": "../x"}, "is not a name"),
                ({"rule": "every 2m"}, "has another rule"),
                ({"rule": None}, "is not text"),
                ({"who": "a\nb"}, "more than one line"),
            ),
            1,
        ):
            site.push(json.dumps({**good, **change}).encode())
            assert why in (await site.rig.refusals(number))[0].why
        site.push(b"{", b"")
        await site.rig.refusals(9)
    assert (await site.clock.record()).fired == 0
    assert site.rig.marked("ran") == []

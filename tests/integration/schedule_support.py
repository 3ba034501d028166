"""What the tests of schedules share: schedules in a hub whose time they hold in their hands."""

from __future__ import annotations

from typing import Any

from relayq.model.cron import slot_id
from relayq.model.job import JobSpec
from relayq.model.schedule import Rule, Schedule, labelled
from relayq.scheduling import Firing
from relayq.store.bulk import Bulk
from relayq.store.hub import Hub
from relayq.store.jobs import Jobs
from relayq.store.schedules import ScheduleRecord, Schedules, Slot
from relayq.trust.bodies import Author
from relayq.trust.keys import Keyring, SigningKey
from relayq.trust.roster import new_roster

KEY = SigningKey(bytes(range(32)))
RING = Keyring([KEY.public])
DAY = 86_400_000


def schedule(name: str = "tick", rule: Rule | None = None, **fields: Any) -> Schedule:
    """A schedule; every minute unless another rule is given."""
    spec = labelled(JobSpec.from_dict({"command": "true", **fields.pop("spec", {})}), name)
    return Schedule(name=name, rule=rule or Rule(every_ms=60_000), spec=spec, **fields)


class Clock:
    """The schedules of a fleet, and the hub's time."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.store, self.jobs = Schedules(hub), Jobs(hub)
        self.bulk = Bulk(hub, self.jobs)

    async def add(self, made: Schedule, key: SigningKey = KEY) -> Schedule:
        """Keep a schedule that must be taken."""
        assert await self.store.add(made, self.signed(made, key), by=key.kid) == "added"
        return made

    def signed(self, made: Schedule, key: SigningKey = KEY) -> bytes:
        """Its envelope."""
        return Author(key, new_roster(KEY, self.hub.fleet, 1_600_000_000)).schedule(made, 1_600_000_000)

    async def now_ms(self) -> int:
        """The hub's time."""
        seconds, micros = await self.hub.link.call("TIME")
        shift = await self.hub.link.call("HGET", self.hub.keys.anchor, "shift")
        return int(seconds) * 1000 + int(micros) // 1000 + int(shift or 0)

    async def advance(self, ms: int) -> int:
        """Let the hub's time pass; what it is then."""
        await self.hub.link.call("HINCRBY", self.hub.keys.anchor, "shift", ms)
        return await self.now_ms()

    async def firing(self, who: str = "pi4") -> Firing:
        """A scheduler that has just read the schedules."""
        made = Firing(Schedules(self.hub), self.hub.fleet, who, lambda: RING)
        await made.load()
        return made

    async def fire_late(self, made: Schedule, slot_ms: int, who: str = "github") -> tuple[str, list[Slot]]:
        """Fire one slot from elsewhere."""
        runs = [(slot_ms, slot_id(self.hub.fleet, made.name, slot_ms))]
        return await self.store.fire(made.name, runs, who=who, known={"rule": made.rule.key})

    async def record(self, name: str = "tick") -> ScheduleRecord:
        """A schedule that must be there."""
        found = await self.store.get(name)
        assert found
        return found

    async def end_jobs(self) -> list[str]:
        """Cancel every job and have the hub forget it; their ids."""
        prefix = self.hub.keys.prefix + "j:"
        ids = [key.decode().removeprefix(prefix) for key in await self.hub.link.call("KEYS", prefix + "*")]
        for start in range(0, len(ids), 250):
            portion = ids[start : start + 250]
            await self.bulk.steer("cancel", portion)
            assert set(await self.bulk.steer("forget", portion)) == {"forgotten"}
        return ids


def words(decided: list[tuple[str, Slot]]) -> list[str]:
    """What became of slots."""
    return [slot.word for _, slot in decided]

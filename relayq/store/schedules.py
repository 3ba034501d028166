"""Schedules in the hub: keep them, fire their slots, tell what became of them.

The hub decides each slot once, in one function call: whoever comes second is told
`before`. It cannot judge a rule and does not have to (`lua/schedules.lua`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from relayq.errors import HubFull, Refused
from relayq.model.job import routing
from relayq.model.lifecycle import State, state_of
from relayq.model.needs import lane_of
from relayq.model.schedule import Schedule
from relayq.store import decode
from relayq.store.hub import Hub

KEPT = 50


class Slot(NamedTuple):
    """What became of a slot: `word` is new, before, overlap, unique, dup, bad..., missed N or by-hand.

    `slot_ms` is 0 for what somebody ran by hand; `job` is the job it made, or that stood in its way.
    """

    slot_ms: int
    fired_ms: int
    who: str
    word: str
    job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRecord:
    """One schedule as the hub has it. Times are the hub's, 0 is never.

    Every slot up to `floor_ms` has been decided. `last_*` tell of the last job it made,
    `last_state` is None when that job is forgotten. `fired`, `missed` and `passed` count slots:
    jobs made, slots nobody was there for, slots that made no job because of the one before.
    `schedule` is what it says, read with the reader's keys; without it `doubt` says why not.
    """

    name: str
    envelope: bytes
    rev: str
    floor_ms: int
    rule: str
    by: str
    added_ms: int
    paused_ms: int
    last_job: str
    last_slot_ms: int
    last_fired_ms: int
    last_who: str
    last_state: State | None
    fired: int
    missed: int
    passed: int
    history: Sequence[Slot]
    schedule: Schedule | None = None
    doubt: str = ""


class Board(NamedTuple):
    """All schedules by name, the hub's time, and the schedulers that were heard within a minute."""

    now_ms: int
    schedules: list[ScheduleRecord]
    schedulers: list[str]


class Schedules:
    """The schedules of a fleet."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def add(self, schedule: Schedule, envelope: bytes, *, by: str) -> str:
        """`added`, or `exists` or `many` when it was not."""
        return await self._put(schedule, envelope, {"mode": "add", "by": by})

    async def change(
        self, schedule: Schedule, envelope: bytes, *, by: str, rev: str, restart: bool = False
    ) -> str:
        """Put it in the place of revision `rev`: `changed`, `unknown` or `raced`.

        With `restart` only slots from now on are due; a new rule wants that.
        """
        request: dict[str, object] = {"mode": "edit", "by": by, "rev": rev}
        return await self._put(schedule, envelope, request | ({"restart": 1} if restart else {}))

    async def pause(self, name: str) -> str:
        """`paused`, `was-paused` or `unknown`."""
        return await self._steer("pause", name)

    async def resume(self, name: str) -> str:
        """`resumed` (slots from now on), `not-paused` or `unknown`."""
        return await self._steer("resume", name)

    async def remove(self, name: str) -> str:
        """`removed` or `unknown`; jobs it has made go on."""
        return await self._steer("remove", name)

    async def ran(self, name: str, job: str, who: str) -> str:
        """Note a job that somebody made of it by hand: `noted` or `unknown`."""
        return await self._steer("ran", name, job=job, who=who)

    async def beat(self, scheduler: str) -> tuple[int, str]:
        """Tell that a scheduler lives; the hub's time, and a word that changes with the schedules."""
        now_ms, version = await self._hub.run("steer_schedule", {"verb": "beat", "name": scheduler})
        return int(now_ms), decode.text(version)

    async def leave(self, scheduler: str) -> None:
        """Tell that a scheduler has ended."""
        await self._hub.run("steer_schedule", {"verb": "leave", "name": scheduler})

    async def fire(
        self,
        name: str,
        runs: Sequence[tuple[int, str]],
        *,
        who: str,
        known: dict[str, object] | None = None,
    ) -> tuple[str, list[Slot]]:
        """Fire slots (slot time, job id); a word, and after `ok` what became of each.

        Else `unknown`, `paused`, `changed` (it is not what was gone by) or `behind` (others have decided
        slots meanwhile, and there are missed ones to count): look again.

        A scheduler tells in `known` what it went by (`rev`, `floor`) and what it decided beside the
        runs (`upto`, `missed`); a late firing from elsewhere only the `rule`. Raises HubFull when there
        was no room; what had not been decided by then is still to be.
        """
        request: dict[str, object] = {"name": name, "who": who, "runs": runs, **(known or {})}
        reply = await self._hub.run("fire", request)
        word = decode.text(reply[0])
        if word == "full":
            raise HubFull(f"the hub is full: schedule '{name}' fires when jobs have ended")
        if word == "lanes":
            raise HubFull(f"the hub has 512 different sets of needs: schedule '{name}' cannot fire")
        told = [(int(slot), decode.text(said), decode.text(job)) for slot, said, job in reply[1:]]
        return word, [Slot(slot_ms, 0, who, said, job) for slot_ms, said, job in told]

    async def board(self, *, history: int = 0) -> Board:
        """All of them, each with the latest `history` slots of the 50 that are kept."""
        now_ms, found, schedulers = await self._hub.view("schedules", {"history": history})
        known = self._hub.roster_known
        records = sorted((self._read(_record(item)) for item in found), key=lambda record: record.name)
        if any(record.doubt for record in records) and await self._hub.has_news_for_reader(known):
            records = [self._read(record) for record in records]
        return Board(int(now_ms), records, [decode.text(name) for name in schedulers])

    async def get(self, name: str) -> ScheduleRecord | None:
        """One of them with its history, or None."""
        return next((one for one in (await self.board(history=KEPT)).schedules if one.name == name), None)

    def _read(self, record: ScheduleRecord) -> ScheduleRecord:
        """The same, as the reader's keys open it."""
        if self._hub.reader is None:
            return record
        try:
            schedule = self._hub.reader.schedule(record.name, record.envelope).schedule
        except Refused as error:
            return replace(record, schedule=None, doubt=str(error))
        return replace(record, schedule=schedule, doubt="")

    async def _put(self, schedule: Schedule, envelope: bytes, request: dict[str, object]) -> str:
        lane = lane_of(schedule.spec)
        what = {**routing(schedule.spec, ""), "overlap": schedule.overlap}
        request |= {
            "name": schedule.name,
            "routing": json.dumps(what, separators=(",", ":")),
            "lane": lane.id,
            "lane_json": lane.json,
            "rule": schedule.rule.key,
        }
        return decode.text(await self._hub.run("put_schedule", request, envelope))

    async def _steer(self, verb: str, name: str, **more: object) -> str:
        order = self._hub.signed(f"schedule-{verb}", name)
        request = {"verb": verb, "name": name, **more}
        return decode.text(await self._hub.run("steer_schedule", request, order))


def _record(item: list[Any]) -> ScheduleRecord:
    found = decode.fields(item[2])
    letter = decode.text(item[3])
    return ScheduleRecord(
        name=decode.text(item[0]),
        envelope=item[1],
        rev=found.get("v", ""),
        floor_ms=int(found.get("fl", 0)),
        rule=found.get("r", ""),
        by=found.get("by", ""),
        added_ms=int(found.get("t", 0)),
        paused_ms=int(found.get("p", 0)),
        last_job=found.get("j", ""),
        last_slot_ms=int(found.get("s", 0)),
        last_fired_ms=int(found.get("f", 0)),
        last_who=found.get("w", ""),
        last_state=state_of(letter) if letter else None,
        fired=int(found.get("nf", 0)),
        missed=int(found.get("nm", 0)),
        passed=int(found.get("no", 0)),
        history=[_slot(entry) for entry in item[4]],
    )


def _slot(entry: bytes) -> Slot:
    slot_ms, fired_ms, who, word, job = json.loads(entry)
    return Slot(int(slot_ms), int(fired_ms), who, word, job)

"""What people do with schedules: add, change, run by hand, fire a slot that is late.

A schedule that comes from the hub is verified before anything of it is signed again:
whoever changed it on the way must not get the owner's signature for it.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from relayq.errors import HubFull, Refused, SpecError, UnknownName, UsageError
from relayq.model.cron import slot_id
from relayq.model.schedule import Schedule, labelled, parse_rule
from relayq.store.schedules import KEPT

if TYPE_CHECKING:
    from relayq.client.aio import AsyncClient
    from relayq.store.schedules import ScheduleRecord, Slot

BY_HAND = "hand"


async def add(client: AsyncClient, schedule: Schedule) -> None:
    """Sign a new schedule and keep it; SpecError when there is one of this name."""
    schedule = replace(schedule, spec=labelled(schedule.spec, schedule.name))
    submitter = client.submitter
    envelope = await asyncio.to_thread(submitter.sign_schedule, schedule)
    match await client.schedules.add(schedule, envelope, by=submitter.kid):
        case "exists":
            raise SpecError(
                f"there is a schedule '{schedule.name}' already: change it with "
                f"`relayq schedule edit {schedule.name}`, or remove it first"
            )
        case "many":
            raise HubFull(f"the hub has 1000 schedules already: '{schedule.name}' was not added")


async def change(client: AsyncClient, before: ScheduleRecord, schedule: Schedule) -> None:
    """Sign a schedule anew in the place of what was read; a new rule begins now."""
    old = verified(before)
    schedule = replace(schedule, spec=labelled(schedule.spec, schedule.name))
    is_new = (old.rule, old.start_ms, old.end_ms) != (schedule.rule, schedule.start_ms, schedule.end_ms)
    submitter = client.submitter
    envelope = await asyncio.to_thread(submitter.sign_schedule, schedule)
    word = await client.schedules.change(schedule, envelope, by=submitter.kid, rev=before.rev, restart=is_new)
    if word == "raced":
        raise UsageError(
            f"schedule '{schedule.name}' was changed by somebody else meanwhile: look, and try again"
        )
    if word == "unknown":
        raise unknown(schedule.name)


async def change_rule(client: AsyncClient, name: str, text: str) -> None:
    """Give a schedule another rule, as people write it; a cron rule's zone stays."""
    record = await find(client, name)
    schedule = verified(record)
    zone = schedule.rule.zone if schedule.rule.cron else local_zone()
    await change(client, record, replace(schedule, rule=parse_rule(text, zone)))


async def run_now(client: AsyncClient, name: str, who: str = BY_HAND) -> str:
    """Submit the job of a schedule now, beside its slots, signed by whoever asks; its id."""
    schedule = verified(await find(client, name))
    job = (await client.submit(schedule.spec)).id
    await client.schedules.ran(name, job, who)
    return job


async def fire_latest(client: AsyncClient, name: str, who: str) -> Slot | None:
    """Fire the slot that came last, unless that has been done; None when none has come yet.

    It needs no key to sign with. This is what a twin does.
    """
    record = await find(client, name)
    schedule = verified(record)
    slot_ms = schedule.latest(await client.now_ms())
    if slot_ms is None:
        return None
    job = slot_id(client.submitter.fleet, name, slot_ms)
    known: dict[str, object] = {"rule": schedule.rule.key}
    word, slots = await client.schedules.fire(name, [(slot_ms, job)], who=who, known=known)
    if word == "paused":
        raise UsageError(f"schedule '{name}' is paused: `relayq schedule resume {name}` lets it fire")
    if word != "ok":
        raise unknown(name)
    return slots[0]


async def find(client: AsyncClient, name: str) -> ScheduleRecord:
    """One schedule, or UnknownName with the name that was perhaps meant."""
    board = await client.schedules.board(history=KEPT)
    found = next((record for record in board.schedules if record.name == name), None)
    if found is None:
        raise unknown(name, [record.name for record in board.schedules])
    return found


def verified(record: ScheduleRecord) -> Schedule:
    """What a schedule says, if somebody who may submit has signed it; else Refused."""
    if record.schedule is None:
        raise Refused(f"schedule '{record.name}' is not believed: {record.doubt}")
    return record.schedule


def unknown(name: str, known: list[str] | None = None) -> UnknownName:
    """There is no such schedule."""
    from difflib import get_close_matches

    near = get_close_matches(name, known or [], 1)
    hint = f", did you mean '{near[0]}'?" if near else "; `relayq schedule list` shows them"
    return UnknownName(f"there is no schedule {name!r}{hint}")


def local_zone() -> str:
    """The IANA name of this machine's zone, UTC when it does not say."""
    from zoneinfo import available_timezones

    names = [os.environ.get("TZ", "").lstrip(":")]
    with suppress(OSError, UnicodeDecodeError):
        names.append(Path("/etc/timezone").read_text(encoding="utf-8").strip())
    names.append(str(Path("/etc/localtime").resolve()).rpartition("zoneinfo/")[2])
    known = available_timezones()
    found = next((name for name in names if name in known), "UTC")
    return "UTC" if found.endswith(("/UTC", "/UCT", "/Universal", "/Zulu")) else found

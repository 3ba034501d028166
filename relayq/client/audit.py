"""Who steers the fleet: the orders that were given, and what stands there that nobody who may has signed.

The hub does what whoever has a password asks of it. What it was told by somebody with a key that
counts is signed; the rest is told here, by `relayq doctor` and by `relayq trust orders`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from relayq.errors import Refused
from relayq.model.ids import is_id, short
from relayq.model.lifecycle import State
from relayq.store.events import Event, Events
from relayq.store.orders import ordered, ordered_by

if TYPE_CHECKING:
    from relayq.client.aio import AsyncClient

LOOKED_AT = 500
EVENTS = 4_000


class GivenOrder(NamedTuple):
    """One order: the event that it made, by whom it was signed, or why that counts for nothing."""

    event: Event
    by: str
    alarm: str


async def alarms(client: AsyncClient) -> list[str]:
    """What stands in the hub without the signature of somebody who may: queues, and jobs that wait."""
    found = [f"queue {one.name}: {one.alarm}" for one in await client.queues.list() if one.alarm]
    waiting = await client.jobs.list_jobs((State.PENDING, State.RUNNABLE), limit=LOOKED_AT)
    return [*found, *(f"job {short(one.id)}: {one.alarm}" for one in waiting if one.alarm)]


async def given_orders(client: AsyncClient, count: int) -> list[GivenOrder]:
    """The newest orders of which the hub still tells, oldest first."""
    async with client.twin() as hub:
        events = [event for event in await Events(hub).recent(EVENTS) if ordered(event)][-count:]
        reader = client.submitter.reader()
        told = []
        for event in events:
            by, alarm = "", ""
            try:
                job = event.subject.partition(":")[0]
                envelope = await hub.link.call("GET", hub.keys.of("s", job)) if is_id(job) else b""
                given = ordered_by(reader, event, envelope or b"")
                by = given.by if given else ""
            except Refused as refusal:
                alarm = refusal.why
            told.append(GivenOrder(event, by, alarm))
    return told

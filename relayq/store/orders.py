"""The signed orders behind what the hub does by itself: queues that are paused or weighted, and events.

The hub keeps each order beside what it did (`qo` for queues, `ho` and `po` of a job, `o` of an
event). Nothing is undone here for want of a signature: it is told.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from relayq.errors import Refused
from relayq.store import decode
from relayq.trust.bodies import part
from relayq.trust.envelope import approval_of, payload_of
from relayq.trust.slots import schedule_of
from relayq.trust.steering import FORGET, HOLD, PAUSE, RELEASE, RESUME, weight_order

if TYPE_CHECKING:
    from relayq.store.events import Event
    from relayq.store.hub import Hub
    from relayq.store.reader import Reader
    from relayq.store.records import QueueInfo
    from relayq.trust.steering import Given

_OF_SCHEDULES = {"paused": "pause", "resumed": "resume", "removed": "remove"}


async def queue_orders(hub: Hub) -> dict[str, bytes]:
    """What was signed of queues, as `p:<queue>` and `w:<queue>`."""
    flat = await hub.link.call("HGETALL", hub.keys.prefix + "qo")
    return {decode.text(name): order for name, order in zip(flat[::2], flat[1::2], strict=True)}


def judged(reader: Reader | None, queue: QueueInfo, orders: Mapping[str, bytes]) -> QueueInfo:
    """The queue with who paused it, and what stands there that nobody who may has signed."""
    if reader is None:
        return queue
    alarms, paused_by = [], ""
    try:
        if queue.paused:
            paused_by = reader.given(orders.get(f"p:{queue.name}", b""), PAUSE, queue.name).by
    except Refused as refusal:
        alarms.append(f"it is paused, but {refusal.why}")
    try:
        if queue.weight != 1:
            reader.given(orders.get(f"w:{queue.name}", b""), weight_order(queue.weight), queue.name)
    except Refused as refusal:
        alarms.append(f"it has weight {queue.weight:g}, but {refusal.why}")
    return replace(queue, paused_by=paused_by, alarm="; ".join(alarms))


def ordered(event: Event) -> tuple[str, str] | None:
    """The word and the subject that somebody signed for this to happen; None for what needs no order.

    A cancel without one is the hub's own (the next slot of a schedule came): no worker obeys it.
    """
    kind, subject, detail = event.kind, event.subject, event.detail
    match kind:
        case "approved":
            return "approve", subject
        case "hold" | "release" | "pause" | "weight" | "priority" | "forgotten":
            word = {
                "hold": HOLD,
                "release": RELEASE,
                "pause": PAUSE,
                "weight": f"weight:{detail}",
                "priority": f"priority:{detail}",
                "forgotten": FORGET,
            }[kind]
            return word, subject
        case "resume" | "quiet" | "stop" | "kill" if detail:  # a session
            return f"worker-{kind}", detail
        case "resume":
            return RESUME, subject
        case "cancel" if event.order:
            return "cancel", subject
        case "again":
            return "retry", subject
        case "schedule" if detail in _OF_SCHEDULES:
            return f"schedule-{_OF_SCHEDULES[detail]}", subject
        case "budget" if subject == "limit":
            return f"limit:{detail}", subject
    return None


def ordered_by(reader: Reader, event: Event, envelope: bytes = b"") -> Given | None:
    """Who ordered that; None for what needs no order, Refused when nobody did who may.

    `envelope` is that of the job, should it be one.
    """
    if event.kind == "approved":
        return reader.given(event.order, approval_of(envelope), event.subject)
    found = ordered(event)
    if event.kind == "cancel" and found:
        with suppress(Refused):  # the event of a cancel does not say that it was one with `--kill`
            return reader.given(event.order, "kill", found[1], submitter_of(envelope))
    return reader.given(event.order, *found, submitter_of(envelope)) if found else None


def submitter_of(envelope: bytes) -> str:
    """The key id that a job says it is signed by; a worker runs it only if that is so."""
    try:
        by = json.loads(part(payload_of(schedule_of(envelope))[1]).head)["by"]
    except (Refused, ValueError, LookupError, TypeError, RecursionError):
        return ""
    return by if isinstance(by, str) else ""

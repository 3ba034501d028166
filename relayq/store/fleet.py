"""Which workers there are, read without redis: what a cold submit says about the fleet."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from relayq.model.lifecycle import SILENT_MS
from relayq.model.needs import Lane, Offer, unserved

if TYPE_CHECKING:
    from relayq.store.records import WorkerRecord

NOBODY = "no worker is online; start one with `relayq worker`"


def nobody_serves(lane: Lane, clock: list[bytes], workers: list[list[Any]]) -> list[str]:
    """Why no worker that is online could ever run a job of this lane; empty when one could.

    `clock` and `workers` are the hub's replies to TIME and to the view of workers:
    (session, end of its lease in ms, fields, jobs) for each. They are read here as they
    come, because the records of the store would cost a cold submit 10 ms.
    """
    reasons = []
    for session, lease_ms, fields, *_ in workers:
        if float(lease_ms) > int(clock[0]) * 1000:
            told = dict(zip(fields[::2], fields[1::2], strict=True))
            why = why_not(
                lane, json.loads(told.get(b"offer", b"{}")), json.loads(told.get(b"unserved", b"{}"))
            )
            if not why:
                return []
            reasons.append(f"worker {session.decode().rpartition('#')[0]} {why}")
    return reasons or [NOBODY]


def why_not(lane: Lane, offer: dict[str, Any], told: dict[str, str]) -> str:
    """The clauses that keep a worker from the lane for ever, or empty.

    `told` is what the worker itself said of lanes; before it has met a lane, its
    tools count as there.
    """
    if lane.id in told:
        return told[lane.id]
    return " and ".join(unserved(lane, offer_of(offer), lambda _: True))


def offer_of(given: dict[str, Any]) -> Offer:
    """What a worker wrote into the hub, as an Offer; what a newer worker added is left out."""
    known = {name: given[name] for name in Offer.FIELDS if name in given}
    for name in ("labels", "types", "queues"):
        if known.get(name) is not None:
            known[name] = frozenset(known[name])
    if "counters" in known:
        known["counters"] = tuple((name, count) for name, count in dict(known["counters"]).items())
    return Offer(**known)


def silent_ms(worker: WorkerRecord, now_ms: int) -> int:
    """For how long an online worker has not been heard of, once it is late; else 0."""
    since_ms = now_ms - worker.seen_ms
    return since_ms if worker.online and since_ms > SILENT_MS else 0


def worker_facts(worker: WorkerRecord) -> dict[str, Any]:
    """One worker as JSON."""
    return {name: getattr(worker, name) for name in worker.__slots__}

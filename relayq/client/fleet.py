"""Which workers there are, read without redis: what a cold submit says about the fleet."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from relayq.model.lifecycle import LEASE_MS
from relayq.model.needs import Lane, Offer, unserved

if TYPE_CHECKING:
    from relayq.store.records import WorkerRecord


def nobody_serves(lane: Lane, clock: list[bytes], workers: list[Any]) -> list[str]:
    """Why no worker that is online could ever run a job of this lane; empty when one could.

    `clock` and `workers` are the hub's replies to TIME and the view of workers.
    """
    from relayq.store.decode import worker

    now_ms = int(clock[0]) * 1000
    online = [record for record in (worker(reply, now_ms, LEASE_MS) for reply in workers) if record.online]
    if not online:
        return ["no worker is online; start one with `relayq worker`"]
    reasons = [(record.name, why_not(lane, record.offer, record.unserved)) for record in online]
    if any(not why for _, why in reasons):
        return []
    return [f"worker {name} {why}" for name, why in reasons]


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
    known = {field.name: given[field.name] for field in fields(Offer) if field.name in given}
    for name in ("labels", "types", "queues"):
        if known.get(name) is not None:
            known[name] = frozenset(known[name])
    if "counters" in known:
        known["counters"] = tuple((name, count) for name, count in dict(known["counters"]).items())
    return Offer(**known)


def worker_facts(worker: WorkerRecord) -> dict[str, Any]:
    """One worker as JSON."""
    return {name: getattr(worker, name) for name in worker.__slots__}

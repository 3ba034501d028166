"""Many jobs in one call: the rows of a list, and one order for all of them.

A row is a job's record without its result and its earlier attempts. Portions are for
the caller to choose; PORTION is what the hub does in a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from relayq.store import decode
from relayq.store.hub import Hub
from relayq.store.jobs import MOST_WHY, Jobs, state_word
from relayq.store.pace import worked_off
from relayq.store.records import JobRecord
from relayq.trust.steering import priority_order

PORTION = 250


class Bulk:
    """What can be done to many jobs of a fleet at once."""

    def __init__(self, hub: Hub, jobs: Jobs) -> None:
        self._hub = hub
        self._jobs = jobs

    async def rows(self, ids: Sequence[str], *, known: Sequence[str] = ()) -> list[JobRecord]:
        """These jobs, as far as they exist; those of `known` come without their envelope."""
        reply = await self._hub.view("rows", {"ids": [*known, *ids], "known": len(known)})
        return await self._records(reply)

    async def page(self, index: str, start: int, count: int = PORTION) -> tuple[int, list[JobRecord]]:
        """(how many ids stood there, their jobs) of an index from `start` on, its end first."""
        found, reply = await self._hub.view("page", {"index": index, "from": start, "count": count})
        return int(found), await self._records(reply)

    async def indices(self) -> list[str]:
        """Every index that jobs stand in: the waiting ones first, the ended ones last."""
        lanes = await self._jobs.lanes()
        return ["open", *(f"q:{lane}" for lane in lanes), "delay", "pend", "lost", "done", "fail"]

    async def steer(self, verb: str, ids: Sequence[str], *, value: int = 0, why: str = "") -> list[str]:
        """`cancel`, `kill`, `hold`, `release`, `reprioritise` or `forget` each; words as from `Jobs`."""
        request: dict[str, object] = {"verb": verb, "ids": list(ids), "value": value, "why": why[:MOST_WHY]}
        if verb in ("cancel", "kill"):
            orders = await self._hub.signed_ends(verb, ids)
        else:
            order = priority_order(value) if verb == "reprioritise" else verb
            orders = [self._hub.signed(order, job) for job in ids]
        return [state_word(word) for word in await self._hub.run("bulk", request, *orders)]

    async def retry(self, ids: Sequence[str], ops: Sequence[bytes]) -> list[str]:
        """Run jobs that have ended again, each with its signed op."""
        request: dict[str, object] = {"verb": "retry", "ids": list(ids)}
        return [decode.text(word) for word in await self._hub.run("bulk", request, *ops)]

    async def _records(self, reply: list[Any]) -> list[JobRecord]:
        rows = decode.job_rows(reply)
        lanes = await self._jobs.lanes(*(item[1] for item in rows)) if rows else {}
        records = await worked_off(rows, lambda item: decode.job(item, lanes))
        return await self._jobs.opened(records, is_whole=False)

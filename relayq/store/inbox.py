"""The inboxes of submit-only users: the worker's side of them, and who may have one.

An entry is a letter that says what it is (wire.JOB, CANCEL, STEER or FIRE) and one signed envelope,
or the slot to fire. Any online worker takes the oldest entries of an inbox, verifies them and hands
in its verdict; only then are they gone (lua/inbox.lua).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from relayq.store import decode
from relayq.store.fleet import nobody_serves
from relayq.store.hub import Hub
from relayq.store.records import Submission
from relayq.store.wire import FIRE
from relayq.trust.roster import version_of

WHY_CHARS_MAX = 1_000
WHY_KEPT_S = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Handful:
    """The oldest entries of the inbox of `name`, whose jobs' ids begin with `mark`."""

    name: str
    mark: str
    entries: list[bytes]


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What a worker found in a handful: jobs, cancels as (id, signed order), and (id or "", why) refused.

    `steers` are the other orders about jobs, as ((verb, id, value), signed order).
    `fires` are slots of schedules to fire, as the library's function `fire` takes them.
    """

    jobs: list[Submission] = field(default_factory=list)
    cancels: list[tuple[str, bytes]] = field(default_factory=list)
    steers: list[tuple[tuple[str, str, int], bytes]] = field(default_factory=list)
    fires: list[dict[str, Any]] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Something that came through an inbox and was turned away; `job` is empty where no id could be read."""

    at_ms: int
    name: str
    job: str
    why: str


class Inboxes:
    """The inboxes of a fleet."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def open(self, name: str, mark: str) -> None:
        """Let workers look into the inbox of `name`. The owner's business."""
        await self._hub.link.call("HSET", self._hub.keys.prefix + "inn", name, mark)

    async def shut(self, name: str) -> None:
        """Remove an inbox and what waits in it. The owner's business."""
        await self._hub.link.call("HDEL", self._hub.keys.prefix + "inn", name)
        await self._hub.link.call("DEL", self._hub.keys.of("in", name))

    async def marks(self) -> dict[str, str]:
        """Every inbox by name, with the mark of its jobs."""
        return decode.fields(await self._hub.link.call("HGETALL", self._hub.keys.prefix + "inn"))

    async def drain(self, session: str) -> tuple[Handful | None, bool]:
        """What to judge next, kept for this session for ten seconds, and whether there is more to do."""
        more, *found = await self._hub.run("drain", {"session": session})
        if not found:
            return None, bool(more)
        name, mark, *entries = found
        return Handful(name=decode.text(name), mark=decode.text(mark), entries=entries), bool(more)

    async def schedules(self, handful: Handful) -> dict[str, bytes]:
        """The signed schedules of the hub by name; none when nothing in the handful wants to fire one."""
        if not any(entry.startswith(FIRE) for entry in handful.entries):
            return {}
        flat = await self._hub.link.call("HGETALL", self._hub.keys.prefix + "sc")
        return {decode.text(name): envelope for name, envelope in zip(flat[::2], flat[1::2], strict=True)}

    async def admit(self, session: str, handful: Handful, verdict: Verdict) -> str:
        """Hand in the verdict: `done`, `lost` (another worker looks at it now), `full` or `lanes`."""
        request: dict[str, object] = {
            "session": session,
            "from": handful.name,
            "count": len(handful.entries),
            "jobs": [job.routing for job in verdict.jobs],
            "lanes": {job.lane.id: job.lane.json for job in verdict.jobs},
            "cancel": [job for job, _ in verdict.cancels],
            "steer": [what for what, _ in verdict.steers],
            "fire": verdict.fires,
            "refused": verdict.refused,
        }
        orders = [order for _, order in (*verdict.cancels, *verdict.steers)]
        signed = [*(job.envelope for job in verdict.jobs), *orders]
        reply = await self._hub.run("admit", request, *signed)
        return decode.text(reply[0])

    async def roster_version(self) -> int:
        """Which roster the hub has now."""
        return version_of(await self._hub.link.call("GETRANGE", self._hub.keys.prefix + "roster", 0, 31))

    async def explain(self, jobs: list[Submission]) -> None:
        """Leave word for the senders of jobs that will not start soon, for an hour."""
        if not jobs:
            return
        clock = await self._hub.link.call("TIME")
        workers = await self._hub.view("workers")
        for job in jobs:
            reasons = nobody_serves(job.lane, clock, workers)
            why = job.waits or (f"no worker can run it now ({'; '.join(reasons)})" if reasons else "")
            if why:
                key = self._hub.keys.of("why", str(job.routing["i"]))
                await self._hub.link.call("SET", key, why[:WHY_CHARS_MAX], "EX", WHY_KEPT_S)

    async def refusals(self) -> tuple[int, list[Refusal]]:
        """How many entries were ever refused, and the newest hundred of them, newest first."""
        count, *kept = await self._hub.view("refusals")
        return int(count), [_refusal(json.loads(text)) for text in kept]

    async def bell(self) -> None:
        """Have the hub say on this connection when somebody pushes; `rung` hears it."""
        channel = f"__keyspace@{self._hub.address.db}__:{self._hub.keys.prefix}in:*"
        await self._hub.link.call("PSUBSCRIBE", channel)

    async def rung(self, timeout_s: float) -> None:
        """Wait for the next push; HubUnreachable when none came in time."""
        await self._hub.link.hear(timeout_s)


def _refusal(told: dict[str, Any]) -> Refusal:
    return Refusal(at_ms=int(told["at"]), name=told["from"], job=told["id"], why=told["why"])

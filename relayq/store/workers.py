"""The dialogue between a worker's session and the hub.

Each call may be repeated: after a lost reply the worker sends the same again,
with `full` set, and the hub's answer heals whatever the loss has left open.
"""

from __future__ import annotations

import itertools
import json
import time
from typing import Any

from relayq.errors import HubError, Refused, WorkerError
from relayq.model.lifecycle import LEASE_MS
from relayq.model.needs import Lane
from relayq.store import decode
from relayq.store.connect import CALL_TIMEOUT_S
from relayq.store.hub import Hub
from relayq.store.records import (
    Letter,
    LogChunk,
    Registration,
    Report,
    SyncReply,
    SyncRequest,
    Welcome,
    WorkerRecord,
)

AGO_MS_MIN = 1_000  # a report that comes sooner than that is told without its age


class Workers:
    """What workers say to the hub, and what people say to workers."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def register(self, who: Registration) -> Welcome:
        """Appear as a session; WorkerError when another live worker has the name."""
        reply = await self._hub.run(
            "register",
            {
                "name": who.name,
                "session": who.session,
                "instance": who.instance,
                "offer": json.dumps(who.offer, separators=(",", ":")),
                "facts": json.dumps(who.facts, separators=(",", ":")),
                "held": who.held,
                "power": _milliwatts_a_cpu(who),
            },
        )
        match reply:
            case [b"taken", _]:
                raise WorkerError(
                    f"a worker named '{who.name}' is alive in fleet '{self._hub.fleet}': "
                    "give this one another --name"
                )
            case [b"ok", now, epoch, version, lanes, adopted, gone, offsets]:
                return Welcome(
                    now_ms=int(now),
                    epoch=decode.text(epoch),
                    lanes=decode.lanes(lanes),
                    lanes_version=int(version),
                    adopted=[decode.text(job) for job in adopted],
                    gone=[decode.text(job) for job in gone],
                    log_offsets=_offsets(offsets),
                )
        raise AssertionError(f"register.lua answered {reply!r}")

    async def sync(
        self, session: str, request: SyncRequest, *, timeout_s: float = CALL_TIMEOUT_S
    ) -> SyncReply:
        """One heartbeat: everything the worker has to say and everything it may do, in one round trip."""
        reply = await self._hub.run(
            "sync",
            _sync_json(session, request),
            *(chunk.data for chunk in request.logs),
            *(report.result for report in request.done if report.result),
            timeout_s=timeout_s,
        )
        if reply[0] == b"unknown":
            return SyncReply(now_ms=0, session_known=False)
        _, now, version, next_ms, command, claims, words, orders, gone, offsets, wide, roster, inboxes = reply
        flags = [decode.text(order) for order in orders]
        return SyncReply(
            now_ms=int(now),
            claims=[decode.claim(item) for item in claims],
            reports=decode.fields(words),
            cancels=[flag[1:] for flag in flags if flag[0] == "c"],
            kills=[flag[1:] for flag in flags if flag[0] == "k"],
            gone=[decode.text(job) for job in gone],
            log_offsets=_offsets(offsets),
            watched=[flag[1:] for flag in flags if flag[0] == "w"],
            next_ms=int(next_ms),
            lanes_version=int(version),
            roster_version=int(roster),
            command=decode.text(command),
            wide=(decode.text(wide[0]), int(wide[1])) if wide else None,
            inboxes=int(inboxes),
        )

    async def letters(self, session: str, from_id: str, block_ms: int = 55_000) -> list[Letter]:
        """What stands in the session's mailbox after `from_id`, waiting for the first of it."""
        mailbox = self._hub.keys.of("mb", session)
        reply = await self._hub.link.call(
            "XREAD", "COUNT", 100, "BLOCK", max(1, block_ms), "STREAMS", mailbox, from_id,
            timeout_s=block_ms / 1000 + 10,
        )  # fmt: skip
        return [decode.letter(item) for item in reply[0][1]] if reply else []

    async def lanes(self) -> tuple[int, dict[str, Lane]]:
        """The version of the lanes, and the lanes."""
        version = await self._hub.link.call("GET", self._hub.keys.prefix + "lanev")
        return int(version or 0), decode.lanes(
            await self._hub.link.call("HGETALL", self._hub.keys.prefix + "lanes")
        )

    async def batch_record(self, digest: str) -> bytes:
        """The signed list of a batch's digests; Refused when the hub does not have it."""
        record = await self._hub.link.call("GET", self._hub.keys.of("bt", digest))
        if not isinstance(record, bytes):
            raise Refused("the hub has not the batch record that this job's signature refers to")
        return record

    async def leave(self, session: str) -> None:
        """End the session; what it still holds waits for the worker's next one."""
        await self._hub.run("leave", {"session": session})

    async def list(self) -> list[WorkerRecord]:
        """Every worker the hub remembers, by name."""
        stats, workers = await self._hub.views("stats", "workers")
        found = [decode.worker(item, int(stats[0]), LEASE_MS) for item in workers]
        return sorted(found, key=lambda worker: worker.name)

    async def command(self, name: str, word: str) -> bool:
        """Tell a worker `quiet`, `stop`, `kill` or `resume`; False when no live worker has the name."""
        if word not in ("quiet", "stop", "kill", "resume"):
            raise HubError(f"{word!r} is not something a worker can be told")
        session = await self._hub.link.call("HGET", self._hub.keys.prefix + "names", name)
        order = self._hub.signed(f"worker-{word}", decode.text(session or b""))
        return decode.text(await self._hub.run("command", {"name": name, "word": word}, order)) == "told"

    async def cancel_orders(self, job: str) -> tuple[bytes, ...]:
        """The signed orders to end a job: its own, and its array's."""
        keys = [self._hub.keys.of("co", one) for one in dict.fromkeys((job, job.partition(":")[0]))]
        found = [await self._hub.link.call("GET", key) for key in keys]
        return tuple(order for order in found if order)

    async def approval(self, job: str) -> bytes:
        """The owner's signed word that a job may run, or empty."""
        return await self._hub.link.call("GET", self._hub.keys.of("ap", job)) or b""

    async def order_for(self, session: str) -> bytes:
        """The signed order behind what the hub wants of a session."""
        return await self._hub.link.call("HGET", self._hub.keys.of("w", session), "co") or b""


def _offsets(flat: list[Any]) -> dict[str, tuple[int, int]]:
    return {decode.text(flat[i]): (int(flat[i + 1]), int(flat[i + 2])) for i in range(0, len(flat), 3)}


def _milliwatts_a_cpu(who: Registration) -> str:
    """What one CPU's share of the machine draws, empty when nobody has told."""
    watts, cpus_milli = float(who.facts.get("watts") or 0), who.offer.get("cpus_milli")
    if not watts or not isinstance(cpus_milli, int) or cpus_milli <= 0:
        return ""
    return f"{watts * 1_000_000 / cpus_milli:.0f}"


def _report(report: Report, result_at: int) -> dict[str, object]:
    sent: dict[str, object] = {
        "id": report.job,
        "attempt": report.attempt,
        "outcome": report.outcome,
        "exit": report.exit_code,
        "reason": report.reason,
        "retry": report.retry,
        "backoff": report.backoff_ms,
        "cap": report.backoff_cap_ms,
        "run_ms": report.run_ms,
    }
    if report.outputs:
        # What they are called stands in the sealed end.
        sent["outputs"] = [[str(at), one.stored, one.stored_bytes] for at, one in enumerate(report.outputs)]
    if report.ended_at and (ago_ms := int((time.monotonic() - report.ended_at) * 1000)) > AGO_MS_MIN:
        sent["ago"] = ago_ms
    if report.note:
        sent["note"] = report.note
    if report.is_bare:
        sent["bare"] = 1
    return {**sent, "result": result_at} if report.result else sent


def _reports(done: list[Report], first: int) -> list[dict[str, object]]:
    """The reports; a result is told as the place of its bytes among the arguments."""
    places = itertools.count(first)
    return [_report(report, next(places) if report.result else 0) for report in done]


def _chunk(chunk: LogChunk) -> list[object]:
    """Where a piece of output belongs; a sealed one tells how much it holds."""
    told: list[object] = [chunk.job, chunk.attempt, chunk.stream, chunk.offset, int(chunk.jump)]
    return [*told, chunk.size] if chunk.size else told


def _sync_json(session: str, request: SyncRequest) -> dict[str, object]:
    sent: dict[str, object] = {
        "session": session,
        "held": request.held,
        "free": request.free,
        "lanes": request.lanes,
        "want": request.want,
        "mail": request.mail_id,
    }
    if request.full:
        sent["full"] = 1
    if request.idle:
        sent["idle"] = 1
    if request.done:
        # The JSON is argument 1, the output follows, then the results.
        sent["done"] = _reports(request.done, 2 + len(request.logs))
    if request.logs:
        sent["logs"] = [_chunk(chunk) for chunk in request.logs]
    if request.progress:
        sent["progress"] = [[j, -1 if percent is None else percent, m] for j, percent, m in request.progress]
    if request.empty_lanes:
        sent["empty"] = request.empty_lanes
    if request.unserved is not None:
        sent["unserved"] = json.dumps(request.unserved)
    if request.facts is not None:
        sent["facts"] = json.dumps(request.facts)
    return sent

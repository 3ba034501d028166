"""Jobs in the hub: submit, control, look at. One method, one function of the library."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from typing import Any

from relayq.errors import AmbiguousId, HubFull, HubSchema, NotFound, SpecError, UnknownName, UsageError
from relayq.model.duration import format_size
from relayq.model.ids import is_id
from relayq.model.job import MAX_PRIORITY
from relayq.model.lifecycle import CODE, LEASE_MS, State, state_of
from relayq.model.needs import Lane
from relayq.model.reading import check_int, check_name
from relayq.store import decode
from relayq.store.hub import Hub
from relayq.store.orders import judged, queue_orders
from relayq.store.own import own_reply
from relayq.store.pace import worked_off
from relayq.store.records import Explanation, JobRecord, QueueInfo, Submission, WorkerRecord
from relayq.store.scripts import other_schema
from relayq.store.wire import submit_args
from relayq.trust.envelope import approval_of, batch_digest_of
from relayq.trust.steering import HOLD, PAUSE, RELEASE, RESUME, priority_order, weight_order

SUFFIX_FLOOR = 4
SCAN_COUNT = 5_000
MOST_WHY = 200
MOST_LOOKED_AT = 256
COUNTED = ("in", "S", "F", "C", "K", "E")


class Jobs:
    """What can be done to the jobs of a fleet."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._lanes: dict[str, Lane] = {}

    async def submit(
        self, batch: Sequence[Submission], *, record: bytes = b"", watch: bool = False
    ) -> list[str]:
        """Submit up to 500 jobs in one round trip; a word for each.

        `new`, `dup` (this id is in the hub already), `unique:<id>` (a live job has the key),
        `replaced:<id>`, `bad:<why>`. Raises HubFull when nothing was taken.
        """
        args = submit_args(
            self._hub.fleet,
            [(item.routing, item.envelope) for item in batch],
            {item.lane.id: item.lane.json for item in batch},
            record=record,
            watch=watch,
        )
        return submit_words(await self._hub.send(*args))

    async def cancel(self, job: str, *, who: str = "", why: str = "", kill: bool = False) -> str:
        """`cancelled`, `asked` (it runs: its worker is told), `ended:<state>` or `unknown`.

        `kill` leaves a running job no time to end by itself. `why` is kept with the job in up to 200
        characters; without it, `who`.
        """
        request: dict[str, object] = {
            "id": job,
            "why": (why or who or "cancelled")[:MOST_WHY],
            **({"kill": 1} if kill else {}),
        }
        [order] = await self._hub.signed_ends("kill" if kill else "cancel", [job])
        return state_word(await self._hub.run("cancel", request, order))

    async def hold(self, job: str) -> str:
        """`held`, `running`, `ended:<state>` or `unknown`."""
        return state_word(await self._hub.run("hold", {"id": job}, self._hub.signed(HOLD, job)))

    async def release(self, job: str) -> str:
        """`released`, `not-held`, `ended:<state>` or `unknown`."""
        return state_word(await self._hub.run("release", {"id": job}, self._hub.signed(RELEASE, job)))

    async def approve(self, job: str, likeness: str = "") -> str:
        """Let a job run that waits for the owner's word; words as from `release`, or `changed`.

        What is signed names the envelope, so that another one under the same id is not approved.
        With the `likeness` of the record that the owner has seen, only that one is.
        """
        envelope = await self._hub.link.call("GET", self._hub.keys.of("s", job)) or b""
        shown = self._hub.reader.clear(envelope) if self._hub.reader else envelope
        if likeness and sha256(shown).hexdigest() != likeness:
            return "changed"
        order = self._hub.signed(approval_of(envelope), job)
        return state_word(await self._hub.run("approve", {"id": job}, order))

    async def reprioritise(self, job: str, priority: int) -> str:
        """`done`, `running`, `ended:<state>` or `unknown`."""
        check_int(priority, "priority", -MAX_PRIORITY, MAX_PRIORITY)
        order = self._hub.signed(priority_order(priority), job)
        return state_word(await self._hub.run("reprioritise", {"id": job, "priority": priority}, order))

    async def retry(self, job: str, op: bytes) -> str:
        """Run a finished job again with a signed op.

        `retried`, `not-ended`, `unique:<id>`, `lanes` (no room for the set of its needs) or `unknown`.
        """
        return decode.text(await self._hub.run("retry", {"id": job}, op))

    async def record(self, job: str) -> JobRecord | None:
        """One job or array element with its attempts and result, or None."""
        is_narrow = self._hub.is_narrow
        reply = await (own_reply(self._hub, job) if is_narrow else self._hub.view("record", {"id": job}))
        if not reply:
            return None
        lanes = {} if is_narrow else await self.lanes(reply[1])
        [record] = await self.opened([decode.job(reply, lanes)])
        return record

    async def is_array(self, job: str) -> bool:
        """Is this an array, by the word of whoever signed it? The hub's own word counts for nothing."""
        envelope = await self._hub.link.call("GET", self._hub.keys.of("s", job)) or b""
        digest = batch_digest_of(envelope)
        record = await self._hub.link.call("GET", self._hub.keys.of("bt", digest)) if digest else b""
        reader = self._hub.reader
        return reader is not None and await asyncio.to_thread(reader.is_array, job, envelope, record or b"")

    async def list_jobs(
        self, states: Sequence[State] = tuple(State), *, queue: str = "", limit: int = 50
    ) -> list[JobRecord]:
        """The newest `limit` jobs in these states; alive ones before finished ones of the same age."""
        letters = "".join(CODE[state] for state in states)
        reply = await self._hub.view("list", {"states": letters, "queue": queue, "limit": limit})
        rows = decode.job_rows(reply)
        lanes = await self.lanes(*(item[1] for item in rows))
        found = [decode.job(item, lanes) for item in rows]
        wanted = [job for job in found if job.state in states and (not queue or job.lane.queue == queue)]
        wanted.sort(key=lambda job: job.submitted_ms, reverse=True)
        return await self.opened(wanted[:limit], is_whole=False)

    async def opened(self, records: list[JobRecord], *, is_whole: bool = True) -> list[JobRecord]:
        """The records as the reader's keys open them; those that are not whole came without their result."""
        reader = self._hub.reader
        if reader is None:
            return records
        read, known = partial(reader.record, is_whole=is_whole), reader.version
        found = await worked_off(records, read)
        if any(
            one.doubt or one.is_sealed or one.alarm for one in found
        ) and await self._hub.has_news_for_reader(known):
            return await worked_off(records, read)
        return found

    async def resolve(self, suffix: str) -> str:
        """The full id behind an id, a unique suffix of four or more characters, or `<suffix>:<index>`."""
        wanted, colon, index = suffix.upper().partition(":")
        if is_id(wanted):
            return wanted + colon + index
        if self._hub.is_narrow:
            raise NotFound(
                f"{suffix!r} is no whole job id: a submit-only user cannot look for a job by its end"
            )
        if len(wanted) < SUFFIX_FLOOR or not wanted.isalnum():
            raise UsageError(f"{suffix!r} is no job id: use at least its last {SUFFIX_FLOOR} characters")
        found = await self._with_suffix(wanted)
        if not found:
            raise UnknownName(f"there is no job {suffix!r} in fleet '{self._hub.fleet}'")
        if len(found) > 1:
            raise AmbiguousId(f"{suffix!r} fits {len(found)} jobs: {', '.join(sorted(found)[:5])}")
        return found.pop() + colon + index

    async def explain(self, job: str) -> Explanation | None:
        """The facts about why a job stands where it stands, or None when there is no such job."""
        record = await self.record(job)
        if record is None:
            return None
        if self._hub.is_narrow:
            return Explanation(record=record, blockers=[], workers=[])
        pairs = await self._hub.view("blockers", {"id": job})
        blockers = [(decode.text(kind), decode.text(detail)) for kind, detail in pairs]
        is_paused = any(kind == "paused" for kind, _ in blockers)
        queues = await Queues(self._hub).list() if is_paused else []
        workers = await self.workers()
        array, is_element, _ = job.partition(":")
        return Explanation(
            record=record,
            blockers=blockers,
            workers=workers,
            queue=next((one for one in queues if one.name == record.lane.queue), None),
            uses=await self._uses(workers) if record.state is State.RUNNABLE else {},
            array=await self.explain(array) if is_element and record.state is State.PENDING else None,
        )

    async def _uses(self, workers: list[WorkerRecord]) -> dict[str, Lane]:
        """The lanes of what runs on these workers, as far as it is looked at."""
        running = [job for worker in workers if worker.online for job in worker.running][:MOST_LOOKED_AT]
        if not running:
            return {}
        asked = (("HGET", self._hub.keys.of("j", job), "l") for job in running)
        lanes, known = await self._hub.link.calls(*asked), await self.lanes()
        named = zip(running, map(decode.text, (lane or b"" for lane in lanes)), strict=True)
        return {job: known[lane] for job, lane in named if lane in known}

    async def workers(self) -> list[WorkerRecord]:
        """Every worker the hub remembers, by name."""
        stats, workers = await self._hub.views("stats", "workers")
        found = [decode.worker(item, int(stats[0]), LEASE_MS) for item in workers]
        return sorted(found, key=lambda worker: worker.name)

    async def lanes(self, *jobs: list[Any]) -> dict[str, Lane]:
        """The lanes of these jobs' fields (all lanes without an argument), kept between calls."""
        wanted = {decode.text(flat[2 * flat[::2].index(b"l") + 1]) for flat in jobs}
        if not jobs or not wanted <= self._lanes.keys():
            keys = (self._hub.keys.prefix + name for name in ("lanes", "lpast"))
            for flat in await self._hub.link.calls(*(("HGETALL", key) for key in keys)):
                self._lanes.update(decode.lanes(flat))
        return self._lanes

    async def _with_suffix(self, wanted: str) -> set[str]:
        prefix, cursor, found = self._hub.keys.prefix + "j:", "0", set()
        while True:
            reply = await self._hub.link.call(
                "SCAN", cursor, "MATCH", f"{prefix}*{wanted}", "COUNT", SCAN_COUNT, timeout_s=30.0
            )
            found |= {decode.text(key).removeprefix(prefix) for key in reply[1]}
            cursor = decode.text(reply[0])
            if cursor == "0":
                return {job for job in found if ":" not in job}


class Queues:
    """The queues of a fleet and its counters."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def pause(self, queue: str) -> None:
        """Start nothing more from this queue; SpecError when no queue can be called so."""
        check_name(queue, "queue")
        await self._hub.run("pause", {"queue": queue, "paused": True}, self._hub.signed(PAUSE, queue))

    async def resume(self, queue: str) -> None:
        """Start jobs from this queue again, at once where workers are idle."""
        await self._hub.run("pause", {"queue": queue, "paused": False}, self._hub.signed(RESUME, queue))

    async def weight(self, queue: str, weight: float) -> None:
        """Let the jobs of this queue age `weight` times as fast as others (1 is normal)."""
        if not 0.01 <= weight <= 100:
            raise SpecError(f"weight {weight} is out of range: 0.01 to 100 (queue '{queue}')")
        check_name(queue, "queue")
        order = self._hub.signed(weight_order(weight), queue)
        await self._hub.run("weight", {"queue": queue, "weight": weight}, order)

    async def minutes(self, now_ms: int, count: int) -> list[dict[str, int]]:
        """What was counted in each of the last minutes, oldest first: `in`, a letter for each final state."""
        last = now_ms // 60_000
        days: dict[int, list[str]] = {}
        for minute in range(last - count + 1, last + 1):
            days.setdefault(minute // 1440, []).extend(f"{minute % 1440}:{what}" for what in COUNTED)
        values: list[int] = []
        asked = (("HMGET", self._hub.keys.of("hs", str(day)), *names) for day, names in days.items())
        for reply in await self._hub.link.calls(*asked):
            values += [int(value or 0) for value in reply]
        width = len(COUNTED)
        return [
            dict(zip(COUNTED, values[at : at + width], strict=True)) for at in range(0, len(values), width)
        ]

    async def stats(self) -> dict[str, Any]:
        """Counters by state, today's totals, lanes, memory and the number of workers online."""
        now, counters, cfg, lanes, paused, weights, online, today = await self._hub.view("stats")
        by_letter = decode.fields(counters)
        return {
            "now_ms": int(now),
            "jobs": {state.value: int(by_letter.get(CODE[state], 0)) for state in State},
            "kept_bytes": int(by_letter.get("kept", 0)),
            "settings": decode.fields(cfg),
            "lanes": [(decode.text(a), decode.text(b), int(c), int(d)) for a, b, c, d in lanes],
            "paused": [decode.text(name) for name in paused],
            "weights": {name: float(value) for name, value in decode.fields(weights).items()},
            "workers_online": int(online),
            "today": {name: int(value) for name, value in decode.fields(today).items() if ":" not in name},
        }

    async def list(self) -> list[QueueInfo]:
        """Every queue that has a lane, is paused or has a weight."""
        stats = await self.stats()
        names = {name for _, name, _, _ in stats["lanes"]} | set(stats["paused"]) | set(stats["weights"])
        orders = await queue_orders(self._hub) if stats["paused"] or stats["weights"] else {}
        queues = [_queue(name, stats) for name in sorted(names)]
        known = self._hub.roster_known
        found = [judged(self._hub.reader, one, orders) for one in queues]
        if any(one.alarm for one in found) and await self._hub.has_news_for_reader(known):
            return [judged(self._hub.reader, one, orders) for one in queues]
        return found


def submit_words(reply: list[Any]) -> list[str]:
    """What `submit` answered, a word a job; HubFull, HubSchema or SpecError when it took nothing at all."""
    words = [decode.text(word) for word in reply]
    if words and words[0] == "full":
        used, most = int(words[1]), int(words[2])
        raise HubFull(
            f"the hub is full ({format_size(used)} of {format_size(most)} in use): nothing was queued; "
            "wait for jobs to be forgotten, or raise its maxmemory"
        )
    if words and words[0] == "schema":
        raise HubSchema(other_schema(int(words[1])))
    if words == ["lanes"]:
        raise SpecError("the hub has 512 different sets of needs already: nothing was queued (field 'needs')")
    return words


def state_word(reply: bytes) -> str:
    """`ended:S` as `ended:SUCCEEDED`."""
    word = decode.text(reply)
    head, _, letter = word.partition(":")
    return f"ended:{state_of(letter).value}" if head == "ended" else word


def _queue(name: str, stats: dict[str, Any]) -> QueueInfo:
    mine = [(ready, living) for _, queue, ready, living in stats["lanes"] if queue == name]
    runnable, living = sum(pair[0] for pair in mine), sum(pair[1] for pair in mine)
    return QueueInfo(
        name=name,
        runnable=runnable,
        living=living,
        paused=name in stats["paused"],
        weight=stats["weights"].get(name, 1.0),
    )

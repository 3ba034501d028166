"""Steer many jobs with one order, and take it back for five seconds.

An order names a verb and the jobs it is for. `Steering` keeps an order that can be
undone for GRACE_S before it is carried out, so that undoing is never a second
order: nothing has happened yet. What is still waiting when the program ends is
carried out then. `carry_out` sends an order to the hub in portions and counts
what became of the jobs.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from relayq.errors import NotFound, RelayQError, UsageError
from relayq.model.ids import is_id, short

if TYPE_CHECKING:
    from relayq.client.aio import AsyncClient
    from relayq.model.job import JobSpec

GRACE_S = 5.0
PORTION = 250
FROM_SCREEN = "from the terminal UI"


@dataclass(frozen=True, slots=True)
class Verb:
    """What can be ordered: the words for it, and whether it waits for the grace.

    `done` are the hub's answers that mean it happened, each with what to say of it.
    """

    name: str
    past: str
    can_undo: bool
    done: tuple[str, ...]


VERBS = {
    verb.name: verb
    for verb in (
        Verb("cancel", "cancelled", True, ("cancelled", "asked")),
        Verb("kill", "killed", False, ("cancelled", "asked")),
        Verb("hold", "held", True, ("held",)),
        Verb("release", "released", False, ("released",)),
        Verb("reprioritise", "moved in the queue", True, ("done",)),
        Verb("retry", "queued again", False, ("retried",)),
        Verb("forget", "deleted", True, ("forgotten",)),
        Verb("approve", "approved", False, ("released",)),
        Verb("move", "moved", True, ("moved",)),
        Verb("pause", "paused", False, ("paused",)),
        Verb("resume", "resumed", False, ("resumed",)),
        Verb("quiet", "takes nothing new", False, ("told",)),
        Verb("unquiet", "takes jobs again", False, ("told",)),
        Verb("stop", "finishes and leaves", True, ("told",)),
        Verb("limit", "set the limit of the", False, ("set",)),
        Verb("ask", "asked", False, ("asked",)),
        Verb("schedule-pause", "paused", False, ("paused",)),
        Verb("schedule-resume", "resumed", False, ("resumed",)),
        Verb("schedule-run", "ran", False, ("ran",)),
        Verb("schedule-edit", "changed", False, ("changed",)),
        Verb("schedule-remove", "removed", True, ("removed",)),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """`verb` (a name in VERBS) for `ids`: jobs, queues, workers or schedules by what the verb is for.

    `value` is the new priority, the worker to move to, or the new rule; `why` is kept with a cancelled job.
    `seen` is for an approval: the likeness of each job as it was shown, and only that one is approved.
    """

    verb: str
    ids: tuple[str, ...]
    value: str = ""
    why: str = ""
    seen: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What the order does, in the past tense: `cancelled RDKC8`, `held 12 jobs`."""
        what = _shown(self.ids[0]) if len(self.ids) == 1 else f"{len(self.ids)} jobs"
        value = f" to {self.value}" if self.value else ""
        return f"{VERBS[self.verb].past} {what}{value}"


class Steering:
    """Carries orders out, those that can be undone after a grace. One loop, one owner."""

    def __init__(
        self, act: Callable[[Order], Awaitable[str]], tell: Callable[[str], None], *, grace_s: float = GRACE_S
    ) -> None:
        self._act = act
        self._tell = tell
        self._grace_s = grace_s
        self._waiting: list[tuple[Order, float]] = []
        self._sending: set[asyncio.Task[None]] = set()
        self._bell = asyncio.Event()

    @property
    def waiting(self) -> list[Order]:
        """Orders that can still be undone, the latest last."""
        return [order for order, _ in self._waiting]

    def seconds_left(self) -> float:
        """How long the latest order can still be undone."""
        if not self._waiting:
            return 0.0
        return max(0.0, self._waiting[-1][1] - asyncio.get_running_loop().time())

    async def order(self, order: Order) -> None:
        """Carry the order out, now or, if it can be undone, after the grace."""
        if VERBS[order.verb].can_undo and self._grace_s > 0:
            self._waiting.append((order, asyncio.get_running_loop().time() + self._grace_s))
            self._bell.set()
        else:
            await self._carry_out(order)

    def undo(self) -> Order | None:
        """Take the latest order back that has not been carried out; None when there is none."""
        if not self._waiting:
            return None
        self._bell.set()  # whoever sleeps until this order is due must look again
        return self._waiting.pop()[0]

    async def run(self) -> None:
        """Carry out what is due, for ever."""
        while True:
            self._bell.clear()
            while (left_s := self._next_in_s()) == 0:
                await self._carry_out(self._waiting.pop(0)[0])
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._bell.wait()

    async def flush(self) -> None:
        """Carry out everything that waits, and see what is under way through: the program ends."""
        while self._waiting:
            await self._carry_out(self._waiting.pop(0)[0])
        await asyncio.gather(*self._sending)

    def _next_in_s(self) -> float | None:
        if not self._waiting:
            return None
        return max(0.0, self._waiting[0][1] - asyncio.get_running_loop().time())

    async def _carry_out(self, order: Order) -> None:
        """Send the order. Whoever waits for it may be cancelled; what is half sent is not cut short."""
        sending = asyncio.create_task(self._send(order))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)
        await asyncio.shield(sending)

    async def _send(self, order: Order) -> None:
        try:
            self._tell(await self._act(order))
        except RelayQError as error:
            self._tell(str(error))


async def carry_out(client: AsyncClient, order: Order) -> str:
    """Send the order to the hub; one sentence about what became of it."""
    answers: Counter[str] = Counter()
    for start in range(0, len(order.ids), PORTION):
        answers.update(await _portion(client, order, order.ids[start : start + PORTION]))
    return summary(order, answers)


def summary(order: Order, answers: Counter[str]) -> str:
    """`cancelled 12 jobs, 3 had ended`."""
    verb = VERBS[order.verb]
    done = sum(count for word, count in answers.items() if word in verb.done)
    if done == len(order.ids):
        return order.sentence
    left = ", ".join(f"{count} {_left(word)}" for word, count in answers.items() if word not in verb.done)
    if len(order.ids) == 1:
        return f"{_shown(order.ids[0])} is left as it is: it {left.partition(' ')[2]}"
    return f"{verb.past} {done} of {len(order.ids)}: {left}"


def _shown(id: str) -> str:
    """A job's short id, or a name as it is."""
    return short(id) if is_id(id) else id


def _left(word: str) -> str:
    head, _, detail = word.partition(":")
    return {
        "ended": f"has ended ({detail.lower()})",
        "unknown": "is not in the hub",
        "running": "runs already",
        "not-held": "is not held",
        "not-ended": "has not ended",
        "changed": "is another one than was shown: look again",
        "was-paused": "was paused already",
        "not-paused": "was not paused",
        "element": "is one of an array: retry the array",
        "unique": f"has its unique key taken by {short(detail)}",
        "unique-moved": "has a unique key: cancel it and submit it again",
    }.get(head, word)


async def _portion(client: AsyncClient, order: Order, ids: Sequence[str]) -> list[str]:
    match order.verb:
        case "cancel" | "kill" | "hold" | "release" | "forget":
            return await client.bulk.steer(order.verb, ids, why=order.why or FROM_SCREEN)
        case "reprioritise":
            return await client.bulk.steer(order.verb, ids, value=int(order.value))
        case "retry":
            return await _retry(client, ids)
        case "approve":
            seen = dict(zip(order.ids, order.seen, strict=True))
            return [await client.jobs.approve(job, seen[job]) for job in ids]
        case "move":
            return [await _move(client, job, order.value) for job in ids]
    if order.verb in ("limit", "ask"):
        return [await _budget(client, order)]
    if order.verb.startswith("schedule-"):
        return [await _schedule(client, order, name) for name in ids]
    return [await _one(client, order.verb, name) for name in ids]


async def _one(client: AsyncClient, verb: str, name: str) -> str:
    """What is ordered of queues and workers."""
    match verb:
        case "pause":
            await client.queues.pause(name)
            return "paused"
        case "resume":
            await client.queues.resume(name)
            return "resumed"
        case "quiet" | "stop" | "unquiet":
            word = "resume" if verb == "unquiet" else verb
            return "told" if await client.workers.command(name, word) else "unknown"
    raise UsageError(f"nothing is known about how to {verb} a job")


async def _budget(client: AsyncClient, order: Order) -> str:
    """What is ordered of the minutes: a limit, or that GitHub is asked."""
    from relayq.client.budget import ask_github
    from relayq.model.budget import read_limit

    if order.verb == "limit":
        await client.budget.limit(read_limit(order.value))
        return "set"
    await ask_github(client)
    return "asked"


async def _schedule(client: AsyncClient, order: Order, name: str) -> str:
    """What is ordered of schedules."""
    from relayq.client import schedules

    match order.verb.removeprefix("schedule-"):
        case "run":
            await schedules.run_now(client, name)
            return "ran"
        case "edit":
            await schedules.change_rule(client, name, order.value)
            return "changed"
        case verb:
            word: str = await getattr(client.schedules, verb)(name)
            return word


async def _retry(client: AsyncClient, ids: Sequence[str]) -> list[str]:
    """Each retry needs a signature of its own, and for that what became of the job."""
    records = {record.id: record for record in await client.bulk.rows(ids)}
    ops = [client.submitter.sign_retry(record) for record in records.values()]
    words = dict(zip(records, await client.bulk.retry(list(records), ops), strict=True))
    return [words.get(job, "unknown") for job in ids]


async def _move(client: AsyncClient, job: str, worker: str) -> str:
    """A job cannot be changed, for it is signed: another one takes its place.

    The old one is held first, so that no worker takes it meanwhile.
    """
    spec = await spec_of_job(client, job)
    if spec.unique is not None:
        return "unique-moved"
    word = await client.jobs.hold(job)
    if word != "held":
        return word
    await client.submit(spec.but(needs=spec.needs._replace(host=worker)))
    await client.jobs.cancel(job, who=FROM_SCREEN, why=f"moved to {worker}")
    return "moved"


async def spec_of_job(client: AsyncClient, job: str) -> JobSpec:
    """The spec of a job in the hub, secrets and all; for submitting it again."""
    from relayq.client.glance import glance

    record = await client.jobs.record(job)
    spec = glance(record.envelope) if record else None
    if record is None or spec is None or record.is_sealed:
        raise NotFound(f"job {short(job)} is not in the hub (any more), or its spec is sealed to others")
    return spec

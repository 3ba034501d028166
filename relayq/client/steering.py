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
from dataclasses import dataclass
from typing import TYPE_CHECKING

from relayq.errors import NotFound, RelayQError, UsageError
from relayq.model.ids import short

if TYPE_CHECKING:
    from relayq.client.aio import AsyncClient

GRACE_S = 5.0
PORTION = 500


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
        Verb("kill", "killed", True, ("cancelled", "asked")),
        Verb("hold", "held", True, ("held",)),
        Verb("release", "released", False, ("released",)),
        Verb("reprioritise", "moved in the queue", True, ("done",)),
        Verb("retry", "queued again", False, ("retried",)),
        Verb("forget", "deleted", True, ("forgotten",)),
        Verb("move", "moved", True, ("moved",)),
        Verb("pause", "paused", False, ("paused",)),
        Verb("resume", "resumed", False, ("resumed",)),
        Verb("quiet", "takes nothing new", False, ("told",)),
        Verb("unquiet", "takes jobs again", False, ("told",)),
        Verb("stop", "finishes and leaves", True, ("told",)),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """`verb` (a name in VERBS) for `ids`: jobs, queues or workers by what the verb is for.

    `value` is the new priority, or the worker to move to; `why` is kept with a cancelled job.
    """

    verb: str
    ids: tuple[str, ...]
    value: str = ""
    why: str = ""

    @property
    def sentence(self) -> str:
        """What the order does, in the past tense: `cancelled RDKC8`, `held 12 jobs`."""
        what = short(self.ids[0]) if len(self.ids) == 1 else f"{len(self.ids)} jobs"
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
        return self._waiting.pop()[0] if self._waiting else None

    async def run(self) -> None:
        """Carry out what is due, for ever."""
        while True:
            self._bell.clear()
            left_s = self._next_in_s()
            try:
                async with asyncio.timeout(left_s):
                    await self._bell.wait()
            except TimeoutError:
                order, _ = self._waiting.pop(0)
                await self._carry_out(order)

    async def flush(self) -> None:
        """Carry out everything that waits: the program ends."""
        while self._waiting:
            await self._carry_out(self._waiting.pop(0)[0])

    def _next_in_s(self) -> float | None:
        if not self._waiting:
            return None
        return max(0.0, self._waiting[0][1] - asyncio.get_running_loop().time())

    async def _carry_out(self, order: Order) -> None:
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
        return f"{short(order.ids[0])} is left as it is: it {left.partition(' ')[2]}"
    return f"{verb.past} {done} of {len(order.ids)}: {left}"


def _left(word: str) -> str:
    head, _, detail = word.partition(":")
    return {
        "ended": f"has ended ({detail.lower()})",
        "unknown": "is not in the hub",
        "running": "runs already",
        "not-held": "is not held",
        "not-ended": "has not ended",
        "unique": f"has its unique key taken by {short(detail)}",
    }.get(head, word)


async def _portion(client: AsyncClient, order: Order, ids: Sequence[str]) -> list[str]:
    return [await _one(client, order, one) for one in ids]


async def _one(client: AsyncClient, order: Order, one: str) -> str:
    match order.verb:
        case "cancel":
            return await client.jobs.cancel(one, who="tui", why=order.why)
        case "hold":
            return await client.jobs.hold(one)
        case "release":
            return await client.jobs.release(one)
        case "reprioritise":
            return await client.jobs.reprioritise(one, int(order.value))
        case "retry":
            return await _retry(client, one)
        case "pause" | "resume":
            await (client.queues.pause(one) if order.verb == "pause" else client.queues.resume(one))
            return order.verb + "d"
        case "quiet" | "stop" | "unquiet":
            word = "resume" if order.verb == "unquiet" else order.verb
            return "told" if await client.workers.command(one, word) else "unknown"
    raise UsageError(f"nothing is known about how to {order.verb} a job")


async def _retry(client: AsyncClient, job: str) -> str:
    try:
        return await client.retry(job)
    except NotFound:
        return "unknown"

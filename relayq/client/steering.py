"""Steer many jobs with one order, and take it back for five seconds.

An order names a verb and the jobs it is for. What would be hard to mend waits in
`Steering` for GRACE_S before it is carried out: undoing it is no second order, for
nothing has happened yet. A retry is of that kind, for nothing brings back how a job had
ended. What has a contrary is carried out at once, and undoing it is
that contrary, for those alone that it was done to. What is still waiting when the program
ends is carried out then. `carry_out` sends an order to the hub in portions and counts what
became of the jobs.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from relayq.errors import NotFound, RelayQError, UsageError
from relayq.model.ids import is_id, short

if TYPE_CHECKING:
    from relayq.client.aio import AsyncClient
    from relayq.model.job import JobSpec

GRACE_S = 5.0
PORTION = 250
OF_MANY = {"has": "have", "is": "are", "runs": "run", "was": "were"}
FROM_SCREEN = "from the terminal UI"


@dataclass(frozen=True, slots=True)
class Verb:
    """What can be ordered, and whether it waits for the grace.

    `said` is the sentence when it is done, of {what} and {value}; `done` are the hub's answers
    that mean it was; `contrary` is the verb that takes it back, empty where none does.
    """

    name: str
    said: str
    waits: bool
    done: tuple[str, ...]
    contrary: str = ""


VERBS = {
    verb.name: verb
    for verb in (
        Verb("cancel", "cancelled {what}", True, ("cancelled", "asked")),
        Verb("kill", "killed {what}", True, ("cancelled", "asked")),
        Verb("hold", "held {what}", True, ("held",)),
        Verb("release", "released {what}", False, ("released",), "hold"),
        Verb("reprioritise", "gave {what} priority {value}", True, ("done",)),
        Verb("retry", "queued {what} again", True, ("retried",)),
        Verb("submit", "submitted {what}", False, ("submitted",), "cancel"),
        Verb("forget", "deleted {what}", True, ("forgotten",)),
        Verb("approve", "approved {what}", False, ("released",)),
        Verb("move", "moved {what} to {value}", True, ("moved",)),
        Verb("pause", "paused {what}", False, ("paused",), "resume"),
        Verb("resume", "resumed {what}", False, ("resumed",), "pause"),
        Verb("quiet", "{what} takes nothing new", False, ("told",), "unquiet"),
        Verb("unquiet", "{what} takes jobs again", False, ("told",), "quiet"),
        Verb("stop", "{what} finishes and leaves", True, ("told",)),
        Verb("limit", "set the limit of the {what} to {value}", False, ("set",), "limit"),
        Verb("ask", "asked {what}", False, ("asked",)),
        Verb("schedule-pause", "paused {what}", False, ("paused",), "schedule-resume"),
        Verb("schedule-resume", "resumed {what}", False, ("resumed",), "schedule-pause"),
        Verb("schedule-run", "ran {what}", False, ("ran",)),
        Verb("schedule-edit", "changed {what} to {value}", False, ("changed",), "schedule-edit"),
        Verb("schedule-remove", "removed {what}", True, ("removed",)),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """`verb` (a name in VERBS) for `ids`: jobs, queues, workers or schedules by what the verb is for.

    `value` is the new priority, the worker to move to, or the new rule; `was` is what stood in its
    place, where that is known; `why` is kept with a cancelled job.
    `seen` is for an approval: the likeness of each job as it was shown, and only that one is approved.
    """

    verb: str
    ids: tuple[str, ...]
    value: str = ""
    was: str = ""
    why: str = ""
    seen: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What the order does, as done: `cancelled RDKC8`, `held 12 jobs`, `pi4 takes nothing new`."""
        return self.done_to(_shown(self.ids[0]) if len(self.ids) == 1 else f"{len(self.ids)} jobs")

    def done_to(self, what: str) -> str:
        """The sentence about `what`."""
        return VERBS[self.verb].said.format(what=what, value=self.value)

    def contrary(self, ids: tuple[str, ...]) -> Order | None:
        """What takes the order back for these; None where nothing does."""
        verb = VERBS[self.verb].contrary
        if not ids or not verb or (verb == self.verb and not self.was):
            return None
        return replace(self, verb=verb, ids=ids, value=self.was, was=self.value)


class Told(NamedTuple):
    """What became of an order: a sentence, and those of its ids that it was done to."""

    sentence: str
    ids: tuple[str, ...] = ()


class Undoable(NamedTuple):
    """An order that can be taken back until then: it waits, or `contrary` is what undoes it."""

    order: Order
    until_s: float
    contrary: Order | None = None


class Steering:
    """Carries orders out, those that would be hard to mend after a grace. One loop, one owner."""

    def __init__(
        self,
        act: Callable[[Order], Awaitable[Told]],
        tell: Callable[[str], None],
        *,
        grace_s: float = GRACE_S,
    ) -> None:
        self._act = act
        self._tell = tell
        self._grace_s = grace_s
        self._recent: list[Undoable] = []
        self._sending: set[asyncio.Task[None]] = set()
        self._bell = asyncio.Event()

    @property
    def waiting(self) -> list[Order]:
        """Orders that have not been carried out, the latest last."""
        return [one.order for one in self._recent if one.contrary is None]

    @property
    def latest(self) -> Undoable | None:
        """What would be undone now."""
        return self._recent[-1] if self._recent else None

    def seconds_left(self) -> float:
        """How long the latest order can still be undone."""
        return max(0.0, self._recent[-1].until_s - _now_s()) if self._recent else 0.0

    async def order(self, order: Order) -> None:
        """Carry the order out, now or after the grace."""
        if VERBS[order.verb].waits and self._grace_s > 0:
            self._remember(order)
        else:
            await self._carry_out(order)

    def note(self, order: Order) -> None:
        """The order has been carried out elsewhere: as long as one may undo, its contrary takes it back."""
        self._note(order, order.ids)

    def undo(self) -> Order | None:
        """Take the latest order back, if need be by its contrary; None when there is none."""
        if not self._recent:
            return None
        self._bell.set()  # whoever sleeps until this order is due must look again
        order, _, contrary = self._recent.pop()
        if contrary is not None:
            self._start(contrary, is_undoing=True)
        return order

    async def run(self) -> None:
        """Carry out what is due, for ever."""
        while True:
            self._bell.clear()
            while (left_s := self._next_in_s()) == 0:
                await self._take(self._recent.pop(0))
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._bell.wait()

    async def flush(self) -> None:
        """Carry out everything that waits, and see what is under way through: the program ends."""
        while self._recent:
            await self._take(self._recent.pop(0))
        await asyncio.gather(*self._sending)

    def _next_in_s(self) -> float | None:
        return max(0.0, self._recent[0].until_s - _now_s()) if self._recent else None

    def _remember(self, order: Order, contrary: Order | None = None) -> None:
        self._recent.append(Undoable(order, _now_s() + self._grace_s, contrary))
        self._bell.set()

    async def _take(self, due: Undoable) -> None:
        """Its time is over: carry it out, unless that has been done."""
        if due.contrary is None:
            await self._carry_out(due.order)

    async def _carry_out(self, order: Order) -> None:
        """Send the order. Whoever waits for it may be cancelled; what is half sent is not cut short."""
        await asyncio.shield(self._start(order))

    def _start(self, order: Order, *, is_undoing: bool = False) -> asyncio.Task[None]:
        sending = asyncio.create_task(self._send(order, is_undoing=is_undoing))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)
        return sending

    async def _send(self, order: Order, *, is_undoing: bool) -> None:
        try:
            sentence, ids = await self._act(order)
        except RelayQError as error:
            self._tell(str(error))
            return
        if not is_undoing:
            self._note(order, ids)
        self._tell(sentence)

    def _note(self, order: Order, ids: tuple[str, ...]) -> None:
        contrary = order.contrary(ids)
        if contrary is not None and self._grace_s > 0:
            self._remember(order, contrary)


async def carry_out(client: AsyncClient, order: Order) -> Told:
    """Send the order to the hub; one sentence about what became of it, and for whom it was done."""
    answers: list[str] = []
    for start in range(0, len(order.ids), PORTION):
        answers += await _portion(client, order, order.ids[start : start + PORTION])
    return told(order, answers)


def told(order: Order, answers: Sequence[str]) -> Told:
    """What became of it, by the hub's answer for each of its ids."""
    done = VERBS[order.verb].done
    ids = tuple(id for id, word in zip(order.ids, answers, strict=True) if word in done)
    return Told(summary(order, Counter(answers)), ids)


def summary(order: Order, answers: Counter[str]) -> str:
    """`cancelled 12 jobs`, `cancelled 12 of 15: 3 has ended (failed)`."""
    good = VERBS[order.verb].done
    done = sum(count for word, count in answers.items() if word in good)
    if done == len(order.ids):
        return order.sentence
    left = ", ".join(f"{count} {_left(word, count)}" for word, count in answers.items() if word not in good)
    if len(order.ids) == 1:
        return f"{_shown(order.ids[0])} is left as it is: it {left.partition(' ')[2]}"
    return f"{order.done_to(f'{done} of {len(order.ids)}')}: {left}"


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _shown(id: str) -> str:
    """A job's short id, or a name as it is."""
    return short(id) if is_id(id) else id


def _left(word: str, count: int) -> str:
    head, _, detail = word.partition(":")
    said = {
        "ended": f"has ended ({detail.lower()})",
        "unknown": "is not in the hub",
        "running": "runs already",
        "not-held": "is not held",
        "not-ended": "has not ended",
        "changed": "is another one than was shown: look again",
        "was-paused": "was paused already",
        "not-paused": "was not paused",
        "lanes": "needs what nothing else needs, and the hub has 512 sets of needs already",
        "element": "is one of an array: retry the array",
        "unique": f"has its unique key taken by {short(detail)}",
        "unique-moved": "has a unique key: cancel it and submit it again",
    }.get(head, word)
    verb, space, rest = said.partition(" ")
    return said if count == 1 else f"{OF_MANY.get(verb, verb)}{space}{rest}"


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

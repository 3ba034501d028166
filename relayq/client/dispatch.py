"""Seal and sign job specs and hand them to the hub in one round trip.

This is the whole path of a cold `relayq submit`: spec -> sealed body -> signature -> one
function call over `store.wire`. It imports neither redis nor asyncio. A batch of up
to 500 specs carries one signature over the list of their digests; while the hub
works on a batch, the next one is prepared.

Submitting is idempotent by the job's id, so a link that broke, while idle or in the
middle of a reply, is opened again and the call repeated once. A hub without the function
library is given it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from relayq.errors import (
    HubDenied,
    HubError,
    HubFull,
    HubSchema,
    HubTooOld,
    HubUnreachable,
    RelayQError,
    SpecError,
)
from relayq.model.job import JobSpec, new_id, routing
from relayq.model.needs import lane_of
from relayq.store.wire import (
    JOB,
    MAX_JOBS_PER_CALL,
    MOST_WAITING,
    Address,
    Wire,
    WireBrokenError,
    WireError,
    WireReplyError,
    denial,
    full_disk,
    misplaced,
    push_args,
    submit_args,
)

if TYPE_CHECKING:
    from relayq.trust.bodies import Author

Command = Sequence[bytes | str | int]
NOTHING = "nothing was queued"


class Receipt(NamedTuple):
    """The hub's word on one job: `new`, `dup`, `unique`, `replaced` or `bad`.

    `id` is the job that now stands for the spec: of `unique`, the one that was there
    before. `detail` is the job that a `replaced` put out, or why a job is `bad`.
    """

    id: str
    word: str
    detail: str = ""

    @property
    def is_new(self) -> bool:
        """Was a job made, and not another one found in its way?"""
        return self.word != "unique"


class Dispatcher:
    """One connection to submit over. Not thread safe: whoever shares it holds a lock."""

    def __init__(self, url: str, fleet: str, timeout_s: float = 10.0) -> None:
        self.fleet = fleet
        self.anchor = f"{{rq:{fleet}}}:cfg"
        self._url = url
        self._wire = Wire(url, timeout_s)
        self._is_fresh = True
        self._inbox = inbox_of(self._wire.address)

    def submit(
        self, author: Author, spec: JobSpec, *, watch: bool = False, also: Sequence[Command] = ()
    ) -> tuple[Receipt, list[Any]]:
        """Submit one job; `watch` announces that somebody will wait for it.

        The commands `also` travel along, and their replies come back in their order.
        """
        job = new_id(self._wire.address.mark)
        envelope = author.job(spec, job, int(time.time()))
        lane = lane_of(spec)
        if self._inbox:
            submit = push_args(self.fleet, self._inbox, [(JOB, envelope)])
        else:
            pair = (routing(spec, job), envelope)
            submit = submit_args(self.fleet, [pair], {lane.id: lane.json}, watch=watch)
        words, *replies = self.ask(submit, *also)
        [receipt] = self._receipts([job], words)
        if receipt.word == "bad":
            raise SpecError(f"the job is refused: {receipt.detail}")
        return receipt, replies

    def submit_many(self, author: Author, specs: Sequence[JobSpec], receipts: list[Receipt]) -> None:
        """Submit any number of jobs, 500 to a call and a signature.

        `receipts` gets each call's as they come: what was taken before one failed is queued.
        """
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1, "relayq-submit") as sender:
            under_way = None
            try:
                for jobs, command in self._batches(author, specs):
                    receipts += under_way.result() if under_way else []
                    under_way = sender.submit(self._send, jobs, command)
            finally:
                receipts += under_way.result() if under_way else []

    def ask(self, *commands: Command) -> list[Any]:
        """Send commands at once and return their replies; a failure is one of RelayQ's errors."""
        try:
            return self._exchange(commands)
        except WireError as error:
            raise HubUnreachable(f"{error}; {advice(self._wire.address)}") from error
        except WireReplyError as reply:
            if "Function not found" not in str(reply):
                raise error_of(reply, self._wire.address) from reply
        give_library(self._url, self.fleet)
        return self.ask(*commands)

    def close(self) -> None:
        """Drop the connection."""
        self._wire.close()

    def _exchange(self, commands: Sequence[Command]) -> list[Any]:
        try:
            return list(self._wire.pipeline(commands))
        except WireError as error:
            if self._is_fresh and not isinstance(error, WireBrokenError):
                raise
            return list(self._wire.pipeline(commands))
        finally:
            self._is_fresh = False

    def _send(self, jobs: list[str], command: Command) -> list[Receipt]:
        return self._receipts(jobs, self.ask(command)[0])

    def _batches(self, author: Author, specs: Sequence[JobSpec]) -> Iterator[tuple[list[str], Command]]:
        """Signed batches: (the ids, the command that submits them)."""
        for start in range(0, len(specs), MAX_JOBS_PER_CALL):
            batch = specs[start : start + MAX_JOBS_PER_CALL]
            jobs = [new_id(self._wire.address.mark) for _ in batch]
            now_s = int(time.time())
            named = list(zip(batch, jobs, strict=True))
            if self._inbox:
                entries = [(JOB, author.job(spec, job, now_s)) for spec, job in named]
                yield jobs, push_args(self.fleet, self._inbox, entries)
                continue
            record, envelopes = author.batch(named, now_s)
            lanes = {lane.id: lane.json for lane in map(lane_of, batch)}
            signed = [(routing(spec, job), it) for (spec, job), it in zip(named, envelopes, strict=True)]
            yield jobs, submit_args(self.fleet, signed, lanes, record=record)

    def _receipts(self, jobs: list[str], words: list[bytes] | int) -> list[Receipt]:
        shown = self._wire.address.shown
        if isinstance(words, int):  # of an inbox: how many entries wait in it now
            return _pushed(jobs, words, shown)
        if words[0] == b"full":
            raise HubFull(
                f"hub {shown} is full ({int(words[1]) >> 20} of {int(words[2]) >> 20} MiB): "
                f"{NOTHING}; wait until jobs have ended, or raise its maxmemory"
            )
        if words[0] == b"schema":
            from relayq.store.scripts import other_schema

            raise HubSchema(other_schema(int(words[1])))
        if words[0] == b"lanes":
            raise SpecError(f"hub {shown} has 512 different sets of needs already: {NOTHING} (field 'needs')")
        return [_receipt(job, word.decode()) for job, word in zip(jobs, words, strict=True)]


def require_taken(receipts: Sequence[Receipt]) -> Sequence[Receipt]:
    """SpecError when the hub refused one of a batch."""
    refused = [receipt for receipt in receipts if receipt.word == "bad"]
    if refused:
        first = receipts.index(refused[0]) + 1
        raise SpecError(
            f"{len(refused)} of {len(receipts)} jobs are refused, the others are queued; "
            f"job {first} of the list: {refused[0].detail}"
        )
    return receipts


def error_behind(taken: int, error: RelayQError) -> RelayQError:
    """The error of a bulk submission of which so many jobs were queued before it."""
    told, before = str(error), f"only the first {taken} jobs were queued"
    return type(error)(told.replace(NOTHING, before) if NOTHING in told else f"{told}; {before}")


def advice(address: Address) -> str:
    """What to do about a hub that does not answer."""
    if address.scheme == "unix":
        return "start it with `relayq hub start`"
    return "check the address (`relayq config show`) and the network, then try again"


def error_of(reply: WireReplyError, address: Address) -> HubError:
    """The error that an error reply stands for."""
    text, shown = str(reply), address.shown
    if denied := denial(address, reply.code, text.partition(" ")[2]):
        return HubDenied(denied)
    if reply.code == "OOM":
        return HubFull(f"hub {shown} has no memory for new jobs: {NOTHING}; wait, or raise its maxmemory")
    if reply.code == "MISCONF":
        return HubFull(full_disk(shown, text))
    if told := misplaced(shown, text):
        return HubError(told)
    if "unknown command" in text.lower():
        return HubTooOld(f"hub {shown} is older than Redis 7.0: use a newer Redis or Valkey")
    return HubError(f"hub {shown} answered: {text}")


def give_library(url: str, fleet: str) -> None:
    """Load the function library into the hub. Rare, so it may cost what the async store costs."""
    from relayq.client.portal import Portal
    from relayq.store.hub import connect

    async def load() -> None:
        hub = await connect(url, fleet)
        await hub.close()

    portal = Portal()
    try:
        portal.call(load())
    finally:
        portal.close()


def inbox_of(address: Address) -> str:
    """The inbox of a submit-only user, or empty."""
    return address.user.partition("-")[2] if address.role == "submit" else ""


def _pushed(jobs: list[str], waiting: int, shown: str) -> list[Receipt]:
    """What became of jobs that went into an inbox, of which so many entries wait now."""
    if waiting > MOST_WAITING:
        lost = min(len(jobs), waiting - MOST_WAITING)
        raise HubFull(
            f"your inbox at hub {shown} is full: the last {lost} of {len(jobs)} jobs were not taken; "
            "wait until a worker has looked into it, and submit them again"
        )
    return [Receipt(job, "new") for job in jobs]


def _receipt(job: str, answer: str) -> Receipt:
    word, _, detail = answer.partition(":")
    match word:
        case "new" | "dup":
            return Receipt(job, word)
        case "unique":
            return Receipt(detail, word)
        case "replaced" | "bad":
            return Receipt(job, word, detail)
    raise AssertionError(f"rq1_submit answered {answer!r}")

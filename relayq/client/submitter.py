"""The submitting side of every client: the hub it talks to, its worker, and the way in.

With the embedded hub a background worker is started when none is registered. The
submitter says, once for each kind of job, when no registered worker could run it, and
why; the job waits for one that can. What it must know for that travels with the
submission of a job and costs no round trip, and one with that of many.
"""

from __future__ import annotations

import os
import sys
import time

# What threading.Lock is; importing threading for it would cost a cold submit 1.5 ms.
from _thread import allocate_lock
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from relayq.client.dispatch import Command, Dispatcher, Receipt, error_behind, inbox_of
from relayq.client.standing import Standing
from relayq.errors import HubUnreachable, NotFound, RelayQError, SpecError, UsageError
from relayq.model.lifecycle import CRASH_LIMIT
from relayq.model.needs import Lane, lane_of
from relayq.model.retry import MAX_ATTEMPTS
from relayq.store.wire import CANCEL, STEER, Address, push_args
from relayq.trust.envelope import Op, sign_op

if TYPE_CHECKING:
    from relayq.client.files import PathText
    from relayq.client.local import LocalWorker
    from relayq.client.step import StepTeller
    from relayq.config import Config
    from relayq.model.job import JobSpec
    from relayq.model.schedule import Schedule
    from relayq.plugins import JobType
    from relayq.store.reader import Reader
    from relayq.store.records import JobRecord

LOOK_AGAIN_S = 30.0
LANES_TOLD = 5
TRANSFER_TIMEOUT_S = 600.0  # 16 MiB at 28 KB/s


def choose_url(
    config: Config, tell: Callable[[str], None] | None = None, *, again: bool = False
) -> tuple[str, bool]:
    """The hub's URL, and whether it is the local one, whose code is loaded only when it is."""
    if config.url:
        return config.url, False
    from relayq import hub

    return hub.choose_url(config, tell, again=again)


def tell_on_stderr(sentence: str) -> None:
    """What a submitter does with a word for the person."""
    sys.stderr.write(f"relayq: {sentence}\n")


class Submitter:
    """Signs with the owner's key and submits to the chosen hub. Thread safe."""

    def __init__(self, config: Config, tell: Callable[[str], None] = tell_on_stderr) -> None:
        self.config = config
        self.url, self.is_embedded = choose_url(config, tell)
        self.tell = tell
        self._lock = allocate_lock()
        self._looked_s = float("-inf")
        self._step: StepTeller | None = None
        self._lanes_seen: set[str] = set()
        # What a shell job must be, the spec has seen to itself.
        self._judges: dict[str, JobType | None] = {"shell": None}

    @property
    def fleet(self) -> str:
        """The fleet it submits to."""
        return self.config.fleet

    def tend(self) -> None:
        """See that a local hub and its worker are still there; a joined hub is others' business.

        WorkerError, once, when the worker that was started for it could not work.
        """
        if self.is_embedded:
            with suppress(HubUnreachable), self._lock:
                choose_url(self.config, self.tell, again=True)
                self._local.require_alive()
                self._start_local_worker()

    @cached_property
    def _role(self) -> str:
        """What this machine has joined as; empty where it has joined no hub."""
        return Address(self.url).role

    @property
    def is_narrow(self) -> bool:
        """Is this a submit-only user, whose way into the hub is its inbox?"""
        return self._role == "submit"

    def push_order(self, word: str, job: str) -> None:
        """Ask a worker, through the inbox of a submit-only user, to cancel, hold, release or move a job."""
        kind = CANCEL if word == "cancel" else STEER
        inbox = inbox_of(Address(self.url))
        self._dispatcher.ask(push_args(self.fleet, inbox, [(kind, self.sign_order(word, job))]))

    def sign_retry(self, record: JobRecord) -> bytes:
        """The signed op that lets a job which has ended run again.

        It holds up to the attempt that ended. The elements of an array count theirs by
        themselves: for them it holds as far as their policy and the crash limit go.
        """
        numbers = [attempt.number for attempt in record.attempts]
        last = max([record.attempt, *numbers]) if record.array is None else MAX_ATTEMPTS + CRASH_LIMIT
        op = Op("retry", record.id, last, self.fleet, int(time.time()))
        return sign_op(self.standing.key, op)

    def sign_order(self, order: str, subject: str, floor_s: int = 0) -> bytes:
        """A signed order about a running job, or to a worker's session, that a worker obeys.

        Its moment is now, but no earlier than `floor_s` (Unix seconds).
        """
        moment_s = max(floor_s, int(time.time()))
        return sign_op(self.standing.key, Op(order, subject, 0, self.fleet, moment_s))

    def sign_schedule(self, schedule: Schedule) -> bytes:
        """The envelope of a schedule, which is all that its jobs need."""
        self._check_type(schedule.spec)
        with self._lock:
            self.standing.require_voice(self._role)
            return self.standing.author().schedule(schedule, int(time.time()))

    @property
    def kid(self) -> str:
        """The short name of the key it signs with."""
        return self.standing.key.kid

    def believed(self) -> list[str]:
        """The public keys of those who may submit, by the roster as it stands in the hub."""
        from relayq.store.desk import Foreign

        roster = None
        with self._lock, suppress(Foreign):
            roster = self.standing.desk.seen()
        return [roster.owner, *(one.sign for one in roster.of_role("submit"))] if roster else []

    @cached_property
    def standing(self) -> Standing:
        """Our keys, and the roster of the fleet."""
        return Standing(self.config, self._dispatcher.ask)

    def reader(self) -> Reader:
        """What opens specs, output and results for us; asks the hub for the roster."""
        with self._lock:
            return self.standing.reader()

    @cached_property
    def _dispatcher(self) -> Dispatcher:
        return Dispatcher(self.url, self.fleet)

    def submit(self, spec: JobSpec, *, watch: bool = False) -> Receipt:
        """Submit one job; `watch` announces that somebody will wait for it."""
        self._check_type(spec)
        with self._lock:
            self.standing.require_voice(self._role)
            self._see_to_local_hub()
            receipt = self._submit(spec, watch=watch)
            self._tell_step()
            return receipt

    def submit_many(self, specs: Sequence[JobSpec], receipts: list[Receipt] | None = None) -> list[Receipt]:
        """Submit any number of jobs, 500 to a round trip and a signature.

        Where one of these fails, the ones before stand in `receipts`: their jobs are queued.
        """
        taken: list[Receipt] = [] if receipts is None else receipts
        for spec in specs:
            self._check_type(spec)
        with self._lock:
            self.standing.require_voice(self._role)
            self._see_to_local_hub()
            try:
                self._dispatcher.submit_many(self.standing.author(), specs, taken)
            except RelayQError as error:
                if taken:
                    raise error_behind(len(taken), error) from error
                raise
            self._warn_of_many(specs, taken[len(taken) - len(specs) :])
            self._tell_step()
            return taken

    def _check_type(self, spec: JobSpec) -> None:
        """Let a job type that is installed here judge the spec; SpecError when it refuses.

        A file that is not in the hub yet has no key.
        """
        if unsent := [item.name for item in spec.inputs if not item.key]:
            raise SpecError(f"input file {unsent[0]!r} was not sent: name its path (field 'inputs.key')")
        if spec.type not in self._judges:
            from relayq.plugins import load

            self._judges[spec.type] = None
            with suppress(NotFound):
                self._judges[spec.type] = load(spec.type)
        if judge := self._judges[spec.type]:
            judge.check(spec)

    def put_files(self, paths: Iterable[PathText]) -> list[dict[str, Any]]:
        """Seal files of at most 16 MiB and store them in the hub; the items of a spec's `inputs`."""
        from relayq.client.files import put_files

        if self.is_narrow:
            raise UsageError("a submit-only user cannot send files along: let the job fetch them itself")
        with self._lock:
            self.standing.require_voice(self._role)
        sender = Dispatcher(self.url, self.fleet, TRANSFER_TIMEOUT_S)
        try:
            return put_files(paths, sender, self.standing.key)
        finally:
            sender.close()

    def begin_anew(self) -> None:
        """In a child, after a fork: its parent goes on with the connection, so it makes one of its own."""
        self._lock = allocate_lock()
        for name in ("standing", "_dispatcher"):
            self.__dict__.pop(name, None)

    def close(self) -> None:
        """Drop the connection."""
        if self._step is not None:
            self._step.tell(self._dispatcher)
        if "_dispatcher" in self.__dict__:
            self._dispatcher.close()

    def _tell_step(self) -> None:
        """Inside GitHub Actions the hub is told once which step this is."""
        if self._step is None and not self.is_embedded and os.environ.get("GITHUB_ACTIONS") == "true":
            from relayq.client.step import StepTeller

            self._step = StepTeller()
            self._step.tell(self._dispatcher)

    def _submit(self, spec: JobSpec, *, watch: bool) -> Receipt:
        lane = lane_of(spec)
        if lane.id in self._lanes_seen or self.is_narrow:
            return self._send(spec, [], watch=watch)[0]
        receipt, replies = self._send(spec, self._look_at_workers(), watch=watch)
        self._lanes_seen.add(lane.id)
        self._warn([receipt.id], lane, replies)
        return receipt

    def _look_at_workers(self) -> list[Command]:
        return [("TIME",), ("FCALL_RO", "rq1_workers", 1, self._dispatcher.anchor, "{}")]

    def _send(self, spec: JobSpec, also: Sequence[Command], *, watch: bool) -> tuple[Receipt, list[Any]]:
        standing = self.standing
        questions = standing.questions()
        if self.is_narrow:  # it may not read a part of the roster, only all of it
            questions = [("GET", key) for _, key, *_ in questions]
        receipt, replies = self._dispatcher.submit(
            standing.author(), spec, watch=watch, also=[*also, *questions]
        )
        standing.heard(replies[len(also) :])
        return receipt, replies[: len(also)]

    def _warn_of_many(self, specs: Sequence[JobSpec], receipts: Sequence[Receipt]) -> None:
        """What nobody can run is said once for all that need the same, and of a few needs."""
        fresh: dict[str, tuple[Lane, list[str]]] = {}
        for spec, receipt in zip(specs, receipts, strict=True):
            lane = lane_of(spec)
            if receipt.word == "new" and lane.id not in self._lanes_seen:
                fresh.setdefault(lane.id, (lane, []))[1].append(receipt.id)
        if not fresh or self.is_narrow:
            return
        self._lanes_seen.update(fresh)
        with suppress(RelayQError):  # the jobs are queued, whoever could run them
            replies = self._dispatcher.ask(*self._look_at_workers())
            for lane, jobs in [*fresh.values()][:LANES_TOLD]:
                self._warn(jobs, lane, replies)

    def _warn(self, jobs: Sequence[str], lane: Lane, replies: list[Any]) -> None:
        from relayq.store.fleet import NOBODY, nobody_serves

        why = nobody_serves(lane, *replies)
        if not why or (self.is_embedded and why == [NOBODY]):
            return  # the background worker is just starting
        others = len(jobs) - 1
        waits = (
            f"and {others} like it wait: no worker can run them" if others else "waits: no worker can run it"
        )
        self.tell(f"job {jobs[0]} {waits} now ({'; '.join(why)})")

    def _see_to_local_hub(self) -> None:
        """Before something is sent to the local hub: it can write that down, and somebody will run it."""
        if self.is_embedded:
            from relayq import hub

            hub.require_room(self.config)
            self._see_to_local_worker()

    def _see_to_local_worker(self) -> None:
        """Twice a minute at most: it may have left after its idle time."""
        now_s = time.monotonic()
        if now_s - self._looked_s < LOOK_AGAIN_S:
            return
        self._looked_s = now_s
        self._start_local_worker()

    @cached_property
    def _local(self) -> LocalWorker:
        from relayq.client.local import LocalWorker

        return LocalWorker(self.config, self.url)

    def _start_local_worker(self) -> None:
        if self._local.start(self._has_workers):
            self.tell(
                "no worker was running: started one in the background (it leaves after 15 idle minutes)"
            )

    def _has_workers(self) -> bool:
        """Whether other workers are registered and live; our own, whose lock was free, does not."""
        [clock] = self._dispatcher.ask(("TIME",))
        live = f"{{rq:{self.fleet}}}:wlive"
        [sessions] = self._dispatcher.ask(("ZRANGEBYSCORE", live, int(clock[0]) * 1000, "+inf"))
        others = {session.decode().rpartition("#")[0] for session in sessions} - {self.config.worker.name}
        return not all(map(self._local.has_gone, others))

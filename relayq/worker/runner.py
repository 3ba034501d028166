"""Set attempts running: each is one task in which its job type runs.

Commands go to the keeper. All that are started in one turn of the loop travel in
one message, and the exit of each wakes its task. An order may be repeated: the keeper
starts nothing twice and tells again what it knows, which is all there is to
re-attachment. When this worker leaves, the tasks end and the commands run on.

What a job type does in-process, before or after its command, no keeper can end: its worker
sets `cancelled`, and cancels the task if that has not helped after KILL_S, again and again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from relayq.errors import HubError, NotFound, Refused, RelayQError, WorkerError
from relayq.plugins import JobType, Outcome
from relayq.store.records import Report
from relayq.worker import environment, masks
from relayq.worker.admission import Admitted
from relayq.worker.attempt import Attempt
from relayq.worker.care import UNWRITTEN
from relayq.worker.ending import GONE, REFUSED, STOPPED, TIMEOUT
from relayq.worker.files import Files
from relayq.worker.isolation import Isolation, Obstacle
from relayq.worker.keeping import Exited, KeeperClient, Started
from relayq.worker.sandbox import PRIVATE, STRICT
from relayq.worker.session import Patience
from relayq.worker.statedir import remove_tree
from relayq.worker.stock import Stock
from relayq.worker.view import View

log = logging.getLogger("relayq.worker")

KILL_S = 30.0
AS_THE_HUB_WAITS = -1
TERMINATED = 143


class Runner:
    """The running attempts: the host of each."""

    def __init__(
        self,
        *,
        keeper: KeeperClient,
        files: Files,
        types: dict[str, JobType],
        session: str,
        nice: int,
        stock: Stock,
    ) -> None:
        self._keeper, self._files = keeper, files
        self._types, self._session = types, session
        self._nice, self._stock = nice, stock
        self._env = environment.inherited()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._exits: dict[str, asyncio.Future[Exited]] = {}
        self._orders: list[dict[str, Any]] = []
        self._group: asyncio.TaskGroup | None = None
        self.view: View | None = None
        self.isolation = Isolation()
        self.box = ""
        self.on_full: Callable[[WorkerError], None] = lambda _: None
        self._ended: Callable[[Attempt, Outcome], None] = _nobody
        keeper.hear = self._hear

    def enter(self, group: asyncio.TaskGroup, ended: Callable[[Attempt, Outcome], None]) -> None:
        """Let every task belong to `group`; `ended` is told of each end."""
        self._group, self._ended = group, ended

    def make(self, admitted: Admitted, cost: dict[str, int]) -> Attempt:
        """The attempt of an admitted claim, not yet begun."""
        claim = admitted.claim
        return Attempt(
            admitted, cost=cost, place=self._stock.place(f"{claim.job}.{claim.attempt}"), host=self
        )

    def start(self, attempt: Attempt) -> None:
        """Set an attempt running."""
        assert self._group
        if self.view:
            self.view.started(attempt)
        self._tasks[attempt.key] = self._group.create_task(self._run(attempt))

    def leave(self) -> None:
        """End the tasks and leave the commands to the keeper."""
        self._keeper.hear = self._keeper.events.put_nowait
        for task in list(self._tasks.values()):
            task.cancel()

    def keep_again(self, attempt: Attempt, report: Report, then: Callable[[Report], None]) -> None:
        """The hub has lost the files of this report: put them once more, `then` tell it again."""
        assert self._group
        self._tasks[attempt.key] = self._group.create_task(self._keep_again(attempt, report, then))

    # -- the host of an attempt

    async def spawn(self, attempt: Attempt, argv: list[str], env: Mapping[str, str], cwd: str) -> Outcome:
        """Order a command and wait for its end."""
        if attempt.asked:
            return Outcome(ok=False, exit_code=TERMINATED, reason=attempt.asked)
        # Of an attempt that was adopted the keeper only tells again what it knows.
        order = {"key": attempt.key}
        if not attempt.is_adopted:
            order = self._order_of(attempt, argv, env, cwd)
            if obstacle := self.isolation.obstacle(
                order, attempt.admitted.terms, self._keeper.keeper_version
            ):
                return _not_started(attempt, obstacle)
            order = self.isolation.confine(order, attempt.admitted.terms)
            order["ready"] = self._stock.take(attempt.place)
        exited = self._exits[attempt.key] = asyncio.get_running_loop().create_future()
        self._order(order)
        ended = await exited
        if ended.reason == UNWRITTEN:  # nothing ran, whatever the job type makes of it
            self.on_full(WorkerError(ended.note))
            attempt.end(STOPPED)
        outcome = _outcome_of(attempt, ended)
        if attempt.asked or outcome.reason == TIMEOUT:  # the job type shall not go on for long either
            attempt.end(TIMEOUT)
        if attempt.is_adopted or attempt.admitted.terms.level == STRICT:
            await asyncio.to_thread(remove_tree, Path(attempt.place, PRIVATE))
        return outcome

    def end(self, attempt: Attempt, *, at_once: bool = False) -> None:
        """End a running attempt: the keeper ends commands, `cancelled` and patience everything else."""
        loop = asyncio.get_running_loop()
        if attempt.key in self._exits:
            loop.call_soon(self._kill, attempt, at_once)  # after the order, should that still be on its way
        elif (task := self._tasks.get(attempt.key)) and attempt.is_carrying:
            task.cancel()
        elif task:
            loop.call_later(0 if at_once else KILL_S, _insist, task)

    # -- inside

    def _hear(self, event: Started | Exited) -> None:
        """Wake the task of a command that has ended."""
        if isinstance(event, Exited):
            waiter = self._exits.pop(event.key, None)
            if waiter is None:
                assert self._group
                self._group.create_task(self._keeper.forget([event.key]))
            elif not waiter.done():
                waiter.set_result(event)

    async def _keep_again(self, attempt: Attempt, report: Report, then: Callable[[Report], None]) -> None:
        kept = await self._files.keep(attempt)
        del self._tasks[attempt.key]
        then(replace(report, outputs=kept.outputs))

    async def _run(self, attempt: Attempt) -> None:
        try:
            outcome = await self._outcome(attempt)
            await self._end_command(attempt)
            if outcome.ok and attempt.spec.outputs and not attempt.asked:
                await self._keep(attempt)
        except asyncio.CancelledError:
            if not attempt.asked and _is_cancelled():
                raise
            if not _is_cancelled():
                await self._end_command(attempt)
            outcome = Outcome(ok=False, exit_code=TERMINATED, reason=attempt.asked)
        del self._tasks[attempt.key]
        attempt.finish(is_ok=outcome.ok)
        if self.view:
            self.view.ended(attempt, outcome)
        self._ended(attempt, outcome)

    async def _outcome(self, attempt: Attempt) -> Outcome:
        """Run the job type. Whatever a stranger's code raises fails the attempt and nothing else."""
        if attempt.timeout_ms:
            self._look_in(attempt.timeout_ms / 1000, attempt)
        try:
            return await self._run_type(attempt)
        except RelayQError as error:
            _complain(attempt, f"relayq: {error}\n")
            attempt.refusal = str(error) if isinstance(error, Refused) else ""
            reason = REFUSED if attempt.refusal else "exit"
            return Outcome(ok=False, exit_code=error.exit_code, reason=reason)
        except Exception as error:
            _complain(attempt, "".join(traceback.format_exception(error)))
            return Outcome(ok=False, exit_code=1, reason="exit")
        finally:
            if timer := self._timers.pop(attempt.key, None):
                timer.cancel()

    async def _end_command(self, attempt: Attempt) -> None:
        """What a job type has not waited for ends with it, or it would run on while the job runs again."""
        waiter = self._exits.get(attempt.key)
        if waiter is None and not self._keeper.runs(attempt.key):
            return
        loop = asyncio.get_running_loop()
        if waiter is None or waiter.done():  # nobody waits, or no more
            waiter = self._exits[attempt.key] = loop.create_future()
        loop.call_soon(self._kill, attempt, False)  # after the order, should that still be on its way
        await waiter

    async def _run_type(self, attempt: Attempt) -> Outcome:
        spec = attempt.spec
        kind = self._types.get(spec.type)
        if kind is None:
            raise NotFound(f"job type {spec.type!r} is not installed here any more")
        if not attempt.is_adopted:  # what runs was checked by the worker that started it
            kind.check(spec)
        if spec.inputs and not attempt.is_adopted and not await self._bring(attempt):
            return Outcome(ok=False, exit_code=TERMINATED, reason=STOPPED)
        if spec.secrets and not attempt.is_adopted:
            masks.leave(attempt, self.box)
        return await kind.run(attempt)

    async def _bring(self, attempt: Attempt) -> bool:
        """Fetch the inputs; False when the hub has gone: once it is back, the job may be another worker's."""
        attempt.is_carrying = True
        try:
            await self._files.bring(attempt)
        except HubError as error:
            log.info("inputs cannot be fetched, the job goes back: %s", error, extra={"job": attempt.job})
            await Patience().wait()
            return False
        finally:
            attempt.is_carrying = False
        return True

    async def _keep(self, attempt: Attempt) -> None:
        """Put the outputs into the hub. The room waits: without its hub a worker starts nothing anyway."""
        attempt.is_carrying = True
        try:
            attempt.outputs, notice = await self._files.keep(attempt)
        finally:
            attempt.is_carrying = False
        if notice:
            _complain(attempt, f"relayq: {notice}\n")

    def _look_in(self, after_s: float, attempt: Attempt) -> None:
        loop = asyncio.get_running_loop()
        self._timers[attempt.key] = loop.call_later(after_s, self._time_out, attempt)

    def _time_out(self, attempt: Attempt) -> None:
        """Its time is over. The keeper keeps that of its command, which may have begun much later."""
        if attempt.key in self._exits:
            self._look_in(KILL_S, attempt)
        else:
            attempt.end(TIMEOUT)

    def _kill(self, attempt: Attempt, at_once: bool) -> None:
        assert self._group
        kill_ms = 0 if at_once else None
        self._group.create_task(self._keeper.kill(attempt.key, attempt.asked or GONE, kill_ms=kill_ms))

    def _order(self, order: dict[str, Any]) -> None:
        if not self._orders:
            asyncio.get_running_loop().call_soon(self._send_orders)
        self._orders.append(order)

    def _send_orders(self) -> None:
        orders, self._orders = self._orders, []
        self._keeper.order(orders)

    def _order_of(
        self, attempt: Attempt, argv: list[str], env: Mapping[str, str], cwd: str
    ) -> dict[str, Any]:
        """The order as the keeper's protocol has it."""
        spec, place = attempt.spec, attempt.place
        own = environment.of_attempt(spec, attempt.admitted.claim, session=self._session, place=place)
        return {
            "key": attempt.key,
            "argv": argv,
            "env": {**self._env, **env, **own},
            "cwd": cwd,
            "dir": place,
            "stdin": f"{place}/stdin" if attempt.has_stdin else "",
            "timeout_ms": attempt.timeout_ms,
            "kill_ms": int(KILL_S * 1000),
            "orphan_ms": spec.grace_ms or AS_THE_HUB_WAITS,
            "limits": {"data_bytes": spec.needs.memory_bytes, "nice": self._nice},
        }


def _is_cancelled() -> bool:
    """Was this task cancelled from outside, or did a job type raise CancelledError by itself?"""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _insist(task: asyncio.Task[None]) -> None:
    """Cancel a task until it has ended: a job type may catch that, and go on."""
    if not task.done():
        task.cancel()
        asyncio.get_running_loop().call_later(KILL_S, _insist, task)


def _complain(attempt: Attempt, text: str) -> None:
    with contextlib.suppress(OSError):  # the disk may be full
        attempt.write(text.encode(errors="replace"), 2)


def _not_started(attempt: Attempt, obstacle: Obstacle) -> Outcome:
    Path(attempt.place, "work").mkdir(parents=True, mode=0o700, exist_ok=True)
    _complain(attempt, f"relayq: {obstacle.sentence}\n")
    return Outcome(ok=False, exit_code=obstacle.exit_code, reason="exit")


def _outcome_of(attempt: Attempt, exited: Exited) -> Outcome:
    attempt.measured_ms, attempt.ended_at = exited.run_ms, exited.ended_at
    reason = "exit" if exited.reason == "spawn" else exited.reason
    return Outcome(ok=exited.code == 0 and reason == "exit", exit_code=exited.code, reason=reason)


def _nobody(*_: object) -> None:
    raise AssertionError("an attempt ran before its worker did")

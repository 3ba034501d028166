"""A worker comes back: which attempts ran on without it, which ended, which are lost.

The spool says what this worker held, the keeper what became of it. What runs is held
again, what ended is reported (and what it leaves put into the hub once more), what never
started goes back to the hub. An attempt of which nobody knows the end (the machine went
down, or it ran inside the old process) is not listed any more, and the hub counts it as
a crash.

That it left no trace proves that a command never started, unless the machine went down
meanwhile: traces are not synced. What runs inside a worker need not leave any. Where there is
no proof the attempt counts as lost, because some jobs must not run twice.
"""

from __future__ import annotations

import logging

from relayq import plugins
from relayq.errors import RelayQError
from relayq.store.records import Report
from relayq.worker.admission import readmit
from relayq.worker.board import Board
from relayq.worker.ending import LOST
from relayq.worker.keeping import Held, KeeperClient
from relayq.worker.spool import Ending, OpenAttempt, Spool
from relayq.worker.statedir import StateDir

log = logging.getLogger("relayq.worker")


async def adopt(board: Board, spool: Spool, keeper: KeeperClient, directory: StateDir) -> None:
    """Bring board, spool and keeper to one view, before the hub is asked for its own."""
    kept, is_new_boot = keeper.held(), directory.is_new_boot()
    lost: list[OpenAttempt] = []
    for one in spool.opened():
        key = f"{one.job}.{one.attempt}"
        held = kept.pop(key, None)
        if one.report and not (one.report.outputs and held):
            board.replay(one.report)
            await _drop(keeper, key, held)
        elif held and not _is_lost(held) and _taken_back(board, one):
            log.info("attempt re-attached", extra={"job": one.job, "attempt": one.attempt})
        elif held or is_new_boot or (directory.attempts / key).exists() or not _is_command(one):
            lost.append(one)
            await _drop(keeper, key, held)
        else:
            board.replay(Report(job=one.job, attempt=one.attempt, outcome="handback"))
    for key, held in kept.items():
        await _drop(keeper, key, held)
    await _write_off(spool, lost)
    directory.note_boot()


def _is_lost(held: Held) -> bool:
    return held.exited is not None and held.exited.reason in LOST


def _is_command(one: OpenAttempt) -> bool:
    """Is it a job of which nothing can have run without the keeper?"""
    try:
        return readmit(one).spec.type in plugins.BUILT_IN
    except RelayQError:
        return False


def _taken_back(board: Board, one: OpenAttempt) -> bool:
    try:
        board.adopt(readmit(one))
    except RelayQError as error:
        log.warning("a journaled attempt cannot be read: %s", error, extra={"job": one.job})
        return False
    return True


async def _drop(keeper: KeeperClient, key: str, held: Held | None) -> None:
    """Nobody waits for this any more."""
    if held and not held.exited:
        await keeper.kill(key, "gone")
    await keeper.forget([key])


async def _write_off(spool: Spool, lost: list[OpenAttempt]) -> None:
    for one in lost:
        log.warning("attempt lost", extra={"job": one.job, "attempt": one.attempt})
    if lost:
        spool.acknowledged([(one.job, one.attempt) for one in lost])
        await spool.ended(
            Ending(
                job=one.job,
                attempt=one.attempt,
                exp_s=one.exp_s,
                done=False,
                report=None,
                failed=one.failures - 1,
            )
            for one in lost
        )

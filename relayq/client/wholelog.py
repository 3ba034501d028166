"""The whole output of an attempt: pulled from the disk of the worker that ran it, in pieces."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator

from relayq.errors import NotFound, WaitTimeout
from relayq.store.blobs import Pulls

PATIENCE_MS = 15_000
STREAMS = {"o": 1, "e": 2}


async def whole_log(
    pulls: Pulls, job: str, *, worker: str, attempt: int
) -> AsyncGenerator[tuple[int, bytes], None]:
    """All output of an attempt as (stream, bytes), from the worker that ran it.

    NotFound when it has it no more, WaitTimeout when it does not answer.
    """
    ticket = secrets.token_hex(8)
    _require_asked(job, await pulls.ask(job, ticket, worker=worker, attempt=attempt))
    while pieces := await pulls.take(ticket, PATIENCE_MS):
        for kind, data in pieces:
            if kind in STREAMS:
                yield STREAMS[kind], data
            elif kind == "x" and data:
                why = data.decode(errors="replace")
                raise NotFound(f"the whole output of job {job} cannot be had: {why}")
            elif kind == "x":
                return
    raise WaitTimeout(f"worker {worker} does not answer; `relayq logs` shows what the hub kept of job {job}")


def _require_asked(job: str, answer: str) -> None:
    if answer == "unknown":
        raise NotFound(f"job {job} has not run on any worker")
    if answer.startswith("offline:"):
        worker = answer.partition(":")[2]
        raise NotFound(f"the whole output of job {job} is on worker {worker}, which is offline")

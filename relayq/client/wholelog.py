"""The whole output of a job: pulled from the disk of the worker that ran it, in pieces."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator

from relayq.errors import NotFound, WaitTimeout
from relayq.store.blobs import Pulls

PATIENCE_MS = 15_000
STREAMS = {"o": 1, "e": 2}


async def whole_log(pulls: Pulls, job: str) -> AsyncGenerator[tuple[int, bytes], None]:
    """All output of the last attempt as (stream, bytes).

    NotFound when no worker has it any more, WaitTimeout when the worker does not answer.
    """
    ticket = secrets.token_hex(8)
    _require_asked(job, await pulls.ask(job, ticket))
    while pieces := await pulls.take(ticket, PATIENCE_MS):
        for kind, data in pieces:
            if kind in STREAMS:
                yield STREAMS[kind], data
            elif data:
                raise NotFound(
                    f"the whole output of job {job} cannot be had: {data.decode(errors='replace')}"
                )
            else:
                return
    raise WaitTimeout(f"the worker that ran job {job} does not answer; `relayq logs` shows what the hub kept")


def _require_asked(job: str, answer: str) -> None:
    if answer == "unknown":
        raise NotFound(f"job {job} has not run on any worker")
    if answer.startswith("offline:"):
        worker = answer.partition(":")[2]
        raise NotFound(f"the whole output of job {job} is on worker {worker}, which is offline")

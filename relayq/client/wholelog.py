"""The whole output of an attempt, from the disk of the worker that ran it: this one, or through the hub."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from relayq.errors import NotFound, WaitTimeout
from relayq.model.ids import short
from relayq.worker.keptlog import KeptLog, Part, places_of

if TYPE_CHECKING:
    from relayq.client.aio import AsyncClient
    from relayq.store.records import AttemptRecord

PATIENCE_MS = 30_000
STREAMS = {"o": 1, "e": 2}


class WholeLog:
    """One attempt's output; `bytes` is how much there is of it, known with the first part."""

    def __init__(self, client: AsyncClient, job: str, attempt: AttemptRecord) -> None:
        self._client, self._job = client, job
        self._number, self._worker = attempt.number, attempt.worker
        self.bytes = 0

    async def parts(self) -> AsyncGenerator[Part, None]:
        """All of it, stdout before stderr.

        NotFound when its worker is offline or has it no more, WaitTimeout when it does not answer.
        """
        place = await asyncio.to_thread(self._place)
        async with aclosing(self._pulled() if place is None else self._read(place)) as parts:
            async for part in parts:
                yield part

    def _place(self) -> Path | None:
        """Where it lies on this machine."""
        attempts = self._client.submitter.config.state_dir / "workers" / self._worker / "attempts"
        return next(iter(places_of(attempts, self._job, self._number)), None)

    async def _read(self, place: Path) -> AsyncGenerator[Part, None]:
        kept = KeptLog(place)
        self.bytes = kept.bytes
        parts = kept.parts()
        while part := await asyncio.to_thread(next, parts, None):
            yield part

    async def _pulled(self) -> AsyncGenerator[Part, None]:
        pulls, ticket = self._client.pulls, secrets.token_hex(8)
        answer = await pulls.ask(self._job, ticket, worker=self._worker, attempt=self._number)
        if answer != "asked":
            await self._require_nothing_said("which is offline")
            return
        numbers = count()
        while pieces := await pulls.take(ticket, PATIENCE_MS):
            for kind, sealed in pieces:
                data = await pulls.opened(ticket, next(numbers), kind, sealed)
                if kind == "s":
                    self.bytes = int(data)
                elif kind in STREAMS:
                    yield Part(STREAMS[kind], data)
                elif data:
                    await self._require_nothing_said("which has thrown it away by now")
                    return
                else:
                    return
        raise WaitTimeout(f"worker {self._worker} does not answer; {self._advice()}")

    async def _require_nothing_said(self, why: str) -> None:
        """Nothing is kept of an attempt that wrote nothing, so there is nothing to miss."""
        if await self._client.logs.read(self._job, self._number):
            raise NotFound(
                f"the whole output of job {self._job} is on worker {self._worker}, {why}; {self._advice()}"
            )

    def _advice(self) -> str:
        return f"`relayq logs {short(self._job)}` shows what the hub kept"

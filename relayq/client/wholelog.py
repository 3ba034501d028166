"""The whole output of an attempt, from the disk of the worker that ran it: this one, or through the hub."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from itertools import count
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

from relayq.errors import NotFound, WaitTimeout
from relayq.model.ids import short
from relayq.trust.outputs import Asked
from relayq.trust.redacting import Redactor
from relayq.worker.keptlog import GONE, KeptLog, Part, places_of
from relayq.worker.masks import has_secrets

if TYPE_CHECKING:
    from relayq.client.aio import AsyncClient
    from relayq.store.records import AttemptRecord

PATIENCE_MS = 30_000
STREAMS = {"o": 1, "e": 2}


class WholeLog:
    """One attempt's output; `bytes` is how much there is of it, known with the first part.

    `secrets` are the values to mask, as far as our keys open them. What lies on this machine and
    has secrets that we do not know is left to its worker, which does.
    """

    def __init__(
        self, client: AsyncClient, job: str, attempt: AttemptRecord, secrets: Sequence[str] = ()
    ) -> None:
        self._client, self._job, self._secrets = client, job, secrets
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
        """Where it lies on this machine, if it can be shown from there."""
        attempts = self._client.submitter.config.state_dir / "workers" / self._worker / "attempts"
        place = next(iter(places_of(attempts, self._job, self._number)), None)
        return None if place and has_secrets(place) and not self._secrets else place

    async def _read(self, place: Path) -> AsyncGenerator[Part, None]:
        kept = KeptLog(place, Redactor(self._secrets) if self._secrets else None)
        self.bytes = kept.bytes
        parts = kept.parts()
        while part := await asyncio.to_thread(next, parts, None):
            yield part

    async def _pulled(self) -> AsyncGenerator[Part, None]:
        pulls, ticket = self._client.pulls, token_hex(8)
        asked = Asked(ticket, self._job, self._number)
        answer = await pulls.ask(self._job, ticket, worker=self._worker, attempt=self._number)
        if answer != "asked":
            await self._require_nothing_said("which is offline")
            return
        numbers = count()
        while pieces := await pulls.take(ticket, PATIENCE_MS):
            for kind, sealed in pieces:
                data = await pulls.opened(asked, next(numbers), kind, sealed)
                if kind == "s":
                    self.bytes = int(data)
                elif kind in STREAMS:
                    yield Part(STREAMS[kind], data)
                elif data == GONE:
                    await self._require_nothing_said("which has thrown it away by now")
                    return
                elif data:
                    raise NotFound(f"worker {self._worker} says: {data.decode('utf-8', 'replace')}")
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

"""Pour the whole log of a job to whoever asks for it: the hub keeps only head and tail.

The reader leaves a ticket; pieces go to a short stream of that name for as long as the
reader takes them away, so a log of any size costs the hub a few pieces at a time. Each
reader has a task and a link of its own, and files are read in a thread: neither a slow
reader nor a slow disk holds up the jobs that run here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path

from relayq.errors import HubError, Refused
from relayq.store.blobs import Pulls
from relayq.store.records import Letter
from relayq.trust.sealing import Opener
from relayq.worker.keptlog import GONE, KeptLog, places_of
from relayq.worker.masks import redactor_of
from relayq.worker.session import Session

log = logging.getLogger("relayq.worker")

WAIT_MIN_S, WAIT_MAX_S = 0.02, 0.5
# A reader that takes nothing away for so long has gone.
PATIENCE_S = 60.0
KINDS = {1: "o", 2: "e"}

Seal = Callable[[int, str, bytes], bytes]


async def pour(session: Session, attempts: Path, letter: Letter, seal: Seal, opener: Opener) -> None:
    """Answer one ticket; a reader that has gone is given up, a link that broke is not mended.

    `seal` gets the number, the kind and the bytes of each piece; `opener` opens what must be masked.
    """
    try:
        hub = await session.open_link()
        try:
            await _answer(Tap(Pulls(hub), letter.ticket, seal), attempts, letter, opener)
        finally:
            await hub.close()
    except (HubError, OSError) as error:
        log.info("nobody took the log", extra={"job": letter.job, "why": str(error) or "the reader has gone"})


class Tap:
    """Where the pieces for one reader leave: numbered and sealed."""

    def __init__(self, pulls: Pulls, ticket: str, seal: Seal) -> None:
        self._pulls, self._ticket, self._seal = pulls, ticket, seal
        self._number = 0

    async def hand_over(self, kind: str, data: bytes) -> None:
        """Pour one piece once there is room for it; TimeoutError when the reader makes none."""
        sealed = self._seal(self._number, kind, data)
        self._number += 1
        until, wait_s = time.monotonic() + PATIENCE_S, WAIT_MIN_S
        while not await self._pulls.pour(self._ticket, kind, sealed):
            if time.monotonic() > until:
                raise TimeoutError
            await asyncio.sleep(wait_s)
            wait_s = min(WAIT_MAX_S, wait_s * 2)


async def _answer(tap: Tap, attempts: Path, letter: Letter, opener: Opener) -> None:
    places = await asyncio.to_thread(places_of, attempts, letter.job, letter.attempt)
    try:
        kept = [KeptLog(place, redactor_of(place, opener)) for place in places]
    except Refused as refusal:
        await tap.hand_over("x", refusal.why.encode())
        return
    if not kept:
        await tap.hand_over("x", GONE)
        return
    await tap.hand_over("s", str(sum(one.bytes for one in kept)).encode())
    for parts in [one.parts() for one in kept]:
        while part := await asyncio.to_thread(next, parts, None):
            await tap.hand_over(KINDS[part.stream], part.data)
    await tap.hand_over("x", b"")

"""Pour the whole log of a job to whoever asks for it: the hub keeps only head and tail.

The reader leaves a ticket; pieces go to a short stream of that name for as long as the
reader takes them away, so a log of any size costs the hub a few pieces at a time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

from relayq.errors import HubError
from relayq.store.blobs import Pulls
from relayq.store.records import Letter
from relayq.worker.output import Tail
from relayq.worker.session import Session

log = logging.getLogger("relayq.worker")

PIECE_BYTES = 64 * 1024
WAIT_S = 0.05
# A reader that takes nothing away for so long has gone.
PATIENCE_S = 60.0
EVERYTHING = 1 << 60
KINDS = {1: "o", 2: "e"}


async def pour(session: Session, attempts: Path, letter: Letter) -> None:
    """Answer one ticket; a reader that has gone is given up, a link that broke is not mended."""
    try:
        hub = await session.open_link()
        try:
            await _answer(Pulls(hub), attempts, letter)
        finally:
            await hub.close()
    except (HubError, TimeoutError) as error:
        log.info("nobody took the log", extra={"job": letter.job, "why": str(error) or "the reader has gone"})


async def _answer(pulls: Pulls, attempts: Path, letter: Letter) -> None:
    tails = [Tail(place, keep_bytes=EVERYTHING) for place in _places(attempts, letter)]
    if not tails:
        await _hand_over(pulls, letter.ticket, "x", b"the worker has kept no output of it")
        return
    total = sum(sum(tail.sizes()) for tail in tails)
    await _hand_over(pulls, letter.ticket, "s", str(total).encode())
    for tail in tails:
        while pieces := tail.read(PIECE_BYTES):
            for piece in pieces:
                await _hand_over(pulls, letter.ticket, KINDS[piece.stream], piece.data)
    await _hand_over(pulls, letter.ticket, "x", b"")


async def _hand_over(pulls: Pulls, ticket: str, kind: str, data: bytes) -> None:
    until = time.monotonic() + PATIENCE_S
    while not await pulls.pour(ticket, kind, data):
        if time.monotonic() > until:
            raise TimeoutError
        await asyncio.sleep(WAIT_S)


def _places(attempts: Path, letter: Letter) -> list[Path]:
    """The directories of the attempt that was asked for, or of every one that ran here."""
    if letter.attempt:
        numbers = [letter.attempt]
    else:
        numbers = sorted(
            int(path.name.rpartition(".")[2])
            for path in attempts.iterdir()
            if path.name.rpartition(".")[0] == letter.job
        )
    return [path for number in numbers if (path := attempts / f"{letter.job}.{number}").is_dir()]

"""Keep room on the worker's disk, and take nothing while there is none.

Every claim is journaled before it starts, so a disk that is full shows there first: the
claim goes back and the gate closes, or this worker would go through the whole queue and
fail job after job. Until there is room again, what attempts have left behind goes, the
oldest first and earlier than its time; what is held is not touched.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from relayq.errors import WorkerError
from relayq.worker.bell import Bell
from relayq.worker.gate import Gate
from relayq.worker.retention import Retention
from relayq.worker.spool import Spool

log = logging.getLogger("relayq.worker")

FULL = "full"
GLANCE_S = 60.0
FULL_GLANCE_S = 1.0


class Disk:
    """Looks after the disk for as long as the worker lives; `held` tells the keys of attempts in hand."""

    def __init__(
        self, *, spool: Spool, retention: Retention, gate: Gate, bell: Bell, held: Callable[[], set[str]]
    ) -> None:
        self._spool, self._retention = spool, retention
        self._gate, self._bell, self._held = gate, bell, held
        self._filled = asyncio.Event()

    def filled(self, error: WorkerError) -> None:
        """Something could not be written: take nothing until it can. Said once."""
        if not self._filled.is_set():
            log.warning("claims go back and nothing new is taken: %s", error)
            self._gate.close(FULL, "its disk is full")
            self._filled.set()

    async def keep(self) -> None:
        """Look after it for ever."""
        while True:
            if self._filled.is_set():
                await self._make_room()
            elif self._retention.is_due:
                await asyncio.to_thread(self._retention.prune, self._held())
                with contextlib.suppress(WorkerError):  # the next claim will say so
                    await self._spool.prune(int(time.time()))
            await self._pause()

    async def _make_room(self) -> None:
        await asyncio.to_thread(self._retention.make_room, self._held())
        try:
            self._spool.require_room()
            await self._spool.prune(int(time.time()))
        except WorkerError:
            return
        log.info("the disk has room again")
        self._filled.clear()
        self._gate.open(FULL)
        self._bell.ring()

    async def _pause(self) -> None:
        if self._filled.is_set():
            await asyncio.sleep(FULL_GLANCE_S)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GLANCE_S):
                await self._filled.wait()

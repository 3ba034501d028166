"""What wakes the main loop: a ring, or the time at which it wanted to look anyway."""

from __future__ import annotations

import asyncio


class Bell:
    """One waiter, many ringers. A ring while nobody waits is kept for the next wait."""

    __slots__ = ("_rung", "_waiter")

    def __init__(self) -> None:
        self._rung = False
        self._waiter: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """Wake the waiter, now or as soon as it waits."""
        self._rung = True
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self, timeout_s: float) -> None:
        """Return at the next ring, or after the time."""
        if not self._rung and timeout_s > 0:
            loop = asyncio.get_running_loop()
            self._waiter = loop.create_future()
            timer = loop.call_later(timeout_s, self.ring)
            try:
                await self._waiter
            finally:
                timer.cancel()
                self._waiter = None
        self._rung = False

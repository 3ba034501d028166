"""Run coroutines from plain code: a private event loop in a thread of its own.

Because the loop is not the caller's, the sync face works in a script, in a
notebook and inside a running loop alike. The thread is a daemon: a script that
forgets to close its client still ends.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


class Portal:
    """An event loop that other threads hand coroutines to."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relayq-portal", daemon=True)
        self._thread.start()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run `coroutine` on the loop and return what it returns; an interrupt cancels it."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def iterate(self, items: AsyncIterator[T]) -> Iterator[T]:
        """Pull `items` one by one from the loop."""
        while True:
            try:
                yield self.call(_next(items))
            except StopAsyncIteration:
                return

    def close(self) -> None:
        """Stop the loop and its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)
        self._loop.close()


async def _next(items: AsyncIterator[T]) -> T:
    return await anext(items)

"""Run coroutines from plain code: a private event loop in a thread of its own.

Because the loop is not the caller's, the sync face works in a script, in a
notebook and inside a running loop alike. The thread is a daemon: a script that
forgets to close its client still ends.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import CancelledError
from typing import Any, TypeVar

from relayq.errors import RelayQError

T = TypeVar("T")


CLOSED = "the client was closed while this waited; jobs go on"


class Portal:
    """An event loop that other threads hand coroutines to."""

    def __init__(self) -> None:
        self._gate, self._is_closed = threading.Lock(), False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relayq-portal", daemon=True)
        self._thread.start()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run `coroutine` on the loop and return what it returns; an interrupt cancels it.

        RelayQError when another thread closes the portal meanwhile.
        """
        with self._gate:
            if self._is_closed:
                coroutine.close()
                raise RelayQError(CLOSED)
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except CancelledError:
            raise RelayQError(CLOSED) from None
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

    def close(self, last: Coroutine[Any, Any, None] | None = None) -> None:
        """End what others wait for here, run `last`, and stop the loop and its thread."""
        with self._gate:
            self._is_closed = True
        try:
            asyncio.run_coroutine_threadsafe(_end_all(last), self._loop).result()
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=5)
            self._loop.close()


async def _next(items: AsyncIterator[T]) -> T:
    return await anext(items)


async def _end_all(last: Coroutine[Any, Any, None] | None) -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    if last is not None:
        await last

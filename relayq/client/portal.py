"""Run coroutines from plain code: a private event loop in a thread of its own.

Because the loop is not the caller's, the sync face works in a script, in a
notebook and inside a running loop alike. The thread is a daemon: a script that
forgets to close its client still ends. It knows the loop and not the portal, so that
whoever forgets the client as well can be told by the garbage collector to `leave`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
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
        self._thread = threading.Thread(target=_live, args=(self._loop,), name="relayq-portal", daemon=True)
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

    def close(self, last: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
        """End what others wait for here, run `last`, and stop the loop and its thread."""
        with self._gate:
            self._is_closed = True
        try:
            asyncio.run_coroutine_threadsafe(_end_all(last), self._loop).result()
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=5)

    def leave(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """The same from any thread, this one's own as well, and without waiting for it."""
        if not self._loop.is_closed():
            asyncio.run_coroutine_threadsafe(_leave(last), self._loop)


def _live(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()


async def _next(items: AsyncIterator[T]) -> T:
    return await anext(items)


async def _leave(last: Callable[[], Coroutine[Any, Any, None]]) -> None:
    try:
        await _end_all(last)
    finally:
        asyncio.get_running_loop().stop()


async def _end_all(last: Callable[[], Coroutine[Any, Any, None]] | None) -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    if last is not None:
        await last()

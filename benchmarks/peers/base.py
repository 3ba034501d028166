"""What an adapter has in common: the loops that time it.

A peer whose client is synchronous fills in `submit`, `submit_many`, `result` and
`worker`; one whose client is asynchronous the same as coroutines, plus `open`.
Kept light, because a cold submit imports it.
"""

from __future__ import annotations

import os
from time import perf_counter, time

from benchmarks.work import argument

URL = os.environ.get("BENCH_URL", "redis://127.0.0.1:6379/0")
RESULT_S = 60


class Common:
    """What a peer need not have."""

    simplest = "noop"  # the kind of work that is submitted when only the submit counts

    def array(self, size: int) -> float | None:
        """Submit one array of so many elements and return the seconds; None for a peer without arrays."""
        return None

    def back_at(self, running: int) -> float | None:
        """Return when a returned worker had its running jobs again; None for a peer that cannot have them."""
        return None

    def worker(self, slots: int) -> list[str]:
        """Return the command of a worker that runs so many jobs at once."""
        raise NotImplementedError


class SyncPeer(Common):
    """A peer with a synchronous client."""

    def submit(self, kind: str, text: str):
        """Submit one job and return its handle."""
        raise NotImplementedError

    def submit_many(self, kind: str, texts: list[str]) -> None:
        """Submit many jobs the quickest way that the peer documents."""
        for text in texts:
            self.submit(kind, text)

    def result(self, handle) -> None:
        """Wait for a job's result."""
        raise NotImplementedError

    def cold(self) -> None:
        """Submit one job, as the only thing a process does."""
        self.submit("noop", argument(0))

    def warm(self, count: int) -> list[float]:
        """Return the seconds of each of so many submits, after the first."""
        return [self._timed_submit(number) for number in range(count + 1)][1:]

    def fill(self, kind: str, texts: list[str]) -> tuple[float, float]:
        """Submit many jobs; return the time when it began and the seconds that all but the first took."""
        began = time()
        self.submit(kind, texts[0])
        begin = perf_counter()
        self.submit_many(kind, texts[1:])
        return began, perf_counter() - begin

    def round_trips(self, count: int, enough_s: float) -> list[float]:
        """Return the seconds from submit to result of up to so many jobs, after the first."""
        taken, begin = [], perf_counter()
        while len(taken) <= count and perf_counter() - begin < enough_s:
            taken.append(self._timed_result(len(taken)))
        return taken[1:]

    def _timed_submit(self, number: int) -> float:
        begin = perf_counter()
        self.submit(self.simplest, argument(number))
        return perf_counter() - begin

    def _timed_result(self, number: int) -> float:
        begin = perf_counter()
        self.result(self.submit("shell", argument(number)))
        return perf_counter() - begin


class AsyncPeer(Common):
    """A peer with an asynchronous client: the same, inside one event loop."""

    async def open(self) -> None:
        """Connect."""

    async def close(self) -> None:
        """Disconnect."""

    async def submit(self, kind: str, text: str):
        """Submit one job and return its handle."""
        raise NotImplementedError

    async def submit_many(self, kind: str, texts: list[str]) -> None:
        """Submit many jobs the quickest way that the peer documents."""
        for text in texts:
            await self.submit(kind, text)

    async def result(self, handle) -> None:
        """Wait for a job's result."""
        raise NotImplementedError

    def cold(self) -> None:
        """Submit one job, as the only thing a process does."""
        self._run(self.submit, "noop", argument(0))

    def warm(self, count: int) -> list[float]:
        """Return the seconds of each of so many submits, after the first."""
        return self._run(self._warm, count)

    def fill(self, kind: str, texts: list[str]) -> tuple[float, float]:
        """Submit many jobs; return the time when it began and the seconds that all but the first took."""
        return self._run(self._fill, kind, texts)

    def round_trips(self, count: int, enough_s: float) -> list[float]:
        """Return the seconds from submit to result of up to so many jobs, after the first."""
        return self._run(self._round_trips, count, enough_s)

    def _run(self, work, *args):
        import asyncio

        async def main():
            await self.open()
            try:
                return await work(*args)
            finally:
                await self.close()

        return asyncio.run(main())

    async def _warm(self, count: int) -> list[float]:
        taken = []
        for number in range(count + 1):
            begin = perf_counter()
            await self.submit(self.simplest, argument(number))
            taken.append(perf_counter() - begin)
        return taken[1:]

    async def _fill(self, kind: str, texts: list[str]) -> tuple[float, float]:
        began = time()
        await self.submit(kind, texts[0])
        begin = perf_counter()
        await self.submit_many(kind, texts[1:])
        return began, perf_counter() - begin

    async def _round_trips(self, count: int, enough_s: float) -> list[float]:
        taken, begin = [], perf_counter()
        while len(taken) <= count and perf_counter() - begin < enough_s:
            taken.append(await self._timed_result(len(taken)))
        return taken[1:]

    async def _timed_result(self, number: int) -> float:
        begin = perf_counter()
        await self.result(await self.submit("shell", argument(number)))
        return perf_counter() - begin


async def in_batches(submit, kind: str, texts: list[str], size: int = 100) -> None:
    """Submit concurrently, so many at once: what a peer without a bulk call is told to do."""
    import asyncio

    for begin in range(0, len(texts), size):
        await asyncio.gather(*(submit(kind, text) for text in texts[begin : begin + size]))

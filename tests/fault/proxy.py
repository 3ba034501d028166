"""A bad link: a TCP proxy in front of a hub's socket that delays, cuts, drops and swallows.

Its seed decides where a connection breaks: after so many bytes of requests or of replies,
so in the middle of either as a rule. A black hole accepts connections and everything that
is sent, forwards nothing and closes nothing; what was swallowed is lost for good, as it is
when a router forgets a connection. A delay keeps the order and does not block: it is
latency, not bandwidth.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from types import TracebackType
from typing import Self

REQUESTS, REPLIES = "requests", "replies"


class Line:
    """One connection through the proxy."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.ends = {REPLIES: client, REQUESTS: server}
        self.breaks: dict[str, int] = {}  # how many more bytes of one direction it carries
        self.is_black = False

    def carry(self, direction: str, data: bytes) -> None:
        """Forward as much as it still carries, and break when that was not all."""
        left = self.breaks.get(direction)
        if not self.ends[direction].is_closing():
            self.ends[direction].write(data[:left])
        if left is not None:
            self.breaks[direction] = left - len(data)
            if left <= len(data):
                self.close()

    def close(self) -> None:
        """Close both ends; what was written still arrives."""
        for end in self.ends.values():
            end.close()


class Proxy:
    """Listens on a port of its own; `url` is what its victims connect to. Behind it is a socket or a port."""

    def __init__(self, target: Path | int) -> None:
        self.delay_s = 0.0
        self.cuts_left = 0
        self.cut_within_bytes = 6_000
        self.breaks_next: dict[str, int] = {}  # where the next connection breaks
        self.swallows: bytes | None = None  # connections that say this are black holes from then on
        self.is_black = False  # and now all of them are
        self.is_mute = False  # what is asked arrives, and no reply does
        self.swallowed_bytes = 0
        self.accepted = 0
        self._target, self._rng = target, random.Random(0)
        self._lines: set[Line] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self.drop()
        await self._server.wait_closed()

    def seed(self, seed: int) -> None:
        """Decide where connections will break."""
        self._rng = random.Random(seed)

    def drop(self) -> None:
        """Close every connection there is."""
        for line in list(self._lines):
            line.close()

    def heal(self) -> None:
        """Carry new connections again; those that lost something stay black until somebody gives them up."""
        self.is_black = self.is_mute = False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            from_server, to_server = await self._connect()
        except OSError:
            writer.close()
            return
        line = Line(writer, to_server)
        line.breaks, self.breaks_next = self.breaks_next, {}
        if self.cuts_left:
            direction = self._rng.choice((REQUESTS, REPLIES))
            line.breaks[direction] = self._rng.randrange(1, self.cut_within_bytes)
        self._lines.add(line)
        self.accepted += 1
        await asyncio.gather(self._pump(line, reader, REQUESTS), self._pump(line, from_server, REPLIES))
        self._lines.discard(line)
        if any(left <= 0 for left in line.breaks.values()):
            self.cuts_left = max(0, self.cuts_left - 1)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, int):
            return await asyncio.open_connection("127.0.0.1", self._target)
        return await asyncio.open_unix_connection(self._target)

    async def _pump(self, line: Line, source: asyncio.StreamReader, direction: str) -> None:
        loop = asyncio.get_running_loop()
        while data := await self._next(source):
            if self.is_black or (self.swallows and self.swallows in data):
                line.is_black = True
            if line.is_black or (self.is_mute and direction == REPLIES):
                self.swallowed_bytes += len(data)
            elif self.delay_s:
                loop.call_later(self.delay_s, line.carry, direction, data)
            else:
                line.carry(direction, data)
        loop.call_later(self.delay_s, line.close)

    async def _next(self, source: asyncio.StreamReader) -> bytes:
        try:
            return await source.read(65536)
        except OSError:
            return b""

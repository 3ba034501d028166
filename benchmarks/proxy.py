"""A link with a given round trip: forwards TCP, delays both ways by half, counts what passes.

It runs as a process of its own, so that it shares no interpreter with what is
measured: `python -m benchmarks.proxy PORT DELAY_MS` prints its port, and for each
line on its standard input the counts so far as JSON. It leaves when that closes.

A *packet* is a piece of data that a client's side sends, as the link sees it; a
*round trip* is a client's packet that follows an answer: whatever a client sends
without waiting belongs to the same trip.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent


@dataclass
class Counts:
    """What has passed since the start."""

    packets: int = 0
    trips: int = 0
    bytes_up: int = 0
    bytes_down: int = 0


class Proxy:
    """The handle of a proxy process, held by the benchmark."""

    def __init__(self, port: int, delay_ms: float = 0.0) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.proxy", str(port), str(delay_ms)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True,
        )  # fmt: skip
        self.port = int(self._answer())

    @property
    def url(self) -> str:
        """The address of the server as it is reached over this link."""
        return f"redis://127.0.0.1:{self.port}/0"

    def counts(self) -> Counts:
        """Return what has passed so far."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return Counts(**json.loads(self._answer()))

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    def _answer(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline()


class Link:
    """The proxy itself: every connection to it is one to the server."""

    def __init__(self, upstream: int, delay_ms: float) -> None:
        self.upstream = upstream
        self.one_way_s = delay_ms / 2000
        self.counts = Counts()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until either side closes."""
        answered = [True]
        with contextlib.suppress(OSError):
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
            await asyncio.gather(
                self._pump(reader, up_writer, lambda size: self._went_up(size, answered)),
                self._pump(up_reader, writer, lambda size: self._came_down(size, answered)),
            )
        writer.close()

    def _went_up(self, size: int, answered: list[bool]) -> None:
        self.counts.packets += 1
        self.counts.trips += answered[0]
        self.counts.bytes_up += size
        answered[0] = False

    def _came_down(self, size: int, answered: list[bool]) -> None:
        self.counts.bytes_down += size
        answered[0] = True

    async def _pump(self, reader, writer, seen) -> None:
        """Forward one direction: read at once, write when the delay is over, keep the order."""
        clock = asyncio.get_running_loop().time
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                due, data = await waiting.get()
                if due > clock():
                    await asyncio.sleep(due - clock())
                if not data:
                    break
                writer.write(data)
                await writer.drain()
            writer.close()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_quietly(deliver()))
            while True:
                data = await _read(reader)
                if data:
                    seen(len(data))
                waiting.put_nowait((clock() + self.one_way_s, data))
                if not data:
                    return


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(1 << 18)
    except OSError:
        return b""


async def _quietly(work) -> None:
    with contextlib.suppress(OSError):
        await work


async def serve(upstream: int, delay_ms: float) -> None:
    """Run until the standard input closes."""
    link = Link(upstream, delay_ms)
    server = await asyncio.start_server(link.accept, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    asks = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(asks), sys.stdin)
    while await asks.readline():
        print(json.dumps(asdict(link.counts)), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2])))

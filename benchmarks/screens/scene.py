"""What every measure is given: hubs with jobs in them, links, terminals, and how much to do.

Jobs are filled in with the hub's clock two hours back, so that they are history
when the screen looks: an age in seconds is a new figure every second, and nobody who
measures an idle screen means that.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import IO, TypeVar

from benchmarks.proxy import ROOT, Proxy
from benchmarks.screens.terminal import Terminal
from benchmarks.server import Server

T = TypeVar("T")
HOME = ("config", "state", "data", "cache", "runtime")
FLEET_ANCHOR = "{rq:home}:cfg"
HISTORY_MS = 7_200_000
MANY, FEW = 100_000, 100
SETTLED_S = 1.5


class Hub:
    """A server with that many jobs, and the directories of whoever looks at it."""

    def __init__(self, directory: Path, jobs: int) -> None:
        self.directory, self.jobs = directory, jobs
        self.server = Server(directory / "server")
        self.url = self.server.url
        self.fleet("open", "0")
        self._shift(-HISTORY_MS)
        self.fleet("fill", str(jobs))
        self._shift(0)

    def _shift(self, ms: int) -> None:
        connection = self.server.connect()
        connection.call("HSET", FLEET_ANCHOR, "shift", ms) if ms else connection.call(
            "HDEL", FLEET_ANCHOR, "shift"
        )
        connection.close()

    def environment(self, url: str = "") -> dict[str, str]:
        """Return the environment of a process that belongs to this hub."""
        home = {f"RELAYQ_{kind.upper()}_DIR": str(self.directory / kind) for kind in HOME}
        return {**os.environ, **home, "PYTHONPATH": str(ROOT), "RELAYQ_URL": url or self.url}

    def fleet(self, verb: str, number: str) -> None:
        """Do something to the hub's jobs (fleet.py) and wait for it."""
        subprocess.run(self._fleet(verb, number), env=self.environment(), cwd=ROOT, check=True)

    @contextmanager
    def asked(self, verb: str, number: str = "0") -> Iterator[subprocess.Popen[str]]:
        """Run a part of fleet.py that goes on until its input closes."""
        process = subprocess.Popen(
            self._fleet(verb, number), env=self.environment(), cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        try:
            yield process
        finally:
            pipe(process.stdin).close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _fleet(self, verb: str, number: str) -> list[str]:
        return [sys.executable, "-m", "benchmarks.screens.fleet", verb, self.url, number]

    def count(self) -> int:
        """Return how many jobs it holds."""
        connection = self.server.connect()
        try:
            found = connection.call("HGETALL", "{rq:home}:n")
        finally:
            connection.close()
        return sum(int(value) for name, value in zip(found[::2], found[1::2], strict=True) if name != b"kept")


class Scene:
    """One run."""

    def __init__(self, *, quick: bool, soak_s: float) -> None:
        self.quick, self.soak_s = quick, soak_s
        self._exits = ExitStack()
        self._directory = Path(tempfile.mkdtemp(prefix="relayq-screens-"))

    def few(self, full: T, quick: T) -> T:
        """Return the count for this kind of run."""
        return quick if self.quick else full

    @cached_property
    def big(self) -> Hub:
        """A hub with a hundred thousand jobs."""
        return self._hub("big", MANY)

    @cached_property
    def small(self) -> Hub:
        """A hub with a hundred jobs."""
        return self._hub("small", FEW)

    def fresh(self, jobs: int) -> Hub:
        """Return a hub of one's own, to be used up."""
        return self._hub(f"fresh-{time.monotonic_ns()}", jobs)

    def _hub(self, name: str, jobs: int) -> Hub:
        hub = Hub(self._directory / name, jobs)
        self._exits.callback(hub.server.kill)
        return hub

    def link(self, hub: Hub, delay_ms: float) -> Proxy:
        """Return a link to a hub with a round trip."""
        proxy = Proxy(hub.server.port, delay_ms)
        self._exits.callback(proxy.close)
        return proxy

    @contextmanager
    def screen(self, hub: Hub, url: str = "", *options: str) -> Iterator[Terminal]:
        """The terminal UI on a hub."""
        made = Terminal([sys.executable, "-m", "relayq", "tui", *options], hub.environment(url))
        try:
            yield made
        finally:
            made.close()

    @contextmanager
    def loaded(self, hub: Hub) -> Iterator[Terminal]:
        """The terminal UI when it has read all there is, and come to rest."""
        with self.screen(hub) as screen:
            screen.painted("live")
            at_rest(screen)
            yield screen

    @contextmanager
    def minimal(self) -> Iterator[Terminal]:
        """The minimal app, drawn."""
        made = Terminal([sys.executable, "-m", "benchmarks.screens.minimal"], self.small.environment())
        try:
            made.painted("line 39")
            time.sleep(SETTLED_S)
            yield made
        finally:
            made.close()

    def close(self) -> None:
        """End everything and leave nothing on the disk."""
        with contextlib.suppress(OSError):
            self._exits.close()
        shutil.rmtree(self._directory, ignore_errors=True)


def at_rest(screen: Terminal) -> None:
    """Wait until the program has hardly used its CPU for a while."""
    while True:
        before = screen.cpu_s()
        time.sleep(SETTLED_S)
        if screen.cpu_s() - before < 0.05 * SETTLED_S:
            return


def pipe(stream: IO[str] | None) -> IO[str]:
    """A pipe that was asked for."""
    assert stream is not None
    return stream

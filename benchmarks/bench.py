"""The workshop that every measure is given: servers, links, drivers, workers, and how much to do.

A `Stage` is one peer with a server of its own in a new directory; leaving it ends
everything that was started on it. Counts are for a full run; `few` picks the
smaller ones of a quick run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.processes import Program
from benchmarks.proxy import ROOT, Proxy
from benchmarks.resp import Connection
from benchmarks.roster import RELAYQ, Entry, python_for
from benchmarks.server import Server

T = TypeVar("T")
DRIVER_S = 180.0
READY_S = 60.0
HOME = ("config", "state", "data", "cache", "runtime")


class Bench:
    """One run."""

    def __init__(self, *, quick: bool) -> None:
        self.quick = quick
        self.directory = Path(tempfile.mkdtemp(prefix="relayq-bench-"))
        self._stages: list[ExitStack] = []

    def few(self, full: T, quick: T) -> T:
        """Return the count for this kind of run."""
        return quick if self.quick else full

    @contextmanager
    def stage(self, entry: Entry) -> Iterator[Stage]:
        """A peer on a new server."""
        with ExitStack() as exits:
            self._stages.append(exits)
            yield Stage(entry, self.directory / f"{len(self._stages)}-{entry.name}", exits)

    def close(self) -> None:
        """End what is still running, as after an interruption, and remove what the run left on the disk."""
        for stage in self._stages:
            stage.close()
        shutil.rmtree(self.directory, ignore_errors=True)


class Stage:
    """One peer, its server, and the trace that its jobs leave (work.py)."""

    def __init__(self, entry: Entry, directory: Path, exits: ExitStack) -> None:
        self.entry = entry
        self.directory = directory
        self.server = Server(directory / "server")
        self.marks = Marks(directory / "marks")
        self._exits = exits
        exits.callback(self.server.kill)

    @cached_property
    def _hub(self) -> Connection:
        hub = self.server.connect()
        self._exits.callback(hub.close)
        return hub

    def link(self, delay_ms: float = 0.0) -> Proxy:
        """Return a counted link to the server, with a delay."""
        proxy = Proxy(self.server.port, delay_ms)
        self._exits.callback(proxy.close)
        return proxy

    def drive(self, verb: str, *arguments: object, url: str = "") -> Any:
        """Call a method of the peer's adapter in its own interpreter and return what it returned."""
        done = subprocess.run(
            self._driver(verb, *arguments), env=self.environment(url), cwd=self.directory,
            capture_output=True, text=True, timeout=DRIVER_S, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"{self.entry.name} {verb}: {done.stderr.strip()[-600:]}")
        return json.loads(done.stdout.strip().splitlines()[-1])

    def work(self, slots: int = 1, *, url: str = "", name: str = "bench") -> Program:
        """Start a worker; `name` tells several of them apart."""
        worker = Program(
            self._driver("work", slots),
            {**self.environment(url), "BENCH_WORKER": name},
            self.directory / f"{name}.log",
            self.directory,
        )
        self._exits.callback(worker.stop)
        return worker

    def ready(self, worker: Program, *, url: str = "") -> None:
        """Wait until a worker has run a first command, and forget its trace."""
        self.drive("fill", "nap", 0, 1, url=url)
        self.until(self.marks.ended, worker)
        self.marks.forget()

    def ended(self, kind: str) -> int:
        """How many jobs have ended. RelayQ's shell jobs run the bare command: the hub counts them."""
        if self.entry.name == RELAYQ and kind == "shell":
            return int(self._hub.call("HGET", "{rq:home}:n", "S") or 0)
        return self.marks.ended()

    def until(self, fact: Callable[[], bool | int], worker: Program, seconds: float = READY_S) -> None:
        """Wait until something is so; say what the worker said when it never is."""
        deadline = time.monotonic() + seconds
        while not fact():
            if time.monotonic() > deadline or worker.ended:
                said = worker.log.read_text(errors="replace")[-600:]
                raise RuntimeError(f"{self.entry.name}: its worker does not work: {said}")
            time.sleep(0.002)

    def environment(self, url: str = "") -> dict[str, str]:
        """Return the environment of every process of this stage.

        Whoever is installed by pip starts from compiled modules, so the files of a checkout
        may be compiled as well, whatever this shell says of it.
        """
        ours = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        home = {f"RELAYQ_{kind.upper()}_DIR": str(self.directory / kind) for kind in HOME}
        return {
            **ours,
            **home,
            "PYTHONPATH": str(ROOT),
            "BENCH_URL": url or self.server.url,
            "RELAYQ_URL": url or self.server.url,
            "BENCH_MARKS": str(self.marks.path),
        }

    def _driver(self, verb: str, *arguments: object) -> list[str]:
        python = python_for(self.entry)
        return [python, "-m", "benchmarks.driver", self.entry.module, verb, json.dumps(arguments)]


class Marks:
    """Reads the trace of the jobs as it grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch(mode=0o600)

    def lines(self) -> list[tuple[str, int, float]]:
        """Return (letter, number, time in seconds) of every mark so far."""
        words = (line.split() for line in self.path.read_bytes().splitlines())
        return [(letter.decode(), int(number), int(ns) / 1e9) for letter, number, ns in words]

    def ended(self) -> int:
        """Return how many jobs have ended. Cheap for the traces of no-op jobs and of shell `true`."""
        return self.path.read_bytes().count(b"e ")

    def forget(self) -> None:
        """Start anew."""
        os.truncate(self.path, 0)

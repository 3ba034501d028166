"""One attempt in this worker's hands: what a job type is given, and what the worker knows of it.

The public half is `plugins.Attempt`. Nothing is made on disk before somebody asks:
a job that runs in-process and says nothing leaves no trace. Whatever needs the rest
of the worker (a command to spawn, news to tell) goes through the `Host`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from relayq.model.job import JobSpec
    from relayq.plugins import Outcome
    from relayq.trust.files import Left
    from relayq.worker.admission import Admitted

_STREAMS = {1: "out", 2: "err"}


class Host(Protocol):
    """What an attempt asks of its worker."""

    async def spawn(self, attempt: Attempt, argv: list[str], env: Mapping[str, str], cwd: str) -> Outcome:
        """Run a command under the keeper, to its end."""

    def end(self, attempt: Attempt, *, at_once: bool = False) -> None:
        """See to it that the attempt ends, for the reason in `asked`."""


class Attempt:
    """A held attempt: waiting, then running, then over until its report is acknowledged."""

    __slots__ = (
        "_began_at",
        "_cancelled",
        "_files",
        "_host",
        "admitted",
        "asked",
        "cost",
        "ended_at",
        "has_place",
        "has_stdin",
        "is_adopted",
        "is_carrying",
        "is_ok",
        "is_over",
        "is_running",
        "is_spawned",
        "measured_ms",
        "outputs",
        "place",
        "progress",
        "refusal",
        "spec",
        "taken_at",
    )

    def __init__(self, admitted: Admitted, *, cost: dict[str, int], place: str, host: Host) -> None:
        self.admitted = admitted
        self.spec: JobSpec = admitted.spec
        self.cost = cost
        self.place = place
        self.asked = ""
        self.has_place = self.has_stdin = False
        self.is_adopted = self.is_carrying = False
        self.refusal = ""
        self.outputs: tuple[Left, ...] = ()
        self.is_running = self.is_over = self.is_spawned = self.is_ok = False
        self.progress: tuple[float | None, str] | None = None
        self.measured_ms: float | None = None
        self.ended_at = 0.0  # by the monotonic clock; 0 until it is told
        self.taken_at = self._began_at = time.monotonic()
        self._host = host
        self._cancelled: asyncio.Event | None = None
        self._files: dict[int, int] = {}

    # -- what a job type sees

    @property
    def job(self) -> str:
        """The job's id; of an array, `<id>:<index>`."""
        return self.admitted.claim.job

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1."""
        return self.admitted.claim.attempt

    @property
    def workdir(self) -> Path:
        """A directory of its own, made when first asked for."""
        path = Path(self.place, "work")
        if not self.has_place:
            path.mkdir(parents=True, mode=0o700, exist_ok=True)
            self.has_place = True
        return path

    @property
    def cancelled(self) -> asyncio.Event:
        """Set when the attempt shall end."""
        if self._cancelled is None:
            self._cancelled = asyncio.Event()
            if self.asked:
                self._cancelled.set()
        return self._cancelled

    def write(self, data: bytes, stream: int = 1) -> None:
        """Append to the output, in the file that the log is read from."""
        if stream not in self._files:
            path = self.workdir.parent / _STREAMS[stream]
            self._files[stream] = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.write(self._files[stream], data)

    def report(self, progress: float | None, message: str = "") -> None:
        """Tell how far it is."""
        self.progress = (progress, message)

    async def spawn(
        self, argv: list[str], *, env: Mapping[str, str], stdin: bytes = b"", cwd: str = ""
    ) -> Outcome:
        """Run a command under the keeper; after a restart this finds the one that runs already."""
        if stdin and not self.is_adopted:  # the command reads it already
            (self.workdir.parent / "stdin").write_bytes(stdin)
            self.has_stdin = True
        self.has_place = self.is_spawned = True
        return await self._host.spawn(self, argv, env, cwd)

    # -- what the worker does with it

    @property
    def timeout_ms(self) -> int:
        """The limit of its run time, the spec's or the policy's; 0 is none."""
        limits = (self.spec.timeout_ms, self.admitted.terms.timeout_ms)
        return min(filter(None, limits), default=0)

    @property
    def keep_bytes(self) -> int:
        """How much of its output the hub keeps at most."""
        return min(self.spec.keep_output_bytes, self.admitted.terms.keep_output_bytes or sys.maxsize)

    @property
    def key(self) -> str:
        """Its name at the keeper and on disk."""
        claim = self.admitted.claim
        return f"{claim.job}.{claim.attempt}"

    def begin(self) -> None:
        """It starts now."""
        self.is_running = True
        self._began_at = time.monotonic()

    def ran_ms(self) -> float:
        """How long it has run: as the keeper measured it, or since it began."""
        since_ms = (time.monotonic() - self._began_at) * 1000
        return since_ms if self.measured_ms is None else self.measured_ms

    def end(self, why: str, *, at_once: bool = False) -> None:
        """Ask it to end; the first reason stands, but for one that was taken away."""
        if not self.asked or why == "gone":
            self.asked = why
        if self._cancelled:
            self._cancelled.set()
        self._host.end(self, at_once=at_once)

    def finish(self, *, is_ok: bool) -> None:
        """It runs no more."""
        self.is_ok = is_ok
        self.is_running = False
        self.is_over = True
        for file in self._files.values():
            os.close(file)
        self._files.clear()

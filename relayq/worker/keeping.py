"""Talk to the keeper: start it when there is none, give it orders, hear how attempts end.

The keeper outlives the worker, so opening a client usually means meeting one that
already holds attempts; `held()` says which. Should the keeper die, the client
starts a new one (which reads the journal of the old one), gives again the orders
that were not answered, and tells the difference as ordinary events: a consumer
sees one `Started` and one `Exited` of each attempt, whatever happens in between.

Nothing that the client sends is acknowledged by the keeper; everything is
idempotent there and therefore repeated here until an event shows that it was heard.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from relayq.errors import WorkerError

log = logging.getLogger(__name__)

KEEPER = Path(__file__).with_name("keeper.py")
LOCKED_EXIT = 3  # another keeper holds the lock: it is just coming or just going
OLDEST_VERSION = 1
LONGEST_LINE = 64 * 1024 * 1024
READ_BYTES = 1024 * 1024
LONGEST_PATH = 100  # sun_path has 104 bytes on macOS, 108 on Linux
OPEN_TIMEOUT_S = 15.0
RETRY_S = 0.05
AGAIN_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """An attempt runs. `start` tells its process from a later one with the same pid."""

    key: str
    pid: int
    start: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Exited:
    """An attempt is over: its main process has ended and nothing of its tree is left.

    `code` is the command's own, 128 + n after signal n, 127 when it was not found, 126
    when it could not be run, -1 when nobody saw its end. `reason` is exit, spawn or unwritten
    (it was not started: `note` says why), timeout, orphan, the reason given to `kill`, keeper_lost (it
    ran while no keeper watched) or machine_lost (the machine went down). `ended_at` is in
    seconds of this machine's monotonic clock; 0 when nobody knows.
    """

    key: str
    code: int
    reason: str
    run_ms: int
    note: str = ""
    ended_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the keeper holds of one attempt.

    `pid` 0 means not spawned yet; `exited` stays until it is forgotten.
    """

    key: str
    pid: int = 0
    start: int = 0
    exited: Exited | None = None


class KeeperClient:
    """One worker's link to its keeper.

    `hear` is told what happens from the moment the client was opened; until somebody puts
    another ear there, `events` collects it. `held()` is what stands now.
    """

    def __init__(self, state_dir: Path | str) -> None:
        self.state_dir = Path(state_dir).resolve()
        self.events: asyncio.Queue[Started | Exited] = asyncio.Queue()
        self.hear: Callable[[Started | Exited], None] = self.events.put_nowait
        self.keeper_pid = 0
        self.keeper_version = 0
        self._held: dict[str, Held] = {}
        self._orders: dict[str, dict[str, Any]] = {}  # not answered yet
        self._kills: dict[str, dict[str, Any]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, state_dir: Path | str) -> Self:
        """Attach to the keeper of this state directory, or start one; WorkerError when neither works."""
        client = cls(state_dir)
        client.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        reader = await client._attach()
        client._reading = asyncio.create_task(client._read_for_ever(reader), name="keeper")
        return client

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self, *, goodbye: bool = True) -> None:
        """Leave. What runs, runs on; told goodbye, a keeper for which nothing runs leaves at once."""
        if self._reading:
            self._reading.cancel()
            with suppress(asyncio.CancelledError):
                await self._reading
        if self._writer:
            if goodbye:
                await self._say({"do": "bye"})
            self._writer.close()
            self._writer = None

    def held(self) -> dict[str, Held]:
        """Everything the keeper holds now, ended attempts that are not forgotten included."""
        return dict(self._held)

    def runs(self, key: str) -> bool:
        """Does the keeper hold this attempt, and has it not ended?"""
        held = self._held.get(key)
        return held is not None and not held.exited

    async def start(self, orders: Iterable[dict[str, Any]]) -> None:
        """Start attempts, and wait until the keeper takes more."""
        self.order(orders)
        await self._drained()

    def order(self, orders: Iterable[dict[str, Any]]) -> None:
        """Start attempts (orders as in the protocol of `keeper.py`).

        Of a key that is held already it only tells again what is known.
        """
        fresh = {}
        for order in orders:
            if known := self._held.get(order["key"]):
                self._tell_again(known)
            else:
                fresh[order["key"]] = order
        self._orders |= fresh
        self._held |= {key: Held(key=key) for key in fresh}
        if fresh:
            self._write({"do": "start", "orders": list(fresh.values())})

    async def kill(self, key: str, reason: str = "cancelled", *, kill_ms: int | None = None) -> None:
        """End an attempt's whole tree: TERM, and KILL after `kill_ms` (its order's own by default)."""
        held = self._held.get(key)
        if held and not held.exited:
            self._kills[key] = {"do": "kill", "key": key, "reason": reason}
            self._kills[key] |= {} if kill_ms is None else {"kill_ms": kill_ms}
            await self._say(self._kills[key])

    async def forget(self, keys: Iterable[str]) -> None:
        """Let the keeper drop attempts that have ended and whose end is safe elsewhere."""
        ended = [key for key in keys if key in self._held and self._held[key].exited]
        for key in ended:
            del self._held[key]
        if ended:
            await self._say({"do": "forget", "keys": ended})

    # The connection.

    async def _say(self, message: dict[str, Any]) -> None:
        """Send one message; when the link is down, the next `_reconcile` says it again."""
        self._write(message)
        await self._drained()

    def _write(self, message: dict[str, Any]) -> None:
        if self._writer:
            self._writer.write(json.dumps(message).encode() + b"\n")

    async def _drained(self) -> None:
        if self._writer:
            with suppress(ConnectionError):
                await self._writer.drain()

    async def _attach(self) -> asyncio.StreamReader:
        """Connect, starting a keeper where none answers, and take stock."""
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                while True:
                    with suppress(OSError, EOFError, ValueError):  # a hello cut short is none
                        return await self._connect()
                    if not await self._launch():
                        await asyncio.sleep(RETRY_S)
        except TimeoutError:
            raise WorkerError(
                f"no keeper answers in {self.state_dir} within {OPEN_TIMEOUT_S:.0f} s"
            ) from None

    async def _connect(self) -> asyncio.StreamReader:
        """Connect to the keeper that is there and reconcile with what it says first."""
        with _short(self.state_dir) as directory:
            reader, writer = await asyncio.open_unix_connection(
                f"{directory}/keeper.sock", limit=LONGEST_LINE
            )
        line = await reader.readline()
        if not line:
            writer.close()
            raise EOFError
        hello = json.loads(line)
        if hello["version"] < OLDEST_VERSION:
            raise WorkerError(
                f"the keeper in {self.state_dir} (pid {hello['pid']}) is too old for this worker: "
                "let its attempts end, then start the worker again"
            )
        self._writer = writer
        self.keeper_pid, self.keeper_version = hello["pid"], hello["version"]
        await self._reconcile({entry["key"]: entry for entry in hello["held"]})
        return reader

    async def _launch(self) -> bool:
        """Start a keeper; it is listening when this returns True. False: another one has the lock."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-S", "-E", "-s", "-X", "utf8"),
            KEEPER,
            self.state_dir,
            env={},  # a job could read the keeper's environment
            cwd="/",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, complaint = await process.communicate()
        if process.returncode not in (0, LOCKED_EXIT):
            raise WorkerError(complaint.decode(errors="replace").strip() or "the keeper did not start")
        return process.returncode == 0

    async def _read_for_ever(self, reader: asyncio.StreamReader) -> None:
        """Hear the keeper; when it dies, attach to the next one."""
        while True:
            with suppress(ConnectionError, ValueError):  # a line that is no JSON is a link that is broken
                rest = b""
                while data := await reader.read(READ_BYTES):
                    *lines, rest = (rest + data).split(b"\n")
                    for line in lines:
                        self._hear(json.loads(line.decode()))
            log.warning("keeper lost", extra={"pid": self.keeper_pid})
            self._writer = None
            reader = await self._attach_again()

    async def _attach_again(self) -> asyncio.StreamReader:
        """Attach however long it takes: the worker goes on with what it has."""
        while True:
            try:
                return await self._attach()
            except WorkerError as error:
                log.error("no keeper", extra={"why": str(error)})
                await asyncio.sleep(AGAIN_S)

    def _hear(self, message: dict[str, Any]) -> None:
        match message["ev"]:
            case "started":
                self._note_start(message)
            case "exit":
                self._note_exit(message)
            case "trouble" if message["text"]:
                log.error("keeper in trouble", extra={"why": message["text"]})
            case "trouble":
                log.info("keeper out of trouble")
            case "refused":
                log.error("keeper refused a message", extra={"why": message["text"]})

    # What stands.

    async def _reconcile(self, entries: dict[str, dict[str, Any]]) -> None:
        """Bring what we know and what the keeper holds together, and repeat what it has not heard."""
        first = self._reading is None
        for key, entry in entries.items():
            if first:
                self._held[key] = Held(key=key)
            if key in self._held:
                self._note_start(entry, tell=not first)
                if "exit" in entry:
                    self._note_exit(entry["exit"], tell=not first)
        for key in [
            key for key, held in self._held.items() if key not in entries and key not in self._orders
        ]:
            self._note_exit({"key": key, "code": -1, "reason": "keeper_lost", "run_ms": 0, "note": ""})
        forgotten = [key for key in entries if key not in self._held]
        await self._say({"do": "forget", "keys": forgotten})
        await self._say({"do": "start", "orders": list(self._orders.values())})
        for kill in self._kills.values():
            await self._say(kill)

    def _tell_again(self, known: Held) -> None:
        if known.exited:
            self.hear(known.exited)
        elif known.pid:
            self.hear(Started(key=known.key, pid=known.pid, start=known.start))

    def _note_start(self, entry: dict[str, Any], *, tell: bool = True) -> None:
        key, pid, start = entry["key"], entry["pid"], entry["start"]
        known = self._held.get(key)
        if pid and (known is None or not known.pid):
            self._orders.pop(key, None)
            self._held[key] = Held(key=key, pid=pid, start=start)
            if tell:
                self.hear(Started(key=key, pid=pid, start=start))

    def _note_exit(self, entry: dict[str, Any], *, tell: bool = True) -> None:
        key = entry["key"]
        known = self._held.get(key)
        if known is None or known.exited:
            return
        exited = Exited(
            **{name: entry[name] for name in ("key", "code", "reason", "run_ms", "note")},
            ended_at=entry.get("ended_at", 0.0),  # a keeper of an earlier version does not tell
        )
        self._orders.pop(key, None)
        self._kills.pop(key, None)
        self._held[key] = Held(key=key, pid=known.pid, start=known.start, exited=exited)
        if tell:
            self.hear(exited)


@contextmanager
def _short(directory: Path) -> Iterator[Path]:
    """The directory under a name short enough for the path of a unix socket."""
    if len(os.fsencode(directory / "keeper.sock")) <= LONGEST_PATH:
        yield directory
        return
    with tempfile.TemporaryDirectory(prefix="rq") as shelter:
        link = Path(shelter, "s")
        link.symlink_to(directory)
        yield link

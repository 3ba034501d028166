"""Remember every attempt on disk, so that neither the keeper nor the machine can make it forget.

`keeper.journal` has one JSON object a line:

    {"order": key, "dir", "timeout_ms", "kill_ms", "orphan_ms", "marks",
     "at_ms", "boot", "boxed"}                                                       before the spawn
    {"pid": pid, "key", "start"}                                                     after the spawn
    {"exit": key, "code", "reason", "run_ms", "note", "ended_at"}                    when its tree is gone
    {"forget": [keys]}                                                    when the worker has it all

Lines reach the page cache at once, which survives the death of the keeper. Exits
are made durable as well (one fdatasync for all exits of a hundredth of a second while others
run). The file is emptied when nothing is kept and rewritten when it has become long. While the disk
is full the lines wait in memory, and nothing is spawned: what runs on costs nothing but durability.

Standard library only: the keeper runs this file without the package.
"""

from __future__ import annotations

import json
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

UNKNOWN = -1  # the exit code of a process whose end nobody saw
REWRITE_BYTES = 256 * 1024
APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


class Kept:
    """One attempt in the keeper's care.

    It is ordered (no pid), running (a pid, no code), gone (the main process has
    ended, its tree perhaps not) and ended (`exit` is its record), in this order.
    Times named `_at` are of the monotonic clock, in seconds.
    """

    __slots__ = (
        "at_ms", "boot", "boxed", "code", "dir", "ended_at", "exit", "is_child", "key", "kill_at", "kill_ms",
        "look_at", "marks", "note", "orphan_ms", "pause_s", "pid", "poll_at", "reason", "run_ms", "start",
        "started_at", "timeout_ms", "warned",
    )  # fmt: skip

    def __init__(self, facts: dict[str, Any]) -> None:
        self.key: str = facts["order"]
        self.dir: str = facts["dir"]
        self.timeout_ms: int = facts["timeout_ms"]
        self.kill_ms: int = facts["kill_ms"]
        self.orphan_ms: int = facts["orphan_ms"]
        self.marks: list[str] = facts["marks"]
        self.at_ms: int = facts["at_ms"]
        self.boot: str = facts["boot"]
        self.boxed: bool = facts.get("boxed", False)  # its first process is a sandbox's, not the command
        self.pid = 0
        self.start = 0
        self.started_at: float = time.monotonic() - max(0.0, time.time() - self.at_ms / 1000)
        self.is_child = False  # of this keeper: not of one before it
        self.code: int | None = None
        self.reason = ""  # why it is being ended, or "" while it is not
        self.note = ""
        self.kill_at: float = 0.0  # from when on its tree is killed, once it is being ended or gone
        self.look_at = 0.0  # when to look at its tree again
        self.pause_s = 0.0
        self.poll_at = 0.0  # when to see whether a process that is no child still runs
        self.warned: set[int] = set()  # who was sent TERM, once each
        self.run_ms = 0
        self.ended_at = 0.0  # 0: nobody saw it
        self.exit: dict[str, Any] | None = None

    def facts(self) -> dict[str, Any]:
        """The order line of the journal."""
        names = ("dir", "timeout_ms", "kill_ms", "orphan_ms", "marks", "at_ms", "boot", "boxed")
        return {"order": self.key} | {name: getattr(self, name) for name in names}

    def lines(self) -> Iterator[dict[str, Any]]:
        """Everything the journal has to say about this attempt."""
        yield self.facts()
        if self.pid:
            yield {"pid": self.pid, "key": self.key, "start": self.start}
        if self.exit:
            yield self.exit

    def shown(self) -> dict[str, Any]:
        """What the worker is told in hello and list."""
        held = {"key": self.key, "pid": self.pid, "start": self.start}
        return held | {"exit": told(self.exit)} if self.exit else held


def told(exit_line: dict[str, Any]) -> dict[str, Any]:
    """An exit line of the journal as the event that the worker gets."""
    event = {"ev": "exit", "key": exit_line["exit"]} | {
        name: exit_line[name] for name in ("code", "reason", "run_ms", "note")
    }
    return event | {"ended_at": exit_line.get("ended_at", 0.0)}


class Journal:
    """The file behind the keeper's memory. `trouble` is a sentence while it cannot be written."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.trouble = ""
        self._unwritten = bytearray()
        self._size = 0
        self._rewrite_at = REWRITE_BYTES
        self._file = os.open(path, APPEND, 0o600)

    @property
    def written(self) -> bool:
        """Whether everything is in the file."""
        return not self._unwritten

    def replay(self) -> dict[str, Kept]:
        """Every attempt that the file knows and nobody has told it to forget."""
        kept: dict[str, Kept] = {}
        line = b"\n"
        with open(self.path, "rb") as file:
            for line in file:
                try:
                    apply(kept, json.loads(line))
                except (ValueError, KeyError, TypeError):
                    continue  # torn by a crash: what it said had not been told to anybody
        if not line.endswith(b"\n"):
            self._unwritten += b"\n"  # before anything else, lest it be torn too
        return kept

    def note(self, line: dict[str, Any]) -> None:
        """Append one line with the next write."""
        self._unwritten += json.dumps(line).encode() + b"\n"

    def add(self, line: dict[str, Any]) -> None:
        """Append one line now; it is in the page cache afterwards unless there is trouble."""
        self.note(line)
        self.flush()

    def flush(self) -> None:
        """Write what waits."""
        try:
            while self._unwritten:
                count = os.write(self._file, self._unwritten)
                del self._unwritten[:count]
                self._size += count
        except OSError as error:
            self.trouble = f"the keeper's journal {self.path} cannot be written: {error.strerror}"
        else:
            self.trouble = ""

    def sync(self) -> None:
        """Make everything written so far survive a power cut."""
        try:
            os.fdatasync(self._file) if hasattr(os, "fdatasync") else os.fsync(self._file)
        except OSError as error:
            self.trouble = f"the keeper's journal {self.path} cannot be synced: {error.strerror}"

    def tidy(self, kept: Iterable[Kept]) -> None:
        """Empty the file when nothing is kept, rewrite it when it has become long."""
        entries = list(kept)
        if not entries and self._size:
            os.ftruncate(self._file, 0)
            self._size = 0
        elif self._size > self._rewrite_at:
            self.rewrite(entries)

    def rewrite(self, kept: Iterable[Kept]) -> None:
        """Replace the file by one that holds only what is kept; on failure the old one stays."""
        text = b"".join(json.dumps(line).encode() + b"\n" for entry in kept for line in entry.lines())
        fresh = self.path + ".new"
        try:
            with open(fresh, "wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.rename(fresh, self.path)
        except OSError as error:
            self.trouble = f"the keeper's journal {self.path} cannot be rewritten: {error.strerror}"
            return
        os.close(self._file)
        self._file = os.open(self.path, APPEND, 0o600)
        self._size = len(text)
        self._unwritten.clear()
        self._rewrite_at = max(REWRITE_BYTES, 4 * self._size)
        self._sync_name()

    def _sync_name(self) -> None:
        """Have the directory on disk too: until then a power cut brings the old file back."""
        try:
            directory = os.open(os.path.dirname(self.path), os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            self.trouble = f"the keeper's journal {self.path} cannot be synced: {error.strerror}"


def apply(kept: dict[str, Kept], line: dict[str, Any]) -> None:
    """Let one line of the journal change what is kept."""
    if "order" in line:
        kept[line["order"]] = Kept(line)
    elif "pid" in line:
        kept[line["key"]].pid, kept[line["key"]].start = line["pid"], line["start"]
    elif "exit" in line:
        told(line)
        kept[line["exit"]].exit = line
    elif "forget" in line:
        for key in line["forget"]:
            kept.pop(key, None)

"""Start, weigh and kill processes of the benchmark's own.

Each program gets a session and process group of its own, and a token in its
environment by which everything that it started is found again, also when it has
left the group or lost its parent. What clears its environment as well is found by
the path of a private directory that it works in. Nothing else is ever touched.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

TOKEN = "BENCH_TOKEN"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a tree of processes takes."""

    cpu_ns: dict[int, int]  # by process: one that has gone takes its share along
    rss_bytes: int

    def cpu_s_since(self, earlier: Usage) -> float:
        """Return the CPU time that those who still live have used since then."""
        return sum(now - earlier.cpu_ns.get(pid, 0) for pid, now in self.cpu_ns.items()) / 1e9


class Program:
    """A running program and whatever it starts."""

    def __init__(self, argv: list[str], env: dict[str, str], log: Path, home: Path) -> None:
        self._token = uuid.uuid4().hex.encode()
        self._home = bytes(home / "state")
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as sink:
            self._process = subprocess.Popen(
                argv, env={**env, TOKEN: self._token.decode()}, cwd=home, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=sink, stderr=sink,
            )  # fmt: skip
        self.log = log

    @property
    def ended(self) -> bool:
        """Whether the program itself is gone."""
        return self._process.poll() is not None

    def tree(self) -> set[int]:
        """Return the pids of the program and of all that came from it."""
        marked = {pid for pid in _pids() if self._is_ours(pid)}
        return marked | _descendants(marked if self.ended else marked | {self._process.pid})

    def _is_ours(self, pid: int) -> bool:
        return self._token in _read(pid, "environ") or self._home in _read(pid, "cmdline")

    def usage(self) -> Usage:
        """Return what the tree has used and holds now."""
        pids = self.tree()
        stats = [_stat(pid) for pid in pids]
        alive = [stat for stat in stats if stat]
        return Usage(
            cpu_ns={pid: cpu_ns(pid) for pid in pids},
            rss_bytes=sum(int(stat[21]) for stat in alive) * PAGE_BYTES,
        )

    def kill_group(self) -> None:
        """Kill -9 the program's process group, as a terminal or a service manager would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """Kill everything that came from the program."""
        for _ in range(3):
            for pid in self.tree():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait()
            if not self.tree():
                return
            time.sleep(0.02)


def _pids() -> list[int]:
    return [int(name) for name in _names("/proc") if name.isdigit()]


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def _stat(pid: int) -> list[bytes]:
    """Return the fields after the program's name; [0] is the state, [1] the parent. Empty when it is gone."""
    fields = _read(pid, "stat").rpartition(b") ")[2].split()
    return [] if not fields or fields[0] == b"Z" else fields


def command_of(pid: int) -> bytes:
    """Return the command line of a process, its words separated by NUL; empty when it is gone."""
    return _read(pid, "cmdline")


def buried_ns(pid: int) -> int:
    """Return the time on a CPU of all children of a process that have ended and been waited for."""
    stat = _stat(pid)
    return (int(stat[13]) + int(stat[14])) * 1_000_000_000 // TICKS_PER_S if stat else 0


def cpu_ns(pid: int) -> int:
    """Return the time that all its threads have been on a CPU; the ticks in `stat` are too coarse."""
    times = (_read(pid, f"task/{task}/schedstat").split() for task in _names(f"/proc/{pid}/task"))
    return sum(int(fields[0]) for fields in times if fields)


def _descendants(roots: set[int]) -> set[int]:
    parents = {pid: int(stat[1]) for pid in _pids() if (stat := _stat(pid))}
    found = roots & set(parents)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found

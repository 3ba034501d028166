"""Processes that outlive us: start one detached, and end it without ever hitting a stranger.

A pid alone says nothing: after a reboot or a busy day it belongs to somebody else.
A process is ours when its start time is the one we wrote down and its command line
still carries one of our marks. Linux tells both in /proc, other systems through `ps`.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

# The shell ends at once, so the process belongs to init and never becomes our zombie.
DETACH = '"$@" </dev/null >>"$0" 2>&1 & echo $!'

# How long the system may take to clear away what was killed.
KILL_S = 10.0

# No secret of the submitter's environment stays behind in a process that lives on.
KEPT_VARIABLES = ("HOME", "PATH", "LANG", "TZ", "TMPDIR", "USER", "LOGNAME", "SHELL")
KEPT_PREFIXES = ("LC_", "PYTHON", "XDG_")


class Process(NamedTuple):
    """One process that we started: its pid and what its start time looked like then."""

    pid: int
    born: str

    def is_alive(self, mark: str) -> bool:
        """Whether this very process still runs and `mark` stands in its command line."""
        return self.born != "" and born(self.pid) == self.born and mark in command_line(self.pid)


def spawn_detached(argv: Sequence[str], log: Path) -> Process:
    """Start `argv` in a session of its own, in `/`, with both outputs appended to `log`."""
    import subprocess

    shell = subprocess.run(
        ["/bin/sh", "-c", DETACH, str(log), *argv],
        env=kept_environment(),
        cwd="/",
        umask=0o077,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=True,
    )
    pid = int(shell.stdout)
    return Process(pid, born(pid))


def kept_environment() -> dict[str, str]:
    """The part of our environment that a process which lives on may have."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in KEPT_VARIABLES or name.startswith(KEPT_PREFIXES)
    }


def born(pid: int) -> str:
    """When process `pid` started, in the system's own words; empty when there is none (or a zombie)."""
    if sys.platform == "linux":
        state, *_, start = after_name(pid)[:20] or ("Z", "")
        return "" if state in "ZX" else start
    return ps(pid, "lstart")


def after_name(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on (proc(5)): state first, start time twentieth."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def command_line(pid: int) -> str:
    """The command line of a process, or its title where it has set one."""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    return ps(pid, "command")


def ps(pid: int, column: str) -> str:
    """One column of `ps` for one process, in the C locale."""
    import subprocess

    answer = subprocess.run(
        ["ps", "-ww", "-o", f"{column}=", "-p", str(pid)],
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout.strip()


def end(process: Process, mark: str, patience_s: float) -> bool:
    """TERM, and KILL when it is still there after `patience_s`; say whether it is gone. Never a stranger."""
    for number, wait_s in ((signal.SIGTERM, patience_s), (signal.SIGKILL, KILL_S)):
        if not process.is_alive(mark):
            break
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)
        # A dying process loses its command line first, so only its birth tells.
        within(wait_s, lambda: born(process.pid) != process.born)
    return not process.is_alive(mark)


def within(seconds: float, fact: Callable[[], bool]) -> bool:
    """Whether `fact` comes true in time; looked at often first, then every 20 ms."""
    deadline, pause_s = time.monotonic() + seconds, 0.001
    while not fact():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause_s)
        pause_s = min(0.02, pause_s * 1.5)
    return True

"""Find every process that belongs to an attempt, also those that tried to leave it.

An attempt starts as the leader of its own session and process group. What it
starts is found again by four marks, because each of them can be shed alone:
the group or session number, descent, a re-parenting to the keeper (on Linux the
keeper is a subreaper: whoever loses its parent becomes the keeper's own child,
whatever it does), and the environment, which carries the attempt's identity and
survives setsid, a double fork and the death of the keeper.

Linux is read from /proc. Elsewhere `ps` is asked, which knows groups and descent
only. Standard library only: the keeper runs this file without the package.
"""

from __future__ import annotations

import os
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LINUX = sys.platform == "linux"
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
SAME_START_S = 3.0  # `ps` counts whole seconds
PIECE_BYTES = 64 * 1024
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Process:
    """One row of the process table; `start` orders processes by age (clock ticks, Linux only)."""

    __slots__ = ("group", "parent", "pid", "session", "start", "zombie")

    def __init__(self, row: Iterable[int], zombie: bool) -> None:
        self.pid, self.parent, self.group, self.session, self.start = row
        self.zombie = zombie


def become_subreaper() -> None:
    """Make this process the new parent of every orphan below it (Linux; elsewhere nothing happens)."""
    if LINUX:
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


# The monotonic clock counts from the boot. What ended before the last one ended then, at the latest.
AT_BOOT_S = 0.001


def boot_id() -> str:
    """A text that differs after every boot of this machine, or "" where none is known."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


def start_of(pid: int) -> int:
    """When the process started, in clock ticks since boot; 0 when it is gone or nobody knows."""
    process = read_process(pid) if LINUX else None
    return process.start if process else 0


def ticks() -> int:
    """The time in which starts are counted, clock ticks since boot; 0 where nobody knows them."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) * TICKS_PER_S // 1_000_000_000 if LINUX else 0


def still_runs(pid: int, start: int, at_ms: int) -> bool:
    """Whether the process that had this pid (started at wall time `at_ms`) is still the same one."""
    if LINUX:
        process = read_process(pid)
        return process is not None and process.start == start and not process.zombie
    return abs(time.time() - age_by_ps(pid) - at_ms / 1000) < SAME_START_S


def children() -> set[int]:
    """This process's own children, in one read; none where orphans do not come to it anyway."""
    if not LINUX:
        return set()
    me = os.getpid()
    try:
        return {int(pid) for pid in contents(f"/proc/{me}/task/{me}/children").split()}
    except OSError:
        return {process.pid for process in snapshot().values() if process.parent == me}


def group_lives(group: int) -> bool:
    """Whether any process is left in the process group."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def family(table: dict[int, Process], root: int, since: int, claimed: Callable[[Process], bool]) -> list[int]:
    """The pids of the session and group of `root`, of whom `claimed` names, and of all their descendants.

    `root` 0 is no process: kernel threads, and everything that a pid namespace inherits
    from outside, have session 0. Nothing older than `since`, the start of the attempt,
    belongs to it, whatever the marks say.
    """
    young = {pid: process for pid, process in table.items() if process.start >= since}
    found = {
        process.pid
        for process in young.values()
        if (root and root in (process.group, process.session)) or claimed(process)
    }
    return sorted(found | descendants(young, found))


def descendants(table: dict[int, Process], roots: set[int]) -> set[int]:
    """Every process below the roots."""
    below: dict[int, list[int]] = {}
    for process in table.values():
        below.setdefault(process.parent, []).append(process.pid)
    found: set[int] = set()
    todo = list(roots)
    while todo:
        fresh = [pid for pid in below.get(todo.pop(), ()) if pid not in found]
        found.update(fresh)
        todo.extend(fresh)
    return found


def carries(pid: int, marks: Iterable[bytes]) -> bool:
    """Whether the environment the process was started with holds every mark (`NAME=value`)."""
    wanted = set(marks)
    if not wanted:
        return False
    try:
        return wanted <= set(contents(f"/proc/{pid}/environ").split(b"\0"))
    except OSError:
        return False


def works_in(pid: int, directory: str) -> bool:
    """Whether the process's current directory lies inside `directory`."""
    try:
        return (os.readlink(f"/proc/{pid}/cwd") + "/").startswith(directory + "/")
    except OSError:
        return False


def send(pids: Iterable[int], number: int) -> None:
    """Send a signal to each process; stopped ones are woken so that they can act on it."""
    for pid in pids:
        for each in (number, signal.SIGCONT):
            try:
                os.kill(pid, each)
            except (ProcessLookupError, PermissionError):
                break


def snapshot() -> dict[int, Process]:
    """The process table of this machine without zombies."""
    return snapshot_by_proc() if LINUX else snapshot_by_ps()


def snapshot_by_proc() -> dict[int, Process]:
    """The process table from /proc: 15 us a process."""
    found = (read_process(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return {process.pid: process for process in found if process and not process.zombie}


def read_process(pid: int) -> Process | None:
    """One process from /proc/<pid>/stat (proc(5)), or None when it is gone."""
    try:
        fields = contents(f"/proc/{pid}/stat").rpartition(b") ")[2].split()
    except OSError:
        return None
    if not fields:
        return None
    return Process((pid, *map(int, (*fields[1:4], fields[19]))), fields[0] in b"ZX")


def contents(path: str) -> bytes:
    """All of a file in /proc, with as few system calls as there can be: each job has some of them read."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        found = b""
        while piece := os.read(file, PIECE_BYTES):
            found += piece
        return found
    finally:
        os.close(file)


def snapshot_by_ps() -> dict[int, Process]:
    """The process table from `ps`: one fork, no sessions, no start times."""
    rows = (line.split() for line in said_by_ps("-A", "-o", "pid=,ppid=,pgid=,stat=").splitlines())
    found = (Process((*map(int, row[:3]), 0, 0), row[3][0] == "Z") for row in rows)
    return {process.pid: process for process in found if not process.zombie}


def age_by_ps(pid: int) -> float:
    """Seconds since the process started, or infinity when there is none: `[[dd-]hh:]mm:ss` from `ps`."""
    listing = said_by_ps("-o", "etime=", "-p", str(pid)).strip()
    if not listing:
        return float("inf")
    days, _, clock = listing.rpartition("-")
    seconds = 0
    for part in clock.split(":"):
        seconds = seconds * 60 + int(part)
    return int(days or 0) * 86_400 + seconds


def said_by_ps(*options: str) -> str:
    """What `ps` answers; where there is /proc nobody asks it."""
    import subprocess

    return subprocess.run(["ps", *options], capture_output=True, text=True, check=False).stdout

"""Take care of attempts: start them, know how they ended, leave nothing of them behind.

An attempt is over when its main process has ended *and* nothing of its tree is
left. What a command leaves running behind its back is killed at once, as a
container would do. An attempt that is being ended (timeout, kill, no worker for
too long) has its whole tree sent TERM and, `kill_ms` later, KILL, again and again
until none is left; children whose parent has gone already get that time too.

The usual end is cheap: two system calls show that the process group is empty and
that no orphan has been re-parented to the keeper. Only otherwise is the process
table read. An orphan without any mark (own session, clean environment) belongs to
whichever running attempt is older than it; it ends with the last of them.

Standard library only: the keeper runs this file without the package.
"""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections import deque
from math import ceil, inf

TYPE_CHECKING = False
if TYPE_CHECKING or __package__:
    from relayq.worker import spawn, tree
    from relayq.worker.kept import UNKNOWN, Journal, Kept, told
else:
    import spawn
    import tree
    from kept import UNKNOWN, Journal, Kept, told
if TYPE_CHECKING:
    from typing import Any

SPAWN_SLICE_S = 0.02  # how long it spawns before the loop looks at everything else again
POLL_S = 1.0  # how often a process that is no child is looked at where there are no pidfds
BOX_CLOSES_S = 0.002
UNKILLABLE_S = 10.0  # after so long a tree that survives KILL is given up (stuck in the kernel)
GRACE_MIN_S, GRACE_MAX_S = 60.0, 600.0  # the hub's rule: as long as it has run, within these
UNWRITTEN = "unwritten"
MARKS = ("RELAYQ_JOB_ID", "RELAYQ_ARRAY_INDEX", "RELAYQ_FENCE", "RELAYQ_WORKDIR")


def boot_time_s() -> float:
    """Seconds that also pass while the machine sleeps, where the system counts them."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Care:
    """Every attempt that is kept. `news` are the events since they were last taken from it.

    `alone_since` is when the last worker left (by `boot_time_s`), None while one is here.
    """

    def __init__(self, journal: Journal, selector: selectors.BaseSelector) -> None:
        self.journal = journal
        self.selector = selector
        self.boot = tree.boot_id()
        self.kept = journal.replay()
        self.active: dict[str, Kept] = {}  # what has not ended
        self.mains: dict[int, Kept] = {}  # by pid: the main processes that are this process's children
        self.waiting: deque[dict[str, Any]] = deque()
        self.news: list[dict[str, Any]] = []
        self.alone_since: float | None = boot_time_s()
        self.is_clock_exact: bool | None = None  # until the first spawn has shown it
        for kept in self.kept.values():
            self._resume(kept)
        journal.rewrite(self.kept.values())

    def turn(self) -> None:
        """Do everything that is due now."""
        self._spawn_some()
        self._reap()
        for kept in list(self.active.values()):
            if self.due_at(kept) <= time.monotonic():
                self._attend(kept)

    def patience_s(self) -> float:
        """How long until something is due."""
        if self.waiting:
            return 0.0
        return max(0.0, min(map(self.due_at, self.active.values()), default=inf) - time.monotonic())

    # What the worker asks for.

    def take(self, order: dict[str, Any]) -> None:
        """Accept an order; of a key that is kept already it only tells again what is known."""
        known = self.kept.get(order["key"])
        if known is None:
            kept = Kept(self._facts(order))
            self.kept[kept.key] = self.active[kept.key] = kept
            self.waiting.append(order)
        elif known.exit:
            self.news.append(told(known.exit))
        elif known.pid:
            self.news.append({"ev": "started"} | known.shown())

    def _facts(self, order: dict[str, Any]) -> dict[str, Any]:
        """What the journal will say about the order."""
        facts: dict[str, Any] = {
            name: int(order.get(name, 0)) for name in ("timeout_ms", "kill_ms", "orphan_ms")
        }
        marks = [f"{name}={order['env'][name]}" for name in MARKS if name in order["env"]]
        facts |= {"order": order["key"], "dir": order["dir"], "marks": marks}
        facts["boxed"] = bool(order.get("boxed"))
        return facts | {"boot": self.boot, "at_ms": int(time.time() * 1000)}

    def end(self, key: str, reason: str, kill_ms: int | None = None) -> None:
        """Send TERM to the attempt's tree, KILL later; a second call can only shorten the wait."""
        kept = self.active.get(key)
        if kept is None or kept.code is not None:
            return
        kill_at = time.monotonic() + (kept.kill_ms if kill_ms is None else kill_ms) / 1000
        if kept.reason:
            kept.kill_at = kept.kill_at if kill_ms is None else min(kept.kill_at, kill_at)
            return
        kept.reason, kept.kill_at = reason, kill_at
        if kept.pid:
            self._warn(kept, self._members(kept))
        else:
            self.journal.add(kept.facts())
            kept.code = 128 + signal.SIGTERM
            self._finish(kept)

    def forget(self, keys: list[str]) -> None:
        """Drop what has ended and is safe elsewhere."""
        ended = [key for key in keys if key in self.kept and self.kept[key].exit]
        for key in ended:
            del self.kept[key]
        if ended:
            self.journal.add({"forget": ended})
            self.journal.tidy(self.kept.values())

    # How an attempt begins.

    def _spawn_some(self) -> None:
        """Start what waits, for a slice of time."""
        until = time.monotonic() + SPAWN_SLICE_S
        while self.waiting and time.monotonic() < until:
            order = self.waiting.popleft()
            kept = self.active.get(order["key"])
            if kept:
                self._spawn(kept, order)

    def _spawn(self, kept: Kept, order: dict[str, Any]) -> None:
        """Start one order.

        The order is on disk before the process exists, or no process is: none is ever unknown.
        """
        kept.at_ms, kept.started_at = int(time.time() * 1000), time.monotonic()
        self.journal.add(kept.facts())
        if not self.journal.written:
            kept.reason, kept.note, kept.code = UNWRITTEN, self.journal.trouble, 128 + signal.SIGTERM
            self._finish(kept)
            return
        before = tree.ticks()
        try:
            kept.pid = spawn.launch(order)
        except Exception as error:  # whatever is wrong with one order, the others go on
            kept.reason = "spawn"
            kept.code, kept.note = spawn.explain(order, error)
            self._finish(kept)
            return
        kept.is_child, kept.start = True, self._start_of(kept.pid, before)
        self.mains[kept.pid] = kept
        self.journal.add({"pid": kept.pid, "key": kept.key, "start": kept.start})
        self.news.append({"ev": "started"} | kept.shown())

    def _start_of(self, pid: int, before: int) -> int:
        """When this child was started, not long after `before`.

        Within one clock tick that is known. To ask /proc, and to have it forget the process
        again, is a sixth of what a job costs here: it is asked about the first, to see that it
        counts as we do, and where a tick has passed meanwhile.
        """
        if self.is_clock_exact and tree.ticks() == before:
            return before
        start = tree.start_of(pid)
        if self.is_clock_exact is None:
            self.is_clock_exact = before <= start <= tree.ticks()
        return start

    def _resume(self, kept: Kept) -> None:
        """Take over an attempt of an earlier keeper: it is watched while it lives."""
        same_boot = kept.boot == self.boot
        if kept.exit:
            if kept.exit.get("ended_at") and not same_boot:
                kept.exit["ended_at"] = tree.AT_BOOT_S
            return
        self.active[kept.key] = kept
        if same_boot and kept.pid and tree.still_runs(kept.pid, kept.start, kept.at_ms):
            if kept.start:  # counted since the boot: the wall clock may have been set meanwhile
                kept.started_at = time.monotonic() - (boot_time_s() - kept.start / tree.TICKS_PER_S)
            self._watch(kept)
        else:
            kept.reason = "keeper_lost" if same_boot else "machine_lost"
            self._note_end(kept, None)

    def _watch(self, kept: Kept) -> None:
        """Have the end of a process that is no child end the select; without pidfds it is polled."""
        try:
            watcher = os.pidfd_open(kept.pid)
        except (AttributeError, OSError):
            return

        def ended(*_: object) -> None:
            self.selector.unregister(watcher)
            os.close(watcher)
            kept.poll_at = 0.0

        self.selector.register(watcher, selectors.EVENT_READ, ended)
        kept.poll_at = inf

    # How it ends.

    def due_at(self, kept: Kept) -> float:
        """When the attempt next needs attention, by the monotonic clock."""
        if kept.code is not None:
            return kept.look_at
        if not kept.pid:
            return inf  # waits to be spawned
        if kept.reason:
            due = max(kept.kill_at, kept.look_at)
        else:
            due = min(self._timeout_at(kept), self.orphan_at(kept))
        return due if kept.is_child else min(due, kept.poll_at)

    def _timeout_at(self, kept: Kept) -> float:
        """When it will have run too long."""
        return kept.started_at + kept.timeout_ms / 1000 if kept.timeout_ms else inf

    def orphan_at(self, kept: Kept) -> float:
        """When it will have run too long without a worker."""
        if self.alone_since is None or not kept.orphan_ms:
            return inf
        left_at = time.monotonic() - (boot_time_s() - self.alone_since)
        if kept.orphan_ms > 0:
            return left_at + kept.orphan_ms / 1000
        return left_at + min(GRACE_MAX_S, max(GRACE_MIN_S, left_at - kept.started_at))

    def _reap(self) -> None:
        """Learn which children have ended; orphans among them are only buried."""
        while self.mains or tree.LINUX:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            kept = self.mains.pop(pid, None)
            if kept:
                self._note_end(kept, os.waitstatus_to_exitcode(status))

    def _note_end(self, kept: Kept, code: int | None) -> None:
        """The main process is gone; a negative code is a signal, as in subprocess, None an end nobody saw."""
        kept.code = UNKNOWN if code is None else code if code >= 0 else 128 - code
        if kept.boxed or not kept.kill_at:  # nothing outlives the first process of a sandbox
            kept.kill_at = time.monotonic()
        now = time.monotonic()
        kept.run_ms = ceil((now - kept.started_at) * 1000)  # what ran, ran for a moment
        kept.ended_at = 0.0 if code is None else round(now, 3)
        kept.look_at = 0.0

    def _attend(self, kept: Kept) -> None:
        """Do what is due for one attempt."""
        now = time.monotonic()
        if kept.code is None and not kept.is_child and now >= kept.poll_at:
            self._poll(kept)
        if kept.code is not None:
            self._sweep(kept)
        elif kept.reason and now >= kept.kill_at:
            self._kill(kept, self._members(kept))
        elif now >= self._timeout_at(kept):
            self.end(kept.key, "timeout")
        elif now >= self.orphan_at(kept):
            self.end(kept.key, "orphan")

    def _poll(self, kept: Kept) -> None:
        """See whether a process that is no child still runs."""
        kept.poll_at = time.monotonic() + POLL_S
        if not tree.still_runs(kept.pid, kept.start, kept.at_ms):
            kept.reason = kept.reason or "keeper_lost"
            self._note_end(kept, None)

    def _sweep(self, kept: Kept) -> None:
        """The main process is gone: finish once nothing of its tree is left."""
        if kept.boxed and not kept.pause_s and not self._is_alone(kept):
            kept.pause_s = BOX_CLOSES_S  # the kernel is just ending what was in the sandbox
            kept.look_at = time.monotonic() + BOX_CLOSES_S
            return
        left = self._left_over(kept)
        if left and time.monotonic() < kept.kill_at + UNKILLABLE_S:
            self._kill(kept, left)
            return
        if left:
            kept.note = f"processes {left} survive SIGKILL"
        self._finish(kept)

    def _kill(self, kept: Kept, pids: list[int]) -> None:
        """Send KILL if it is time for it, else TERM to those who came since, and look again soon."""
        if time.monotonic() >= kept.kill_at:
            tree.send(pids, signal.SIGKILL)
        else:
            self._warn(kept, pids)
        kept.pause_s = min(0.5, max(0.01, 2 * kept.pause_s))
        kept.look_at = time.monotonic() + kept.pause_s

    def _warn(self, kept: Kept, pids: list[int]) -> None:
        """Send TERM, once to each: many programs take a second one for impatience.

        A sandbox would not hand it on to the command, only end it.
        """
        spared = kept.warned | ({kept.pid} if kept.boxed else set())
        tree.send([pid for pid in pids if pid not in spared], signal.SIGTERM)
        kept.warned.update(pids)

    def _finish(self, kept: Kept) -> None:
        """Write down how it ended and tell it."""
        kept.exit = {
            "exit": kept.key,
            "code": kept.code,
            "reason": kept.reason or "exit",
            "run_ms": kept.run_ms,
            "note": kept.note,
            "ended_at": kept.ended_at,
        }
        del self.active[kept.key]
        self.journal.note(kept.exit)
        self.news.append(told(kept.exit))

    # Who belongs to it.

    def _left_over(self, kept: Kept) -> list[int]:
        """What is left of the tree whose main process is gone.

        The process table is read twice before "nothing" is believed: a fork may slip
        through one reading.
        """
        if self._is_alone(kept):
            return []
        return self._members(kept) or self._members(kept)

    def _is_alone(self, kept: Kept) -> bool:
        """Do two cheap looks show that nothing was left behind?"""
        return kept.is_child and not tree.children() - self.mains.keys() and not tree.group_lives(kept.pid)

    def _members(self, kept: Kept) -> list[int]:
        """Every process of the attempt, by all the marks there are."""
        marks = {os.fsencode(mark) for mark in kept.marks}
        table = tree.snapshot()
        # A pid cannot be given anew while a group or session bears its number: when the
        # main process is gone and its pid is there, that process is a stranger.
        root = 0 if kept.code is not None and kept.pid in table else kept.pid

        def claimed(process: tree.Process) -> bool:
            return tree.carries(process.pid, marks) or self._is_stray_of(kept, process)

        return tree.family(table, root, kept.start, claimed)

    def _is_stray_of(self, kept: Kept, process: tree.Process) -> bool:
        """Whether an orphan in this process's arms comes from that attempt, or from no other one.

        Only orphans of this process's own children come to it, not those of an earlier keeper's.
        """
        if not kept.is_child or process.parent != os.getpid() or process.pid in self.mains:
            return False
        if tree.works_in(process.pid, kept.dir):
            return True
        others = (other for other in self.active.values() if other is not kept and other.pid)
        return not any(other.start <= process.start for other in others)

"""How long what attempts leave behind stays on this disk.

| what | how long |
|---|---|
| `out`, `err`: the whole log | `keep_logs` (3 days); of more than `max_logs` (1 GiB) the oldest goes first |
| `work/` of an attempt that succeeded | until the hub has its report (statedir.py) |
| `work/` of another attempt | `keep_workdir` (a day) |
| fetched inputs | `keep_workdir`, and files.py has a limit of its own |
| all logs and work directories | until the disk is full: then the oldest go first |

Time counts from the end of an attempt, when its directory was last changed. What is
held is not touched, however old it is. A look at everything costs as much as there is
to look at, so there is one an hour, or when an eighth of `max_logs` has been added.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import NamedTuple

from relayq.config import WorkerConfig
from relayq.worker.masks import FILE as SECRETS
from relayq.worker.sandbox import PRIVATE
from relayq.worker.statedir import StateDir, remove_tree

EVERY_S = 3600.0
BLOCK_BYTES = 512
FRESH = ".new"
YOUNG_S = 1.0
ROOM_BYTES = 16 << 20  # of a disk that was full


class Left(NamedTuple):
    """An attempt's directory: when it was last changed, and the room its log takes."""

    path: Path
    changed_s: float
    log_bytes: int


class Retention:
    """Removes what has been kept for its time. Everything here may block: call it in a thread."""

    def __init__(self, directory: StateDir, config: WorkerConfig) -> None:
        self._dir, self._config = directory, config
        self._looked_at = -inf
        self._added_bytes = 0

    @property
    def is_due(self) -> bool:
        """Is it time for a look at everything?"""
        is_time = time.monotonic() - self._looked_at >= EVERY_S
        return is_time or self._added_bytes > self._config.max_logs_bytes / 8

    def over(self, place: str, *, is_ok: bool) -> None:
        """An attempt is over and reported: keep what is to be kept, from now on."""
        if is_ok and not self._dir.clear(place):
            return
        with contextlib.suppress(OSError):
            os.utime(place)
            self._added_bytes += _log_bytes(place)

    def prune(self, held: set[str]) -> None:
        """Remove what has been kept for its time; `held` are the keys of attempts that are not over."""
        now_s = time.time()
        self._looked_at, self._added_bytes = time.monotonic(), 0
        kept = [left for left in self._left(held, now_s) if not self._is_shed(left, now_s - left.changed_s)]
        total = 0
        for left in sorted(kept, key=lambda one: one.changed_s, reverse=True):
            total += left.log_bytes
            if left.log_bytes and total > self._config.max_logs_bytes:
                _shed(left.path, logs=True)
        for path in self._dir.files.iterdir():
            with contextlib.suppress(OSError):
                if now_s - path.stat().st_mtime > self._config.keep_workdir_ms / 1000:
                    path.unlink()

    def make_room(self, held: set[str]) -> None:
        """The disk is full: remove what attempts have left, the oldest first, until it is not."""
        for left in sorted(self._left(held, time.time()), key=lambda one: one.changed_s):
            if shutil.disk_usage(self._dir.path).free >= ROOM_BYTES:
                return
            _shed(left.path, logs=True, work=True)

    def _left(self, held: set[str], now_s: float) -> Iterator[Left]:
        """Whatever is not held, nor so young that it may have been begun since `held` was put together."""
        for entry in os.scandir(self._dir.attempts):
            with contextlib.suppress(OSError):
                changed_s = entry.stat(follow_symlinks=False).st_mtime
                if entry.name.removesuffix(FRESH) not in held and changed_s < now_s - YOUNG_S:
                    yield Left(Path(entry.path), changed_s, _log_bytes(entry.path))

    def _is_shed(self, left: Left, age_s: float) -> bool:
        """Has its log been removed, its time being over?"""
        is_log_old = age_s > self._config.keep_logs_ms / 1000
        is_work_old = age_s > self._config.keep_workdir_ms / 1000
        if is_log_old or (is_work_old and (left.path / "work").exists()):
            _shed(left.path, logs=is_log_old, work=is_work_old)
        return is_log_old


def _log_bytes(place: str) -> int:
    """The room on disk of everything but the work directory."""
    entries = [entry for entry in os.scandir(place) if entry.name != "work"]
    return sum(entry.stat(follow_symlinks=False).st_blocks for entry in entries) * BLOCK_BYTES


def _shed(place: Path, *, logs: bool = False, work: bool = False) -> None:
    """Remove parts of an attempt's directory, without making what is left look younger.

    As long as anything of a log is there, so is what must be masked in it.
    """
    with contextlib.suppress(OSError):
        before = place.stat()
        for path in sorted(place.iterdir(), key=lambda path: path.name == SECRETS):
            if not (work if path.name in ("work", PRIVATE) else logs):
                continue
            if path.is_dir() and not path.is_symlink():
                remove_tree(path)
            else:
                path.unlink()
        if any(place.iterdir()):
            os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))
        else:
            place.rmdir()

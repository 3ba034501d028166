"""Have directories ready for the commands that are about to start.

To make an attempt's directory and files beside journals that are being synced costs 1.5 ms
of CPU on ext4, more than many a command; to rename one that stands costs 0.02 (2026-11-28,
benchmarks/README.md). So a worker makes some while it has nothing to do, and takes back
those in which an attempt has left nothing: no output, no file, nothing changed.

Jobs that run in a sandbox or as another user get new ones.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import sys
from collections import deque
from itertools import count
from pathlib import Path

from relayq.worker.statedir import StateDir, remove_tree

AHEAD_MAX = 16
KEPT_MAX = 128
FILES = ("out", "err")
PRIVATE_DIR, PRIVATE_FILE = stat.S_IFDIR | 0o700, stat.S_IFREG | 0o600


class Stock:
    """The directories of attempts: where each has its own, and the ones that stand ready.

    As many as there are slots are made ahead, at most 16; at most 128 are kept. What an earlier
    worker has left is used up first. `fill` may block.
    """

    def __init__(self, directory: StateDir, slots: int) -> None:
        self._attempts, self._root = str(directory.attempts), str(directory.stock)
        self._ahead = min(slots, AHEAD_MAX)
        self._numbers = count()
        self._name = secrets.token_hex(4)
        self._ready: deque[str] = deque()
        for entry in os.scandir(self._root):
            if self._is_good(entry.path):
                self._ready.append(entry.path)
            else:
                remove_tree(Path(entry.path))

    def place(self, key: str) -> str:
        """The directory of the attempt of that key, made or not."""
        return f"{self._attempts}/{key}"

    def take(self, place: str) -> str:
        """A ready directory to rename to `place`; "" when there is none, or the place is taken."""
        return self._ready.popleft() if self._ready and not os.path.lexists(place) else ""

    def give(self, place: str) -> bool:
        """Take back what an attempt has left behind, if it is as good as new. Three quick system calls."""
        if len(self._ready) >= KEPT_MAX or not self._is_good(place):
            return False
        path = self._path()
        with contextlib.suppress(OSError):
            os.rename(place, path)
            self._ready.append(path)
            return True
        return False

    def fill(self) -> None:
        """Make as many as are wanted; a disk that is full or slow costs only the advantage."""
        with contextlib.suppress(OSError):
            while len(self._ready) < self._ahead:
                path = self._path()
                os.mkdir(path, 0o700)
                os.mkdir(f"{path}/work", 0o700)
                for name in FILES:
                    os.close(os.open(f"{path}/{name}", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
                self._ready.append(path)

    def _path(self) -> str:
        return f"{self._root}/{self._name}.{next(self._numbers)}"

    @staticmethod
    def _is_good(place: str) -> bool:
        """Is there just what is there at the beginning, as it is made, with nothing in it?

        Elsewhere than on Linux a process may outlive its attempt unseen and write into it.
        """
        try:
            if sys.platform != "linux" or set(os.listdir(place)) != {*FILES, "work"}:
                return False
            if not _is_private(os.lstat(place)):
                return False
            files = [os.lstat(f"{place}/{name}") for name in FILES]
            return all(map(_is_untouched, files)) and _is_empty(f"{place}/work")
        except OSError:
            return False


def _is_untouched(file: os.stat_result) -> bool:
    is_private = file.st_mode == PRIVATE_FILE and file.st_uid == os.geteuid()
    return is_private and file.st_nlink == 1 and not file.st_size


def _is_empty(work: str) -> bool:
    return _is_private(os.lstat(work)) and not os.listdir(work)


def _is_private(directory: os.stat_result) -> bool:
    return directory.st_mode == PRIVATE_DIR and directory.st_uid == os.geteuid()

"""A disk that can be filled and emptied, on every machine.

`Mounted` is a small tmpfs: mounted directly by root, with sudo where that asks for no
password. `Limited` needs no right at all: it lowers the largest file that a worker, its
keeper and their jobs may write, and raises it again.
"""

from __future__ import annotations

import os
import resource
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.support import processes_of

FULL_BYTES = 16 * 1024
SMALL_BYTES = 4 * 1024 * 1024


class Mounted:
    """A file system of SMALL_BYTES."""

    def __init__(self, path: Path, become_root: tuple[str, ...]) -> None:
        self.path, self._become_root = path, become_root

    def fill(self) -> None:
        """Leave not a byte."""
        with (self.path / "ballast").open("wb", buffering=0) as ballast:
            for size in (65_536, 1):
                try:
                    while ballast.write(bytes(size)) == size:
                        pass
                except OSError:
                    continue

    def free(self) -> None:
        """There is room again."""
        (self.path / "ballast").unlink(missing_ok=True)

    def close(self) -> None:
        """Unmount it, whoever still uses it."""
        subprocess.run([*self._become_root, "umount", "--lazy", self.path], check=True)


class Limited:
    """The ordinary disk, and no file on it may become longer than what is allowed at the moment."""

    def __init__(self, path: Path, home: Path) -> None:
        self.path, self._home = path, home

    def fill(self) -> None:
        """Nothing may be written behind the first pages of a file: the worker's journal is longer."""
        self._limit(FULL_BYTES)

    def free(self) -> None:
        """There is room again, as much as on the small file system."""
        self._limit(SMALL_BYTES)

    def _limit(self, size: int) -> None:
        for pid in processes_of(self._home):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def close(self) -> None:
        """Nothing to do: the limits go with their processes."""


def mount(path: Path) -> tuple[str, ...] | None:
    """Mount a small file system there; how this user becomes root for that, None when it is not allowed."""
    options = f"size={SMALL_BYTES},uid={os.getuid()},mode=0700"
    for become_root in ((), ("sudo", "-n")):
        argv = [*become_root, "mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)]
        with suppress(FileNotFoundError):
            if subprocess.run(argv, stderr=subprocess.DEVNULL, check=False).returncode == 0:
                return become_root
    return None

"""The worker's directory on disk: one name, one process, and what attempts leave behind.

    <state>/workers/<name>/
        lock        held by the process that is the worker; a second one is refused
        instance    a random word: the same directory on the same board may replace its own live session
        boot        which start of the machine the last worker knew of
        spool.db    spool.py
        keeper.*    keeper.py
        attempts/<job>.<attempt>/   out, err, work/ and what else an attempt needs
        files/      inputs of jobs, by digest
        stock/      empty directories for the next attempts, stock.py

The log of an attempt stays here for its time, and so does the work directory of a failed
one (retention.py). What left nothing worth keeping is removed at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from relayq.errors import WorkerError
from relayq.places import private_dir, put_durably
from relayq.worker.tree import boot_id

SERIAL = Path("/proc/device-tree/serial-number")


class StateDir:
    """The paths of one worker, and the tidying of them."""

    def __init__(self, root: Path, name: str) -> None:
        self.name = name
        self.path = private_dir(root / "workers" / name)
        self.attempts = private_dir(self.path / "attempts")
        self.files = private_dir(self.path / "files")
        self.stock = private_dir(self.path / "stock")
        self.spool = self.path / "spool.db"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only worker of this name on this machine; WorkerError when there is one."""
        file = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pid = os.read(file, 20).decode() or "?"
                raise WorkerError(
                    f"Worker '{self.name}' runs here already (process {pid}): "
                    "stop it first, or give this one another --name."
                ) from None
            os.truncate(file, 0)
            with contextlib.suppress(OSError):  # the disk is full: the lock holds without it
                os.write(file, str(os.getpid()).encode())
            yield
        finally:
            os.close(file)

    def let_others_through(self) -> None:
        """Let the user as whom jobs run find the way to his work directories; nothing is readable."""
        for path in (self.attempts, self.path, self.path.parent, self.path.parent.parent):
            path.chmod(0o711)
        for path in self.path.iterdir():
            if path.is_file():
                path.chmod(0o600)

    def instance(self) -> str:
        """The random word of this directory, made once, and its board; WorkerError when it cannot be kept.

        Memory cards are copied from one Raspberry Pi to the next: two that take each other for the
        same would run each other's jobs anew for ever.
        """
        path = self.path / "instance"
        fresh = path.with_suffix(".new")
        if not path.exists():
            try:
                with fresh.open("w") as file:
                    file.write(secrets.token_hex(8))
                    file.flush()
                    os.fsync(file.fileno())
                put_durably(fresh, path)
            except OSError as error:
                raise WorkerError(
                    f"The worker's directory {self.path} cannot be written: {error.strerror}."
                ) from None
        return path.read_text() + _board()

    def is_new_boot(self) -> bool:
        """May the machine have been switched on anew since `note_boot` was last called here?"""
        with contextlib.suppress(OSError):
            return (self.path / "boot").read_text() != boot_id()
        return True

    def note_boot(self) -> None:
        """What was held when the machine went down is settled. A disk that is full lets it be asked again."""
        with contextlib.suppress(OSError):
            (self.path / "boot").write_text(boot_id())

    def clear(self, place: str) -> bool:
        """An attempt has succeeded: its log is kept if it has one, its work directory is not. Was it kept?"""
        if _said_something(place):
            remove_tree(Path(place, "work"))
            return True
        if not _removed_quickly(place):
            remove_tree(Path(place))
        return False


def _board() -> str:
    """Which board this is, where boards have numbers."""
    try:
        return f"-{hashlib.sha256(SERIAL.read_bytes()).hexdigest()[:8]}"
    except OSError:
        return ""


def remove_tree(path: Path) -> None:
    """Remove a directory as far as that is allowed, however deep a job has made it."""
    try:
        shutil.rmtree(path, ignore_errors=True)
    except RecursionError:  # until Python 3.13 rmtree goes no deeper than the stack
        subprocess.run(["rm", "-rf", "--", path], stderr=subprocess.DEVNULL, check=False)


def _said_something(place: str) -> bool:
    for name in ("out", "err", "out.cut", "err.cut"):
        with contextlib.suppress(OSError):
            if Path(place, name).stat().st_size:
                return True
    return False


def _removed_quickly(place: str) -> bool:
    """Remove the leavings of a command that left nothing in its directory: four system calls."""
    path = Path(place)
    try:
        Path(path, "work").rmdir()
        Path(path, "out").unlink()
        Path(path, "err").unlink()
        path.rmdir()
    except OSError:
        return False
    return True

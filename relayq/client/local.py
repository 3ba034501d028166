"""The background worker that comes with the local hub.

Whoever submits to the embedded hub expects the job to run, so a worker is started
when none is registered. It inherits an open lock file: the lock is held exactly as
long as that worker lives, however it dies, so "is it there?" is one system call and
two submitters never start two. A joined hub has its own workers and gets none.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from relayq.config import variables
from relayq.errors import WorkerError
from relayq.places import ANOTHER

if TYPE_CHECKING:
    from pathlib import Path

    from relayq.config import Config

IDLE_EXIT = "15m"
KILL_SIGNAL = signal.SIGUSR1  # to a worker: end what runs, and leave (worker.py)
LAST_WORD_S = 30.0
READY = "worker ready"  # what a worker logs when it takes jobs (worker.py)

# The shell ends at once, so the worker belongs to init and never becomes our zombie.
DETACH = '"$@" </dev/null >>"$0" 2>&1 & echo $!'

# No secret of the submitter's environment stays behind in a process that lives on.
KEPT_VARIABLES = ("HOME", "PATH", "LANG", "TZ", "TMPDIR", "USER", "LOGNAME", "SHELL")
KEPT_PREFIXES = ("LC_", "PYTHON", "XDG_")


class LocalWorker:
    """The background worker of this user and hub."""

    def __init__(self, config: Config, url: str) -> None:
        self._config = config
        self._url = url
        self._said_from: int | None = None  # where the log of a worker that was started here begins

    def start(
        self,
        has_workers: Callable[[], bool] = lambda: False,
        idle_exit: str = IDLE_EXIT,
        *,
        scheduler: bool = False,
    ) -> bool:
        """Start it, as a scheduler too if asked, unless it runs or `has_workers()`; whether it was."""
        lock = self._locked()
        if lock is None:
            return False
        try:
            if self._is_held(self._config.worker.name) or has_workers():
                return False
            self._said_from = self.log_path.stat().st_size if self.log_path.exists() else 0
            pid = self._spawn(lock, idle_exit, ["--scheduler"] if scheduler else [])
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{pid}\n".encode(), 0)
            return True
        finally:
            os.close(lock)

    def is_there(self) -> bool:
        """Does it run, or is somebody just starting it?"""
        lock = self._locked()
        if lock is not None:
            os.close(lock)
        return lock is None

    def require_alive(self) -> None:
        """WorkerError, once, when the worker that was started here has gone before it was ready."""
        if self._said_from is None or self.is_there() or READY in (said := self._said()):
            return
        self._said_from = None
        last = said.strip().splitlines()[-1:] or [f"it said nothing (its log is {self.log_path})"]
        why = last[0].removeprefix("relayq: ")
        raise WorkerError(f"the background worker cannot work here, so jobs wait for another one: {why}")

    def await_ready(self, patience_s: float = 10.0) -> None:
        """Wait, a while, until the worker that was started here takes jobs; WorkerError when it has gone."""
        deadline_s = time.monotonic() + patience_s
        while READY not in self._said() and time.monotonic() < deadline_s:
            self.require_alive()
            time.sleep(0.02)

    def _said(self) -> str:
        """What the worker that was started here has logged."""
        try:
            with self.log_path.open("rb") as log:
                log.seek(self._said_from or 0)
                return log.read().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def stop(self, *, kill: bool = False) -> bool:
        """End it, and with `kill` what it runs, and wait until it has gone; whether it was there.

        It takes as long as the deadline that the worker gives its jobs, and for its last word.
        """
        if not self.is_there():
            return False
        pid = int(self._lock_path.read_text() or 0)
        if pid:
            with suppress(ProcessLookupError):  # it went by itself a moment ago
                os.kill(pid, KILL_SIGNAL if kill else signal.SIGTERM)
        self._await_end(pid, self._config.worker.stop_deadline_ms / 1000 + LAST_WORD_S)
        return True

    @property
    def log_path(self) -> Path:
        """What the background worker prints."""
        return self._config.state_dir / "background-worker.log"

    @property
    def _lock_path(self) -> Path:
        return self._config.state_dir / "background-worker.lock"

    def has_gone(self, name: str) -> bool:
        """Is this a worker that ran here and does no more, whatever the hub has not noticed yet?"""
        return self._is_held(name) is False

    def _is_held(self, name: str) -> bool | None:
        """Whether the worker of this name, maybe started by hand, holds its lock; None if it has none."""
        try:
            file = os.open(self._config.state_dir / "workers" / name / "lock", os.O_RDWR)
        except OSError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False

    def _locked(self) -> int | None:
        """An open, locked file, or None when the worker (or somebody starting it) holds it."""
        try:
            self._config.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise WorkerError(
                f"the background worker cannot keep its state in {self._config.state_dir}: "
                f"{error.strerror}; {ANOTHER}"
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        return lock

    def _spawn(self, lock: int, idle_exit: str, more: list[str]) -> int:
        import subprocess

        worker = [sys.executable, "-m", "relayq", "worker", "--headless", "--url", self._url]
        worker += ["--fleet", self._config.fleet, *more]
        worker += ["--idle-exit", idle_exit] if idle_exit else []
        shell = subprocess.run(
            ["/bin/sh", "-c", DETACH, str(self.log_path), *worker],
            env=kept_environment(),
            cwd="/",
            umask=0o077,
            pass_fds=(lock,),
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            check=True,
        )
        return int(shell.stdout)

    def _await_end(self, pid: int, patience_s: float) -> None:
        deadline_s = time.monotonic() + patience_s
        while time.monotonic() < deadline_s:
            lock = self._locked()
            if lock is not None:
                os.close(lock)
                return
            time.sleep(0.02)
        raise WorkerError(
            f"the background worker (process {pid}) has not left within {patience_s:.0f} s; "
            f"its log is {self.log_path}"
        )


def kept_environment() -> dict[str, str]:
    """The part of our environment that a process which lives on may have."""
    kept = {*KEPT_VARIABLES, *variables()}
    return {
        name: value for name, value in os.environ.items() if name in kept or name.startswith(KEPT_PREFIXES)
    }

"""Start the command of one order: its directory, its files, its limits, its process.

The process gets exactly the argv and the environment of the order, its own session
and process group, umask 077, and files for all three standard streams, so that
neither the keeper nor a worker has to be there while it writes.

Limits and the working directory are set on the keeper itself for the moment of the
spawn, inherited by the child and put back: no shell in between that would add variables
of its own (dash adds PWD, bash also SHLVL and `_`) or cost a second exec. They are soft
limits; on Linux the child's hard limits follow at once.

`posix_spawn` takes 43 us where `subprocess` takes 72, which has to carry errors from the child
to its parent and to close what could be open (every file of the keeper closes by itself).
It cannot start a command as another user: `subprocess` does that, loaded when it is asked for.

Standard library only: the keeper runs this file without the package.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import sys
from contextlib import contextmanager, suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

NOT_FOUND, NOT_RUNNABLE = 127, 126  # as a shell would say it
WRITE = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
LIMITS = {"data_bytes": resource.RLIMIT_DATA, "fsize_bytes": resource.RLIMIT_FSIZE}


def ignore_nothing() -> None:
    """Hear the signals that this process ignores (Python some, whoever started it in the background
    others) and do nothing: what is ignored stays ignored in every command, what is heard does not.
    """
    for number in signal.valid_signals():
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


def launch(order: dict[str, Any]) -> int:
    """Start the order's command and return its pid; OSError, ValueError or TypeError when that fails."""
    directory = order["dir"]
    limits = order.get("limits") or {}
    wanted = asked(limits)
    if not (order.get("ready") and was_renamed(order["ready"], directory)):
        os.makedirs(f"{directory}/work", exist_ok=True)
    files = [os.open(order.get("stdin") or os.devnull, os.O_RDONLY | os.O_CLOEXEC)]
    try:
        files += (os.open(f"{directory}/{name}", WRITE, 0o600) for name in ("out", "err"))
        with lowered(wanted), inside(order.get("cwd") or f"{directory}/work"):
            pid = started(order, files)
        harden(pid, wanted, limits.get("nice"))
        return pid
    finally:
        for file in files:
            os.close(file)


def was_renamed(ready: str, directory: str) -> bool:
    """Did the directory that stands ready become the attempt's?"""
    try:
        os.rename(ready, directory)
    except OSError:
        return False
    return True


def started(order: dict[str, Any], files: list[int]) -> int:
    """The pid of the new process, whose standard streams are `files`."""
    if order.get("as"):
        return started_as(order, files)
    argv, env = order["argv"], order.get("env") or {}
    failure: OSError | None = None
    for path in paths_of(argv[0], env):
        try:
            return os.posix_spawn(
                path,
                argv,
                env,
                file_actions=[(os.POSIX_SPAWN_DUP2, file, number) for number, file in enumerate(files)],
                setsid=True,
            )
        except NotImplementedError:  # an old macOS
            return started_as(order, files)
        except OSError as error:
            failure = failure if isinstance(error, FileNotFoundError | NotADirectoryError) else error
    failure = failure or FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    failure.filename = argv[0]
    raise failure


def paths_of(command: str, env: dict[str, str]) -> list[str]:
    """Where the command may be: there, or in the directories of the order's own PATH."""
    if os.path.dirname(command):
        return [command]
    paths = (os.path.join(directory, command) for directory in os.get_exec_path(env))
    return [path for path in paths if os.access(path, os.F_OK)]


def started_as(order: dict[str, Any], files: list[int]) -> int:
    """The same where it takes `subprocess`: as the user that the order names."""
    import subprocess

    uid, gid, groups = order.get("as") or (None, None, None)
    account = {} if uid is None else {"user": uid, "group": gid, "extra_groups": groups}
    env, (stdin, stdout, stderr) = order.get("env") or {}, files
    process = subprocess.Popen(
        order["argv"],
        env=env,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        **account,
    )
    process.returncode = 0  # nobody but the keeper's loop waits for it
    return process.pid


@contextmanager
def inside(directory: str) -> Iterator[None]:
    """Work in that directory for as long as the block lasts; the keeper's own is the root."""
    os.chdir(os.fsencode(directory))
    try:
        yield
    finally:
        os.chdir("/")


@contextmanager
def lowered(wanted: list[tuple[int, int]]) -> Iterator[None]:
    """Lower this process's own soft limits for as long as the block lasts."""
    before = [(number, resource.getrlimit(number)) for number, _ in wanted]
    try:
        for (number, (_, hard)), (_, limit) in zip(before, wanted, strict=True):
            resource.setrlimit(number, (within(limit, hard), hard))
        yield
    finally:
        for number, pair in before:
            resource.setrlimit(number, pair)


def harden(pid: int, wanted: list[tuple[int, int]], nice: int | None) -> None:
    """Set what can only be set on the child: its hard limits (Linux) and its niceness, as far as allowed."""
    with suppress(OSError):
        if sys.platform == "linux":
            for number, limit in wanted:
                allowed = within(limit, resource.prlimit(pid, number)[1])
                resource.prlimit(pid, number, (allowed, allowed))
        if nice:
            os.setpriority(os.PRIO_PGRP, pid, nice)


def asked(limits: dict[str, int]) -> list[tuple[int, int]]:
    """The resource limits that the order asks for, as (number, limit)."""
    return [(number, limits[name]) for name, number in LIMITS.items() if limits.get(name)]


def within(limit: int, hard: int) -> int:
    """The limit, or the hard limit where that is lower."""
    return limit if hard == resource.RLIM_INFINITY else min(limit, hard)


def explain(order: dict[str, Any], error: Exception) -> tuple[int, str]:
    """The exit code a shell would give for a command that cannot start, and a sentence.

    The sentence also goes into the attempt's own stderr, where people look first.
    """
    command, cwd = next(iter(order.get("argv") or ()), ""), order.get("cwd")
    about, why = _told(error)
    missing = isinstance(error, FileNotFoundError) and about == command
    note = (
        f"cannot work in {cwd!r} on this worker: {why}"
        if about == cwd
        else f"cannot start {command!r}: {why}"
    )
    with suppress(OSError), open(f"{order['dir']}/err", "a") as file:
        file.write(f"relayq: {note}\n")
    return (NOT_FOUND if missing else NOT_RUNNABLE), note


def _told(error: Exception) -> tuple[str, str]:
    """The path an error is about, and what it says without it."""
    if isinstance(error, OSError) and error.strerror:
        return os.fsdecode(error.filename or ""), error.strerror
    return "", str(error)

"""Start the command of one order: its directory, its files, its limits, its process.

The process gets exactly the argv and the environment of the order, its own session
and process group, umask 077, and files for all three standard streams, so that
neither the keeper nor a worker has to be there while it writes.

Limits are set on the keeper itself for the moment of the spawn, inherited by the
child and put back: no shell in between that would add variables of its own (dash
adds PWD, bash also SHLVL and `_`) or cost a second exec. They are soft limits; on
Linux the child's hard limits follow at once.

Standard library only: the keeper runs this file without the package.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from contextlib import contextmanager, suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

NOT_FOUND, NOT_RUNNABLE = 127, 126  # as a shell would say it
WRITE = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


def launch(order: dict[str, Any]) -> subprocess.Popen[bytes]:
    """Start the order's command and return its process; OSError or ValueError when that fails."""
    directory = order["dir"]
    limits = order.get("limits") or {}
    if order.get("ready"):
        with suppress(OSError):  # it is made below
            os.rename(order["ready"], directory)
    os.makedirs(f"{directory}/work", exist_ok=True)
    files = [os.open(order.get("stdin") or os.devnull, os.O_RDONLY | os.O_CLOEXEC)]
    try:
        files += (os.open(f"{directory}/{name}", WRITE, 0o600) for name in ("out", "err"))
        with lowered(limits):
            process = subprocess.Popen(
                order["argv"],
                env=order.get("env") or {},
                cwd=order.get("cwd") or f"{directory}/work",
                stdin=files[0],
                stdout=files[1],
                stderr=files[2],
                start_new_session=True,
                **account(order),
            )
        harden(process.pid, limits)
        return process
    finally:
        for file in files:
            os.close(file)


def account(order: dict[str, Any]) -> dict[str, Any]:
    """As whom the command runs, where the order names somebody else."""
    uid, gid, groups = order.get("as") or (None, None, None)
    return {} if uid is None else {"user": uid, "group": gid, "extra_groups": groups}


@contextmanager
def lowered(limits: dict[str, int]) -> Iterator[None]:
    """Lower this process's own soft limits for as long as the block lasts."""
    before = [(number, resource.getrlimit(number)) for number, _ in asked(limits)]
    try:
        for (number, (_, hard)), (_, limit) in zip(before, asked(limits), strict=True):
            resource.setrlimit(number, (within(limit, hard), hard))
        yield
    finally:
        for number, pair in before:
            resource.setrlimit(number, pair)


def harden(pid: int, limits: dict[str, int]) -> None:
    """Set what can only be set on the child: its hard limits (Linux) and its niceness, as far as allowed."""
    with suppress(OSError):
        if sys.platform == "linux":
            for number, limit in asked(limits):
                allowed = within(limit, resource.prlimit(pid, number)[1])
                resource.prlimit(pid, number, (allowed, allowed))
        if limits.get("nice"):
            os.setpriority(os.PRIO_PGRP, pid, limits["nice"])


def asked(limits: dict[str, int]) -> list[tuple[int, int]]:
    """The resource limits that the order asks for, as (number, limit)."""
    names = {"data_bytes": resource.RLIMIT_DATA, "fsize_bytes": resource.RLIMIT_FSIZE}
    return [(number, limits[name]) for name, number in names.items() if limits.get(name)]


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

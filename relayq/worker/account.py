"""Another user of this machine, as whom jobs run: he can neither read the worker's files nor signal it.

Only a worker that is root can start jobs as somebody else. It runs each command as
that user from its first instruction on, and gives him the attempt's work directory; the way
there must be open to him, which is tried and not assumed.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

TRIAL_TIMEOUT_S = 10.0
HANDED_OVER = ("work", "progress", "private/home", "private/tmp")


class Account(NamedTuple):
    """The user: what the system knows of him."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str

    @property
    def env(self) -> dict[str, str]:
        """What a login would set."""
        return {"HOME": self.home, "USER": self.name, "LOGNAME": self.name}

    @property
    def popen(self) -> dict[str, Any]:
        """How `subprocess` starts a command as this user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": self.groups}


def try_account(name: str, place: str) -> tuple[Account | None, str]:
    """The user of this name, or why jobs cannot run as him.

    `place` is the directory that theirs are made in; without it, that is not tried.
    """
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None, f"there is no user {name!r} on this machine"
    if entry.pw_uid == 0:
        return None, "root is no other user: name one without rights"
    if os.geteuid() != 0:
        return None, f"only a worker that runs as root can start jobs as {name!r}"
    groups = tuple(os.getgrouplist(name, entry.pw_gid))
    account = Account(name, entry.pw_uid, entry.pw_gid, groups, entry.pw_dir)
    why = _trouble(account, place) if place else ""
    return (None, why) if why else (account, "")


def hand_over(place: str, account: Account) -> None:
    """Give the user those parts of an attempt's directory that are the job's, and a way to them."""
    os.makedirs(f"{place}/work", mode=0o700, exist_ok=True)
    Path(place, "progress").touch(mode=0o600)
    for path in (place, f"{place}/private"):
        with suppress(FileNotFoundError):
            Path(path).chmod(0o711)
    for part in HANDED_OVER:
        with suppress(FileNotFoundError):
            _give(f"{place}/{part}", account)


def said(argv: list[str], **how: Any) -> str:
    """Run a command and return the first line of what it complained about."""
    try:
        run = subprocess.run(
            argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=TRIAL_TIMEOUT_S, check=False, **how
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    complaint: str = run.stderr.decode(errors="replace").strip()
    return complaint.partition("\n")[0][:120]


def _trouble(account: Account, place: str) -> str:
    """Why the user cannot work in a directory below `place`."""
    try:
        trial = tempfile.mkdtemp(prefix=".try-", dir=place)
    except OSError as error:
        return f"{place} cannot be used: {error.strerror}"
    try:
        hand_over(trial, account)
        work = f"{trial}/work"
        complaint = said(["/bin/sh", "-c", 'echo yes > "$0/worked"', work], cwd="/", env={}, **account.popen)
        worked = Path(work, "worked").exists()
    finally:
        shutil.rmtree(trial, ignore_errors=True)
    return "" if worked else f"user {account.name!r} cannot work below {place}: {complaint}"


def _give(path: str, account: Account) -> None:
    """Give what is inside first: until the end nobody else can enter, and put a link in our way."""
    for directory, directories, files in os.walk(path, topdown=False):
        for name in (*directories, *files):
            os.chown(f"{directory}/{name}", account.uid, account.gid, follow_symlinks=False)
    os.chown(path, account.uid, account.gid, follow_symlinks=False)

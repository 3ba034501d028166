"""What an installation does, as data: shown by `--dry-run`, carried out otherwise.

A file is written only where its content or mode differs, so carrying a plan out twice
is carrying it out once. A command may say which files it depends on: it is left out
when none of them changed.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from relayq.errors import RelayQError
from relayq.places import put_durably

PRIVATE, PUBLIC = 0o600, 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file to be written. `is_secret`: its content is not shown; `keep`: one that is there stays."""

    path: Path
    content: str
    mode: int = PUBLIC
    owner: str = ""
    is_secret: bool = False
    keep: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """A directory to be made."""

    path: Path
    mode: int = 0o755
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A symbolic link to be made."""

    path: Path
    target: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command to be run. `unless`: another one that succeeds when there is nothing to do.

    `may_fail`: its failure is told and does not end the plan.
    """

    argv: Sequence[str]
    unless: Sequence[str] = ()
    may_fail: bool = False

    def __str__(self) -> str:
        words = shlex.join(self.argv)
        return f"{shlex.join(self.unless)} || {words}" if self.unless else words


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """A file, link or directory to be removed with all that is in it."""

    path: Path


Step = File | Directory | Link | Command | Removal


def shown(steps: Sequence[Step]) -> Iterator[str]:
    """The plan for a person, line by line: every file whole, every command."""
    for step in steps:
        match step:
            case File():
                once = ", if it is not there" if step.keep else ""
                yield f"# write {step.path} ({_who(step.mode, step.owner)}{once})"
                yield from _quoted(step)
            case Directory():
                yield f"# make directory {step.path} ({_who(step.mode, step.owner)})"
            case Link():
                yield f"# link {step.path} -> {step.target}"
            case Command():
                yield f"$ {step}"
            case Removal():
                yield f"# remove {step.path}"


def carry_out(steps: Sequence[Step], tell: Callable[[str], None], *, as_root: bool = True) -> bool:
    """Do it, telling what changed, and say whether anything did.

    RelayQError at the first step that cannot be done.

    Without `as_root` nobody is made the owner of anything: everything is ours.
    """
    is_changed = False
    for step in steps:
        try:
            done = _do(step, as_root)
        except OSError as error:
            what = getattr(step, "path", None) or " ".join(getattr(step, "argv", ()))
            raise RelayQError(f"{what}: {error.strerror or error}; nothing after it was done") from error
        if done:
            is_changed = True
            tell(done)
    return is_changed


def _do(step: Step, as_root: bool) -> str:
    match step:
        case File():
            return _write(step, as_root)
        case Directory():
            return _make(step, as_root)
        case Link():
            return _link(step)
        case Command():
            return _run(step)
        case Removal():
            return _remove(step.path)


def _write(file: File, as_root: bool) -> str:
    data = file.content.encode()
    if file.path.exists() and (file.keep or file.path.read_bytes() == data):
        _own(file.path, file.mode, file.owner, as_root)
        return ""
    fresh = file.path.with_name(f".{file.path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, file.mode), "wb") as opened:
        opened.write(data)
        opened.flush()
        os.fsync(opened.fileno())
    _own(fresh, file.mode, file.owner, as_root)
    put_durably(fresh, file.path)
    return f"wrote {file.path}"


def _make(directory: Directory, as_root: bool) -> str:
    was_there = directory.path.is_dir()
    directory.path.mkdir(parents=True, exist_ok=True)
    _own(directory.path, directory.mode, directory.owner, as_root)
    return "" if was_there else f"made {directory.path}"


def _own(path: Path, mode: int, owner: str, as_root: bool) -> None:
    path.chmod(mode)
    if owner and as_root:
        try:
            shutil.chown(path, owner, owner)
        except LookupError as error:
            raise RelayQError(f"{path} cannot be given to {owner}: {error}") from error


def _link(link: Link) -> str:
    if link.path.is_symlink() and link.path.readlink() == link.target:
        return ""
    link.path.unlink(missing_ok=True)
    link.path.symlink_to(link.target)
    return f"linked {link.path}"


def _run(command: Command) -> str:
    if command.unless and _succeeds(command.unless):
        return ""
    ended = subprocess.run(
        list(command.argv), capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    if ended.returncode and not command.may_fail:
        words = (ended.stderr or ended.stdout).strip().splitlines()
        raise RelayQError(
            f"`{shlex.join(command.argv)}` failed: {words[-1] if words else f'exit code {ended.returncode}'}"
        )
    return f"ran {shlex.join(command.argv)}" + (" (which failed; going on)" if ended.returncode else "")


def _succeeds(argv: Sequence[str]) -> bool:
    return (
        subprocess.run(list(argv), capture_output=True, stdin=subprocess.DEVNULL, check=False).returncode == 0
    )


def _remove(path: Path) -> str:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.exists() or path.is_symlink():
        path.unlink()
    else:
        return ""
    return f"removed {path}"


def _who(mode: int, owner: str) -> str:
    return f"{mode:04o}{' ' + owner if owner else ''}"


def _quoted(file: File) -> Iterator[str]:
    if file.is_secret:
        yield "  | (its content is secret, and made when it is written)"
        return
    for line in file.content.splitlines():
        yield f"  | {line}" if line else "  |"

"""What a command sees inside bubblewrap: two profiles, each as the argv of `bwrap`.

`owner` is the file system as it is, because local files are the point of hardware one owns;
only RelayQ's own directories and the owner's key are hidden. `strict` is for jobs of
others: the system read-only, a private HOME and /tmp on the disk, the work directory, and
whatever paths the policy names. Both have a PID namespace: a job sees no process but its own,
and when its first one ends all others end with it, whatever they have done.

Nothing of a job's environment is obeyed before the sandbox stands: what the dynamic loader
would read travels as `--setenv`, which `bwrap` sets for the command alone.

The keeper starts what stands here like any other command. It is the parent of the outer
`bwrap`; under `strict` the sandbox dies with it, under `owner` it waits for the next keeper.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import NamedTuple

from relayq.worker.patterns import inside

OWNER, STRICT = "owner", "strict"
PRIVATE = "private"  # what a strict job has for HOME and /tmp, beside its work directory
HOME = "/job"

# What a program needs of the system, where it exists.
SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt", "/nix", "/gnu"),
    "/var/lib/ca-certificates",
)
# A worker that runs as root could read these, and so could its jobs.
ROOT_SECRETS = (
    *("/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/sudoers", "/etc/ssl/private"),
    *("/etc/sudoers.d", "/etc/ssh", "/etc/wireguard", "/etc/NetworkManager/system-connections"),
)
# What root could undo a sandbox with (capabilities(7)): mounts, other processes, raw disks and memory,
# files by handle, the kernel itself.
UNDOING = ("SYS_ADMIN", "SYS_PTRACE", "SYS_MODULE", "SYS_RAWIO", "MKNOD", "DAC_READ_SEARCH", "SYS_BOOT")
# Read by the dynamic loader or the C library of `bwrap` itself: ld.so(8), locale(7).
LOADER = ("LD_*", "GLIBC_TUNABLES", "GCONV_PATH", "LOCPATH", "NLSPATH", "MALLOC_*", "HOSTALIASES")


class Hidden(NamedTuple):
    """Directories and files that no job sees, by their real paths."""

    directories: tuple[str, ...]
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """How one attempt is shut in: `profile` OWNER or STRICT, `work` its work directory.

    `readable`, `writable` and `devices` are the policy's paths, which only STRICT needs.
    """

    profile: str
    place: str
    hidden: Hidden
    network: bool = True
    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    is_root: bool = False

    @property
    def work(self) -> str:
        """The work directory, which stands at the same path inside and outside."""
        return f"{self.place}/work"

    def argv(self, bwrap: str, command: list[str], cwd: str, env: Mapping[str, str]) -> list[str]:
        """The command line that runs `command` in `cwd` ("" is the work directory), shut in."""
        hides = list(self._hides())
        parts = [bwrap, "--unshare-pid", *self._root(), *hides, *self._own()]
        for flag, path in pairwise(hides):
            parts += ["--remount-ro", path] if flag == "--tmpfs" else []
        parts += [] if self.network else ["--unshare-net"]
        parts += self._capabilities()
        for name, value in env.items():
            if _is_obeyed(name):
                parts += ["--setenv", name, value]
        return [*parts, "--chdir", cwd or self.work, "--", *command]

    def env(self, env: Mapping[str, str]) -> dict[str, str]:
        """The environment that `bwrap` is started with, and hands on."""
        passed = {name: value for name, value in env.items() if not _is_obeyed(name)}
        if self.profile == STRICT:
            passed.pop("TMPDIR", None)
            passed["HOME"] = HOME
        return passed

    def prepare(self) -> None:
        """Make the directories and the file that are mounted."""
        private = (f"{PRIVATE}/home", f"{PRIVATE}/tmp") if self.profile == STRICT else ()
        for name in ("work", *private):
            os.makedirs(f"{self.place}/{name}", mode=0o700, exist_ok=True)
        os.close(os.open(f"{self.place}/progress", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def _root(self) -> Iterator[str]:
        if self.profile == OWNER:
            yield from ("--dev-bind", "/", "/", "--proc", "/proc")
            return
        yield from ("--unshare-ipc", "--unshare-uts", "--die-with-parent")
        for path in SYSTEM:
            yield from _as_it_is(path)
        yield from ("--proc", "/proc", "--dev", "/dev")
        for path in ("/tmp", "/var/tmp"):
            yield from ("--bind", f"{self.place}/{PRIVATE}/tmp", path)
        yield from ("--dir", "/run")
        yield from ("--bind", f"{self.place}/{PRIVATE}/home", HOME)
        yield from self._names()
        yield from _binds("--ro-bind", self.readable)
        yield from _binds("--bind", self.writable)
        if self.devices:
            yield from ("--ro-bind", "/sys", "/sys")
            yield from _binds("--dev-bind", self.devices)

    def _names(self) -> Iterator[str]:
        """The list of name servers, which many systems keep in /run."""
        real = os.path.realpath("/etc/resolv.conf")
        if self.network and inside(real, "/run") and os.path.exists(real):
            yield from ("--ro-bind", real, real)

    def _hides(self) -> Iterator[str]:
        """Empty directories and files in place of what nobody shall see."""
        directories, files = self.hidden
        if self.profile == STRICT and self.is_root:
            directories += tuple(filter(os.path.isdir, ROOT_SECRETS))
            files += tuple(filter(os.path.isfile, ROOT_SECRETS))
        for path in directories:
            if self._shows(path) and os.path.isdir(path):
                yield from ("--tmpfs", path)
        for path in files:
            is_gone = any(inside(path, directory) for directory in directories)
            if not is_gone and self._shows(path) and os.path.isfile(path):
                yield from ("--ro-bind", "/dev/null", path)

    def _shows(self, path: str) -> bool:
        """Would the path be there at all?"""
        shown = (*SYSTEM, *self.readable, *self.writable)
        return self.profile == OWNER or any(inside(path, each) for each in shown)

    def _own(self) -> Iterator[str]:
        """What is the attempt's own, inside directories that are hidden otherwise."""
        for path in (self.work, f"{self.place}/progress"):
            yield from ("--bind", path, path)
        if self.profile == STRICT:
            yield from ("--remount-ro", "/")

    def _capabilities(self) -> Iterator[str]:
        if self.is_root:
            for name in ("ALL",) if self.profile == STRICT else (f"CAP_{name}" for name in UNDOING):
                yield from ("--cap-drop", name)


def _is_obeyed(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in LOADER)


def _as_it_is(path: str) -> Iterator[str]:
    """A path of the system: a link stays one, so that /bin leads to /usr/bin as it does outside."""
    if os.path.islink(path):
        yield from ("--symlink", os.readlink(path), path)
    elif os.path.exists(path):
        yield from ("--ro-bind", path, path)


def _binds(how: str, paths: tuple[str, ...]) -> Iterator[str]:
    for path in paths:
        if os.path.exists(path):
            yield from (how, path, path)

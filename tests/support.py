"""What every test may use: waiting for a fact, a private server, a look at processes.

Nothing in a test waits for a duration: `eventually` waits for a fact and says
which one never came true. The private server is a real one, the engine that the
product embeds or, with RELAYQ_TEST_SERVER=redis, the distribution's redis-server;
it lives on a unix socket in a directory of its own and never on TCP.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from relayq.hub.server import find_server

T = TypeVar("T")
ENGINE = os.environ.get("RELAYQ_TEST_SERVER", "valkey")


async def eventually(
    check: Callable[[], T | Awaitable[T]], what: str = "", *, timeout_s: float = 15.0, every_s: float = 0.02
) -> T:
    """Wait until `check()` (plain or async) is truthy, and return what it gave."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = check()
        value: Any = await found if inspect.isawaitable(found) else found
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(never(check, what, value, timeout_s))
        await asyncio.sleep(every_s)


def eventually_sync(
    check: Callable[[], T], what: str = "", *, timeout_s: float = 15.0, every_s: float = 0.02
) -> T:
    """The same from plain code."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(never(check, what, value, timeout_s))
        time.sleep(every_s)


def never(check: Callable[[], Any], what: str, value: Any, timeout_s: float) -> str:
    """The sentence of a fact that never came true."""
    name = what or inspect.getsource(check).strip()
    return f"after {timeout_s:g} s still not: {name} (last value {value!r})"


def fresh_fleet() -> str:
    """A fleet name no other test uses."""
    return f"t{secrets.token_hex(4)}"


class PrivateServer:
    """A server of one test (or of the session) that can be killed, frozen and started again.

    `persistent=True` keeps an append-only file, so that what was acknowledged before `kill()` is
    there after `start()`: nothing is put off behind a slow fsync, as a hub's own settings allow.
    """

    def __init__(
        self, *, persistent: bool = False, engine: str = ENGINE, options: tuple[str, ...] = ()
    ) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="rq-"))
        self.socket = self.directory / "s"
        self.url = f"unix://{self.socket}"
        self.engine = engine
        self.options = options
        self.persistent = persistent
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> PrivateServer:
        """Start it and wait until it answers."""
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(self._argv(), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        eventually_sync(self.answers, f"{self.engine} answers (log: {self.directory / 'log'})")
        return self

    def _argv(self) -> list[str]:
        persistence = "yes" if self.persistent else "no"
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "dir": str(self.directory),
            "save": "",
            "appendonly": persistence,
            "appendfsync": "no",
            "aof-use-rdb-preamble": "no",
            "maxmemory-policy": "noeviction",
            "stream-node-max-bytes": "1024",
            "enable-debug-command": "yes",
        }
        argv = [server_binary(self.engine)]
        for name, value in options.items():
            argv += [f"--{name}", value]
        return [*argv, *self.options]

    def answers(self) -> bool:
        """Whether a PING is answered, if only by asking for a password."""
        try:
            return self.call("PING").startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False

    def call(self, *words: str) -> bytes:
        """One command over a connection of its own; the raw start of the reply."""
        request = b"*%d\r\n" % len(words) + b"".join(
            b"$%d\r\n%b\r\n" % (len(word.encode()), word.encode()) for word in words
        )
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(10)
            link.connect(str(self.socket))
            link.sendall(request)
            return link.recv(65536)

    def flush(self) -> None:
        """Remove every key (functions stay)."""
        assert self.call("FLUSHALL").startswith(b"+OK")

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def remember(self) -> None:
        """Keep a copy of what is on the disk now."""
        shutil.copytree(self.directory / "appendonlydir", self.directory / "memory")

    def roll_back(self) -> None:
        """Be killed, and come back with what was on the disk at `remember`."""
        self.kill()
        shutil.rmtree(self.directory / "appendonlydir")
        (self.directory / "memory").rename(self.directory / "appendonlydir")
        self.start()

    def freeze(self) -> None:
        """SIGSTOP: connections stay open, nothing is answered."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Kill it and remove its directory."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


def server_binary(engine: str) -> str:
    """The server program the tests run on."""
    if engine == "redis":
        path = shutil.which("redis-server")
        assert path, "RELAYQ_TEST_SERVER=redis needs redis-server on PATH"
        return path
    return find_server()[0]


def processes_of(home: Path) -> list[int]:
    """Processes started under a test's private HOME."""
    if Path("/proc/self/environ").exists():
        return [
            int(entry.name) for entry in Path("/proc").glob("[0-9]*") if is_under(entry, str(home).encode())
        ]
    lines = subprocess.check_output(["ps", "-axwwE", "-o", "pid=,command="], text=True).splitlines()
    return [int(line.split()[0]) for line in lines if f"{home}" in line]


def is_under(entry: Path, home: bytes) -> bool:
    """Whether a process has `home` as its HOME, or names it in its command line.

    A server that sets its title overwrites its environment, so one of them is not enough.
    """
    try:
        environment = (entry / "environ").read_bytes().split(b"\0")
        return b"HOME=" + home in environment or home + b"/" in (entry / "cmdline").read_bytes()
    except OSError:
        return False


def reap(home: Path) -> None:
    """Kill what a test left running under its private HOME."""
    for pid in processes_of(home):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue

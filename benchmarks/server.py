"""A server of the benchmark's own: Debian's redis-server, on a free port of the loopback, in a new directory.

Every peer and RelayQ get the same kind: append-only file written every second,
no eviction. A measure that kills it starts it again on the same port and data.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from pathlib import Path

from benchmarks.resp import Connection, ServerError

START_S = 20.0


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """One private server process; `url` is how a client reaches it."""

    def __init__(self, directory: Path, program: str = "") -> None:
        self.directory = directory
        self.program = program or shutil.which("redis-server") or "redis-server"
        self.port = free_port()
        directory.mkdir(parents=True, exist_ok=True)
        self.start()

    @property
    def url(self) -> str:
        """The address of this server."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start the process and wait until it answers."""
        settings = {
            "port": self.port, "bind": "127.0.0.1", "dir": self.directory, "save": "",
            "appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction",
        }  # fmt: skip
        words = [str(word) for name, value in settings.items() for word in (f"--{name}", value)]
        with (self.directory / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.program, *words], stdout=log, stderr=log, start_new_session=True
            )
        self._await_answer()

    def connect(self) -> Connection:
        """Return a new connection straight to the server."""
        return Connection(self.port)

    def memory(self) -> int:
        """Return the bytes that its data takes."""
        return int(self.info("memory")["used_memory"])

    def info(self, section: str) -> dict[str, str]:
        """Return one section of what it says of itself."""
        connection = self.connect()
        try:
            text = connection.call("INFO", section).decode()
        finally:
            connection.close()
        return dict(line.split(":", 1) for line in text.split("\r\n") if ":" in line)

    def kill(self) -> None:
        """Kill it without a chance to tidy up."""
        self.process.kill()
        self.process.wait()

    def _await_answer(self) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.process.poll() is None:
            if self._answers():
                return
            time.sleep(0.01)
        said = (self.directory / "server.log").read_text(errors="replace")[-300:]
        raise RuntimeError(f"{self.program} does not answer on port {self.port}: {said}")

    def _answers(self) -> bool:
        """Whether it has read its data and takes commands."""
        with contextlib.suppress(OSError, ServerError):
            connection = self.connect()
            try:
                return bool(connection.call("PING"))
            finally:
                connection.close()
        return False

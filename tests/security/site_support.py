"""A hub that `relayq hub install --root` has written, started on loopback, and people with homes.

What a person types runs in this process, with their environment: a process of its own
costs half a second each. Workers, and whoever is behind a `prefix` command, are processes.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from relayq.cli.main import main
from relayq.hub.installation import Layout, layout
from tests.security.hub_support import free_port
from tests.support import eventually_sync, reap

RELAYQ = [sys.executable, "-m", "relayq"]


class Person:
    """Somebody with an empty home; `relayq` is what they type."""

    def __init__(self, home: Path, prefix: tuple[str, ...] = ()) -> None:
        self.home, self.prefix = home, prefix
        home.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of RelayQ's but where the home is."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("RELAYQ_", "XDG_"))}
        return kept | {"HOME": str(self.home)}

    def ended(self, *argv: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run one command line to its end."""
        if self.prefix:
            return self.process(*argv, stdin=stdin)
        before, out, err, typed = dict(os.environ), io.StringIO(), io.StringIO(), sys.stdin
        mask = os.umask(0o077)
        os.umask(mask)  # a worker changes that of its process
        os.environ.clear()
        os.environ.update(self.environment)
        sys.stdin = io.StringIO(stdin)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = main(list(argv))
        finally:
            sys.stdin = typed
            os.umask(mask)
            os.environ.clear()
            os.environ.update(before)
        return subprocess.CompletedProcess(argv, code, out.getvalue(), err.getvalue())

    def process(self, *argv: str, stdin: str = "", timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """The same as a process of its own."""
        return subprocess.run(
            [*self.prefix, *RELAYQ, *argv],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            env=self.environment,
        )

    def relayq(self, *argv: str, stdin: str = "") -> str:
        """The stdout of a command line that succeeds."""
        ended = self.ended(*argv, stdin=stdin)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def refused(self, *argv: str, stdin: str = "") -> str:
        """The one sentence of a command line that fails, without a traceback."""
        ended = self.ended(*argv, stdin=stdin)
        assert ended.returncode != 0, ended.stdout
        assert "Traceback" not in ended.stderr
        return ended.stderr

    def start(self, *argv: str, log: str) -> subprocess.Popen[bytes]:
        """Start a command line that goes on."""
        with (self.home / log).open("ab") as file:
            return subprocess.Popen(
                [*self.prefix, *RELAYQ, *argv],
                stdout=file,
                stderr=file,
                stdin=subprocess.DEVNULL,
                env=self.environment,
            )

    @property
    def config(self) -> Path:
        """Their configuration directory."""
        return self.home / ".config" / "relayq"


class InstalledHub:
    """Installed below a directory and started from there as an ordinary process."""

    def __init__(self, *options: str, listen: str = "127.0.0.1", prefix: tuple[str, ...] = ()) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="rqi-"))
        self.root = self.directory / "vm"
        self.port = free_port()
        self.listen, self.prefix = listen, prefix
        self.admin = Person(self.directory / "admin")
        self.argv = ["hub", "install", "--root", str(self.root), "--listen", listen, "--port", str(self.port)]
        self.argv += ["--address", listen, "--max-memory", "256M", *options]
        self.owner_string = self.admin.relayq(*self.argv).strip()
        self.process: subprocess.Popen[bytes] | None = None
        self.people: list[Person] = [self.admin]

    @property
    def place(self) -> Layout:
        """Its files."""
        return layout(root=self.root)

    def start(self, answers: Callable[[], bool] | None = None) -> InstalledHub:
        """Run the installed server with the installed configuration."""
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, str(self.place.server), str(self.place.config)],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                umask=0o077,  # as the unit says
            )
        eventually_sync(self.is_ready, f"the hub is ready (log: {self.directory / 'log'})")
        return self

    def restart(self) -> None:
        """SIGKILL, and start again with what is on disk."""
        assert self.process
        self.process.kill()
        self.process.wait()
        (self.directory / "log").write_text("")
        self.start()

    def is_ready(self) -> bool:
        """Does it say that it accepts connections?"""
        return "Ready to accept connections" in (self.directory / "log").read_text()

    def person(self, name: str, prefix: tuple[str, ...] = ()) -> Person:
        """Somebody who has not joined."""
        one = Person(self.directory / name, prefix)
        self.people.append(one)
        return one

    def owner(self, prefix: tuple[str, ...] = (), address: str = "") -> Person:
        """The owner, joined."""
        one = self.person("owner", prefix)
        one.relayq("join", "-", *(["--address", address] if address else []), stdin=self.owner_string)
        return one

    def close(self) -> None:
        """End everything and remove the directory."""
        for one in self.people:
            reap(one.home)
        if self.process:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

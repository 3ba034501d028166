"""A person at a terminal, a real hub and a real worker: everything from the first job to a lost hub."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import PrivateServer, eventually_sync
from tests.tui.test_pty import RUN, Terminal, missing

RELAYQ = [sys.executable, "-m", "relayq"]
RED = rb"\x1b\[[0-9;]*\b31\b[0-9;]*m"
COLOURED = r"printf '\033[31mred needle\033[0m\n'; sleep 60"


@pytest.fixture
def worker(home: Path, own_server: PrivateServer) -> Iterator[None]:
    """A worker of the hub, in a process of its own."""
    process = subprocess.Popen(
        [*RELAYQ, "worker", "--headless", "--slots", "1", "--url", own_server.url],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    yield
    process.kill()
    process.wait()


class Person:
    """Looks at a terminal and types."""

    def __init__(self, screen: Terminal) -> None:
        self.screen = screen
        self._seen = 0

    def types(self, keys: str) -> None:
        """Type, and from now on look only at what comes after."""
        self._seen = len(self.screen.read())
        self.screen.press(keys.encode())

    def sees(self, text: str, *, timeout_s: float = 20.0) -> None:
        """Wait for a text that is drawn anew."""
        eventually_sync(
            lambda: text.encode() in self.screen.read()[self._seen :],
            f"{text!r} is seen",
            timeout_s=timeout_s,
        )


@pytest.fixture
def person(home: Path, own_server: PrivateServer, worker: None) -> Iterator[Person]:
    """Somebody in front of the first screen."""
    os.environ["RELAYQ_URL"] = own_server.url
    screen = Terminal(RUN)
    try:
        made = Person(screen)
        made.sees("live")
        yield made
    finally:
        del os.environ["RELAYQ_URL"]
        screen.close()


def test_an_evening_at_the_terminal(person: Person, own_server: PrivateServer) -> None:
    person.types("o")
    person.sees("the same in a shell")
    person.types(f"{COLOURED}\t")
    person.types("painter\r")
    person.sees("[all 1]")
    person.types("2")
    person.sees("painter")  # it runs on the worker

    person.types("1l")
    person.sees("red needle")
    assert b"31m" in person.screen.out or b"38;2;" in person.screen.out
    person.types("/")
    person.sees("regular expression")
    person.types("needle\r")
    person.sees("1 of 1")
    person.types("q")

    person.types("o")
    person.sees("the same in a shell")
    person.types("true\t")
    person.types("waiter\r")
    person.sees("[all 2]")
    person.types("gC")
    person.sees("undo")
    person.types("u")
    person.sees("undone: cancelled")

    own_server.kill()
    person.sees("reconnecting", timeout_s=15)
    person.types("C")
    person.sees("nothing is changed until it is back")
    person.types("p")  # what is seen stays, and can be worked with
    person.types("p")
    own_server.start()
    person.sees("live", timeout_s=30)

    person.types("gC")
    person.sees("undo")
    person.types("\x11")
    eventually_sync(person.screen.has_ended, "it has ended")
    assert (person.screen.code, missing(person.screen)) == (0, [])
    jobs = subprocess.run(
        [*RELAYQ, "jobs", "--url", own_server.url, "name:waiter"], capture_output=True, text=True, check=True
    )
    assert "CANCELLED" in jobs.stdout.upper(), jobs.stdout + jobs.stderr

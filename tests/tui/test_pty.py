"""The program in a terminal: how it starts, what it sends, and how it leaves the terminal."""

from __future__ import annotations

import base64
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from relayq.model.ids import is_id
from tests.support import eventually_sync

RESTORED = {
    "alternate screen": b"\x1b[?1049l",
    "mouse": b"\x1b[?1000l",
    "cursor": b"\x1b[?25h",
    "bracketed paste": b"\x1b[?2004l",
}
COLOUR = re.compile(rb"\x1b\[[0-9;]*\b(?:3[0-9]|4[0-9]|9[0-7]|10[0-7])\b[0-9;]*m")
RUN = [sys.executable, "-m", "relayq", "tui"]


class Terminal:
    """A program in a pseudo terminal of 120 by 40."""

    def __init__(self, argv: list[str], **environment: str) -> None:
        self.out = b""
        self.code: int | None = None
        self.pid, self._link = pty.fork()
        if self.pid == 0:
            os.environ.update({"TERM": "xterm-256color", "COLORTERM": "truecolor", **environment})
            os.execv(argv[0], argv)
        fcntl.ioctl(self._link, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))

    def read(self) -> bytes:
        """Everything it has written so far."""
        while select.select([self._link], [], [], 0)[0]:
            try:
                data = os.read(self._link, 65536)
            except OSError:
                break
            if not data:
                break
            self.out += data
        return self.out

    def read_for(self, most_s: float) -> bytes:
        """Everything so far, and what comes next, if it comes within this time."""
        select.select([self._link], [], [], most_s)
        return self.read()

    def shows(self, text: str) -> bool:
        """Has it ever written this?"""
        return text.encode() in self.read()

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self._link, keys)

    def has_ended(self) -> bool:
        """Has it ended? Its code is in `code` then."""
        self.read()
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code is not None

    def close(self) -> None:
        """End it, whatever it does."""
        if not self.has_ended():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._link)


@contextmanager
def terminal(*options: str, **environment: str) -> Iterator[Terminal]:
    """The demo in a terminal, drawn."""
    made = Terminal([*RUN, "--demo", *options], **environment)
    try:
        eventually_sync(lambda: made.shows("train-lora"), "the first jobs are drawn")
        yield made
    finally:
        made.close()


def missing(made: Terminal) -> list[str]:
    """What of the terminal was not put back."""
    out = made.read()
    return [name for name, sequence in RESTORED.items() if sequence not in out]


def test_quitting_puts_the_terminal_back(home: Path) -> None:
    with terminal() as made:
        made.press(b"\x11")
        eventually_sync(made.has_ended, "it has ended")
        assert (made.code, missing(made)) == (0, [])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_puts_the_terminal_back(home: Path, number: signal.Signals) -> None:
    with terminal() as made:
        os.kill(made.pid, number)
        eventually_sync(made.has_ended, "it has ended")
        assert (made.code, missing(made)) == (0, [])


@pytest.mark.parametrize(("keys", "there"), [(b"\x1b5", "top spenders"), (b"\x1b:", "Type an action")])
def test_escape_and_a_key_in_one_packet_are_both_of_them(home: Path, keys: bytes, there: str) -> None:
    with terminal() as made:
        made.press(b"/")
        eventually_sync(lambda: made.shows("tate:failed queue:gpu"), "the filter is open")
        made.press(keys)
        eventually_sync(lambda: made.shows(there), "where the key leads")


def test_what_is_copied_is_sent_to_the_terminal_in_front_of_the_person(home: Path) -> None:
    with terminal(TMUX="", DISPLAY="", WAYLAND_DISPLAY="") as made:
        made.press(b"y")
        eventually_sync(lambda: made.shows("Copy what?"), "the question")
        made.press(b"\r")
        eventually_sync(lambda: b"\x1b]52;c;" in made.read(), "the terminal's clipboard")
        sent = re.search(rb"\x1b\]52;c;([A-Za-z0-9+/=]+)", made.out)
        assert sent is not None
        assert is_id(base64.b64decode(sent[1]).decode())


def test_a_job_that_was_watched_rings_and_is_noticed(home: Path) -> None:
    with terminal() as made:
        made.press(b"!")
        eventually_sync(lambda: made.shows("the bell rings when"), "it is watched")
        eventually_sync(lambda: b"\x1b]9;" in made.read(), "it has ended", timeout_s=60)
        assert re.search(rb"\x07.*\x1b\]9;[^\x07]*: (succeeded|failed)\x07", made.out, re.DOTALL)


def test_without_colours_not_one_colour_code_is_sent(home: Path) -> None:
    with terminal(NO_COLOR="1") as made:
        made.press(b"2")
        made.press(b"1")
        made.press(b"/gpu\r")
        made.press(b"\x11")
        eventually_sync(made.has_ended, "it has ended")
        assert COLOUR.findall(made.read()) == []


def test_in_ascii_not_one_other_byte_is_sent(home: Path) -> None:
    with terminal("--ascii") as made:
        made.press(b"\x11")
        eventually_sync(made.has_ended, "it has ended")
        assert made.read().isascii()


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_that_cannot_draw_is_told_what_to_do(home: Path, term: str) -> None:
    made = Terminal([*RUN, "--demo"], TERM=term)
    try:
        eventually_sync(made.has_ended, "it has ended")
        assert made.code == 2
        assert made.shows("relayq jobs")
    finally:
        made.close()


def test_without_a_terminal_it_says_so_at_once(home: Path) -> None:
    began = time.monotonic()
    ended = subprocess.run(
        [*RUN, "--demo"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "relayq jobs" in ended.stderr
    assert time.monotonic() - began < 5


def test_nothing_is_sent_while_nothing_happens(home: Path) -> None:
    """A frozen picture costs no byte: measured over the reads of half a second after a key."""
    with terminal() as made:
        made.press(b"p")
        eventually_sync(lambda: made.shows("paused"), "the updates stand still")
        seen: list[int] = [-1]

        def is_quiet() -> bool:
            seen.append(len(made.read()))
            return seen[-1] == seen[-2]

        eventually_sync(is_quiet, "not one more byte", every_s=0.5)


CRASH = """
from relayq_tui.app import Options, RelayQApp
from relayq_tui.demo import DemoFeed

class Broken(DemoFeed):
    async def detail(self, job):
        raise RuntimeError("something nobody thought of")

raise SystemExit(RelayQApp(Broken(), Options()).run() or 0)
"""


def test_a_crash_puts_the_terminal_back(home: Path) -> None:
    made = Terminal([sys.executable, "-c", CRASH])
    try:
        eventually_sync(lambda: made.shows("RelayQ"), "the first frame is drawn")
        made.press(b"j")
        eventually_sync(made.has_ended, "it has ended")
        assert missing(made) == []
        assert made.shows("something nobody thought of")
    finally:
        made.close()


def test_the_first_run_asks_before_anything_is_started(home: Path) -> None:
    made = Terminal(RUN)
    try:
        eventually_sync(lambda: made.shows("Start here"), "it asks")
        made.press(b"\x1b")
        eventually_sync(made.has_ended, "it has ended")
        assert (made.code, missing(made)) == (0, [])
        assert list(home.rglob("hub.conf")) == []
    finally:
        made.close()


def test_starting_here_leads_to_the_screens_of_a_hub_that_runs(home: Path) -> None:
    made = Terminal(RUN)
    try:
        eventually_sync(lambda: made.shows("Start here"), "it asks")
        made.press(b"\r")
        eventually_sync(lambda: made.shows("live"), "the hub is there", timeout_s=30)
        made.press(b"2")
        eventually_sync(lambda: made.shows("ready"), "its worker is there", timeout_s=30)
        made.press(b"\x11")
        eventually_sync(made.has_ended, "it has ended")
        assert (made.code, missing(made)) == (0, [])
    finally:
        made.close()
        subprocess.run([sys.executable, "-m", "relayq", "down"], capture_output=True, check=False)

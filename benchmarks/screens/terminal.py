"""A program in a pseudo terminal, and when each byte of it came.

A thread reads as fast as the program writes and notes the time of every piece, so
that whoever asks later learns when a text was on the wire: that is what "painted" means
here. How long a terminal takes to draw it is the terminal's affair.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import struct
import termios
import threading
import time
from collections.abc import Mapping
from pathlib import Path

READY_S = 60.0
LOOK_S = 0.0005
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Terminal:
    """A terminal of 120 by 40 with a program in it. Times are of `time.monotonic`."""

    def __init__(
        self, argv: list[str], environment: Mapping[str, str], size: tuple[int, int] = (120, 40)
    ) -> None:
        self.began_s = time.monotonic()
        self.pid, self._link = pty.fork()
        if self.pid == 0:
            os.execve(argv[0], argv, {**environment, "TERM": "xterm-256color", "COLORTERM": "truecolor"})
        fcntl.ioctl(self._link, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self._pieces: list[tuple[float, bytes]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while data := os.read(self._link, 1 << 16):
                self._pieces.append((time.monotonic(), data))

    @property
    def bytes_out(self) -> int:
        """How much it has written so far."""
        return sum(len(data) for _, data in self._pieces)

    @property
    def mark(self) -> int:
        """A place in what it writes: the end of it now."""
        return len(self._pieces)

    def press(self, keys: str) -> tuple[float, int]:
        """Type; (when, the mark before)."""
        mark = self.mark
        when = time.monotonic()
        os.write(self._link, keys.encode())
        return when, mark

    def painted(self, text: str, mark: int = 0, seconds: float = READY_S) -> float:
        """Wait for a text that is written after `mark`; when it came."""
        deadline = time.monotonic() + seconds
        wanted, at, tail = text.encode(), mark, b""
        while time.monotonic() < deadline:
            while at < len(self._pieces):
                when, data = self._pieces[at]
                tail = tail[-len(wanted) :] + data
                if wanted in tail:
                    return when
                at += 1
            time.sleep(LOOK_S)
        raise RuntimeError(f"{text!r} was not painted within {seconds:g} s")

    def text(self, mark: int = 0) -> bytes:
        """Return everything it has written after a mark."""
        return b"".join(data for _, data in self._pieces[mark:])

    def cpu_s(self) -> float:
        """Return the CPU time of the program so far, all its threads."""
        total = 0
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            with contextlib.suppress(OSError):
                total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9

    def rss_bytes(self) -> int:
        """Return the memory it holds now."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * PAGE_BYTES

    def close(self) -> None:
        """End the program."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        os.close(self._link)

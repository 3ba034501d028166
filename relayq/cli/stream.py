"""A job's output on our stdout and stderr.

Bytes go through as they are where nobody looks. On a terminal they pass the
sanitiser, which leaves colours in and lets nothing else of a job's control
sequences through.
"""

from __future__ import annotations

import sys
from typing import TextIO

from relayq.model.ids import short
from relayq.text import SafeStream

STDOUT = 1
STDERR = 2


class Screen:
    """Where the output of one job goes."""

    def __init__(self) -> None:
        self._pipes = {STDOUT: _Pipe(sys.stdout), STDERR: _Pipe(sys.stderr)}

    def write(self, stream: int, data: bytes) -> None:
        """Show bytes of stdout or stderr."""
        self._pipes[stream].write(data)

    def note(self, words: str, stream: int = STDOUT) -> None:
        """A line of ours amid the output, never glued to a line of the job's that has no end."""
        for pipe in self._pipes.values():
            pipe.end_line()
        self._pipes[stream].write(f"{words}\n".encode())

    def close(self) -> None:
        """Show what was waiting for its end."""
        for pipe in self._pipes.values():
            pipe.close()


def gap_words(missing: int, job: str) -> str:
    """What stands where the hub kept less than was written."""
    return f"[... {missing} bytes were not kept here; `relayq logs --full {short(job)}` has them ...]"


class _Pipe:
    def __init__(self, target: TextIO) -> None:
        self._target = target
        self._cleaner = SafeStream(keep_sgr=True) if target.isatty() else None
        self._is_amid_line = False

    def write(self, data: bytes) -> None:
        if data:
            self._is_amid_line = not data.endswith(b"\n")
        if self._cleaner is None:
            self._target.buffer.write(data)
            self._target.buffer.flush()
        else:
            self._print(self._cleaner.feed(data))

    def end_line(self) -> None:
        self.close()
        if self._is_amid_line:
            self.write(b"\n")

    def close(self) -> None:
        if self._cleaner is not None:
            self._print(self._cleaner.close())
            self._cleaner = SafeStream(keep_sgr=True)

    def _print(self, text: str) -> None:
        self._target.write(text)
        self._target.flush()

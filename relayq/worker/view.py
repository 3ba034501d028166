"""Show a person in front of a terminal what the worker does: a line when a job starts, one when it ends.

Whatever a job can influence goes through the sanitiser. In a drain of many short jobs
lines would only flicker: beyond LINES_MAX a second the rest are counted, and the count
is told with the next line.
"""

from __future__ import annotations

import sys
import time
from typing import TextIO

from relayq.model.duration import format_duration
from relayq.model.ids import short
from relayq.plugins import Outcome
from relayq.text import safe
from relayq.worker.attempt import Attempt

LINES_MAX = 10
COMMAND_CHARS = 60


class View:
    """Lines about jobs on a terminal."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._second = 0
        self._lines = 0
        self._unsaid = 0

    def started(self, attempt: Attempt) -> None:
        """A job starts; one that was found running has been told before."""
        if attempt.is_adopted:
            return
        again = f"  (attempt {attempt.attempt})" if attempt.attempt > 1 else ""
        self._say(f"▶ {short(attempt.job)}  {title_of(attempt)}{again}")

    def ended(self, attempt: Attempt, outcome: Outcome) -> None:
        """A job has ended, for whatever reason."""
        mark, how = ("✔", "done") if outcome.ok else ("✘", f"exit code {outcome.exit_code}")
        took = format_duration(int(attempt.ran_ms()))
        self._say(f"{mark} {short(attempt.job)}  {attempt.asked or how} after {took}")

    def _say(self, line: str) -> None:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._lines = second, 0
        self._lines += 1
        if self._lines > LINES_MAX:
            self._unsaid += 1
            return
        more = f"  (and {self._unsaid} more lines)" if self._unsaid else ""
        self._unsaid = 0
        self._stream.write(f"{line}{more}\n")
        self._stream.flush()


def title_of(attempt: Attempt) -> str:
    """What to call a job in a line."""
    spec = attempt.spec
    command = spec.command if isinstance(spec.command, str) else " ".join(spec.command)
    title = safe(spec.name or command)
    return title if len(title) <= COMMAND_CHARS else title[: COMMAND_CHARS - 1] + "…"

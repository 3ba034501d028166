"""How a step speaks to its runner: files for what it gives back, lines for what it says.

Everything that is not ours passes through here before it is written. A line of the log
that begins with `::`, or has `##[` anywhere, orders the runner about, so the output of a
job stands between two lines that switch that off, with a word nobody can guess, and is
cleaned for terminals first (text.py). In a command, `%` and line ends are escaped as the
runner's own toolkit does. The summary is Markdown: what others wrote stands in code,
without the letters that end code.

The runner's limits (actions/runner, read 2026-11-23): a summary of 1 MiB, 10 annotations
of a kind, 4,096 characters each.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from relayq.text import SafeStream, safe

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

SUMMARY_BYTES_MAX = 1 << 20
ANNOTATIONS_MAX = 10
ANNOTATION_CHARS_MAX = 4_096
OUTPUT_BYTES_MAX = 8 << 20


class Runner:
    """The runner of this step; outside of one, lines alone."""

    def __init__(self, environ: Mapping[str, str], out: TextIO | None = None) -> None:
        self._environ, self._out = environ, out or sys.stdout
        self._annotations: dict[str, int] = {}

    def mask(self, value: str) -> None:
        """Have the runner show *** for it from now on, line by line as the log is."""
        for line in value.splitlines():
            if line.strip():
                self._write(f"::add-mask::{_escaped(line)}")

    def say(self, sentence: str) -> None:
        """A line of the log that orders nothing."""
        line = safe(sentence).replace("##[", "## [")
        self._write("| " + line if line.lstrip().startswith("::") else line)

    def annotate(self, kind: str, sentence: str) -> None:
        """`error`, `warning` or `notice` on the run's page; more than ten of a kind are lines of the log."""
        self._annotations[kind] = self._annotations.get(kind, 0) + 1
        text = safe(sentence)
        if self._annotations[kind] > ANNOTATIONS_MAX:
            self.say(text)
            return
        if len(text) > ANNOTATION_CHARS_MAX:
            text = text[: ANNOTATION_CHARS_MAX - 1] + "…"
        self._write(f"::{kind} title=RelayQ::{_escaped(text)}")

    def output(self, name: str, value: str) -> None:
        """An output of the step."""
        self._append("GITHUB_OUTPUT", f"{name}={safe(value)}\n")

    def summary(self, markdown: str) -> None:
        """The step's summary, cut at what the runner takes."""
        data = markdown.encode("utf-8", "replace")
        if len(data) > SUMMARY_BYTES_MAX:
            data = data[: SUMMARY_BYTES_MAX - 64]
            markdown = data.decode("utf-8", "ignore") + "\n\n(the rest is cut)\n"
        self._append("GITHUB_STEP_SUMMARY", markdown)

    def foreign(self) -> Foreign:
        """Output of a job, for `with`."""
        return Foreign(self._out)

    def _append(self, variable: str, text: str) -> None:
        if path := self._environ.get(variable):
            with open(path, "a", encoding="utf-8") as file:
                file.write(text)

    def _write(self, line: str) -> None:
        self._out.write(line + "\n")
        self._out.flush()


class Foreign:
    """What a job writes, between two lines that keep the runner from obeying it; at most 8 MiB."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._token = os.urandom(16).hex()
        self._streams: dict[bool, SafeStream] = {}
        self._left = OUTPUT_BYTES_MAX

    def __enter__(self) -> Foreign:
        self._out.write(f"::stop-commands::{self._token}\n")
        return self

    def write(self, data: bytes, *, is_error: bool) -> None:
        """A piece of stdout or stderr."""
        if not self._left:
            return
        data = data[: self._left]
        self._left -= len(data)
        stream = self._streams.setdefault(is_error, SafeStream(keep_sgr=True))
        self._out.write(stream.feed(data))
        if not self._left:
            self._out.write("\n(the rest is not shown here: `relayq logs` has it)\n")
        self._out.flush()

    def __exit__(self, *_: object) -> None:
        rest = "".join(stream.close() for stream in self._streams.values())
        # A line of its own, whatever stands before it.
        self._out.write(f"{rest}\n::{self._token}::\n")
        self._out.flush()


def code(text: str) -> str:
    """Somebody's words as code within Markdown: on one line, and nothing in it ends the code."""
    line = safe(text).replace("`", "'").replace("|", "¦").replace("<", "‹").replace(">", "›")
    return f"`{line}`" if line.strip() else ""


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")

"""Write the log: one line for each event, for a person or as JSON.

A line is a constant phrase with facts: `log.warning("lease lost", extra={"job":
id})`. Both formatters show the facts; the human one cleans them, since a job may
have chosen their text. The log goes to stderr: stdout is for results.
"""

from __future__ import annotations

import json as json_format
import logging
import time

from relayq.text import safe

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def setup(*, json: bool = False, level: str = "info") -> None:
    """Send what RelayQ logs at `level` or above to stderr; called once, by the command line."""
    handler = logging.StreamHandler()
    handler.setFormatter(Json() if json else Human())
    root = logging.getLogger("relayq")
    root.handlers = [handler]
    root.setLevel(level.upper())
    root.propagate = False


class Human(logging.Formatter):
    """`14:02:07 warning  lease lost  job=7K3M9Q attempt=2`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line; a traceback, if there is one, follows below it."""
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        shown = " ".join(f"{name}={safe(str(value))}" for name, value in facts(record).items())
        line = f"{clock} {record.levelname.lower():<7}  {safe(record.getMessage())}"
        return "\n".join(part for part in (f"{line}  {shown}".rstrip(), _traceback(record)) if part)


class Json(logging.Formatter):
    """`{"time":"2026-07-01T12:02:07.123Z","level":"warning","event":"lease lost","job":"..."}`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, whatever the facts hold."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, object] = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        line |= {name: value for name, value in facts(record).items() if name not in line}
        if trace := _traceback(record):
            line["traceback"] = trace
        return json_format.dumps(line, default=str, separators=(",", ":"))


def facts(record: logging.LogRecord) -> dict[str, object]:
    """Return what was given as `extra`."""
    return {name: value for name, value in vars(record).items() if name not in _OWN}


def _traceback(record: logging.LogRecord) -> str:
    if not record.exc_info or record.exc_info[0] is None:
        return ""
    return safe(logging.Formatter().formatException(record.exc_info), keep_newlines=True)

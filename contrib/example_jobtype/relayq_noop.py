"""The job type `noop`: a plug-in as small as one can be, to copy and to measure with.

A job of this type does nothing inside the worker's own process, so what it costs
is what the queue costs: the benchmarks drain thousands of them. When its args
name a file, it appends one line to it, and so leaves a trace that it has run.
"""

from __future__ import annotations

import os

from relayq.errors import SpecError
from relayq.model.job import JobSpec
from relayq.plugins import Attempt, Outcome

FIELDS = {"file", "line"}


class Noop:
    """Do nothing, or append a line: `args = {"file": "/tmp/trace", "line": "7"}`."""

    name = "noop"

    def check(self, spec: JobSpec) -> None:
        """Refuse what this type cannot run; called before anything is queued, and again by the worker."""
        if spec.command:
            raise SpecError("a noop job takes no command: it does nothing (field 'command')")
        args = spec.args
        if args is None:
            return
        if (
            not isinstance(args, dict)
            or set(args) != FIELDS
            or not all(isinstance(v, str) for v in args.values())
        ):
            raise SpecError("a noop job takes no args, or a text 'file' and a text 'line' (field 'args')")

    async def run(self, attempt: Attempt) -> Outcome:
        """Leave the trace that was asked for; appending is atomic, so many workers may share a file."""
        args = attempt.spec.args
        if isinstance(args, dict):
            trace = os.open(str(args["file"]), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(trace, f"{args['line']}\n".encode())
            finally:
                os.close(trace)
        return Outcome(ok=True)


def _is_trace(args: object) -> bool:
    return isinstance(args, dict) and set(args) == FIELDS and all(isinstance(v, str) for v in args.values())

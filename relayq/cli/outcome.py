"""What the end of a job means for our exit code, and how it is told."""

from __future__ import annotations

from relayq.cli.exit_codes import FAILED, OK, TIMED_OUT
from relayq.cli.output import say
from relayq.client.result import failure_sentence
from relayq.model.ids import short
from relayq.model.lifecycle import State


def exit_code_of(state: State, exit_code: int | None, reason: str) -> int:
    """The job's own code; 124 for one that reached its timeout, 1 for one that never ran to an end."""
    if state == State.SUCCEEDED:
        return OK
    if state == State.FAILED and reason == "timeout":
        return TIMED_OUT
    if state == State.FAILED and exit_code:
        return exit_code
    return FAILED


def tell_end(job: str, state: State, exit_code: int | None, reason: str, *, is_quiet: bool) -> None:
    """One line on stderr about a job that did not end well."""
    if is_quiet or state == State.SUCCEEDED:
        return
    if state == State.FAILED:
        say(failure_sentence(job, exit_code or FAILED, reason))
    else:
        say(f"job {job} is {state.value}; `relayq explain {short(job)}` says more")

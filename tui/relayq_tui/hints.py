"""Why a job ended or waits, in a line, and what to do about it: a table of reasons.

The first rule that fits speaks. A rule is (does it fit, why, what to do, the action
that does it); exit codes as shells use them (126, 127, 128 + signal), 124 as timeout(1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from relayq.client.explain import REASONS
from relayq.model.duration import format_duration
from relayq.model.ids import short
from relayq.model.lifecycle import State
from relayq.query import wait_ms
from relayq_tui.feed import JobDetail
from relayq_tui.glyphs import age
from relayq_tui.rows import JobRow

SIGNALS = {1: "HUP", 2: "INT", 3: "QUIT", 6: "ABRT", 9: "KILL", 11: "SEGV", 13: "PIPE", 15: "TERM"}
FAILED = (State.FAILED, State.EXPIRED)
HOUR_MS = 3_600_000


class Hint(NamedTuple):
    """Why it is so, what to do, and the id of the action that does it; any may be empty."""

    why: str
    fix: str = ""
    action: str = ""


class Rule(NamedTuple):
    """What is said of failed jobs that it `fits`."""

    fits: Callable[[JobRow], bool]
    why: str
    fix: str
    action: str


def _exit(*codes: int) -> Callable[[JobRow], bool]:
    return lambda row: row.exit_code in codes


def _reason(*reasons: str) -> Callable[[JobRow], bool]:
    return lambda row: row.reason in reasons


RULES: tuple[Rule, ...] = (
    Rule(_reason("refused"), "a worker refused its signature", "trust your key there: relayq keys", ""),
    Rule(_reason("crash_limit"), "it took down worker after worker", "look at the log, then retry", "retry"),
    Rule(_reason("lost"), "its worker was lost and did not come back", "retry it", "retry"),
    Rule(_reason("memory", "oom"), "it needed more memory than it may have", "give it more memory", "edit"),
    Rule(_reason("timeout"), "it reached its timeout", "give it more time", "edit"),
    Rule(_reason("deadline"), "no worker started it before its deadline", "submit it again", "duplicate"),
    Rule(_reason("dependency"), "a job it waits for did not succeed", "retry that one", "flow"),
    Rule(_exit(137), "killed, most likely out of memory", "give it more memory", "edit"),
    Rule(_exit(124), "the command's own time-out struck", "give it more time", "edit"),
    Rule(_exit(125), "relayq could not run it", "see the log", "log"),
    Rule(_exit(126), "the command is not executable", "chmod +x it, or name a shell", "edit"),
    Rule(_exit(127), "the command was not found", "need the tool: tool:NAME", "edit"),
    Rule(_exit(130), "it was interrupted", "retry it", "retry"),
    Rule(_exit(139), "it crashed (a bad access to memory)", "see the log", "log"),
    Rule(_exit(75), "it asked to be tried later", "allow more attempts", "edit"),
    Rule(lambda row: row.state in FAILED, "", "see the log", "log"),
)  # fmt: skip


def hint(row: JobRow, detail: JobDetail | None = None) -> Hint:
    """What there is to say about a job that needs somebody; an empty hint about one that does not."""
    explained = detail.explain if detail and detail.row.state is row.state else ()
    match row.state:
        case State.FAILED | State.EXPIRED:
            return _of_failure(row)
        case State.SKIPPED:
            needed = f"{short(row.after[0])} did not do what it needed" if len(row.after) == 1 else ""
            return Hint(needed or REASONS["dependency"], "retry that one first", "flow")
        case State.UNREACHABLE:
            return Hint(f"{row.worker} was not heard of lately", "it has time to come back")
        case State.PENDING:
            return _of_pending(row, explained)
        case State.RUNNABLE:
            return _of_runnable(explained)
    return Hint("it was told to end") if row.cancel_asked and not row.is_final else Hint("")


def ending(row: JobRow) -> str:
    """How it ended: `exit 137 (KILL)`, `timeout`, or nothing."""
    return exit_words(row.exit_code, row.reason)


def exit_words(exit_code: int | None, reason: str) -> str:
    """An exit code with its signal's name, and a reason that says more than that."""
    if exit_code is None:
        return reason
    signal = SIGNALS.get(exit_code - 128, "")
    said = f"exit {exit_code}" + (f" ({signal})" if signal else "")
    return f"{said} {reason}" if reason not in ("", "exit") else said


def attempts(row: JobRow) -> str:
    """`try 3/3, none left`."""
    if not row.attempt:
        return ""
    left = "" if not row.is_final or row.state is State.SUCCEEDED else ", none left"
    return f"try {row.attempt}/{max(row.attempt, row.max_attempts)}{left if row.max_attempts > 1 else ''}"


def waited(row: JobRow, now_ms: int) -> str:
    """For how long it has waited; while it still waits, beyond an hour, in hours or days."""
    wait = wait_ms(row, now_ms)
    is_long = row.state is State.RUNNABLE and wait >= HOUR_MS
    return age(wait) if is_long else format_duration(wait)


def _of_failure(row: JobRow) -> Hint:
    if row.array is not None and row.array.failed and row.reason in ("", "exit"):
        return Hint(f"{row.array.failed} of {row.array.size} elements failed", "see which, and why", "open")
    rule = next(rule for rule in RULES if rule.fits(row))
    why = rule.why or row.message or REASONS.get(row.reason, "the command failed")
    if row.exit_code == 137 and "memory=" in row.needs:
        size = row.needs.partition("memory=")[2].partition(",")[0]
        return Hint(
            f"killed, most likely out of its {size} of memory", "more memory than " + size, rule.action
        )
    return Hint(why, rule.fix, rule.action)


def _of_pending(row: JobRow, explained: Sequence[str]) -> Hint:
    if row.reason == "held":
        return Hint("it is held", "let it go", "hold")
    if row.reason == "approval":
        return Hint("it waits for your word", "look at it, then let it run", "approve")
    if row.reason == "dependency":
        waits_for = ", ".join(short(job) for job in row.after)
        return Hint(explained[0] if explained else f"it waits for {waits_for}", "", "flow")
    return Hint(explained[0] if explained else REASONS.get(row.reason, row.reason))


def _of_runnable(explained: Sequence[str]) -> Hint:
    """Waiting for a worker is nothing to worry about, unless none could ever take it."""
    about = [line for line in explained if line.startswith("worker ")]
    if about and not any("could run it" in line for line in about):
        lacks = next((line for line in about if "offline" not in line), about[0])
        return Hint(
            "no worker can run it: " + lacks.removeprefix("worker "), "start one that can, or edit", "edit"
        )
    return Hint(explained[0] if explained else "")

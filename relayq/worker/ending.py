"""From how an attempt ended to what the hub is told: the signed retry policy decides here.

What was asked of a running attempt wins over how its command took it: a job that
traps TERM and exits with 0 after a cancel is cancelled, not succeeded.
"""

from __future__ import annotations

from relayq.model.retry import decide
from relayq.plugins import Outcome
from relayq.store.records import Report
from relayq.worker.admission import Admitted

# Why the worker ends an attempt itself.
CANCELLED = "cancelled"
TIMEOUT = "timeout"
STOPPED = "stopped"
GONE = "gone"
REFUSED = "refused"

# How the keeper says that nobody saw the end: a crash, not a failure of the command.
LOST = frozenset({"orphan", "keeper_lost", "machine_lost"})

RESULT_BYTES_MAX = 16_384


def report_of(
    admitted: Admitted, outcome: Outcome, asked: str, run_ms: int, *, ended_at: float = 0.0
) -> Report:
    """The report of an attempt that ran; `asked` is why the worker wanted it to end, or empty."""
    reason = asked or ("" if outcome.ok else outcome.reason or "exit")
    word = _WORDS.get(reason, "failed") if reason else "ok"
    policy = admitted.spec.retry
    may_retry = word in ("failed", "timeout")
    return Report(
        job=admitted.claim.job,
        attempt=admitted.claim.attempt,
        outcome=word,
        exit_code=outcome.exit_code,
        reason=reason,
        retry=may_retry and decide(policy, admitted.failures, outcome.exit_code, reason),
        backoff_ms=policy.backoff_ms,
        backoff_cap_ms=policy.cap_ms,
        run_ms=run_ms,
        result=outcome.result[:RESULT_BYTES_MAX],
        reply=admitted.reply,
        ended_at=ended_at,
    )


def never_ran(admitted: Admitted, word: str) -> Report:
    """The report of an attempt that was never started, or that nobody could follow to its end."""
    return Report(job=admitted.claim.job, attempt=admitted.claim.attempt, outcome=word, reply=admitted.reply)


_WORDS = {
    CANCELLED: "cancelled",
    TIMEOUT: "timeout",
    STOPPED: "handback",
    REFUSED: "refused",
} | dict.fromkeys(LOST, "lost")

"""What a job gave back, and the errors that stand for jobs that did not succeed.

Output is collected from the log entries of the last attempt. The hub keeps the
head and the tail of a long log; a hole between two entries is where the middle
was cut, and `output` shows it as a marker, so that nothing is cut silently.
"""

from __future__ import annotations

from dataclasses import dataclass

from relayq.errors import (
    JobCancelled,
    JobError,
    JobExpired,
    JobFailed,
    JobSkipped,
    OutputTruncated,
    Refused,
)
from relayq.model.lifecycle import State
from relayq.store.records import End, JobRecord, LogEntry

STDOUT = 1
TAIL_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a job ended. Times are epoch milliseconds of the hub's clock, None if it never started.

    `output` is stdout, `log_tail` the end of stdout and stderr together; `truncated`
    says that `output` lacks its middle. `value` is what a job type returned, if any.
    """

    id: str
    state: State
    reason: str
    exit_code: int | None
    output: str
    log_tail: str
    truncated: bool
    attempts: int
    worker: str
    started: int | None
    ended: int | None
    progress: float | None
    value: bytes

    @property
    def succeeded(self) -> bool:
        """Whether the job did what it was asked to do."""
        return self.state == State.SUCCEEDED

    def get(self) -> str:
        """The output of a job that succeeded whole; otherwise the error that says why not."""
        error = error_of(self)
        if error is not None:
            raise error
        if self.truncated:
            raise OutputTruncated(
                f"job {self.id} wrote more output than the hub keeps: result().output has its head and "
                "tail, `relayq logs --full` the rest; submit with keep_output='16M' to keep more"
            )
        return self.output


class Transcript:
    """The log of a job's latest attempt, gathered entry by entry."""

    def __init__(self) -> None:
        self._begin(0)

    def _begin(self, attempt: int) -> None:
        self.attempt = attempt
        self.truncated = False
        self._next = 0
        self._stdout: list[bytes] = []
        self._merged: list[bytes] = []

    def add(self, entry: LogEntry) -> None:
        """Take one entry; an entry of a newer attempt starts afresh. Refused for one that is not opened."""
        if entry.doubt:
            raise Refused(entry.doubt)
        if entry.attempt > self.attempt:
            self._begin(entry.attempt)
        elif entry.attempt < self.attempt:
            return
        if entry.position > self._next:
            self._cut(entry.position - self._next)
        self._next = entry.position + len(entry.data)
        self._merged.append(entry.data)
        if entry.stream == STDOUT:
            self._stdout.append(entry.data)

    def end(self, end: End) -> None:
        """The log is over: what was written and has not come by now was not kept."""
        if end.attempt > self.attempt:
            self._begin(end.attempt)
        if end.position > self._next:
            self._cut(end.position - self._next)

    def _cut(self, missing: int) -> None:
        marker = f"\n[... {missing} bytes were not kept ...]\n".encode()
        self.truncated = True
        self._stdout.append(marker)
        self._merged.append(marker)

    @property
    def output(self) -> str:
        """Stdout as text; bytes that are not UTF-8 become replacement characters."""
        return b"".join(self._stdout).decode("utf-8", "replace")

    @property
    def tail(self) -> str:
        """The end of stdout and stderr together."""
        return b"".join(self._merged)[-TAIL_BYTES:].decode("utf-8", "replace")


def result_of(record: JobRecord, transcript: Transcript) -> Result:
    """The result of a job that has ended."""
    return Result(
        id=record.id,
        state=record.state,
        reason=record.reason,
        exit_code=record.exit_code,
        output=transcript.output,
        log_tail=transcript.tail,
        truncated=transcript.truncated,
        attempts=record.attempt,
        worker=record.worker,
        started=record.started_ms or None,
        ended=record.ended_ms or None,
        progress=record.progress,
        value=record.result,
    )


def outcome_of(job: str, end: End, transcript: Transcript) -> Result:
    """The result as far as the end of the log tells it: without times and worker."""
    return Result(
        id=job,
        state=end.state,
        reason=end.reason,
        exit_code=end.exit_code,
        output=transcript.output,
        log_tail=transcript.tail,
        truncated=transcript.truncated,
        attempts=transcript.attempt,
        worker="",
        started=None,
        ended=None,
        progress=None,
        value=end.result,
    )


def error_of(result: Result) -> JobError | None:
    """The error that stands for a job that did not succeed."""
    job = result.id
    match result.state:
        case State.SUCCEEDED:
            return None
        case State.CANCELLED:
            why = "" if result.reason in ("", "cancelled") else f": {result.reason}"
            return JobCancelled(f"job {job} was cancelled{why}", job)
        case State.SKIPPED:
            return JobSkipped(f"job {job} was skipped: a dependency did not do what was needed", job)
        case State.EXPIRED:
            return JobExpired(f"job {job} was not started before its deadline", job)
    code = result.exit_code if result.exit_code is not None else 1
    return JobFailed(
        failure_sentence(job, code, result.reason),
        job,
        exit_code=code or 1,
        log_tail=result.log_tail,
        reason=result.reason,
    )


def failure_sentence(job: str, code: int, reason: str) -> str:
    """Why a job failed, and where to look."""
    match reason:
        case "timeout":
            what = "reached its timeout and was ended"
        case "crash_limit":
            what = "lost its worker too often and was given up"
        case "refused":
            what = "was refused by a worker (`relayq explain` says why)"
        case _:
            what = f"failed with exit code {code}"
    return f"job {job} {what}; see `relayq logs {job[-6:]}`"

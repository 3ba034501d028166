"""Put into words why a job stands where it stands.

The hub knows what holds a job back (a dependency, a time, a limit, a pause); the
workers say which lanes they cannot serve and why; whether a worker has room is
seen from what it runs.
"""

from __future__ import annotations

from collections.abc import Iterator

from relayq.client.glance import glance
from relayq.model.duration import format_duration
from relayq.model.ids import short
from relayq.model.lifecycle import FINAL, State
from relayq.model.needs import Lane
from relayq.store.fleet import why_not
from relayq.store.records import Explanation, JobRecord, WorkerRecord

NAMES_TOLD = 10
REASONS = {
    "exit": "the command failed",
    "timeout": "it reached its timeout",
    "crash_limit": "it lost its worker too often",
    "lost": "its worker was lost",
    "replaced": "another job with its unique key took its place",
    "refused": "a worker refused its signed spec",
    "dependency": "a dependency did not do what was needed",
    "held": "it is held",
    "approval": "it waits for its owner's word",
    "delay": "its time has not come",
    "deadline": "it was not started before its deadline",
}


def sentences(explanation: Explanation, now_ms: int) -> list[str]:
    """What there is to say about the job, most telling first."""
    record = explanation.record
    if record.state in FINAL:
        return [_ending(record)]
    if record.state in (State.RUNNING, State.UNREACHABLE):
        return [_running(record, now_ms)]
    said = [*_alarms(explanation)]
    said += [_blocker(explanation, kind, detail) for kind, detail in explanation.blockers]
    if record.state == State.RUNNABLE:
        is_free = all(kind == "ahead" for kind, _ in explanation.blockers)
        said += _workers(record, explanation.workers, is_free=is_free)
    return said or ["it becomes runnable in a moment"]


def _ending(record: JobRecord) -> str:
    if record.state is State.CANCELLED:
        return _cancelled(record)
    why = REASONS.get(record.reason, record.reason)
    if record.reason == "refused" and record.message:
        why += f": {record.message}"
    code = f" with exit code {record.exit_code}" if record.exit_code else ""
    where = f" on worker {record.worker}" if record.worker else ""
    return f"it has ended: {record.state.value}{code}{where}" + (f"; {why}" if why else "")


def _cancelled(record: JobRecord) -> str:
    where = f" while it ran on worker {record.worker}" if record.worker and record.started_ms else ""
    why = "" if record.reason == "cancelled" else REASONS.get(record.reason, record.reason)
    return f"it was cancelled{where}" + (f": {why}" if why else "")


def _running(record: JobRecord, now_ms: int) -> str:
    since = format_duration(max(0, now_ms - record.started_ms))
    told = "; it was told to end" if record.cancel_asked else ""
    told += f": {record.cancel_why}" if record.cancel_why else ""
    if record.state == State.UNREACHABLE:
        return f"attempt {record.attempt} is in grace: worker {record.worker} was not heard of lately{told}"
    if record.array:
        running, size, waiting = record.array.running, record.array.size, record.array.waiting
        return f"{running} of its {size} elements run, {waiting} wait{told}"
    return f"attempt {record.attempt} runs on worker {record.worker} since {since}{told}"


def _alarms(explanation: Explanation) -> Iterator[str]:
    """What nobody who may has signed: somebody with a password steers behind the owner's back."""
    if explanation.record.alarm:
        yield f"ALARM: {explanation.record.alarm}"
    if explanation.queue and explanation.queue.alarm:
        yield f"ALARM: queue {explanation.queue.name}: {explanation.queue.alarm}"


def _blocker(explanation: Explanation, kind: str, detail: str) -> str:
    record, queue = explanation.record, explanation.queue
    match kind:
        case "dependency":
            return f"it waits for job {short(detail)}"
        case "dependencies":
            is_number = detail.isdigit()
            return (
                _dependencies(record, int(detail)) if is_number else f"it waits for another array, {detail}"
            )
        case "delay":
            return f"it starts no earlier than in {format_duration(int(float(detail)))}"
        case "held" | "approval":
            held = "is held" + (f" by {record.held_by}" if record.held_by else "")
            why, verb = (held, "release") if kind == "held" else ("waits for its owner's word", "approve")
            return f"it {why}; `relayq {verb} {short(record.id)}` lets it go"
        case "paused":
            by = f" by {queue.paused_by}" if queue and queue.paused_by else ""
            return f"queue {detail} is paused{by}; `relayq queue resume {detail}` lets it go"
        case "limit":
            return f"the limit {detail.replace(' ', ' is reached: ', 1)} of its kind run"
        case "rate":
            name, _, wait_ms = detail.rpartition(" ")
            return f"the rate {name} allows the next start in {format_duration(int(float(wait_ms)))}"
        case "ahead":
            return f"{detail} jobs of its kind stand before it"
    return f"{kind} {detail}".strip()


def _dependencies(record: JobRecord, number: int) -> str:
    """The jobs it waits for; the hub knows how many of them are left, their names stand in the spec."""
    spec = glance(record.envelope)
    names = [short(item.job) for item in spec.after] if spec else []
    if len(names) < number:
        return f"it waits for {number} {'dependency' if number == 1 else 'dependencies'}"
    told = ", ".join(names[:NAMES_TOLD]) + (", ..." if len(names) > NAMES_TOLD else "")
    if len(names) > number:
        return f"it waits for {number} of the jobs {told}"
    return f"it waits for {'job' if number == 1 else 'jobs'} {told}"


def _workers(record: JobRecord, workers: list[WorkerRecord], *, is_free: bool) -> Iterator[str]:
    if not workers:
        yield "no worker is known; start one with `relayq worker`"
    for worker in workers:
        yield f"worker {worker.name} {_stance(record.lane, worker, is_free=is_free)}"


def _stance(lane: Lane, worker: WorkerRecord, *, is_free: bool) -> str:
    """What this worker has to do with a runnable job; one that `is_free` waits for nothing but a worker."""
    if not worker.online:
        return "is offline"
    if worker.command in ("quiet", "stop", "kill"):
        return "takes nothing new"
    if why := why_not(lane, worker.offer, worker.unserved):
        return why
    if worker.running:
        return f"could run it; it has {len(worker.running)} jobs running"
    return "could run it and takes it with its next heartbeat" if is_free else "could run it"

"""Put into words why a job stands where it stands.

The hub knows what holds a job back (a dependency, a time, a limit, a pause); the
workers say which lanes they cannot serve and why, and when they take nothing; whether
a worker has room is seen from what it runs.
"""

from __future__ import annotations

from collections.abc import Iterator

from relayq.client.glance import glance
from relayq.model.duration import format_duration, format_size
from relayq.model.ids import short
from relayq.model.lifecycle import FINAL, State
from relayq.model.needs import Lane, Offer, capacity, cost, preferred
from relayq.store.fleet import offer_of, silent_ms, why_not
from relayq.store.records import Explanation, JobRecord, WorkerRecord

NAMES_TOLD = 10
LOST = "l"  # the mark of a job that is held because it lost its worker (lua/prelude.lua)
RESOURCES = {"c": "cpus", "m": "memory", "g": "gpus"}
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
        return [_running(record, now_ms, explanation.workers)]
    if explanation.array:
        return [_element(explanation.array), *sentences(explanation.array, now_ms)]
    said = [*_alarms(explanation)]
    said += [_blocker(explanation, kind, detail) for kind, detail in explanation.blockers]
    if record.state == State.RUNNABLE:
        is_free = all(kind == "ahead" for kind, _ in explanation.blockers)
        said += _workers(explanation, now_ms, is_free=is_free)
    return said or ["it becomes runnable in a moment"]


def _ending(record: JobRecord) -> str:
    if record.state is State.CANCELLED:
        return _cancelled(record)
    if record.state is State.SKIPPED:
        return _skipped(record)
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


def _skipped(record: JobRecord) -> str:
    """Which job did not do what was needed, as far as the spec names only one that could."""
    spec, (_, _, index) = glance(record.envelope), record.id.partition(":")
    after = [item for item in spec.after if not index or item.mode == "index"] if spec else []
    if spec and index and spec.array and spec.array.sequential and not after:
        return "it was skipped: an element before it did not succeed"
    if len(after) != 1:
        what = f"one of the jobs {_names([item.job for item in after])}" if after else "a dependency"
        return f"it was skipped: {what} did not do what was needed"
    [item] = after
    job = f"element {index} of array {short(item.job)}" if index else f"job {short(item.job)}"
    return f"it was skipped: {job} did not {'fail' if item.on == 'failed' else 'succeed'}"


def _element(array: Explanation) -> str:
    """What an element that has not started waits for in its array, whose own sentences follow."""
    return f"it waits in array {short(array.record.id)}, which is {array.record.state.value}"


def _running(record: JobRecord, now_ms: int, workers: list[WorkerRecord]) -> str:
    since = format_duration(max(0, now_ms - record.started_ms))
    told = "; it was told to end" if record.cancel_asked else ""
    told += f": {record.cancel_why}" if record.cancel_why else ""
    if record.state == State.UNREACHABLE:
        return f"attempt {record.attempt} is in grace: worker {record.worker} was not heard of lately{told}"
    if record.array:
        running, size, waiting = record.array.running, record.array.size, record.array.waiting
        gate = _gate(record) if waiting else ""
        return f"{running} of its {size} elements run, {waiting} wait{gate}{told}"
    attempt = f"attempt {record.attempt} runs on worker {record.worker} since {since}"
    lost = [one for one in workers if one.name == record.worker and not one.online and one.seen_ms]
    if lost:  # who keeps house is a worker or a submitter: with neither, nobody has noticed yet
        attempt += f", which was not heard of for {format_duration(max(0, now_ms - lost[0].seen_ms))}"
    return attempt + told


def _gate(record: JobRecord) -> str:
    """What lets the elements of an array start one by one; nothing of one that starts them all."""
    spec = glance(record.envelope)
    if spec and spec.array and spec.array.sequential:
        return ", each for the one before it"
    others = [item.job for item in spec.after if item.mode == "index"] if spec else []
    return f", each for the same element of {_names(others)}" if others else ""


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
            return _dependencies(record, detail)
        case "delay":
            return _delay(record, format_duration(int(float(detail))))
        case "held" | "approval":
            by = f" by {record.held_by}" if record.held_by else ""
            held = "is held" + (": it lost its worker" if record.steered.held == LOST else by)
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
            stand = "job of its kind stands" if detail == "1" else "jobs of its kind stand"
            return f"{detail} {stand} before it"
    return f"{kind} {detail}".strip()


def _delay(record: JobRecord, left: str) -> str:
    """A time that was asked for, or the wait between two attempts."""
    if not record.attempts:
        return f"it starts no earlier than in {left}"
    last = record.attempts[-1]
    how = REASONS.get(last.reason, last.reason) if last.reason != "exit" else f"exit code {last.exit_code}"
    return f"attempt {last.number} failed ({how}); the next one starts in {left}"


def _dependencies(record: JobRecord, detail: str) -> str:
    """The jobs it waits for; the hub knows how many of them are left, their names stand in the spec."""
    if not detail.isdigit():
        gate = _gate(record)
        return f"its elements wait{gate}" if gate else f"it waits for another array, {detail}"
    number = int(detail)
    spec = glance(record.envelope)
    names = [item.job for item in spec.after] if spec else []
    if len(names) < number:
        return f"it waits for {number} {'dependency' if number == 1 else 'dependencies'}"
    told = _names(names)
    if len(names) > number:
        return f"it waits for {number} of the jobs {told}"
    return f"it waits for {'job' if number == 1 else 'jobs'} {told}"


def _names(jobs: list[str]) -> str:
    return ", ".join(map(short, jobs[:NAMES_TOLD])) + (", ..." if len(jobs) > NAMES_TOLD else "")


def _workers(explanation: Explanation, now_ms: int, *, is_free: bool) -> Iterator[str]:
    if not explanation.workers:
        yield "no worker is known; start one with `relayq worker`"
    for worker in explanation.workers:
        yield f"worker {worker.name} {_stance(explanation, worker, now_ms, is_free=is_free)}"


def _stance(explanation: Explanation, worker: WorkerRecord, now_ms: int, *, is_free: bool) -> str:
    """What this worker has to do with a runnable job; one that `is_free` waits for nothing but a worker."""
    record = explanation.record
    if not worker.online:
        return "is offline"
    if worker.command in ("quiet", "stop", "kill"):
        return "takes nothing new"
    if why := why_not(record.lane, worker.offer, worker.unserved):
        return why
    if late_ms := silent_ms(worker, now_ms):
        return f"could run it, but has been silent for {format_duration(late_ms)} and may be gone"
    if closed := worker.facts.get("takes_nothing"):
        return f"could run it, but takes nothing new now: {closed}"
    offer = offer_of(worker.offer)
    if lacks := _lacks(record.lane, offer, [explanation.uses.get(job) for job in worker.running]):
        return f"could run it, but has {lacks}"
    left_ms = int(record.ready_ms + record.lane.prefer_wait_ms - now_ms)
    if left_ms > 0 and not preferred(record.lane, offer):
        others = ", ".join(record.lane.prefer)
        return f"could run it, but leaves it to workers with {others} for another {format_duration(left_ms)}"
    return "could run it and takes it with its next heartbeat" if is_free else "could run it"


def _lacks(lane: Lane, offer: Offer, running: list[Lane | None]) -> str:
    """What of its resources is in use and would be needed: `0 of 2 cpus free and it needs 1`."""
    has = capacity(offer)
    free = dict(has)
    for other in filter(None, running):
        for name, amount in cost(other.needs, offer).items():
            free[name] = free.get(name, 0) - amount
    short_of = [
        f"{_amount(name, max(0, free.get(name, 0)))} of {_amount(name, has.get(name, 0))} "
        f"{RESOURCES.get(name, name[2:])} free and it needs {_amount(name, amount)}"
        for name, amount in cost(lane.needs, offer).items()
        if free.get(name, 0) < amount
    ]
    return ", ".join(short_of)


def _amount(name: str, amount: int) -> str:
    """So much of a resource, named as in `needs.cost`."""
    if name == "c":
        return f"{amount / 1000:g}"
    return format_size(amount << 20) if name == "m" else str(amount)

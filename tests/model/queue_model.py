"""A small model of the queue: what each job should be after every order, in plain Python.

No keys, no lanes, no letters, no arrays: jobs and their states by the rules of the
lifecycle. Time is in whole steps of STEP_MS, so that the milliseconds that really pass
while a test runs never decide anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field

STEP_MS = 10_000
LEASE_STEPS = 6
GRACE_STEPS = 6
PRIORITY_STEPS = 60
CRASH_LIMIT = 5
FINAL = frozenset("SFCKE")


@dataclass(slots=True)
class Job:
    """One job as the rules have it."""

    priority: int = 0
    due: int = 0
    max_attempts: int = 1
    deadline: int | None = None
    on_lost: str = "retry"
    limit: str = ""
    unique: str = ""
    queue: str = "default"
    after: list[tuple[str, str]] = field(default_factory=list)
    state: str = ""
    order: tuple[int, int] = (0, 0)  # when it became runnable, and which was first
    open: list[tuple[str, str]] = field(default_factory=list)  # what is not known to have ended
    attempt: int = 0
    crashes: int = 0
    excused: int = 0
    held: bool = False
    cancel: bool = False
    lost: bool = False
    given_up: bool = False
    worker: str = ""
    grace_until: int = 0


class Model:
    """The jobs, what time it is, and who was last heard of when."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.now = 0
        self.heard: dict[str, int] = {}
        self.paused: set[str] = set()
        self._count = 0

    # -- submitting

    def blocked_by(self, key: str) -> str:
        """The live job with this unique key, or empty."""
        living = [i for i, job in self.jobs.items() if key and job.unique == key and job.state not in FINAL]
        return living[0] if living else ""

    def submit(self, name: str, job: Job) -> None:
        """A job is taken."""
        self.jobs[name] = job
        job.open = [(other, on) for other, on in job.after if self.jobs[other].state not in FINAL]
        job.state = "P"
        ended = [pair for pair in job.after if pair not in job.open]
        if all(satisfied(on, self.jobs[other].state) for other, on in ended):
            self.settle(job)
        else:
            self.finish(name, "K")

    def settle(self, job: Job, *, keep: bool = False) -> None:
        """Where a job that does not run belongs."""
        if job.open or job.held or job.due > self.now:
            job.state = "P"
            return
        if not keep:
            self._count += 1
            job.order = (self.now, self._count)
        job.state = "R"

    def finish(self, name: str, state: str) -> None:
        """A job ends, and whoever waits for it is told."""
        job = self.jobs[name]
        job.state, job.held, job.open, job.lost, job.due = state, False, [], False, 0
        for other, waiting in self.jobs.items():
            for needed, on in list(waiting.open):
                if needed == name:
                    self.tell(other, name, on)

    def tell(self, name: str, ended: str, on: str) -> None:
        """One dependency of a waiting job has ended."""
        job = self.jobs[name]
        if job.state != "P" or (ended, on) not in job.open:
            return
        if not satisfied(on, self.jobs[ended].state):
            self.finish(name, "K")
            return
        job.open.remove((ended, on))
        if not job.open:
            self.settle(job)

    # -- working

    def line(self) -> list[str]:
        """The jobs that may start, best first."""
        ready = [i for i, j in self.jobs.items() if j.state == "R" and j.queue not in self.paused]
        return sorted(ready, key=lambda i: (self.score(i), self.jobs[i].order[1]))

    def score(self, name: str) -> int:
        """The place in the line."""
        job = self.jobs[name]
        return job.order[0] - job.priority * PRIORITY_STEPS

    def users(self, limit: str) -> int:
        """How many hold a limit."""
        return sum(1 for job in self.jobs.values() if job.limit == limit and job.state in "NU")

    def claim(self, worker: str, want: int) -> list[str]:
        """What this worker gets."""
        got: list[str] = []
        for name in self.line():
            job = self.jobs[name]
            if len(got) < want and (not job.limit or self.users(job.limit) < 1):
                job.state, job.worker, job.lost = "N", worker, False
                job.attempt += 1
                got.append(name)
        return got

    def used(self, job: Job) -> int:
        """Attempts that count."""
        return job.attempt - job.crashes - job.excused

    def report(self, worker: str, name: str, attempt: int, outcome: str) -> str:
        """The word for a report."""
        job = self.jobs[name]
        if job.attempt != attempt or job.worker != worker:
            return "stale"
        if job.given_up and outcome == "ok":
            job.state, job.given_up = "S", False
            return "late"
        if job.state in "NU":
            word = "ok" if job.state == "N" else "late"
            self.apply(name, outcome)
            return word
        if job.lost and outcome == "ok":
            self.finish(name, "S")
            return "late"
        return "dup"

    def apply(self, name: str, outcome: str) -> None:
        """An attempt ended."""
        job = self.jobs[name]
        if outcome == "ok":
            self.finish(name, "S")
        elif job.cancel or outcome == "cancelled":
            self.finish(name, "C")
        elif outcome == "handback":
            job.excused += 1
            self.settle(job, keep=True)
        elif outcome == "lost":
            self.crash(name)
        elif outcome == "failed" and self.used(job) < job.max_attempts:
            job.due = self.now
            self.settle(job)
        else:
            self.finish(name, "F")

    def crash(self, name: str) -> None:
        """An attempt is gone for good."""
        job = self.jobs[name]
        job.crashes += 1
        if job.cancel:
            self.finish(name, "C")
        elif job.on_lost == "fail" or job.crashes >= CRASH_LIMIT:
            self.finish(name, "F")
            job.given_up = True
        else:
            job.lost = True
            job.held = job.held or job.on_lost == "hold"
            self.settle(job, keep=True)

    def adopt(self, worker: str, held: dict[str, int]) -> set[str]:
        """What a worker that registers gets back."""
        return {name for name, attempt in held.items() if self.give_back(worker, name, attempt)}

    def give_back(self, worker: str, name: str, attempt: int) -> bool:
        """Whether one attempt is (again) the worker's."""
        job = self.jobs[name]
        if job.attempt != attempt or job.worker != worker or job.state in FINAL:
            return False
        if job.state in "RP":
            if not job.lost or (job.limit and self.users(job.limit) >= 1):
                return False
            job.crashes -= 1
            job.held, job.due = False, 0
        job.state, job.lost = "N", False
        return True

    # -- time

    def tick(self) -> None:
        """What falls due; in the order of the hub's housekeeping."""
        for worker, at in list(self.heard.items()):
            if self.now - at >= LEASE_STEPS:
                del self.heard[worker]
                for job in self.jobs.values():
                    if job.state == "N" and job.worker == worker:
                        job.state, job.grace_until = "U", self.now + GRACE_STEPS
        for name, job in self.jobs.items():
            if job.state == "U" and job.grace_until <= self.now:
                self.crash(name)
        due = [job for job in self.jobs.values() if job.state == "P" and 0 < job.due <= self.now]
        for job in sorted(due, key=lambda job: job.due):
            if not job.open and not job.held:
                self.settle(job)
        for name, job in self.jobs.items():
            late = job.deadline is not None and job.deadline <= self.now
            if late and job.state in "PR" and not job.attempt:
                self.finish(name, "E")

    # -- control

    def cancel(self, name: str) -> None:
        """Somebody wants it to end."""
        job = self.jobs[name]
        if job.state in "PR":
            self.finish(name, "C")
        elif job.state in "NU":
            job.cancel = True

    def hold(self, name: str) -> None:
        """Not now."""
        job = self.jobs[name]
        if job.state in "PR":
            job.held, job.state = True, "P"

    def release(self, name: str) -> None:
        """Now again."""
        job = self.jobs[name]
        if job.held:
            job.held = False
            self.settle(job)

    def retry(self, name: str) -> str:
        """Run it again."""
        job = self.jobs[name]
        if job.state not in FINAL:
            return "not-ended"
        if holder := self.blocked_by(job.unique):
            return f"unique:{holder}"
        job.excused, job.crashes, job.cancel, job.deadline = job.attempt, 0, False, None
        job.given_up = False
        job.open, job.held, job.due = [], False, 0
        self.settle(job)
        return "retried"


def satisfied(on: str, state: str) -> bool:
    """Whether an ended job did what was needed."""
    return on == "any" or state == {"ok": "S", "failed": "F"}[on]

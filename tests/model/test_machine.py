"""The hub against the model: any orders in any order, and both say the same."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from relayq.model.ids import new_id
from relayq.store.hub import Hub, connect
from relayq.store.records import Report, SyncRequest
from tests.model import invariants
from tests.model.driver import Driver, FakeWorker
from tests.model.history import History
from tests.model.queue_model import STEP_MS, Job, Model
from tests.support import PrivateServer, fresh_fleet

LONG = bool(os.environ.get("RELAYQ_LONG"))
WORKERS = ("ann", "bob")
OUTCOMES = ("ok", "ok", "failed", "failed", "cancelled", "handback", "lost", "timeout")

jobs = st.integers(0, 30)
workers = st.sampled_from(WORKERS)


class QueueMachine(RuleBasedStateMachine):
    """Orders that submitters, workers and operators give, each carried out on both sides."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.hub: Hub = self.runner.run(connect(self.url, fresh_fleet()))
        self.driver = Driver(self.hub)
        self.client = redis.Redis(unix_socket_path=self.hub.address.path)
        self.model, self.history = Model(), History()
        self.specs: dict[str, dict[str, Any]] = {}
        self.fakes: dict[str, FakeWorker] = {}
        self.reports: list[tuple[str, Report]] = []

    def teardown(self) -> None:
        self.client.close()
        self.runner.run(self.hub.close())
        self.runner.close()

    def pick(self, number: int) -> str:
        """One of the jobs."""
        return list(self.model.jobs)[number % len(self.model.jobs)]

    @initialize()
    def two_workers_appear(self) -> None:
        for name in WORKERS:
            self.fakes[name] = FakeWorker(self.driver, name)
            self.register(name)

    # -- submitters

    @rule(
        priority=st.sampled_from((0, 0, 0, 1, -1)),
        delay=st.sampled_from((0, 0, 0, 1, 3)),
        attempts=st.integers(1, 3),
        deadline=st.sampled_from((None, None, None, 2)),
        on_lost=st.sampled_from(("retry", "retry", "hold", "fail")),
        limit=st.sampled_from(("", "", "db")),
        unique=st.sampled_from(("", "", "", "k")),
        queue=st.sampled_from(("default", "other")),
        after=st.lists(st.tuples(jobs, st.sampled_from(("ok", "ok", "any", "failed"))), max_size=2),
    )
    def submit(self, after: list[tuple[int, str]], **fields: Any) -> None:
        name = new_id()
        needed = [(self.pick(number), on) for number, on in after if self.model.jobs]
        delay, deadline = fields.pop("delay"), fields.pop("deadline")
        job = Job(
            max_attempts=fields.pop("attempts"),
            due=self.model.now + delay if delay else 0,
            deadline=None if deadline is None else self.model.now + deadline,
            after=needed,
            **fields,
        )
        self.specs[name] = spec_of(job, delay, deadline)
        holder = self.model.blocked_by(job.unique)
        word = self.runner.run(self.driver.word(name, **self.specs[name]))
        if holder:
            assert word == f"unique:{holder}"
            return
        assert word == "new"
        self.model.submit(name, job)
        self.history.accepted(name, needed)

    @precondition(lambda self: self.model.jobs)
    @rule(number=jobs)
    def submit_again(self, number: int) -> None:
        name = self.pick(number)
        assert self.runner.run(self.driver.word(name, **self.specs[name])) == "dup"

    # -- workers

    def register(self, name: str) -> None:
        """A worker appears with what it holds."""
        fake = self.fakes[name]
        held = dict(fake.held)
        welcome = self.runner.run(fake.register())
        self.model.tick()  # the registration keeps house before it adopts
        adopted = self.model.adopt(name, held)
        assert set(welcome.adopted) == adopted
        assert set(welcome.gone) == held.keys() - adopted
        self.model.heard[name] = self.model.now

    @rule(name=workers, want=st.integers(1, 3), twice=st.booleans())
    def claim(self, name: str, want: int, twice: bool) -> None:
        fake = self.fakes[name]
        if name not in self.model.heard:
            assert not self.runner.run(fake.sync()).session_known
            self.register(name)
        reply = self.runner.run(fake.sync(want=want))
        self.model.heard[name] = self.model.now
        expected = self.model.claim(name, want)
        assert [claim.job for claim in reply.claims] == expected
        for claim in reply.claims:
            assert claim.attempt == self.model.jobs[claim.job].attempt
            states = {job: found.state for job, found in self.model.jobs.items()}
            self.history.started(name, claim.job, claim.attempt, states)
        if twice:
            again = self.runner.run(fake.sync(held={}, want=want))
            assert {claim.job: claim.attempt for claim in again.claims} == fake.held

    @precondition(lambda self: any(fake.held for fake in self.fakes.values()))
    @rule(name=workers, number=jobs, outcome=st.sampled_from(OUTCOMES), twice=st.booleans())
    def report(self, name: str, number: int, outcome: str, twice: bool) -> None:
        fake = self.fakes[name]
        if not fake.held or name not in self.model.heard:
            return
        job = sorted(fake.held)[number % len(fake.held)]
        report = fake.outcome(job, outcome, retry=outcome == "failed")
        self.send(name, report)
        self.reports.append((name, report))
        if twice:
            self.send(name, report)

    @precondition(lambda self: self.reports)
    @rule(number=jobs)
    def report_again_much_later(self, number: int) -> None:
        name, report = self.reports[number % len(self.reports)]
        if name in self.model.heard:
            self.send(name, report)

    def send(self, name: str, report: Report) -> None:
        """One report, judged by both."""
        fake = self.fakes[name]
        request = SyncRequest(done=[report])
        reply = self.runner.run(self.driver.workers.sync(fake.session, request))
        self.model.heard[name] = self.model.now
        word = self.model.report(name, report.job, report.attempt, report.outcome)
        assert reply.reports == {report.job: word}
        if fake.held.get(report.job) == report.attempt:
            del fake.held[report.job]
        self.history.reported(name, report.job, report.attempt, report.outcome, word)

    @rule(name=workers)
    def leave_everything_and_come_back(self, name: str) -> None:
        fake = self.fakes[name]
        if name not in self.model.heard:
            return
        self.runner.run(fake.leave())
        del self.model.heard[name]
        for job in self.model.jobs.values():
            if job.state == "N" and job.worker == name:
                job.state, job.grace_until = "U", self.model.now + 6
        self.register(name)

    # -- time and operators

    @rule(steps=st.sampled_from((1, 1, 2, 3, 7)))
    def time_passes(self, steps: int) -> None:
        for _ in range(steps):
            self.model.now += 1
            self.runner.run(self.driver.advance(STEP_MS))
            self.model.tick()

    @precondition(lambda self: self.model.jobs)
    @rule(number=jobs, verb=st.sampled_from(("cancel", "hold", "release")))
    def control(self, number: int, verb: str) -> None:
        name = self.pick(number)
        word = self.runner.run(getattr(self.driver.jobs, verb)(name))
        if word == "asked":
            self.history.asked_to_end(name, self.model.jobs[name].attempt)
        getattr(self.model, verb)(name)

    @precondition(lambda self: self.model.jobs)
    @rule(number=jobs)
    def retry(self, number: int) -> None:
        name = self.pick(number)
        word = self.runner.run(self.driver.jobs.retry(name, b"op"))
        assert word == self.model.retry(name)
        if word == "retried":
            self.history.runs_again(name)

    @rule(queue=st.sampled_from(("default", "other")), pause=st.booleans())
    def pause_or_resume(self, queue: str, pause: bool) -> None:
        queues = self.driver.queues
        self.runner.run(queues.pause(queue) if pause else queues.resume(queue))
        (self.model.paused.add if pause else self.model.paused.discard)(queue)

    # -- what must hold

    @invariant()
    def both_say_the_same(self) -> None:
        snap = invariants.read(self.client, self.hub.keys.prefix)
        assert invariants.breaches(snap) == []
        self.history.check(snap)
        for name, job in self.model.jobs.items():
            record = snap.jobs[name]
            found = (record["s"], invariants.number(record, "a"), invariants.number(record, "c"))
            assert found == (job.state, job.attempt, job.crashes), f"{name}: the hub says {record}, not {job}"


def spec_of(job: Job, delay: int, deadline: int | None) -> dict[str, Any]:
    """The job in the words of the API."""
    spec: dict[str, Any] = {
        "priority": job.priority,
        "attempts": job.max_attempts,
        "on_lost": job.on_lost,
        "queue": job.queue,
        "grace": "60s",
        "after": [{"job": needed, "on": on} for needed, on in job.after],
        "delay": f"{delay * STEP_MS}ms",
    }
    if deadline is not None:
        spec["deadline"] = f"{deadline * STEP_MS}ms"
    if job.limit:
        spec["limits"] = {job.limit: 1}
    return {**spec, "unique": job.unique} if job.unique else spec


def test_the_hub_does_what_the_model_says(hub_server: PrivateServer) -> None:
    hub_server.flush()
    QueueMachine.url = hub_server.url
    run = QueueMachine.TestCase
    run.settings = settings(
        max_examples=1_000 if LONG else 80,
        stateful_step_count=40,
        deadline=None,
        derandomize=not LONG,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
        print_blob=False,
    )
    run().runTest()


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_model_knows_every_outcome(outcome: str) -> None:
    model = Model()
    model.submit("a", Job())
    model.claim("ann", 1)
    assert model.report("ann", "a", 1, outcome) == "ok"
    assert model.report("ann", "a", 1, outcome) in ("dup", "late")

"""Drive a hub through its own front doors, with time in the test's hands.

`Driver` is a submitter and an operator, `FakeWorker` a session that runs nothing: a
test says how its attempts end. Hub time is moved by `advance`: every function adds
the field `shift` of `cfg` to TIME. Both take the store's typed methods as they are.
"""

from __future__ import annotations

from typing import Any

from relayq.model.ids import new_id
from relayq.model.job import JobSpec, routing
from relayq.model.needs import Lane, lane_of
from relayq.store.events import Events
from relayq.store.hub import Hub
from relayq.store.jobs import Jobs, Queues
from relayq.store.logs import Logs
from relayq.store.records import (
    Claim,
    JobRecord,
    Letter,
    LogChunk,
    Registration,
    Report,
    Submission,
    SyncReply,
    SyncRequest,
    Welcome,
)
from relayq.store.workers import Workers

ROOMY = {"c": 64_000}
COST = {"c": 1_000}


def submission(job: str, spec: dict[str, Any]) -> Submission:
    """A job spec in the words of the API, ready to be submitted under an id."""
    read = JobSpec.from_dict({"command": "true", **spec})
    return Submission(routing=routing(read, job), lane=lane_of(read), envelope=f"envelope of {job}".encode())


class Driver:
    """One fleet, seen from all its doors."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.jobs, self.queues = Jobs(hub), Queues(hub)
        self.workers, self.logs, self.events = Workers(hub), Logs(hub), Events(hub)

    async def advance(self, ms: int, *, tick: bool = True) -> None:
        """Let hub time pass, and housekeeping be done once."""
        await self.hub.link.call("HINCRBY", self.hub.keys.anchor, "shift", ms)
        if tick:
            await self.tick()

    async def tick(self) -> None:
        """Housekeeping, now."""
        await self.hub.run("tick", {})

    async def submit(self, job: str = "", *, watch: bool = False, **spec: Any) -> str:
        """Submit one job that must be taken; its id."""
        job = job or new_id()
        word = await self.word(job, watch=watch, **spec)
        assert word == "new" or word.startswith("replaced:"), word
        return job

    async def word(self, job: str = "", *, watch: bool = False, **spec: Any) -> str:
        """Submit one job; the hub's word for it."""
        return (await self.jobs.submit([submission(job or new_id(), spec)], watch=watch))[0]

    async def batch(self, *specs: dict[str, Any]) -> list[str]:
        """Submit several jobs at once that must be taken; their ids."""
        ids = [spec.pop("id", "") or new_id() for spec in specs]
        words = await self.jobs.submit([submission(job, spec) for job, spec in zip(ids, specs, strict=True)])
        assert set(words) == {"new"}, words
        return ids

    async def record(self, job: str) -> JobRecord:
        """A job that must be there."""
        found = await self.jobs.record(job)
        assert found, f"no job {job}"
        return found

    async def state(self, job: str) -> str:
        """Its state, and the reason where there is one: `PENDING held`."""
        found = await self.record(job)
        return f"{found.state.value} {found.reason}".strip()

    async def worker(self, name: str = "w", **how: Any) -> FakeWorker:
        """A worker that has registered."""
        worker = FakeWorker(self, name, **how)
        await worker.register()
        return worker

    async def field(self, job: str, name: str) -> str | None:
        """One raw field of a job."""
        value = await self.hub.link.call("HGET", self.hub.keys.of("j", job), name)
        return None if value is None else value.decode()

    async def raw(self, *command: Any) -> Any:
        """A raw command; the word `@key` in it names a key of the fleet."""
        words = [self.hub.keys.prefix + w[1:] if str(w).startswith("@") else w for w in command]
        return await self.hub.link.call(*words)


class FakeWorker:
    """A session that claims, holds and reports what the test tells it to."""

    def __init__(
        self, driver: Driver, name: str, *, free: dict[str, int] | None = None, nonce: str = ""
    ) -> None:
        self.driver = driver
        self.name, self.instance = name, f"instance of {name}"
        self.session = f"{name}#{nonce or new_id()[:8]}"
        self.free = dict(ROOMY if free is None else free)
        self.lanes: dict[str, Lane] = {}
        self.prefers: dict[str, int] = {}  # lane -> how long its heads are left to others, ms
        self.held: dict[str, int] = {}
        self.claims: dict[str, Claim] = {}
        self.mail_id = "0"

    async def register(self, **changes: Any) -> Welcome:
        """Appear, telling what is held."""
        fields = {"name": self.name, "session": self.session, "instance": self.instance, "held": self.held}
        welcome = await self.driver.workers.register(
            Registration(**{**fields, "offer": {}, "facts": {}, **changes})
        )
        self.lanes = welcome.lanes
        for job in welcome.gone:
            self.held.pop(job, None)
        return welcome

    def offers(self) -> list[tuple[str, dict[str, int]]]:
        """Every lane it knows, at a cpu each."""
        wait = self.prefers
        return [(lane, COST | ({"w": wait[lane]} if lane in wait else {})) for lane in self.lanes]

    async def sync(self, **request: Any) -> SyncReply:
        """One heartbeat; claims are held from now on, what is reported or gone is not."""
        _, self.lanes = await self.driver.workers.lanes()
        used = sum(COST["c"] for _ in self.held)
        asked = {
            "held": self.held,
            "full": True,
            "free": {"c": self.free["c"] - used},
            "lanes": self.offers(),
            "want": 16,
            "mail_id": self.mail_id,
        }
        reply = await self.driver.workers.sync(self.session, SyncRequest(**{**asked, **request}))
        self.take(reply)
        return reply

    def take(self, reply: SyncReply) -> None:
        """Hold what the reply gives, drop what it takes away."""
        for job in [*reply.reports, *reply.gone]:
            self.held.pop(job, None)
        for claim in reply.claims:
            self.held[claim.job] = claim.attempt
            self.claims[claim.job] = claim

    async def claim(self, want: int = 16) -> list[str]:
        """Claim without standing by; the jobs it got."""
        return [claim.job for claim in (await self.sync(want=want)).claims]

    async def stand_by(self) -> list[str]:
        """Claim what there is and wait to be offered more; the jobs it got."""
        return [claim.job for claim in (await self.sync(idle=True)).claims]

    async def report(self, job: str, outcome: str = "ok", *, want: int = 0, **fields: Any) -> str:
        """Report the held attempt of a job; the hub's word."""
        reply = await self.sync(done=[self.outcome(job, outcome, **fields)], want=want)
        return reply.reports[job]

    def outcome(self, job: str, outcome: str = "ok", **fields: Any) -> Report:
        """The report of an attempt, held or, with `attempt=`, any."""
        code = {"exit_code": 1} if outcome == "failed" else {}
        return Report(**{"job": job, "attempt": self.held.get(job, 1), "outcome": outcome, **code, **fields})

    async def write(
        self, job: str, data: bytes, *, stream: int = 1, offset: int = 0, **fields: Any
    ) -> SyncReply:
        """Send output of the held attempt."""
        attempt = fields.pop("attempt", None) or self.held[job]
        chunk = LogChunk(job=job, attempt=attempt, stream=stream, offset=offset, data=data, **fields)
        return await self.sync(logs=[chunk], want=0)

    async def letters(self) -> list[tuple[str, str]]:
        """What is new in the mailbox, as (kind, job or delay); claims are held from now on."""
        found = []
        for letter in await self.mail():
            if letter.claim:
                self.held[letter.claim.job] = letter.claim.attempt
                self.claims[letter.claim.job] = letter.claim
            subject = letter.claim.job if letter.claim else letter.job or str(letter.delay_ms)
            found.append((letter.kind, subject))
        return found

    async def mail(self) -> list[Letter]:
        """What is new in the mailbox, without waiting for anything to come."""
        newest = await self.driver.raw("XREVRANGE", "@mb:" + self.session, "+", "-", "COUNT", 1)
        if not newest or newest[0][0].decode() == self.mail_id:
            return []
        letters = await self.driver.workers.letters(self.session, self.mail_id, 1)
        if letters:  # a hub that was rolled back has letters older than the last that was read
            self.mail_id = letters[-1].id
        return letters

    async def leave(self) -> None:
        """End the session in good order."""
        await self.driver.workers.leave(self.session)

    def restarted(self, nonce: str = "") -> FakeWorker:
        """The same worker after a restart: the same instance, a new session, holding what it held."""
        again = FakeWorker(self.driver, self.name, free=self.free, nonce=nonce)
        again.held = dict(self.held)
        return again


async def running(driver: Driver, *, watch: bool = False, **spec: Any) -> tuple[str, FakeWorker]:
    """A job, and the worker `w` that runs it."""
    job = await driver.submit(watch=watch, **spec)
    worker = await driver.worker()
    assert job in await worker.claim()
    return job, worker


async def run_all(worker: FakeWorker, *failing: str) -> list[str]:
    """Run what the worker can get until there is nothing more; what ran, in order."""
    ran: list[str] = []
    while jobs := await worker.claim():
        ran += jobs
        outcomes = [worker.outcome(job, "failed" if job in failing else "ok") for job in jobs]
        await worker.sync(done=outcomes, want=0)
    return ran


def indices(jobs: list[str]) -> list[int]:
    """The indices of elements."""
    return [int(job.partition(":")[2]) for job in jobs]

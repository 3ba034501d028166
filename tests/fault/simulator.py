"""A seeded world of workers, submitters and faults around a real hub with virtual time.

One step is one thing that somebody does, or that goes wrong: a request or a reply is
lost, a sync is sent twice, a worker freezes, is killed and comes back with its disk,
loses its machine, or never returns; the hub forgets its last seconds. After every step
the keys are recounted and the history is asked. Then the faults stop, and everything
that can end must.
"""

from __future__ import annotations

import contextlib
from typing import Any

from relayq.errors import HubFull
from tests.fault.crew import CALM, Crew, Faults, Worker, letters_of
from tests.model import invariants
from tests.model.driver import Driver, FakeWorker
from tests.model.history import History


class World(Crew):
    """Everybody around one hub. `rng` decides everything; the same seed does the same."""

    def __init__(self, driver: Driver, seed: int, faults: Faults, workers: int = 3) -> None:
        super().__init__(driver, seed, faults, workers)
        self.forgets = bool(faults.roll_back)
        self.sent: dict[str, dict[str, Any]] = {}
        self.is_full = False
        self._memory: tuple[dict[bytes, bytes], History, dict[str, dict[str, Any]]] | None = None
        self._memory_at = 0

    def close(self) -> None:
        """Close the inspector's own link."""
        self.client.close()

    # -- running

    async def run(self, steps: int) -> None:
        """So many steps, everything checked after each."""
        for _ in range(steps):
            await self.step()
            self.check()

    async def step(self) -> None:
        """One thing happens."""
        does = self.rng.choices(
            (self.submit, self.work, self.pass_time, self.control, self.misfortune),
            weights=(18, 55, 12, 12, 3),
        )[0]
        await does()

    def check(self) -> invariants.Snapshot:
        """Recount the keys, ask the history."""
        snap = invariants.read(self.client, self.driver.hub.keys.prefix)
        broken = invariants.breaches(snap)
        assert not broken, "\n".join([*self.trace[-12:], *broken])
        try:
            self.history.check(snap)
        except AssertionError as error:
            raise AssertionError("\n".join([*self.trace[-12:], str(error)])) from error
        return snap

    # -- submitters and operators

    async def submit(self) -> None:
        """A job of any kind, sometimes one that was sent before."""
        if self.sent and self.chance(0.15):
            job = self.rng.choice(list(self.sent))
            with contextlib.suppress(HubFull):
                assert await self.driver.word(job, **self.sent[job]) == "dup"
            return
        job, spec = self.new_id(), self.spec()
        try:
            word = await self.driver.word(job, watch=self.chance(0.3), **spec)
        except HubFull:
            word = "full"
        self.note("submit", job, spec, word)
        if word == "new" or word.startswith("replaced:"):
            self.sent[job] = spec
            whole, by_index = ([], [])
            for after in spec.get("after", ()):
                (by_index if "mode" in after else whole).append((after["job"], after.get("on", "ok")))
            self.history.accepted(job, whole, by_index)

    def spec(self) -> dict[str, Any]:
        """Any spec a submitter may think of."""
        rng, spec = self.rng, {"attempts": self.rng.choice((1, 1, 2, 3))}
        spec["queue"] = rng.choice(("default", "other"))
        options = {
            "priority": rng.choice((-1, 1, 3)),
            "delay": rng.choice(("1s", "30s", "3m")),
            "deadline": rng.choice(("20s", "2m")),
            "limits": {"db": 2},
            "rates": {"api": "5/1m"},
            "share": rng.choice(("a", "b")),
            "on_lost": rng.choice(("hold", "fail")),
            "unique": rng.choice(UNIQUES),
        }
        for name in rng.sample(sorted(options), k=rng.choice((0, 0, 1, 1, 2))):
            spec[name] = options[name]
        if self.chance(0.25):
            size = rng.choice((1, 3, 3, 5))
            spec["array"] = {"size": size, "sequential": True} if self.chance(0.3) else size
        if self.sent and self.chance(0.35):
            spec["after"] = self.dependencies(spec)
        return spec

    def dependencies(self, spec: dict[str, Any]) -> list[dict[str, Any]]:
        """One or two jobs to wait for, index by index where that fits."""
        twins = [job for job, sent in self.sent.items() if isinstance(sent.get("array"), int)]
        if isinstance(spec.get("array"), int) and twins and self.chance(0.6):
            spec["array"] = size = self.sent[self.rng.choice(twins)]["array"]
            alike = [job for job in twins if self.sent[job]["array"] == size]
            jobs = self.rng.sample(alike, k=min(len(alike), self.rng.choice((1, 1, 2))))
            return [{"job": job, "on": self.rng.choice(("ok", "any")), "mode": "index"} for job in jobs]
        jobs = self.rng.sample(list(self.sent), k=min(len(self.sent), self.rng.choice((1, 1, 2))))
        return [{"job": job, "on": self.rng.choice(("ok", "ok", "any", "failed"))} for job in jobs]

    async def control(self) -> None:
        """Somebody steers a job or a queue."""
        verb = self.rng.choice(("cancel", "cancel", "hold", "release", "retry", "priority", "pause", "watch"))
        if verb == "pause":
            queue = self.rng.choice(("default", "other"))
            await self.rng.choice((self.driver.queues.pause, self.driver.queues.resume))(queue)
            return
        job = self.any_job()
        if not job:
            return
        try:
            word = await getattr(self, f"_{verb}")(job)
        except HubFull:
            assert verb == "retry", f"{verb} needs memory"
            word = "full"
        self.note(verb, job, word)

    def any_job(self) -> str:
        """A job, an element that runs, or any element at all."""
        running = [job for worker in self.workers for job in worker.running]
        job = self.rng.choice([*self.sent, *running] or [""])
        array = self.sent.get(job, {}).get("array")
        if array and self.chance(0.4):
            return f"{job}:{self.rng.randrange(array['size'] if isinstance(array, dict) else array)}"
        return job

    async def _cancel(self, job: str) -> str:
        word = await self.driver.jobs.cancel(job)
        if word in ("asked", "cancelled"):
            highest = self.history.newest.get(job, 0)
            if ":" in job or "array" not in self.sent[job]:
                known = await self.driver.field(job, "a")
                self.history.asked_to_end(job, max(highest, int(known or 0)))
        return word

    async def _hold(self, job: str) -> str:
        return await self.driver.jobs.hold(job)

    async def _release(self, job: str) -> str:
        return await self.driver.jobs.release(job)

    async def _watch(self, job: str) -> str:
        return str(await self.driver.logs.watch(job))

    async def _priority(self, job: str) -> str:
        return await self.driver.jobs.reprioritise(job, self.rng.randint(-5, 5))

    async def _retry(self, job: str) -> str:
        word = await self.driver.jobs.retry(job, b"op")
        if word == "retried":
            self.history.runs_again(job)
        return word

    # -- time

    async def pass_time(self) -> None:
        """A moment, a heartbeat, or more than a lease."""
        await self.advance(self.rng.choice((50, 1_000, 5_000, 20_000, 20_000, 61_000, 130_000)))

    async def advance(self, ms: int) -> None:
        """Let hub and world get older."""
        self.now += ms
        if self.is_full:
            self.client.config_set("maxmemory", 0)  # the clock of the test is no part of the fault
        self.note("advance", ms)
        await self.driver.advance(ms, tick=False)
        if self.is_full:
            self.fill()
        if self.chance(0.7):
            await self.driver.tick()

    # -- misfortune

    async def misfortune(self) -> None:
        """A worker freezes, dies or leaves; the hub loses its last seconds."""
        worker = self.rng.choice(self.workers)
        if self.chance(self.faults.full):
            self.make_room() if self.is_full else self.fill()
        elif self.chance(self.faults.roll_back):
            self.roll_back()
        elif self.chance(self.faults.freeze * 10):
            worker.frozen_until = self.now + self.rng.choice((30_000, 100_000, 400_000))
            self.note(worker.fake.session, "freezes")
        elif self.chance(self.faults.crash * 10):
            self.kill(worker, self.rng.choice(("process", "process", "machine", "for ever")))

    def kill(self, worker: Worker, what: str) -> None:
        """The process dies and comes back with its disk; its machine dies; or it is never seen again."""
        self.note(worker.fake.session, "dies:", what)
        if what == "machine":
            for job in list(worker.running):
                self.end(worker, job, "lost")
        if what == "for ever":
            self.gone.append(worker)
            fake = FakeWorker(self.driver, "w" + self.new_id(), nonce=self.new_id())
            self.workers[self.workers.index(worker)] = Worker(fake)
            return
        worker.fake = worker.fake.restarted(self.new_id())
        worker.registered, worker.has_failed, worker.frozen_until = False, True, 0

    def remember(self) -> None:
        """What the hub has on its disk."""
        names = self.client.keys(self.driver.hub.keys.prefix + "*")
        dumps = {name: self.client.dump(name) for name in names}
        self._memory = (dumps, self.history.copy(), dict(self.sent))
        self._memory_at = self.now

    def roll_back(self) -> None:
        """The hub is back as it was when it last wrote to its disk; its clock has gone on."""
        if self._memory is None or self.now - self._memory_at > 1_000:
            self.remember()
            return
        dumps, self.history, self.sent = self._memory
        shift = self.client.hget(self.driver.hub.keys.anchor, "shift")
        for name in self.client.keys(self.driver.hub.keys.prefix + "*"):
            self.client.delete(name)
        for name, value in dumps.items():
            self.client.restore(name, 0, value)
        self.client.hset(self.driver.hub.keys.anchor, "shift", shift or 0)
        self._memory = None
        self.note("the hub rolls back")

    def fill(self) -> None:
        """Not a byte is left in the hub."""
        self.is_full = True
        self.client.config_set("maxmemory", max(1, self.client.info("memory")["used_memory"] // 2))
        self.note("the hub is full")

    def make_room(self) -> None:
        """There is memory again."""
        self.is_full = False
        self.client.config_set("maxmemory", 0)
        self.note("the hub has room")

    # -- the end

    async def settle(self, rounds: int = 200) -> None:
        """The faults stop: everything that can end must, and nothing waits to be told."""
        self.faults = CALM
        if self.is_full:
            self.make_room()
        for queue in ("default", "other"):
            await self.driver.queues.resume(queue)
        for _ in range(rounds):
            await self.quiet_round()
            snap = self.check()
            if not self.history.unfinished(snap):
                assert not snap.kind("dep") and not snap.kind("fan")
                await self.check_logs()
                return
        snap = self.check()
        rest = {job: snap.jobs[job] for job in self.history.unfinished(snap)}
        raise AssertionError("\n".join([*self.trace[-20:], f"13: these never end: {rest}"]))

    async def check_logs(self) -> None:
        """15: the log of each attempt is a gap-free prefix; of one that counted, all there was.

        (Output that was acknowledged in a second that the hub forgot is not sent again.)
        """
        said = {key: most for worker in self.gone + self.workers for key, most in worker.wrote.items()}
        for job in {job for job, _ in said}:
            found: dict[int, bytes] = {}
            for entry in await self.driver.logs.read(job):
                assert entry.attempt == max([entry.attempt, *found]), (
                    f"15: {job} goes back to {entry.attempt}"
                )
                before = found.get(entry.attempt, b"")
                assert entry.position == len(before), self.story(
                    job, f"15: {job} has a gap at {entry.position}"
                )
                found[entry.attempt] = before + entry.data
            for attempt, data in found.items():
                assert data == letters_of(attempt, 0, len(data)), f"15: {job} says what nobody wrote"
            if job in self.history.succeeded and not self.forgets:
                last = self.history.counted[job]
                wrote, has = said.get((job, last), 0), len(found.get(last, b""))
                assert has == wrote, self.story(
                    job, f"15: {job} has {has} of {wrote} bytes of attempt {last}"
                )

    def story(self, job: str, breach: str) -> str:
        """What happened to a job, and which promise that broke."""
        return "\n".join([*(line for line in self.trace if job in line), breach])

    async def quiet_round(self) -> None:
        """Everybody does what they should; what runs succeeds."""
        for worker in self.workers:
            worker.frozen_until = 0
            await self.read(worker)
            for job in list(worker.running):
                self.end(worker, job, "ok")
            await self.sync(worker, idle=True)
        snap = invariants.read(self.client, self.driver.hub.keys.prefix)
        for job, record in snap.jobs.items():
            if "h" in record:
                await self.driver.jobs.release(job)
        await self.advance(20_000)


UNIQUES: tuple[Any, ...] = (
    "k1",
    "k2",
    {"key": "k3", "mode": "replace"},
    {"key": "k4", "mode": "queued"},
    {"key": "k5", "window": "1m"},
)

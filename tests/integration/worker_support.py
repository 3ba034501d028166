"""What the worker's tests share: a hub to submit to, workers in this process or in one of their own."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from relayq.client.dispatch import Dispatcher
from relayq.client.standing import Standing
from relayq.config import load
from relayq.errors import HubUnreachable
from relayq.model.job import JobSpec, new_id, routing
from relayq.model.needs import Lane, lane_of
from relayq.model.parts import MAX_FILE_BYTES, stored_as
from relayq.store.blobs import Blobs, Pulls
from relayq.store.hub import Hub
from relayq.store.inbox import Inboxes, Refusal
from relayq.store.jobs import Jobs
from relayq.store.logs import Logs
from relayq.store.records import JobRecord, Submission, WorkerRecord
from relayq.store.workers import Workers
from relayq.trust.bodies import Author
from relayq.trust.envelope import Op, sign_op
from relayq.trust.files import new_key, open_file, seal_file
from relayq.trust.keys import SigningKey, owner_key
from relayq.trust.outputs import Asked
from relayq.trust.roster import Roster
from relayq.worker.options import WorkerOptions
from relayq.worker.worker import Worker
from tests.support import eventually


class Rig:
    """A fleet on a private server, its owner's key, and a directory for marks that jobs leave."""

    def __init__(self, url: str, fleet: str, home: Path) -> None:
        self.url, self.fleet = url, fleet
        self.worker_url = url  # another one where the workers' link is to be bad
        self.marks = home / "marks"
        self.marks.mkdir()
        self.config = load({"hub.fleet": fleet, "worker.nice": 0})
        self.key = owner_key(self.config.owner_key_path)
        self.hub = Hub(url, fleet)
        self.hub.pen = self.order
        self.jobs, self.logs, self.workers = Jobs(self.hub), Logs(self.hub), Workers(self.hub)

    # -- trust

    def order(self, order: str, subject: str, floor_s: int = 0) -> bytes:
        """An order that a worker obeys, signed by the key of this rig as it is now."""
        return sign_op(self.key, Op(order, subject, 0, self.fleet, max(floor_s, int(time.time()))))

    def standing(self) -> Standing:
        """The owner of this fleet."""
        return Standing(self.config, Dispatcher(self.url, self.fleet).ask)

    def roster(self) -> Roster:
        """The fleet's roster, made on first use."""
        roster = self.standing().desk.current()
        assert roster
        return roster

    def author(self, key: SigningKey | None = None, fleet: str = "") -> Author:
        """Whoever signs and seals here; with another key, or for another fleet, where a test wants a lie."""
        return Author(key or self.key, self.roster().but(fleet=fleet or self.fleet))

    def see(self) -> None:
        """Read with the owner's eyes from now on: as the roster stands."""
        self.hub.reader = self.standing().reader()

    async def taken(self, asked: Asked, seen: int = 0) -> list[tuple[str, bytes]]:
        """The next pieces of a whole log that somebody asked for, opened; `seen` came before."""
        came = await Pulls(self.hub).take(asked.ticket, 5000)
        eyes = self.standing().reader()
        return [(kind, eyes.pour(asked, seen + at, kind, data)) for at, (kind, data) in enumerate(came)]

    async def refusals(self, count: int) -> list[Refusal]:
        """What came through inboxes and was refused, once there is so much."""

        async def look() -> list[Refusal]:
            found = (await Inboxes(self.hub).refusals())[1]
            return found if len(found) >= count else []

        return await eventually(look, f"{count} are refused")

    # -- jobs

    def submission(
        self, spec: JobSpec, *, key: SigningKey | None = None, fleet: str = "", lane: Lane | None = None
    ) -> tuple[str, Submission]:
        """A signed job; by another key, for another fleet or in another lane where a test wants a lie."""
        return self.submission_by(self.author(key, fleet), spec, lane)

    def submission_by(
        self, author: Author, spec: JobSpec, lane: Lane | None = None
    ) -> tuple[str, Submission]:
        """The job as this author signs and seals it."""
        job = new_id()
        envelope = author.job(spec, job, int(time.time()))
        return job, Submission(routing=routing(spec, job), lane=lane or lane_of(spec), envelope=envelope)

    async def submit(self, command: str | list[str], **fields: Any) -> str:
        """Submit one job; its id."""
        job, submission = self.submission(JobSpec.from_dict({"command": command, **fields}))
        assert await self.jobs.submit([submission]) == ["new"]
        return job

    async def submit_batch(self, specs: list[JobSpec]) -> list[str]:
        """Submit jobs under one signature; their ids."""
        ids = [new_id() for _ in specs]
        record, envelopes = self.author().batch(list(zip(specs, ids, strict=True)), int(time.time()))
        batch = [
            Submission(routing=routing(spec, job), lane=lane_of(spec), envelope=envelope)
            for spec, job, envelope in zip(specs, ids, envelopes, strict=True)
        ]
        assert set(await self.jobs.submit(batch, record=record)) == {"new"}
        return ids

    async def retry(self, job: str, attempt: int) -> str:
        """Let a finished job run again by a signed op."""
        op = Op(op="retry", id=job, attempt=attempt, fleet=self.fleet, iat=int(time.time()))
        return await self.jobs.retry(job, sign_op(self.key, op))

    async def put_file(self, name: str, data: bytes) -> dict[str, object]:
        """Seal an input and store it; its item of a spec."""
        key = new_key()
        sealed = seal_file(io.BytesIO(data).read, key, MAX_FILE_BYTES)
        await Blobs(self.hub).put(stored_as(key), sealed.data, name)
        return {"name": name, "sha256": sealed.sha256, "size": sealed.size, "key": key}

    async def left(self, record: JobRecord, name: str) -> bytes:
        """The content of a file that a job has left."""
        one = record.outputs[name]
        data = await Blobs(self.hub).get(one.stored)
        return b"".join(open_file(data, one.key, one.sha256, one.size))

    async def record(self, job: str) -> JobRecord:
        """The job as the hub has it."""
        self.see()
        record = await self.jobs.record(job)
        assert record, f"{job} is unknown"
        return record

    async def ended(self, job: str, *, timeout_s: float = 30.0) -> JobRecord:
        """The job once it has ended."""

        async def look() -> bool:
            with contextlib.suppress(HubUnreachable):
                return bool((await self.record(job)).ended_ms)
            return False

        await eventually(look, f"job {job} has ended", timeout_s=timeout_s)
        return await self.record(job)

    async def in_state(self, job: str, state: str) -> JobRecord:
        """The job once it is in a state."""

        async def look() -> bool:
            return (await self.record(job)).state == state

        await eventually(look, f"job {job} is {state}")
        return await self.record(job)

    async def output(self, job: str, stream: int = 1) -> bytes:
        """What the hub has of a stream."""
        self.see()
        return b"".join(entry.data for entry in await self.logs.read(job) if entry.stream == stream)

    # -- workers

    @asynccontextmanager
    async def worker(self, name: str = "w1", *, wait: bool = True, **options: Any) -> AsyncIterator[Worker]:
        """A worker in this process, told to leave at once at the end."""
        worker = self.new_worker(name, **options)
        running = asyncio.create_task(worker.run())
        try:
            if wait:
                await self.online(name)
            yield worker
        finally:
            if not running.done():
                worker.stop()
                worker.stop()
            await running

    def new_worker(self, name: str = "w1", **options: Any) -> Worker:
        """A worker of this process that does not run yet."""
        options.setdefault("slots", 2)
        return Worker(self.config, WorkerOptions(url=self.worker_url, name=name, **options))

    async def leaves(self, **options: Any) -> None:
        """Run a worker that should leave by itself, and raise what it leaves with."""
        async with asyncio.timeout(15):
            await self.new_worker(**options).run()

    async def online(self, name: str) -> WorkerRecord:
        """A worker once the hub knows it."""

        found: dict[str, WorkerRecord] = {}

        async def look() -> bool:
            found.update((one.name, one) for one in await self.workers.list() if one.online)
            return name in found

        await eventually(look, f"worker {name} is online")
        return found[name]

    def process(self, name: str = "w1", *options: str, through: tuple[str, ...] = ()) -> WorkerProcess:
        """A worker in a process of its own, started by the command `through` where that is given."""
        return WorkerProcess(self, name, options, through)

    # -- marks

    def mark(self, name: str, value: str = "x") -> str:
        """A shell command that leaves a mark."""
        return f"echo {value} >> {self.marks}/{name}"

    def marked(self, name: str) -> list[str]:
        """The lines that were left in a mark."""
        path = self.marks / name
        return path.read_text().split() if path.exists() else []


class WorkerProcess:
    """`relayq worker --headless` with its log in a file."""

    def __init__(self, rig: Rig, name: str, options: tuple[str, ...], through: tuple[str, ...]) -> None:
        self.log = rig.marks / f"{name}.log"
        environment = os.environ | {"RELAYQ_URL": rig.worker_url, "RELAYQ_FLEET": rig.fleet}
        argv = [*through, sys.executable, "-m", "relayq", "worker", "--headless", "--name", name, *options]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                argv,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def signal(self, number: int) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone; its keeper lives on."""
        self.signal(signal.SIGKILL)
        self.process.wait()

    async def left(self) -> int:
        """Its exit code once it has left."""
        await eventually(lambda: self.process.poll() is not None, f"the worker has left: {self.said()}")
        return self.process.returncode

    def said(self) -> str:
        """Its log."""
        return self.log.read_text()


def patient(rig: Rig, name: str) -> str:
    """A job that says it has begun and ends when the mark `go` is there."""
    return f"{rig.mark(name)}; until [ -e {rig.marks}/go ]; do sleep 0.05; done; echo done"


def keeper_of(rig: Rig, name: str) -> int:
    """The pid of a worker's keeper."""
    directory = str(rig.config.state_dir / "workers" / name)
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(word.endswith(b"keeper.py") for word in line) and directory.encode() in line:
            return int(entry.name)
    raise AssertionError(f"{name} has no keeper")


def child_of(job: str) -> int:
    """The pid of a job's main process."""
    mark = f"RELAYQ_JOB_ID={job}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                return int(entry.name)
        except OSError:
            continue
    raise AssertionError(f"{job} has no process")

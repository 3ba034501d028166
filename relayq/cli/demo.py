"""`relayq demo`: a private hub, three workers, real jobs, and results that are checked.

Every job says beforehand how it must end. The demo waits for all of them, holds what
they produced against what hashlib and lzma say in this process, prints a table, and
exits 0 only if everything is exactly as it should be.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from relayq.cli import demo_work
from relayq.cli.demo_board import Board
from relayq.cli.demo_fleet import MEMBERS, Fleet, private_fleet
from relayq.cli.exit_codes import OK, RELAYQ_FAILED
from relayq.client.aio import AsyncClient
from relayq.client.asyncjob import AsyncJob
from relayq.errors import RelayQError, WaitTimeout
from relayq.model.lifecycle import FINAL, State
from relayq.store.records import JobRecord, LogEntry

PARTS = 24
PATIENCE_S = 120.0
LOOK_S = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """How a job of the demo must end: its state, its attempts and, where they matter, reason and worker."""

    state: State
    attempts: int = 1
    reason: str = ""
    worker: str = ""

    def objections(self, record: JobRecord) -> list[str]:
        """What is not as it should be."""
        found = [(record.state.value, self.state.value)]
        if record.array is None:
            found.append((f"{record.attempt} attempts", f"{self.attempts} attempts"))
        if self.reason:
            found.append((f"reason {record.reason or '-'}", f"reason {self.reason}"))
        if self.worker:
            found.append((f"on {record.worker or 'no worker'}", f"on {self.worker}"))
        return [f"{actual} instead of {wanted}" for actual, wanted in found if actual != wanted]


OK_ONCE = Expectation(state=State.SUCCEEDED)


@dataclass(slots=True)
class Cast:
    """The jobs of the demo by name, with what is expected of each."""

    client: AsyncClient
    jobs: dict[str, AsyncJob] = field(default_factory=dict)
    expected: dict[str, Expectation] = field(default_factory=dict)

    async def add(
        self, name: str, command: str | list[str], expected: Expectation, **options: Any
    ) -> AsyncJob:
        """Submit one job."""
        job = await self.client.run(command, name=name, **options)
        self.jobs[name], self.expected[name] = job, expected
        return job

    async def records(self) -> dict[str, JobRecord]:
        """Every job as it stands."""
        return {name: await job.info() for name, job in self.jobs.items()}


def configure(parser: argparse.ArgumentParser) -> None:
    """There is nothing to configure."""


def run(args: argparse.Namespace) -> int:
    """Run the demo; 0 only if every job ended exactly as it should."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    with private_fleet() as fleet:
        return asyncio.run(_play(fleet))


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Whoever ends the demo ends its fleet as well."""
    raise KeyboardInterrupt


async def _play(fleet: Fleet) -> int:
    began_s = time.monotonic()
    board = Board()
    async with AsyncClient(fleet.url, fleet="demo", tell=board.note) as client:
        board.note(f"a private hub is up; starting workers {', '.join(m.name for m in MEMBERS)}")
        await _await_workers(client, board)
        cast = Cast(client)
        await _submit(cast, fleet)
        board.note(f"{len(cast.jobs)} jobs are submitted, one of them an array of {PARTS}")
        async with asyncio.TaskGroup() as group:
            group.create_task(_follow(cast.jobs["live-log"], board))
            group.create_task(_cancel_when_running(cast.jobs["too-long"]))
            records = await _await_all(cast, board)
        problems = await _problems(cast, records, fleet)
    board.finish(records, time.monotonic() - began_s)
    for problem in problems:
        print(f"relayq: {problem}", file=sys.stderr)
    if problems:
        return RELAYQ_FAILED
    files = len(demo_work.sources())
    print(f"Every job ended exactly as it should; {files} files came back out as they went in.")
    return OK


async def _submit(cast: Cast, fleet: Fleet) -> None:
    def program(verb: str, *words: object) -> list[str]:
        return [sys.executable, str(Path(demo_work.__file__)), verb, str(fleet.shared), *map(str, words)]

    script = " ".join(program("compress")) + f' "$RELAYQ_ARRAY_INDEX" {PARTS}'
    packed = await cast.add("compress", script, OK_ONCE, array=PARTS)
    merged = await cast.add("merge", program("merge", PARTS), OK_ONCE, after=[{"job": packed.id}])
    await cast.add("verify", program("verify", PARTS), OK_ONCE, after=[{"job": merged.id}])
    on_mac = Expectation(state=State.SUCCEEDED, worker="macmini")
    await cast.add("heavy-only", "echo only a worker labelled heavy runs me", on_mac, needs=["heavy"])
    thrice = Expectation(state=State.SUCCEEDED, attempts=3)
    flaky = 'echo "attempt $RELAYQ_ATTEMPT"; test "$RELAYQ_ATTEMPT" -ge 3'
    await cast.add("flaky", flaky, thrice, attempts=3, backoff="100ms")
    timed_out = Expectation(state=State.FAILED, reason="timeout")
    slow = await cast.add("too-slow", "sleep 60", timed_out, timeout="1s")
    skipped = Expectation(state=State.SKIPPED, reason="dependency", attempts=0)
    await cast.add("needs-too-slow", "echo never", skipped, after=[{"job": slow.id}])
    await cast.add("too-long", "echo begun; sleep 60", Expectation(state=State.CANCELLED), priority=5)
    await cast.add("live-log", "for n in 1 2 3 4 5; do echo tick $n; sleep 0.3; done", OK_ONCE, priority=5)


async def _await_workers(client: AsyncClient, board: Board) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            online = [worker.name for worker in await client.workers.list() if worker.online]
            if len(online) == len(MEMBERS):
                board.note(f"{len(online)} workers are online")
                return
            await asyncio.sleep(LOOK_S)


async def _await_all(cast: Cast, board: Board) -> dict[str, JobRecord]:
    """Look at all jobs until the last has ended, showing each change."""
    began_s = time.monotonic()
    while True:
        records = await cast.records()
        board.show(records)
        if all(record.state in FINAL for record in records.values()):
            return records
        if time.monotonic() - began_s > PATIENCE_S:
            raise WaitTimeout(f"the demo's jobs have not ended after {PATIENCE_S:.0f} s; something is wrong")
        await asyncio.sleep(LOOK_S)


async def _follow(job: AsyncJob, board: Board) -> None:
    async with aclosing(job.follow()) as entries:
        async for item in entries:
            if isinstance(item, LogEntry):
                board.log("live-log", item.data.decode())


async def _cancel_when_running(job: AsyncJob) -> None:
    async with aclosing(job.follow()) as entries:
        async for _ in entries:
            await job.cancel("the demo shows how")
            return


async def _problems(cast: Cast, records: dict[str, JobRecord], fleet: Fleet) -> list[str]:
    """Everything that is not as it should be, states first, then results."""
    found = [
        f"{name} ended wrong: {objection}"
        for name, record in records.items()
        for objection in cast.expected[name].objections(record)
    ]
    if found:
        return found + _last_words(fleet)
    try:
        return [problem async for problem in _wrong_results(cast, fleet)]
    except (RelayQError, OSError, ValueError) as error:
        return [f"the results cannot be read: {error}"]


async def _wrong_results(cast: Cast, fleet: Fleet) -> AsyncIterator[str]:
    """Hold what the jobs produced against hashlib and lzma in this process."""
    import hashlib

    merged = json.loads(await cast.jobs["merge"].get())
    verified = json.loads((await cast.jobs["verify"].get()).splitlines()[-1])
    files = demo_work.sources()
    truth = [{"path": str(p), "sha256": hashlib.sha256(p.read_bytes()).hexdigest()} for p in files]
    if merged != {"files": len(truth), "digest": demo_work.digest_of(truth)}:
        yield f"merge printed {merged}, which is not what hashlib says"
    if verified != {"verified": len(truth)}:
        yield f"verify printed {verified}, but there are {len(truth)} files"
    digests = {entry["path"]: entry["sha256"] for entry in truth}
    for part in range(PARTS):
        for path, data in demo_work.unpacked(fleet.shared, part):
            if hashlib.sha256(data).hexdigest() != digests[path]:
                yield f"{path} does not come back out of its archive as it went in"


def _last_words(fleet: Fleet) -> list[str]:
    """The end of each worker's log, for whoever must find out why."""
    return [f"{log.name}: {line}" for log in fleet.logs for line in log.read_text("utf-8").splitlines()[-5:]]

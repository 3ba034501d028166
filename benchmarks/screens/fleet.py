"""Fill a hub with jobs, or let things happen in it: `python -m benchmarks.screens.fleet VERB URL NUMBER`.

`open` makes it a hub. `fill` submits that many signed jobs of fifty names, each with arguments of its own,
and lets a pretended worker run nine of ten to their ends: what a home looks like
after some weeks. `load` lets that many events happen every second until its standard
input closes: jobs are submitted, started and ended, a third each. `touch` cancels the
newest waiting job, each time a line comes in, and prints when it had the hub's answer.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections.abc import Iterator

from relayq.client.sync import Client
from relayq.model.job import JobSpec
from relayq.store.hub import Hub, connect
from relayq.store.records import Registration, Report, SyncReply, SyncRequest
from relayq.store.workers import Workers

NAMES = [
    f"{verb}-{noun}"
    for verb in ["nightly", "train", "resize", "scrape", "report", "ping", "embed", "index", "sync", "backup"]
    for noun in ["photos", "prices", "mails", "lora", "shed"]
]  # fmt: skip
QUEUES = ("default", "media", "gpu", "ai")
HELD = 250
BEATS_A_S = 10


def specs(count: int) -> Iterator[JobSpec]:
    """Yield that many jobs, the same ones each time."""
    dice = random.Random(7)
    for number in range(count):
        name = dice.choice(NAMES)
        rate = f"{dice.random():.6f}"
        yield JobSpec(
            command=f"python {name}.py --epoch {number} --rate {rate} --out /srv/out/{number:06}.bin",
            name=name,
            queue=dice.choice(QUEUES),
            labels=(("season", dice.choice(("spring", "autumn"))),),
        )


class Pretender:
    """A worker that runs nothing: whatever it gets has ended by its next heartbeat."""

    def __init__(self, hub: Hub) -> None:
        self._workers = Workers(hub)
        self._held: dict[str, int] = {}
        self.session = f"bench#{os.getpid()}"
        self._dice = random.Random(3)

    async def register(self) -> None:
        """Appear."""
        who = Registration(
            name="bench", session=self.session, instance="bench", offer={"cpus": 4}, facts={}, held={}
        )
        await self._workers.register(who)

    async def beat(self, want: int) -> int:
        """Report what is held, take at most `want` more; how many it got."""
        _, lanes = await self._workers.lanes()
        request = SyncRequest(
            held=self._held, full=True, done=[self._report(*one) for one in self._held.items()],
            free={"c": 1_000 * (want + 1)}, lanes=[(lane, {"c": 1_000}) for lane in lanes], want=want,
        )  # fmt: skip
        reply: SyncReply = await self._workers.sync(self.session, request)
        self._held = {claim.job: claim.attempt for claim in reply.claims}
        return len(self._held)

    def _report(self, job: str, attempt: int) -> Report:
        if self._dice.random() < 0.03:
            return Report(job=job, attempt=attempt, outcome="failed", exit_code=1, reason="exit 1")
        return Report(job=job, attempt=attempt, outcome="ok", run_ms=self._dice.randrange(500, 90_000))


async def _run(url: str, count: int) -> None:
    """End that many of the jobs that wait."""
    hub = await connect(url, "home")
    worker = Pretender(hub)
    await worker.register()
    while count > 0:
        got = await worker.beat(min(HELD, count))
        count -= got or count
    await worker.beat(0)
    await hub.close()


def fill(url: str, count: int) -> None:
    """Submit, and let nine of ten end."""
    client = Client(url, tell=_nobody)
    client.submit_many(list(specs(count)))
    client.close()
    asyncio.run(_run(url, count * 9 // 10))


async def load(url: str, events_a_s: int) -> None:
    """Submit, start and end jobs at an even pace until nobody listens any more."""
    hub = await connect(url, "home")
    worker = Pretender(hub)
    await worker.register()
    some = specs(10_000_000)
    jobs = max(1, events_a_s // 3 // BEATS_A_S)
    listening = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
    client = Client(url, tell=_nobody)
    due = time.monotonic()
    print("loaded", flush=True)
    while not listening.done():
        await asyncio.to_thread(client.submit_many, [next(some) for _ in range(jobs)])
        await worker.beat(jobs)
        due += 1 / BEATS_A_S
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    client.close()
    await hub.close()


def touch(url: str) -> None:
    """For each line that comes in, submit one job with that name and print when the hub had it."""
    client = Client(url, tell=_nobody)
    for line in sys.stdin:
        client.submit(JobSpec(command="true", name=line.strip()))
        print(time.monotonic(), flush=True)


def _nobody(sentence: str) -> None:
    """Whoever measures does not read what is said to people."""


def main(verb: str, url: str, number: str = "0") -> None:
    """Do what is asked."""
    if verb == "open":
        asyncio.run(_run(url, 0))
    elif verb == "fill":
        fill(url, int(number))
    elif verb == "load":
        asyncio.run(load(url, int(number)))
    else:
        touch(url)


if __name__ == "__main__":
    main(*sys.argv[1:])

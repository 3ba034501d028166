"""Workers and clients on a bad link: every job runs once, and its output arrives without a gap."""

from __future__ import annotations

import asyncio
import os
import sys
import time

import pytest

from relayq import Client
from relayq.model.lifecycle import HEARTBEAT_MS, LEASE_MS
from tests.fault.proxy import REPLIES, REQUESTS, Proxy
from tests.integration.worker_support import Rig
from tests.model.driver import Driver
from tests.support import eventually

CUTS = 12
SEEDS = range(40 if os.environ.get("RELAYQ_LONG") else 2)


def counting(rig: Rig) -> str:
    """A job that marks its start and counts aloud until the mark `go` is there."""
    return (
        f"{rig.mark('counting')}; n=0; until [ -e {rig.marks}/go ];"
        " do n=$((n+1)); echo $n; sleep 0.01; done; echo over"
    )


async def counted(rig: Rig, job: str) -> None:
    """Everything the counting job said is in the hub, once and in order."""
    assert (await rig.ended(job)).state == "SUCCEEDED"
    *numbers, last = (await rig.output(job)).decode().split()
    assert last == "over"
    assert numbers == [str(n) for n in range(1, len(numbers) + 1)]
    assert rig.marked("counting") == ["x"]


async def work_until_mended(rig: Rig, proxy: Proxy) -> None:
    """Jobs, as long as the link breaks; each of them runs once and is heard in full."""
    counts = await rig.submit(counting(rig))
    await rig.logs.watch(counts)
    jobs: list[str] = []
    while proxy.cuts_left:
        number = len(jobs)
        jobs += [await rig.submit(rig.mark(f"ran-{number + n}") + "; seq 300") for n in range(4)]
        enough = len(jobs) - 12  # not all: those of a worker that waits for its link are late
        await eventually(lambda enough=enough: len(list(rig.marks.glob("ran-*"))) >= enough, timeout_s=40)
    (rig.marks / "go").touch()
    await counted(rig, counts)
    for number, job in enumerate(jobs):
        record = await rig.ended(job)
        assert (record.state, record.attempt) == ("SUCCEEDED", 1)
        assert rig.marked(f"ran-{number}") == ["x"]
        assert (await rig.output(job)).split() == [b"%d" % n for n in range(1, 301)]


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("seed", SEEDS)
async def test_a_link_cut_in_the_middle_of_words_again_and_again_loses_nothing(
    rig: Rig, proxy: Proxy, seed: int
) -> None:
    proxy.cuts_left = CUTS
    proxy.seed(seed)
    async with rig.worker(slots=3):
        await work_until_mended(rig, proxy)


async def test_worker_processes_behind_a_link_that_is_cut_again_and_again_lose_nothing(
    rig: Rig, proxy: Proxy
) -> None:
    proxy.cuts_left, proxy.cut_within_bytes = CUTS, 10_000
    workers = [rig.process(f"w{n}", "--slots", "1") for n in range(4)]
    await work_until_mended(rig, proxy)
    assert not any("Traceback" in worker.said() for worker in workers)


@pytest.mark.usefixtures("hasty")
async def test_a_worker_in_a_black_hole_runs_on_and_is_believed_when_it_is_back(
    rig: Rig, proxy: Proxy
) -> None:
    async with rig.worker():
        counts = await rig.submit(counting(rig))
        later = await rig.submit(rig.mark("later") + f"; until [ -e {rig.marks}/go ]; do sleep 0.05; done")
        await eventually(lambda: rig.marked("later") and rig.marked("counting"))
        proxy.is_black = True
        await Driver(rig.hub).advance(LEASE_MS + 1_000)
        assert (await rig.record(counts)).state == "UNREACHABLE"
        (rig.marks / "go").touch()
        await eventually(lambda: proxy.swallowed_bytes)
        proxy.heal()
        await counted(rig, counts)
        assert (await rig.ended(later)).state == "SUCCEEDED"
        assert (await rig.record(later)).attempt == 1
    assert rig.marked("later") == ["x"]


@pytest.mark.usefixtures("hasty")
async def test_what_was_said_behind_a_lost_reply_is_not_lost_with_the_end(rig: Rig, proxy: Proxy) -> None:
    """The hub has more of the output than it could say: what comes next is cut where that does not fit."""
    async with rig.worker():
        waits = f"until [ -e {rig.marks}/NAME ]; do sleep 0.02; done"
        job = await rig.submit(
            f"{rig.mark('up')}; {waits.replace('NAME', 'say')}; echo first;"
            f" {waits.replace('NAME', 'go')}; echo over; {rig.mark('over')}"
        )
        await rig.logs.watch(job)
        await eventually(lambda: rig.marked("up"))
        proxy.is_mute = True
        (rig.marks / "say").touch()

        async def has_first() -> bool:
            return await rig.output(job) == b"first\n"

        await eventually(has_first, "the hub has what was said first")
        (rig.marks / "go").touch()
        await eventually(lambda: rig.marked("over"))
        await eventually(lambda: proxy.swallowed_bytes > 200, "replies are lost")
        proxy.heal()
        assert (await rig.ended(job)).state == "SUCCEEDED"
        assert await rig.output(job) == b"first\nover\n"


async def test_a_slow_link_changes_nothing(rig: Rig, proxy: Proxy) -> None:
    proxy.delay_s = 0.025  # each way
    async with rig.worker():
        jobs = [await rig.submit(rig.mark(f"ran-{n}") + "; seq 300") for n in range(12)]
        for job in jobs:
            assert (await rig.ended(job)).state == "SUCCEEDED"
    assert [rig.marked(f"ran-{n}") for n in range(12)] == [["x"]] * 12


async def test_a_job_starts_within_a_heartbeat_though_no_letter_ever_arrives(rig: Rig, proxy: Proxy) -> None:
    proxy.swallows = b"XREAD"
    # Its due time is the next heartbeat, so it must not be over before a slow machine's worker is there.
    early = await rig.submit("true", delay="6s")
    async with rig.worker():
        await eventually(lambda: proxy.swallowed_bytes, "the mailbox is read, in vain")
        began = time.monotonic()
        job = await rig.submit(rig.mark("ran"))
        for one in (early, job):
            assert (await rig.ended(one)).state == "SUCCEEDED"
        assert time.monotonic() - began < HEARTBEAT_MS / 1000 / 2
    assert rig.marked("ran") == ["x"]


@pytest.mark.usefixtures("hasty")
async def test_a_client_gets_its_result_over_a_link_that_is_cut(rig: Rig, proxy: Proxy) -> None:
    async with rig.worker():
        with Client(proxy.url, fleet=rig.fleet) as client:
            handle = await asyncio.to_thread(client.run, counting(rig))
            getting = asyncio.create_task(asyncio.to_thread(handle.get))
            await cut_while(rig, proxy)
            *numbers, last = (await getting).split()
    assert (numbers, last) == ([str(n) for n in range(1, len(numbers) + 1)], "over")


@pytest.mark.parametrize("breaks", [{REQUESTS: 300}, {REPLIES: 5}], ids=[REQUESTS, REPLIES])
async def test_a_submit_that_is_cut_off_is_repeated_and_queues_one_job(
    rig: Rig, proxy: Proxy, breaks: dict[str, int]
) -> None:
    proxy.breaks_next = breaks
    with Client(proxy.url, fleet=rig.fleet) as client:
        handle = await asyncio.to_thread(client.run, "true")
    assert proxy.accepted == 2
    assert [record.id for record in await rig.jobs.list_jobs()] == [handle.id]


async def cut_while(rig: Rig, proxy: Proxy) -> None:
    """Drop every connection three times while output flows, then let the job end."""
    for _ in range(3):
        before = proxy.accepted
        proxy.drop()
        await eventually(lambda before=before: proxy.accepted > before + 2, "everybody is back")
    (rig.marks / "go").touch()


@pytest.mark.usefixtures("hasty")
async def test_run_follows_a_job_over_a_link_that_is_cut(rig: Rig, proxy: Proxy) -> None:
    async with rig.worker():
        run = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "relayq", "run", "-q", "--url", proxy.url, "--fleet", rig.fleet),
            *("--", counting(rig) + "; exit 7"),
            env=dict(os.environ),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert run.stdout
        first = await run.stdout.readline()
        await cut_while(rig, proxy)
        out, err = await run.communicate()
    *numbers, last = (first + out).decode().split()
    assert (numbers, last) == ([str(n) for n in range(1, len(numbers) + 1)], "over")
    assert (run.returncode, b"Traceback" in err) == (7, False), err.decode()

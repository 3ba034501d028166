"""Files go along with a job and come back; the whole log of a job comes from its worker's disk."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relayq.model.parts import stored_as
from relayq.store.blobs import Pulls
from relayq.trust.outputs import Asked
from tests.integration.worker_support import Rig
from tests.support import eventually


@pytest.fixture
async def rig(hub_url: str, fleet: str, home: Path) -> AsyncIterator[Rig]:
    rig = Rig(hub_url, fleet, home)
    async with rig.hub:
        yield rig


async def put(rig: Rig, name: str, data: bytes) -> dict[str, object]:
    """Store an input; its item of a spec."""
    return await rig.put_file(name, data)


async def test_inputs_stand_in_the_work_directory_before_the_command_starts(rig: Rig) -> None:
    async with rig.worker():
        inputs = [await put(rig, "a.txt", b"alpha"), await put(rig, "b.bin", bytes(100_000))]
        job = await rig.submit("cat a.txt; wc -c < b.bin", inputs=inputs)
        assert (await rig.ended(job)).state == "SUCCEEDED"
        assert (await rig.output(job)).split() == [b"alpha100000"]


async def test_an_input_that_the_hub_has_changed_is_refused(rig: Rig) -> None:
    item = await put(rig, "a.txt", b"alpha")
    job = await rig.submit(rig.mark("ran"), inputs=[item])
    await rig.hub.link.call("SET", rig.hub.keys.of("b", stored_as(str(item["key"]))), b"omega")
    async with rig.worker():
        record = await rig.ended(job)
        assert (record.state, record.reason) == ("FAILED", "refused")
        assert b"other content" in await rig.output(job, 2)
    assert rig.marked("ran") == []


async def test_an_input_that_the_hub_has_lost_fails_the_job_with_a_sentence(rig: Rig) -> None:
    item = await put(rig, "a.txt", b"alpha")
    job = await rig.submit(rig.mark("ran"), inputs=[item])
    await rig.hub.link.call("DEL", rig.hub.keys.of("b", stored_as(str(item["key"]))))
    async with rig.worker():
        assert (await rig.ended(job)).state == "FAILED"
        assert b"not in the hub any more" in await rig.output(job, 2)
    assert rig.marked("ran") == []


async def test_the_outputs_that_the_spec_names_are_in_the_hub_with_the_report(rig: Rig) -> None:
    async with rig.worker():
        job = await rig.submit(
            "mkdir -p d; echo one > d/one.txt; echo two > two.txt; echo no > no.log",
            outputs=["**/*.txt"],
        )
        record = await rig.ended(job)
        assert {name: (one.sha256, one.size) for name, one in record.outputs.items()} == {
            "d/one.txt": (hashlib.sha256(b"one\n").hexdigest(), 4),
            "two.txt": (hashlib.sha256(b"two\n").hexdigest(), 4),
        }
        assert await rig.left(record, "two.txt") == b"two\n"


async def test_outputs_of_a_failed_attempt_are_not_kept(rig: Rig) -> None:
    async with rig.worker():
        job = await rig.submit("echo one > one.txt; exit 1", outputs=["*.txt"])
        assert (await rig.ended(job)).outputs == {}


async def test_the_whole_output_is_poured_from_the_workers_disk(rig: Rig) -> None:
    async with rig.worker():
        job = await rig.submit("head -c 5000000 /dev/zero | tr '\\0' x; echo oops >&2")
        await rig.ended(job)
        pulls, ticket = Pulls(rig.hub), secrets.token_hex(8)
        assert await pulls.ask(job, ticket) == "asked"
        got: dict[str, bytes] = {}
        seen = 0
        while "x" not in got:
            came = await rig.taken(Asked(ticket, job), seen)
            seen += len(came)
            for kind, data in came:
                got[kind] = got.get(kind, b"") + data
        assert got["o"] == b"x" * 5_000_000
        assert (got["s"], got["e"], got["x"]) == (b"5000005", b"oops\n", b"")


async def test_output_that_is_gone_is_said_to_be_gone(rig: Rig) -> None:
    async with rig.worker():
        job = await rig.submit("true")
        await rig.ended(job)
        place = rig.config.state_dir / f"workers/w1/attempts/{job}.1"
        await eventually(lambda: not place.exists())
        pulls, ticket = Pulls(rig.hub), secrets.token_hex(8)
        await pulls.ask(job, ticket)
        ((kind, why),) = await rig.taken(Asked(ticket, job))
        assert (kind, why) == ("x", b"the worker has kept no output of it")

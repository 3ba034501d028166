"""The policy knows who signed, and what it says of a job is not the hub's business."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relayq.model.job import JobSpec
from relayq.trust.boxes import BoxKey
from relayq.trust.keys import SigningKey
from relayq.trust.members import Member
from relayq.trust.roster import add_member
from relayq.worker.sandbox import HOME
from tests.e2e.command_line import relayq
from tests.integration.worker_support import Rig
from tests.security.test_isolated_worker import with_policy
from tests.support import PrivateServer, eventually


@pytest.fixture
async def rig(own_server: PrivateServer, fleet: str, home: Path) -> AsyncIterator[Rig]:
    rig = Rig(own_server.url, fleet, home)
    async with rig.hub:
        yield rig


def let_in(rig: Rig, name: str) -> SigningKey:
    """Let a key submit under this name."""
    key = SigningKey.generate()
    member = Member(role="submit", name=name, sign=key.public, box=BoxKey.of(key).public)
    rig.roster()
    rig.standing().desk.edit(lambda roster, pen: add_member(roster, pen, member, int(time.time())))
    return key


async def sent(rig: Rig, key: SigningKey, command: str | list[str], **fields: object) -> str:
    """A job in the name of this key."""
    job, submission = rig.submission(JobSpec.from_dict({"command": command, **fields}), key=key)
    assert await rig.jobs.submit([submission]) == ["new"]
    return job


async def test_a_named_key_has_its_own_rules_and_a_strict_sandbox(rig: Rig) -> None:
    laptop, phone = let_in(rig, "laptop"), let_in(rig, "phone")
    with_policy(rig, "[keys.laptop]\nqueues = ['laptop']")
    async with rig.worker():
        rig.see()
        out = await rig.ended(await sent(rig, laptop, "true"))
        assert (out.state, out.message.partition(":")[0]) == ("FAILED", "policy rule keys.laptop.queues")
        homes = {}
        for name, key, queue in (("laptop", laptop, "laptop"), ("phone", phone, "default")):
            job = await sent(rig, key, "echo $HOME", queue=queue)
            assert (await rig.ended(job)).state == "SUCCEEDED"
            homes[name] = await rig.output(job)
        assert homes == dict.fromkeys(("laptop", "phone"), f"{HOME}\n".encode())
        mine = await rig.submit("echo $HOME")
        assert (await rig.ended(mine)).state == "SUCCEEDED"
        assert await rig.output(mine) != f"{HOME}\n".encode()


async def test_a_named_key_cannot_preload(rig: Rig) -> None:
    key = let_in(rig, "laptop")
    async with rig.worker():
        rig.see()
        record = await rig.ended(await sent(rig, key, "true", env={"LD_PRELOAD": "/tmp/evil.so"}))
        assert record.message.startswith("policy rule env: the variable LD_PRELOAD may not be set")


async def test_the_hub_learns_the_rule_and_no_word_of_the_job(rig: Rig, own_server: PrivateServer) -> None:
    with_policy(rig, "commands = [['true']]")
    async with rig.worker():
        job = await rig.submit(["cat", "/srv/family/diary.txt"])
        await rig.ended(job)
        rig.see()
        assert "'cat'" in (await rig.record(job)).message
        files = own_server.directory / "appendonlydir"

        def written() -> bytes:
            return b"".join(path.read_bytes() for path in files.iterdir())

        await eventually(lambda: b"policy rule commands" in written())
        assert b"'cat'" not in written()
        assert b"diary" not in written()


async def test_a_job_is_checked_by_whoever_signed_it(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAYQ_URL", rig.url)
    monkeypatch.setenv("RELAYQ_FLEET", rig.fleet)
    with_policy(rig, "[keys.laptop]\nqueues = ['laptop']")
    laptop = let_in(rig, "laptop")
    for job, who in ((await sent(rig, laptop, "true"), "member:laptop"), (await rig.submit("true"), "owner")):
        checked = await asyncio.to_thread(relayq, "policy", "check", "--json", job[-6:])
        told = json.loads(checked.stdout)
        assert told["signer"] == who
        assert (checked.returncode, told["allowed"]) == ((0, True) if who == "owner" else (1, False))

"""A whole worker that isolates its jobs: what they reach, what it survives, what it says when it cannot."""

from __future__ import annotations

import os
import shutil
import signal
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relayq.errors import Refused
from relayq.model.job import JobSpec
from relayq.model.signer import GITHUB, MEMBER, THE_OWNER, Signer
from relayq.worker.account import Account, try_account
from relayq.worker.bubblewrap import try_bubblewrap
from relayq.worker.isolation import Isolation, Terms
from relayq.worker.keeper import VERSION
from relayq.worker.policyfile import parse_policy
from tests.integration.worker_support import Rig
from tests.support import eventually

ISOLATION = "RELAYQ_WORKER_ISOLATION"
STRICT_OWNER = '[owner]\nisolation = "strict"\n'
WORKFLOW, LAPTOP = Signer(GITHUB, "me/site"), Signer(MEMBER, "laptop")


@pytest.fixture
async def rig(hub_url: str, fleet: str, home: Path) -> AsyncIterator[Rig]:
    rig = Rig(hub_url, fleet, home)
    async with rig.hub:
        yield rig


def with_policy(rig: Rig, text: str) -> None:
    """Give the workers of this home a policy."""
    rig.config.policy_path.parent.mkdir(parents=True, exist_ok=True)
    rig.config.policy_path.write_text(text)
    rig.config.policy_path.chmod(0o600)


# -- what jobs reach


@pytest.mark.parametrize("policy", ["", STRICT_OWNER], ids=["owner", "strict"])
async def test_a_job_reaches_neither_keys_nor_worker(
    rig: Rig, policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_policy(rig, policy)
    monkeypatch.setenv(ISOLATION, "bwrap")
    monkeypatch.setenv("A_SECRET_OF_THE_WORKER", "hunter2")
    worker = rig.process()
    pid, key = worker.process.pid, rig.config.owner_key_path
    state = rig.config.state_dir
    job = await rig.submit(
        f"cat {key} {state}/workers/w1/spool.db /proc/{pid}/environ; ls {state}/run;"
        f"for n in 9 15 2; do kill -$n {pid}; done; kill -9 -1; cat /proc/*/environ; echo over",
        timeout="20s",
    )
    record = await rig.ended(job)
    told = await rig.output(job) + await rig.output(job, 2)
    assert record.state in ("SUCCEEDED", "FAILED")
    assert key.read_bytes().split()[1] not in told
    assert b"hunter2" not in told
    assert b"SQLite" not in told
    assert worker.process.poll() is None
    after = await rig.submit("echo the worker works on")
    assert (await rig.ended(after)).state == "SUCCEEDED"


async def test_inputs_come_in_and_outputs_go_out_of_a_strict_sandbox(rig: Rig) -> None:
    with_policy(rig, STRICT_OWNER)
    async with rig.worker():
        job = await rig.submit(
            "cat photo.raw - > photo.jpg; echo 50 half > $RELAYQ_PROGRESS; ls -A ~ /tmp",
            inputs=[await rig.put_file("photo.raw", b"photo")],
            outputs=["*.jpg"],
            stdin=" developed",
        )
        record = await rig.ended(job)
        assert (record.state, list(record.outputs)) == ("SUCCEEDED", ["photo.jpg"])
        assert await rig.left(record, "photo.jpg") == b"photo developed"
        place = rig.config.state_dir / "workers" / "w1" / "attempts" / f"{job}.1"
        await eventually(lambda: not (place / "work").exists())
        assert not (place / "private").exists()


async def test_outputs_are_not_taken_from_where_a_strict_job_has_put_a_link(rig: Rig, home: Path) -> None:
    (home / "out" / "mine").mkdir(parents=True)
    (home / "secrets").mkdir()
    (home / "secrets" / "a.txt").write_text("not yours")
    with_policy(rig, f"{STRICT_OWNER}writable = ['{home}/out']")
    swap = f"cd ..; mv mine other; ln -s {home}/secrets mine"
    async with rig.worker():
        job = await rig.submit(swap, cwd=str(home / "out" / "mine"), outputs=["*.txt"])
        record = await rig.ended(job)
        assert (record.state, record.outputs) == ("SUCCEEDED", {})
        await eventually(lambda: rig.output(job, 2))
        assert b"is another one than when the job began" in await rig.output(job, 2)
        honest = await rig.submit("echo 1 > b.txt", cwd=str(home / "out" / "other"), outputs=["*.txt"])
        assert list((await rig.ended(honest)).outputs) == ["b.txt"]


async def test_a_worker_survives_a_strict_job_whose_directory_becomes_a_link_to_itself(
    rig: Rig, home: Path
) -> None:
    (home / "out" / "mine").mkdir(parents=True)
    with_policy(rig, f"{STRICT_OWNER}writable = ['{home}/out']")
    async with rig.worker():
        swap = "cd ..; mv mine other; ln -s mine mine"
        record = await rig.ended(await rig.submit(swap, cwd=str(home / "out" / "mine"), outputs=["*.txt"]))
        assert (record.state, record.outputs) == ("SUCCEEDED", {})
        assert (await rig.ended(await rig.submit("true"))).state == "SUCCEEDED"


@pytest.mark.parametrize(
    ("command", "cwd", "code", "said"),
    [
        (["no-such-program", "x"], "", 127, b"cannot start 'no-such-program': not found"),
        (["./notes", "x"], "", 126, b"cannot start './notes': not executable"),
        (["ls", "x"], "/no/such/place", 126, b"cannot start 'ls': there is no directory '/no/such/place'"),
    ],
)
async def test_what_cannot_start_in_a_sandbox_ends_as_without_one(
    rig: Rig, command: list[str], cwd: str, code: int, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.config.worker.__dict__["isolation"] = "bwrap"
    notes = [await rig.put_file("notes", b"text")]
    async with rig.worker():
        job = await rig.submit(command, cwd=cwd, inputs=[] if cwd else notes)
        assert (await rig.ended(job)).exit_code == code
        await eventually(lambda: rig.output(job, 2))
        assert said in await rig.output(job, 2)


# -- the keeper and restarts


async def test_a_job_in_a_sandbox_survives_the_death_of_its_worker(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ISOLATION, "bwrap")
    worker = rig.process()
    job = await rig.submit(f"{rig.mark('ran')}; until [ -e {rig.marks}/go ]; do sleep 0.05; done; exit 3")
    await eventually(lambda: rig.marked("ran"))
    worker.kill()
    (rig.marks / "go").touch()
    rig.process()
    record = await rig.ended(job)
    assert (record.state, record.exit_code, record.attempt, record.crashes) == ("FAILED", 3, 1, 0)
    assert rig.marked("ran") == ["x"]


async def test_a_cancel_reaches_a_job_in_a_strict_sandbox(rig: Rig) -> None:
    with_policy(rig, f"{STRICT_OWNER}writable = ['{rig.marks}']")
    async with rig.worker():
        waits = f"{rig.mark('ready')}; while :; do sleep 0.05; done"
        job = await rig.submit(f"trap '{rig.mark('saved')}; exit 0' TERM; {waits}")
        await eventually(lambda: rig.marked("ready"))
        await rig.jobs.cancel(job)
        assert (await rig.ended(job)).state == "CANCELLED"
        assert rig.marked("saved") == ["x"]


# -- the policy


async def test_a_job_outside_the_policy_is_refused_with_the_rule(rig: Rig) -> None:
    with_policy(rig, "shell = false\nmax_runtime = '1h'")
    async with rig.worker():
        line = await rig.ended(await rig.submit(rig.mark("ran")))
        assert (line.state, line.reason) == ("FAILED", "refused")
        assert line.message.startswith("policy rule shell: ")
        long = await rig.ended(await rig.submit(["touch", f"{rig.marks}/ran"], timeout="2h"))
        assert long.message.startswith("policy rule max_runtime: ")
        words = await rig.ended(await rig.submit(["touch", f"{rig.marks}/allowed"]))
        assert words.state == "SUCCEEDED"
    assert rig.marked("ran") == []


async def test_what_the_policy_leaves_of_output_holds_after_a_restart_of_the_worker(rig: Rig) -> None:
    with_policy(rig, "max_output = '2K'")
    async with rig.worker():
        job = await rig.submit(f"until [ -e {rig.marks}/go ]; do sleep 0.05; done; seq 5000")
        await rig.in_state(job, "RUNNING")
    async with rig.worker():
        (rig.marks / "go").touch()
        assert (await rig.ended(job)).state == "SUCCEEDED"
    assert len(await rig.output(job)) < 6_000


async def test_a_policy_limits_a_job_that_named_no_limits(rig: Rig) -> None:
    with_policy(rig, "max_runtime = '2s'\nmax_output = '2K'")
    async with rig.worker():
        long, loud = await rig.submit("sleep 60"), await rig.submit("head -c 100000 /dev/zero")
        record = await rig.ended(long)
        assert (record.state, record.reason) == ("FAILED", "timeout")
        assert (await rig.ended(loud)).state == "SUCCEEDED"
        await eventually(lambda: rig.output(loud))
        assert len(await rig.output(loud)) <= 2048


async def test_a_worker_does_not_start_with_a_policy_it_cannot_read(rig: Rig) -> None:
    with_policy(rig, "shel = false")
    worker = rig.process()
    assert await worker.left() == 125
    assert "there is no rule 'shel' at the top: did you mean 'shell'?" in worker.said()
    assert "Traceback" not in worker.said()


# -- what it says, and what it does where the machine refuses


def without_bubblewrap(home: Path, monkeypatch: pytest.MonkeyPatch, script: str = "") -> None:
    """A PATH on which `bwrap` is not, or is a program that fails as it does where it is forbidden."""
    tools = home / "tools"
    tools.mkdir()
    for name in ("sh", "env", "echo", "true", "sleep"):
        (tools / name).symlink_to(str(shutil.which(name)))
    if script:
        (tools / "bwrap").write_text(f"#!/bin/sh\n{script}\n")
        (tools / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("", "it is not installed"),
        ("echo 'bwrap: No permissions to create new namespace' >&2; exit 1", "No permissions to create new"),
        ("exit 0", "its sandbox does not hide what it should"),
    ],
)
async def test_where_bubblewrap_does_not_work_a_worker_falls_back_and_says_so(
    rig: Rig, home: Path, script: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ISOLATION, "bwrap")
    without_bubblewrap(home, monkeypatch, script)
    worker = rig.process()
    facts = (await rig.online("w1")).facts
    assert facts["isolation"].startswith("none (best effort: bubblewrap does not work here: ")
    assert why in facts["isolation"]
    assert facts["kill_level"] == "subreaper"
    assert "jobs are less isolated than asked" in worker.said()
    assert (await rig.ended(await rig.submit("echo runs all the same"))).state == "SUCCEEDED"


async def test_what_a_policy_demands_is_refused_where_it_cannot_be_had(
    rig: Rig, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_policy(rig, STRICT_OWNER)
    without_bubblewrap(home, monkeypatch)
    rig.process()
    record = await rig.ended(await rig.submit(rig.mark("ran")))
    assert record.message == "policy rule isolation: bubblewrap does not work here: it is not installed"
    assert rig.marked("ran") == []


async def test_a_worker_tells_its_level(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    for asked, told, kills in (
        ("auto", "none; strict for others", "subreaper"),
        ("bwrap", "owner; strict for others", "PID namespace"),
        ("none", "none", "subreaper"),
    ):
        rig.config.worker.__dict__["isolation"] = asked
        async with rig.worker():
            facts = (await rig.online("w1")).facts
            assert (facts["isolation"], facts["kill_level"]) == (told, kills)


def test_everybody_has_the_level_that_is_asked_for() -> None:
    bwrap = try_bubblewrap()[0]
    levels = {
        asked: [Isolation(asked=asked, bwrap=bwrap).level_for(who) for who in (THE_OWNER, LAPTOP, WORKFLOW)]
        for asked in ("auto", "none", "bwrap")
    }
    assert levels == {
        "auto": ["none", "strict", "strict"],
        "none": ["none", "none", "none"],
        "bwrap": ["owner", "strict", "strict"],
    }


@pytest.mark.parametrize(
    ("policy", "fields", "said"),
    [
        ("", {"cwd": "/srv/x"}, "policy rule isolation: a strict job works in its own directory or under"),
        ("[github]\nreadable = ['/srv']", {"cwd": "/srv/x"}, "policy rule isolation: a strict job works"),
        ("user = 'jobs'", {}, "policy rule user: jobs do not run as 'jobs' here"),
        ("isolation = 'user'", {}, "policy rule isolation: no other user to run as"),
    ],
)
def test_terms_that_cannot_be_kept_are_refused(policy: str, fields: dict[str, str], said: str) -> None:
    isolation = Isolation(asked="auto", bwrap="/usr/bin/bwrap", why_no_user="")
    spec = JobSpec.from_dict({"command": ["true"], **fields})
    with pytest.raises(Refused) as caught:
        isolation.settle(parse_policy(policy), spec, WORKFLOW)
    assert str(caught.value).startswith(said)


def test_a_policy_raises_the_level_and_never_lowers_it() -> None:
    isolation, spec = Isolation(asked="auto", bwrap="/usr/bin/bwrap"), JobSpec(command=("true",))
    for policy, signer, level, network in (
        ("[github]\nisolation = 'owner'", WORKFLOW, "strict", True),
        ("isolation = 'owner'", THE_OWNER, "owner", True),
        ("[owner]\nisolation = 'strict'", THE_OWNER, "strict", True),
        ("network = false", THE_OWNER, "owner", False),
        ("network = true", THE_OWNER, "none", True),
        ("max_attempts = 3", WORKFLOW, "strict", True),
    ):
        terms = isolation.settle(parse_policy(policy), spec, signer)
        assert (terms.level, terms.network) == (level, network)
    without = Isolation(asked="auto", why_no_bwrap="it is not installed")
    with pytest.raises(Refused, match="policy rule network: bubblewrap does not work here: it is not inst"):
        without.settle(parse_policy("network = false"), spec, THE_OWNER)
    assert without.settle(parse_policy(""), spec, WORKFLOW).level == "none"


# -- another user


def test_a_keeper_that_cannot_change_the_user_is_given_no_such_order(tmp_path: Path) -> None:
    account = Account("jobs", 12345, 12345, (12345,), "/nonexistent")
    isolation = Isolation(asked="user", account=account)
    order = {"argv": ["true"], "env": {}, "cwd": "", "dir": str(tmp_path)}
    older = isolation.obstacle(order, Terms(level="user"), keeper_version=1)
    assert older
    assert (older.exit_code, older.sentence.partition(":")[0]) == (
        126,
        "the keeper is older than this worker",
    )
    assert isolation.obstacle(order, Terms(level="user"), keeper_version=VERSION) is None


async def test_jobs_run_as_another_user_where_the_worker_is_root(
    hub_url: str, fleet: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.chmod(0o711)
    monkeypatch.setenv("RELAYQ_STATE_DIR", str(home / "state"))
    monkeypatch.setenv(ISOLATION, "user")
    monkeypatch.setenv("RELAYQ_WORKER_USER", "nobody")
    rig = Rig(hub_url, fleet, home)
    async with rig.hub:
        worker = rig.process()
        facts = (await rig.online("w1")).facts
        if os.geteuid():
            assert facts["isolation"].startswith("none (best effort: only a worker that runs as root")
            assert "jobs are less isolated than asked" in worker.said()
            return
        assert facts["isolation"] == "user"
        spool, pid = home / "state" / "workers" / "w1" / "spool.db", worker.process.pid
        attack = f"cat {rig.config.owner_key_path} {spool} /proc/{pid}/environ; kill -9 {pid} -1"
        job = await rig.submit(
            f"id -un; pwd; echo $HOME; echo 7 > $RELAYQ_PROGRESS || exit; echo made > made; cat in; {attack}",
            inputs=[await rig.put_file("in", b"input\n")],
            outputs=["made"],
        )
        await rig.ended(job)
        told = (await rig.output(job)).decode().splitlines()
        place = f"{spool.parent}/attempts/{job}.1/work"
        assert told[:4] == ["nobody", place, "/nonexistent", "input"]
        assert worker.process.poll() is None
        after = await rig.submit("echo the worker works on > made", outputs=["made"])
        assert list((await rig.ended(after)).outputs) == ["made"]


async def test_another_user_can_be_shut_in_as_well(
    hub_url: str, fleet: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.chmod(0o711)
    monkeypatch.setenv("RELAYQ_STATE_DIR", str(home / "state"))
    monkeypatch.setenv("RELAYQ_WORKER_USER", "nobody")
    rig = Rig(hub_url, fleet, home)
    with_policy(rig, STRICT_OWNER)
    who = "nobody" if os.geteuid() == 0 else os.environ.get("USER", "")
    account, _ = try_account("nobody", "")
    works, why = try_bubblewrap(account)
    async with rig.hub, rig.worker():
        record = await rig.ended(await rig.submit("id -un; echo made > made; ls", outputs=["made"]))
        if works:
            assert (record.state, list(record.outputs)) == ("SUCCEEDED", ["made"])
            assert (await rig.output(record.id)).decode().split()[-1] == "made"
            assert os.geteuid() or (await rig.output(record.id)).decode().split()[0] == who
        else:
            assert record.message == f"policy rule isolation: bubblewrap does not work here: {why}"


# -- what a worker writes


@pytest.mark.parametrize("asked", ["none", "bwrap"])
async def test_nothing_that_a_worker_writes_is_open_to_others(
    rig: Rig, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ISOLATION, asked)
    os.umask(0o022)
    worker = rig.process()
    job = await rig.submit("echo said; echo made > made; exit 1", stdin="x")
    await rig.ended(job)
    worker.signal(signal.SIGTERM)
    await worker.left()
    place = rig.config.state_dir / "workers" / "w1"
    found = {path: stat.S_IMODE(path.lstat().st_mode) for path in [place, *place.rglob("*")]}
    assert {path.name for path in found} >= {"spool.db", "keeper.log", "instance", "out", "stdin", "made"}
    assert {str(path): oct(mode) for path, mode in found.items() if mode & 0o077} == {}

"""`relayq logs --full`: the whole output, from this disk, or through the hub from the one where it lies."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import pty
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relayq.client.aio import AsyncClient
from relayq.client.wholelog import WholeLog
from relayq.errors import NotFound
from relayq.store.blobs import Pulls
from relayq.trust.outputs import Asked
from relayq.trust.redacting import Redactor
from relayq.worker import keptlog
from tests.integration.worker_support import Rig
from tests.support import eventually

MANY = 3_000_000
PRINT_MANY = f"head -c {MANY} /dev/zero | tr '\\0' x; echo oops >&2"


@pytest.fixture
async def rig(hub_url: str, fleet: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    """A fleet whose hub is named by the environment, as for a person."""
    monkeypatch.setenv("RELAYQ_URL", hub_url)
    monkeypatch.setenv("RELAYQ_FLEET", fleet)
    rig = Rig(hub_url, fleet, home)
    async with rig.hub:
        yield rig


@pytest.fixture
def elsewhere(rig: Rig, tmp_path: Path) -> dict[str, str]:
    """The environment of a machine on which no worker has run."""
    return os.environ | {"RELAYQ_STATE_DIR": str(tmp_path)}


async def logs(*argv: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
    """`relayq logs --full`, beside the workers of this process."""
    command = [sys.executable, "-m", "relayq", "logs", "--full", *argv]
    return await asyncio.to_thread(
        subprocess.run, command, capture_output=True, timeout=60, env=environment, check=False
    )


async def pulled(rig: Rig, job: str, *, worker: str = "", attempt: int = 0) -> list[tuple[str, bytes]]:
    """What a worker pours for one ticket, to the last entry."""
    pulls, ticket = Pulls(rig.hub), secrets.token_hex(8)
    assert await pulls.ask(job, ticket, worker=worker, attempt=attempt) == "asked"
    pieces: list[tuple[str, bytes]] = []
    while not pieces or pieces[-1][0] != "x":
        came = await rig.taken(Asked(ticket, job, attempt), len(pieces))
        assert came, "nothing came"
        pieces += came
    return pieces


async def test_a_whole_log_comes_from_this_machine_s_disk_when_its_worker_has_gone(rig: Rig) -> None:
    async with rig.worker():
        job = await rig.submit(PRINT_MANY)
        await rig.ended(job)
    ended = await logs(job)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"x" * MANY, b"oops\n")
    assert (await logs(job, "--stderr")).stdout == b""


async def test_a_whole_log_is_pulled_from_the_machine_that_has_it(
    rig: Rig, elsewhere: dict[str, str]
) -> None:
    async with rig.worker():
        job = await rig.submit(PRINT_MANY)
        await rig.ended(job)
        ended = await logs(job, environment=elsewhere)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"x" * MANY, b"oops\n")


async def test_each_attempt_is_pulled_from_the_worker_that_ran_it(
    rig: Rig, elsewhere: dict[str, str]
) -> None:
    wait = f"until [ -e {rig.marks}/go ]; do sleep 0.05; done"
    command = f"echo $RELAYQ_ATTEMPT $RELAYQ_WORKER; {rig.mark('ran')}; {wait}; exit 1"
    async with rig.worker("w1"):
        job = await rig.submit(command, attempts=2, backoff=0)
        await eventually(lambda: rig.marked("ran"))
        assert await rig.workers.command("w1", "quiet")
        async with rig.worker("w2"):
            (rig.marks / "go").touch()
            await rig.ended(job)
            for number in (1, 2):
                ended = await logs(job, "--attempt", str(number), environment=elsewhere)
                assert ended.stdout.decode() == f"{number} w{number}\n"
            assert (await logs(job, environment=elsewhere)).stdout == b"2 w2\n"
            missing = await logs(job, "--attempt", "7", environment=elsewhere)
            assert b"has no attempt 7" in missing.stderr


async def test_the_elements_of_an_array_come_one_after_the_other(rig: Rig, elsewhere: dict[str, str]) -> None:
    async with rig.worker():
        job = await rig.submit("echo element $RELAYQ_ARRAY_INDEX", array=3)
        await rig.ended(job)
        ended = await logs(job, environment=elsewhere)
        assert ended.stdout.decode().splitlines() == [
            line for index in range(3) for line in (f"[element {index}]", f"element {index}")
        ]
        assert (await logs(f"{job}:1", environment=elsewhere)).stdout == b"element 1\n"


async def test_programs_get_json_lines(rig: Rig, elsewhere: dict[str, str]) -> None:
    async with rig.worker():
        job = await rig.submit("echo out; echo err >&2")
        await rig.ended(job)
        ended = await logs(job, "--json", environment=elsewhere)
    entries = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [(entry["attempt"], entry["stream"], entry["text"]) for entry in entries] == [
        (1, 1, "out\n"),
        (1, 2, "err\n"),
    ]


async def test_a_person_sees_a_bar_while_the_output_goes_elsewhere(
    rig: Rig, elsewhere: dict[str, str], tmp_path: Path
) -> None:
    async with rig.worker():
        job = await rig.submit(PRINT_MANY)
        await rig.ended(job)
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "relayq", "logs", "--full", job]
        with (tmp_path / "log").open("wb") as target:
            environment = elsewhere | {"TERM": "xterm", "COLUMNS": "100"}
            process = subprocess.Popen(command, stdout=target, stderr=theirs, env=environment)
        os.close(theirs)
        await asyncio.to_thread(process.wait, 60)
        shown = b""
        while chunk := await asyncio.to_thread(_read, ours):
            shown += chunk
        os.close(ours)
    assert (process.returncode, (tmp_path / "log").stat().st_size) == (0, MANY)
    assert b"fetching the output" in shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


# -- when it cannot be had


async def test_a_worker_that_is_offline_is_named(rig: Rig, elsewhere: dict[str, str]) -> None:
    async with rig.worker():
        job = await rig.submit("echo said")
        await rig.ended(job)
    ended = await logs(job, environment=elsewhere)
    assert (ended.returncode, ended.stdout) == (125, b"")
    assert b"is on worker w1, which is offline; `relayq logs" in ended.stderr


async def test_a_log_that_was_thrown_away_is_said_to_be(rig: Rig, elsewhere: dict[str, str]) -> None:
    async with rig.worker() as worker:
        job = await rig.submit("echo said")
        await rig.ended(job)
        place = worker._dir.attempts / f"{job}.1"
        await eventually(lambda: not (place / "work").exists())
        (place / "out").unlink()
        (place / "err").unlink()
        ended = await logs(job, environment=elsewhere)
    assert ended.returncode == 125
    assert b"worker w1, which has thrown it away by now" in ended.stderr


async def test_a_job_that_wrote_nothing_has_an_empty_log_wherever_it_ran(
    rig: Rig, elsewhere: dict[str, str]
) -> None:
    async with rig.worker():
        job = await rig.submit("true")
        await rig.ended(job)
        assert (await logs(job, environment=elsewhere)).returncode == 0
    ended = await logs(job, environment=elsewhere)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")


async def test_a_job_that_has_not_run_has_no_log(rig: Rig) -> None:
    job = await rig.submit("true")
    ended = await logs(job)
    assert ended.returncode == 125
    assert b"has not run yet" in ended.stderr


async def test_a_worker_that_does_not_answer_is_waited_for_no_longer_than_that(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relayq.client.wholelog.PATIENCE_MS", 100)
    async with rig.worker() as worker:
        job = await rig.submit("echo said")
        record = await rig.ended(job)
        worker._dialogue.on_pull = lambda _: None
        monkeypatch.setenv("RELAYQ_STATE_DIR", str(tmp_path))
        async with AsyncClient() as client:
            whole = WholeLog(client, job, record.attempts[0])
            with pytest.raises(TimeoutError, match="worker w1 does not answer"):
                [part async for part in whole.parts()]


# -- the worker's side


async def test_after_success_the_log_stays_on_the_disk_and_the_work_directory_goes(rig: Rig) -> None:
    async with rig.worker() as worker:
        job = await rig.submit("echo out; echo err >&2; touch made")
        await rig.ended(job)
        place = worker._dir.attempts / f"{job}.1"
        await eventually(lambda: not (place / "work").exists())
    assert {path.name: path.read_text() for path in place.iterdir()} == {"out": "out\n", "err": "err\n"}


async def test_what_a_running_job_has_written_so_far_is_poured(rig: Rig) -> None:
    async with rig.worker():
        job = await rig.submit("echo so far; sleep 300")
        await eventually(lambda: rig.output(job), "the hub has the first line")
        assert await pulled(rig, job) == [("s", b"7"), ("o", b"so far\n"), ("x", b"")]
        await rig.jobs.cancel(job)
        await rig.ended(job)


async def test_all_attempts_that_ran_here_are_poured_in_order(rig: Rig) -> None:
    async with rig.worker():
        job = await rig.submit("echo $RELAYQ_ATTEMPT; exit 1", attempts=3, backoff=0)
        await rig.ended(job)
        pieces = await pulled(rig, job)
        assert pieces == [("s", b"6"), ("o", b"1\n"), ("o", b"2\n"), ("o", b"3\n"), ("x", b"")]
        assert await pulled(rig, job, worker="w1", attempt=2) == [("s", b"2"), ("o", b"2\n"), ("x", b"")]


async def test_pieces_are_of_a_quarter_mebibyte_at_most(rig: Rig) -> None:
    async with rig.worker():
        job = await rig.submit(PRINT_MANY)
        await rig.ended(job)
        sizes = [len(data) for kind, data in await pulled(rig, job) if kind == "o"]
    assert sizes == [keptlog.PIECE_BYTES] * (MANY // keptlog.PIECE_BYTES) + [MANY % keptlog.PIECE_BYTES]


async def test_a_reader_who_takes_nothing_away_holds_up_nobody(rig: Rig) -> None:
    """The hub holds no more than its room, other readers and jobs go on."""
    async with rig.worker():
        job = await rig.submit(f"head -c {keptlog.PIECE_BYTES * 40} /dev/zero")
        await rig.ended(job)
        pulls, key = Pulls(rig.hub), rig.hub.keys.of("full", "slow")
        assert await pulls.ask(job, "slow") == "asked"
        await eventually(lambda: _length(rig, key, 16), "the room is used up")
        assert sum(len(data) for _, data in await pulled(rig, job)) > keptlog.PIECE_BYTES * 40
        await rig.ended(await rig.submit("true"), timeout_s=10)
        assert await rig.hub.link.call("XLEN", key) == 16


async def _length(rig: Rig, key: str, wanted: int) -> bool:
    return bool(await rig.hub.link.call("XLEN", key) >= wanted)


async def test_a_hub_cannot_ask_for_files_that_are_no_log(rig: Rig) -> None:
    async with rig.worker() as worker:
        secret = worker._dir.path / "secret.1"
        secret.mkdir()
        (secret / "out").write_text("hush")
        for job in ("../secret", "*", "", "A" * 16 + "/../../secret"):
            [(kind, why)] = await pulled(rig, job, worker="w1", attempt=1)
            assert (kind, why) == ("x", b"the worker has kept no output of it")


def test_what_was_too_much_to_keep_is_said_to_be_missing(tmp_path: Path) -> None:
    (tmp_path / "out.cut").write_bytes(b"%020d" % 1_048_576 + b"middle ")
    (tmp_path / "out").write_bytes(b"end\n")
    kept = keptlog.KeptLog(tmp_path)
    assert kept.bytes == len("middle end\n")
    first, *rest = kept.parts()
    assert first == (2, b"relayq: the first 1.0M of out were too much to keep\n")
    assert b"".join(part.data for part in rest) == b"middle end\n"


# -- secrets


SECRET = "hunter2-is-no-good-secret"
# The value stands across the cuts that a reader makes (keptlog.PIECE_BYTES), and as base64.
PRINT_SECRET = (
    f"head -c {keptlog.PIECE_BYTES - 10} /dev/zero | tr '\\0' x; printf '%s\\n' \"$TOKEN\"; "
    f"head -c {keptlog.PIECE_BYTES - 40} /dev/zero | tr '\\0' y; printf '%s' \"$TOKEN\" | base64; "
    'echo "$TOKEN" >&2; printf "%s" "$TOKEN"'
)


def require_masked(out: bytes, err: bytes) -> None:
    """Nothing of the secret is there, and every other byte is where it was."""
    assert b"hunter2" not in out + err and b"aHVudGVyMi" not in out + err and b"no-good" not in out + err
    first = b"x" * (keptlog.PIECE_BYTES - 10) + b"*" * len(SECRET) + b"\n"
    assert out.startswith(first + b"y" * 1_000)
    assert out.endswith(b"*" * len(SECRET))
    assert err == b"*" * len(SECRET) + b"\n"


async def test_a_secret_is_masked_in_a_whole_log_from_the_worker_and_from_this_disk(
    rig: Rig, elsewhere: dict[str, str]
) -> None:
    async with rig.worker():
        job = await rig.submit(PRINT_SECRET, secrets={"TOKEN": SECRET})
        await rig.ended(job)
        there = await logs(job, environment=elsewhere)
        require_masked(there.stdout, there.stderr)
        await rig.jobs.cancel(job)
    here = await logs(job)  # whose owner can open them, from this disk: its worker has gone
    assert here.stdout == there.stdout
    require_masked(here.stdout, here.stderr)


async def test_a_secret_is_masked_in_the_whole_log_of_a_job_that_runs(
    rig: Rig, elsewhere: dict[str, str]
) -> None:
    async with rig.worker():
        wait = f"until [ -e {rig.marks}/go ]; do sleep 0.05; done"
        job = await rig.submit(f'echo "$TOKEN"; {rig.mark("ran")}; {wait}', secrets={"TOKEN": SECRET})
        await eventually(lambda: rig.marked("ran"))
        for environment in (None, elsewhere):
            assert (await logs(job, environment=environment)).stdout == b"*" * len(SECRET) + b"\n"
        (rig.marks / "go").touch()
        await rig.ended(job)


async def test_whoever_cannot_open_the_secrets_has_the_worker_mask_them(rig: Rig) -> None:
    """On the worker's own machine, with a key that reads the job but not its secrets."""
    async with rig.worker(), AsyncClient(rig.url, fleet=rig.fleet) as client:
        job = await rig.submit('echo "$TOKEN"', secrets={"TOKEN": SECRET})
        await rig.ended(job)
        record = await rig.record(job)
        whole = WholeLog(client, job, record.attempts[0])
        assert [part.data async for part in whole.parts()] == [b"*" * len(SECRET) + b"\n"]
    async with AsyncClient(rig.url, fleet=rig.fleet) as client:
        whole = WholeLog(client, job, record.attempts[0])
        with pytest.raises(NotFound, match="is on worker w1, which is offline"):
            [part async for part in whole.parts()]


async def test_a_log_whose_secrets_are_not_known_any_more_is_not_shown(
    rig: Rig, elsewhere: dict[str, str]
) -> None:
    async with rig.worker():
        job = await rig.submit('echo "$TOKEN"', secrets={"TOKEN": SECRET})
        await rig.ended(job)
        [file] = rig.config.state_dir.glob(f"workers/w1/attempts/{job}.1/secrets")
        assert SECRET.encode() not in file.read_bytes()
        assert file.stat().st_mode & 0o777 == 0o600
        file.write_bytes(b"something else")
        ended = await logs(job, environment=elsewhere)
    assert (ended.returncode, ended.stdout) == (125, b"")
    assert b"secrets are not known here any more" in ended.stderr


async def test_a_job_without_secrets_leaves_no_such_file(rig: Rig) -> None:
    async with rig.worker():
        job = await rig.submit("echo hello")
        await rig.ended(job)
        assert not list(rig.config.state_dir.glob(f"workers/w1/attempts/{job}.1/secrets"))


@pytest.mark.parametrize("size", [1, 3, 7, 64, 1000])
def test_a_secret_is_masked_however_a_stream_is_cut(size: int) -> None:
    secret = "s3cr3t/with+signs"
    text = (f"a{secret}b".encode() * 7 + base64.b64encode(f"x{secret}".encode()) + b"tail") * 3
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    redactor = Redactor([secret])
    assert b"".join(redactor.whole(pieces)) == redactor.masked(b"", text, b"")
    assert b"".join(Redactor(["abc"]).whole(pieces)) == text

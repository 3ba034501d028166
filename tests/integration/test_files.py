"""Files travel with a job and back, for whoever types or imports it: real hub, real workers."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relayq.client.aio import AsyncClient
from relayq.client.sync import Client
from relayq.errors import HubFull, HubUnreachable, Refused, SpecError
from relayq.model.parts import MAX_FILE_BYTES, stored_as
from relayq.store.blobs import Blobs
from relayq.trust.files import Left
from relayq.trust.outputs import Ended
from relayq.worker.files import Files
from tests.integration.worker_support import Rig
from tests.support import PrivateServer, eventually


@pytest.fixture
async def rig(hub_url: str, fleet: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    """A fleet whose hub is named by the environment, as for a person."""
    monkeypatch.setenv("RELAYQ_URL", hub_url)
    monkeypatch.setenv("RELAYQ_FLEET", fleet)
    rig = Rig(hub_url, fleet, home)
    async with rig.hub:
        yield rig


async def relayq(*argv: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """One command line, run to its end beside the workers of this process."""
    command = [sys.executable, "-m", "relayq", *map(str, argv)]
    return await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=60, cwd=cwd, check=False
    )


async def printed(*argv: object, cwd: Path | None = None) -> str:
    """What a command line that succeeds prints."""
    ended = await relayq(*argv, cwd=cwd)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


async def put(rig: Rig, name: str, data: bytes) -> dict[str, object]:
    """Store an input; its item of a spec."""
    return await rig.put_file(name, data)


async def stderr_of(rig: Rig, job: str) -> str:
    """What a job's log has of stderr."""
    return (await rig.output(job, 2)).decode()


# -- for a person


async def test_files_go_in_and_come_back_on_the_command_line(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("hello")
    (tmp_path / "other").write_bytes(bytes(range(256)))
    command = "tr a-z A-Z < in.txt > up.txt; mkdir d; cp b.bin d/"
    async with rig.worker():
        job = await printed(
            *("submit", "--in", tmp_path / "in.txt", "--in", f"{tmp_path}/other=b.bin"),
            *("--out", "*.txt", "--out", "d", "--", command),
        )
        assert (await rig.ended(job)).state == "SUCCEEDED"
    back = tmp_path / "back"
    written = await printed("fetch", job, "--to", back)
    assert written.splitlines() == [str(back / name) for name in ("d/b.bin", "in.txt", "up.txt")]
    assert (back / "up.txt").read_text() == "HELLO"
    assert (back / "d" / "b.bin").read_bytes() == bytes(range(256))
    shown = await printed("show", job)
    assert "up.txt (5B)" in shown
    files = json.loads(await printed("show", job, "--json"))["files"]
    assert files["up.txt"]["size"] == 5


async def test_run_takes_files_along_too(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("hello\n")
    async with rig.worker():
        assert await printed("run", "-q", "--in", "in.txt", "--", "cat in.txt", cwd=tmp_path) == "hello"


async def test_specs_from_stdin_share_the_files_that_were_typed(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("hello\n")
    argv = [sys.executable, "-m", "relayq", "submit", "--in", str(tmp_path / "in.txt"), "-"]
    async with rig.worker():
        lines = '{"command": "cat in.txt"}\n{"command": "wc -c in.txt"}\n'
        ended = await asyncio.to_thread(
            subprocess.run, argv, input=lines, capture_output=True, text=True, check=True
        )
        first, second = ended.stdout.split()
        assert (await rig.ended(first)).state == (await rig.ended(second)).state == "SUCCEEDED"
        assert await rig.output(first) == b"hello\n"


async def test_a_file_that_is_too_large_is_refused_before_anything_is_queued(
    rig: Rig, tmp_path: Path
) -> None:
    with (tmp_path / "big").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    ended = await relayq("submit", "--in", tmp_path / "big", "--", "true")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "at most 16M go through the hub" in ended.stderr
    assert await rig.jobs.list_jobs() == []


async def test_a_file_of_the_full_size_travels(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * MAX_FILE_BYTES)
    async with rig.worker():
        job = await printed(
            "submit", "--in", tmp_path / "big", "--out", "copy", "--", "cp big copy; wc -c < big"
        )
        record = await rig.ended(job)
        assert (await rig.output(job)).strip() == str(MAX_FILE_BYTES).encode()
        assert record.outputs["copy"].size == MAX_FILE_BYTES


async def test_fetch_takes_what_is_named_and_overwrites_nothing_unless_forced(
    rig: Rig, tmp_path: Path
) -> None:
    async with rig.worker():
        job = await rig.submit("echo a > a; echo b > b", outputs=["?"])
        await rig.ended(job)
    assert await printed("fetch", job, "b", cwd=tmp_path) == "b"
    ended = await relayq("fetch", job, cwd=tmp_path)
    assert ended.returncode == 2
    assert "b is there already" in ended.stderr
    assert not (tmp_path / "a").exists()
    assert (await printed("fetch", job, "--force", cwd=tmp_path)).split() == ["a", "b"]
    ended = await relayq("fetch", job, "c", cwd=tmp_path)
    assert "left no file 'c': it left a, b" in ended.stderr


async def test_an_element_s_files_are_fetched_by_its_index(rig: Rig, tmp_path: Path) -> None:
    async with rig.worker():
        job = await rig.submit("echo $RELAYQ_ARRAY_INDEX > number", array=3, outputs=["number"])
        assert (await rig.ended(job)).state == "SUCCEEDED"
    assert await printed("fetch", f"{job}:2", "--to", tmp_path) == str(tmp_path / "number")
    assert (tmp_path / "number").read_text() == "2\n"
    written = await printed("fetch", job, "--to", tmp_path)
    assert written.splitlines() == [str(tmp_path / index / "number") for index in "012"]
    assert (tmp_path / "1" / "number").read_text() == "1\n"


async def test_fetch_says_why_there_is_nothing(rig: Rig) -> None:
    job = await rig.submit("true")
    ended = await relayq("fetch", job)
    assert (ended.returncode, ended.stdout) == (0, "")
    assert f"job {job} has not ended yet" in ended.stderr
    async with rig.worker():
        await rig.ended(job)
    assert "left no files; `--out GLOB`" in (await relayq("fetch", job)).stderr


# -- for a program


async def test_files_go_in_and_come_back_in_python(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n")
    (tmp_path / "b.txt").write_text("two\n")

    def program() -> list[Path]:
        with Client() as client:
            inputs = [str(tmp_path / "a.txt"), tmp_path / "b.txt", f"{tmp_path}/a.txt=c.txt"]
            handle = client.run("cat *.txt > all", inputs=inputs, outputs=["all"])
            assert handle.wait(30) == "SUCCEEDED"
            assert handle.outputs == {"all": 12}
            return handle.fetch(tmp_path / "back")

    async with rig.worker():
        [path] = await asyncio.to_thread(program)
    assert path == tmp_path / "back" / "all"
    assert path.read_text() == "one\ntwo\none\n"


async def test_one_file_and_one_pattern_need_no_list(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n")
    async with rig.worker(), AsyncClient() as client:
        job = await client.run("cp a.txt b.txt", inputs=tmp_path / "a.txt", outputs="b.txt")
        assert await job.wait(30) == "SUCCEEDED"
        assert await job.outputs() == {"b.txt": 4}


async def test_a_hostile_name_from_the_hub_writes_nothing(rig: Rig, tmp_path: Path) -> None:
    """By the word of a worker: the hub has no say in names."""
    item = await put(rig, "evil", b"evil")
    async with rig.worker() as worker:
        job = await rig.submit("true")
        await rig.ended(job)
        voice = worker._credentials.voice
    back = tmp_path / "back"
    for name in ("../evil", "/tmp/evil", ".ssh/rc", "a/../../evil"):
        files = tuple(Left(one, str(item["sha256"]), 4, str(item["key"])) for one in ("a.txt", name))
        end = voice.ended(job, 1, Ended("ok", 0, b"", files), "")
        await rig.hub.link.call("SET", rig.hub.keys.of("r", job), end)
        async with AsyncClient() as client:
            with pytest.raises(Refused, match=r"is not written|is hidden"):
                await client.handle(job).fetch(back)
    assert not back.exists()


async def test_a_file_that_the_hub_changed_is_not_written(rig: Rig, tmp_path: Path) -> None:
    async with rig.worker():
        job = await rig.submit("echo fine > a", outputs=["a"])
        left = (await rig.ended(job)).outputs["a"]
    await rig.hub.link.call("SET", rig.hub.keys.of("b", left.stored), bytes(left.stored_bytes))
    async with AsyncClient() as client:
        with pytest.raises(Refused, match="other content"):
            await client.handle(job).fetch(tmp_path)
    assert not (tmp_path / "a").exists()


async def test_a_spec_that_names_a_file_nobody_sent_is_refused(rig: Rig) -> None:
    async with AsyncClient() as client:
        item = {"name": "a", "sha256": "0" * 64, "size": 1}
        with pytest.raises(SpecError, match="input file 'a' was not sent"):
            await client.run("true", inputs=[item])
        with pytest.raises(SpecError, match="has not the input file"):
            await client.run("true", inputs=[{**item, "key": "A" * 43}])


async def test_the_bytes_of_files_count_in_what_the_hub_keeps(rig: Rig) -> None:
    item = await put(rig, "a.txt", bytes(1_000_000))
    jobs = [await rig.submit("true", inputs=[item]) for _ in range(2)]
    async with rig.worker():
        for job in jobs:
            await rig.ended(job)
    kept = int(await rig.hub.link.call("HGET", rig.hub.keys.prefix + "n", "kept"))
    assert 1_000_000 < kept < 1_010_000


# -- inputs at the worker


async def test_inputs_are_the_user_s_alone(rig: Rig) -> None:
    async with rig.worker():
        job = await rig.submit("stat -c %a a.txt .", inputs=[await put(rig, "a.txt", b"alpha")])
        assert (await rig.ended(job)).state == "SUCCEEDED"
        assert (await rig.output(job)).split() == [b"600", b"700"]


@pytest.mark.parametrize(
    ("content", "why"), [(b"omega", "input a.txt has other content"), (None, "input a.txt is not in the hub")]
)
async def test_an_input_that_is_not_what_was_signed_refuses_the_job_with_an_alarm(
    rig: Rig, content: bytes | None, why: str
) -> None:
    item = await put(rig, "a.txt", b"alpha")
    job = await rig.submit(rig.mark("ran"), inputs=[item], attempts=3)
    key = rig.hub.keys.of("b", stored_as(str(item["key"])))
    await rig.hub.link.call("SET", key, content) if content else await rig.hub.link.call("DEL", key)
    async with rig.worker():
        record = await rig.ended(job)
        assert (record.state, record.reason, record.exit_code) == ("FAILED", "refused", 125)
        assert record.message.startswith(why)
        assert f"a worker refused its signed spec: {why}" in await printed("explain", job)
        assert why in await stderr_of(rig, job)
    events = await rig.hub.link.call("XRANGE", rig.hub.keys.events, "-", "+")
    alarms = [flat[5].decode() for _, flat in events if flat[1] == b"alarm"]
    assert len(alarms) == 1
    assert alarms[0] == "refused by its job type"  # the name of a file is nothing for the hub
    assert rig.marked("ran") == []


async def test_the_elements_of_an_array_fetch_a_file_once(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []
    get = Blobs.get

    async def counted(blobs: Blobs, stored: str) -> bytes:
        fetched.append(stored)
        return await get(blobs, stored)

    monkeypatch.setattr(Blobs, "get", counted)
    async with rig.worker():
        job = await rig.submit("cat a.txt", array=6, inputs=[await put(rig, "a.txt", b"alpha")])
        assert (await rig.ended(job)).state == "SUCCEEDED"
    assert len(fetched) == 1


async def test_a_kept_input_that_somebody_changed_is_fetched_again(rig: Rig) -> None:
    item = await put(rig, "a.txt", b"alpha")
    async with rig.worker() as worker:
        await rig.ended(await rig.submit("cat a.txt", inputs=[item]))
        (worker._dir.files / stored_as(str(item["key"]))).write_bytes(b"omega")
        job = await rig.submit("cat a.txt", inputs=[item])
        await rig.ended(job)
        assert await rig.output(job) == b"alpha"


async def test_a_job_whose_hub_goes_away_while_its_inputs_are_fetched_goes_back(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring, tries = Files.bring, []

    async def cut_off_once(files: Files, attempt: object) -> None:
        tries.append(attempt)
        if len(tries) == 1:
            raise HubUnreachable("the hub has gone")
        await bring(files, attempt)

    monkeypatch.setattr(Files, "bring", cut_off_once)
    async with rig.worker():
        job = await rig.submit(rig.mark("ran"), inputs=[await put(rig, "a.txt", b"alpha")])
        record = await rig.ended(job)
        assert (record.state, record.attempt, record.crashes) == ("SUCCEEDED", 1, 0)
        assert rig.marked("ran") == ["x"]


async def test_a_job_is_cancelled_at_once_while_its_inputs_are_fetched(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetching = asyncio.Event()

    async def never(*_: object) -> None:
        fetching.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(Files, "bring", never)
    async with rig.worker():
        job = await rig.submit(rig.mark("ran"), inputs=[await put(rig, "a.txt", b"alpha")])
        await fetching.wait()
        assert await rig.jobs.cancel(job) == "asked"
        assert (await rig.ended(job)).state == "CANCELLED"
    assert rig.marked("ran") == []


# -- outputs at the worker


async def test_what_cannot_go_stays_behind_and_the_log_says_so_in_one_line(rig: Rig) -> None:
    command = (
        "echo ok > ok; truncate -s 17M big; ln -s /etc/passwd link; mkfifo pipe; touch $(seq -f %03g 70)"
    )
    async with rig.worker():
        job = await rig.submit(command, outputs=["ok", "big", "link", "pipe", "[0-9]*", "*.mp4"])
        record = await rig.ended(job)
        assert (record.state, record.exit_code) == ("SUCCEEDED", 0)
        assert len(record.outputs) == 61
        assert "ok" in record.outputs
        [line] = (await stderr_of(rig, job)).splitlines()
    for said in ("big (17M, more than 16M)", "link (a link)", "pipe (no plain file)", "beyond the first 64"):
        assert said in line
    assert line.endswith("no file matches '*.mp4'")


async def test_files_below_cwd_are_kept(rig: Rig, tmp_path: Path) -> None:
    async with rig.worker():
        job = await rig.submit("echo made > made.txt", cwd=str(tmp_path), outputs=["*.txt"])
        assert list((await rig.ended(job)).outputs) == ["made.txt"]
    assert (tmp_path / "made.txt").exists()


async def test_a_second_success_replaces_what_the_first_one_left(rig: Rig) -> None:
    async with rig.worker():
        job = await rig.submit(f"touch $(cat {rig.marks}/name)", outputs=["*"])
        (rig.marks / "name").write_text("one")
        await rig.ended(job)
        (rig.marks / "name").write_text("two")
        assert await rig.retry(job, 9) == "retried"
        await eventually(lambda: _outputs(rig, job, ["two"]), "the second file took the place of the first")


async def _outputs(rig: Rig, job: str, names: list[str]) -> bool:
    return sorted((await rig.record(job)).outputs) == names


async def test_files_that_the_hub_lost_before_the_report_are_put_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_now, lost = Files._put_now, []

    async def lose_once(files: Files, root: Path, name: str) -> Left:
        output = await put_now(files, root, name)
        if not lost:
            lost.append(await rig.hub.link.call("DEL", rig.hub.keys.of("b", output.stored)))
        return output

    monkeypatch.setattr(Files, "_put_now", lose_once)
    async with rig.worker():
        job = await rig.submit("echo one > one.txt", outputs=["one.txt"])
        record = await rig.ended(job)
        assert record.state == "SUCCEEDED"
        assert await rig.left(record, "one.txt") == b"one\n"
    assert lost == [1]


async def test_outputs_survive_a_lost_hub_and_a_killed_worker(
    own_server: PrivateServer, fleet: str, home: Path
) -> None:
    rig = Rig(own_server.url, fleet, home)
    async with rig.hub:
        worker = rig.process()
        wait = f"until [ -e {rig.marks}/go ]; do sleep 0.05; done"
        job = await rig.submit(
            f"{rig.mark('ran')}; {wait}; echo one > one.txt; {rig.mark('over')}", outputs=["*"]
        )
        await eventually(lambda: rig.marked("ran"))
        own_server.kill()
        (rig.marks / "go").touch()
        await eventually(lambda: rig.marked("over"))
        worker.kill()
        worker = rig.process()
        own_server.start()
        record = await rig.ended(job, timeout_s=60)
        assert (record.state, record.attempt, list(record.outputs)) == ("SUCCEEDED", 1, ["one.txt"])
        assert await rig.left(record, "one.txt") == b"one\n"
        assert rig.marked("ran") == ["x"]
    own_server.kill()


async def test_a_report_that_never_arrived_has_its_files_put_again_by_the_next_start(
    own_server: PrivateServer, fleet: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub takes the file and dies; by the time it hears of the end, the file has gone for its age."""
    rig = Rig(own_server.url, fleet, home)
    put_now, stored = Files._put_now, []

    async def then_die(files: Files, root: Path, name: str) -> Left:
        output = await put_now(files, root, name)
        stored.append(output.stored)
        own_server.kill()
        return output

    async with rig.hub:
        with monkeypatch.context() as patch:
            patch.setattr(Files, "_put_now", then_die)
            async with rig.worker() as worker:
                job = await rig.submit(f"{rig.mark('ran')}; echo one > one.txt", outputs=["*"])
                await eventually(worker._board.has_reports, "the end waits to be told")
        own_server.start()
        await rig.hub.close()
        await rig.hub.link.call("DEL", rig.hub.keys.of("b", stored[0]))
        async with rig.worker():
            record = await rig.ended(job, timeout_s=60)
        assert (record.state, record.attempt, list(record.outputs)) == ("SUCCEEDED", 1, ["one.txt"])
        assert await rig.left(record, "one.txt") == b"one\n"
        assert rig.marked("ran") == ["x"]


async def test_a_full_hub_takes_no_file_of_a_submitter(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("hello")
    await rig.hub.link.call("HSET", rig.hub.keys.anchor, "used", 90, "maxmemory", 100)
    ended = await relayq("submit", "--in", tmp_path / "in.txt", "--", "true")
    assert ended.returncode == 125
    assert "there is no room for" in ended.stderr
    assert await rig.jobs.list_jobs() == []


async def test_a_full_hub_keeps_the_job_and_not_the_file(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object) -> str:
        raise HubFull("the hub is full")

    monkeypatch.setattr(Blobs, "put", full)
    async with rig.worker():
        job = await rig.submit("echo one > one.txt", outputs=["*"])
        record = await rig.ended(job)
        assert (record.state, record.outputs) == ("SUCCEEDED", {})
        assert "one.txt (the hub is full)" in await stderr_of(rig, job)

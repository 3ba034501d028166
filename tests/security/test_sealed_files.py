"""Files go through the hub sealed: it can lose one, and neither read nor name nor change it."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayq.client.aio import AsyncClient
from relayq.client.dispatch import Dispatcher
from relayq.client.files import InputFile, put_files, write_file
from relayq.errors import Refused, SpecError
from relayq.model.job import JobSpec
from relayq.model.parts import MAX_FILE_BYTES, stored_as
from relayq.store.hub import Hub
from relayq.store.reader import Reader
from relayq.trust.boxes import BoxKey
from relayq.trust.files import (
    CHUNK_BYTES,
    TAG_BYTES,
    SealedFile,
    content_key,
    new_key,
    open_file,
    seal_file,
    sealed_bytes,
)
from relayq.trust.keys import SigningKey
from relayq.trust.members import Member
from relayq.trust.outputs import Ear, Ended, Voice
from relayq.trust.roster import add_member
from relayq.trust.sealing import Opener, Sealer
from tests.integration.worker_support import Rig

KEY, STEP = new_key(), CHUNK_BYTES + TAG_BYTES
NOW_S = 1_800_000_000
THREE = bytes(CHUNK_BYTES) + b"1" * CHUNK_BYTES + b"end"


def sealed(data: bytes, key: str = KEY) -> SealedFile:
    """A file, sealed."""
    return seal_file(io.BytesIO(data).read, key, MAX_FILE_BYTES)


def opened(data: bytes, of: SealedFile, key: str = KEY) -> bytes:
    """What comes out of `data`, which should be this file."""
    return b"".join(open_file(data, key, of.sha256, of.size))


# -- the form


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_a_file_comes_out_as_it_went_in(size: int) -> None:
    data = bytes(n % 251 for n in range(size))
    one = sealed(data)
    assert (one.size, len(one.data)) == (size, sealed_bytes(size))
    assert opened(one.data, one) == data


@given(st.binary(max_size=300), st.integers(0, 10_000), st.integers(1, 255))
def test_no_changed_byte_is_let_through(data: bytes, place: int, change: int) -> None:
    one = sealed(data)
    at = place % len(one.data)
    forged = one.data[:at] + bytes((one.data[at] ^ change,)) + one.data[at + 1 :]
    with pytest.raises(Refused):
        opened(forged, one)


LIES: dict[str, Callable[[bytes], bytes]] = {
    "chunks change places": lambda data: data[STEP : 2 * STEP] + data[:STEP] + data[2 * STEP :],
    "a chunk comes twice": lambda data: data[:STEP] * 2 + data[2 * STEP :],
    "a chunk is another file's": lambda data: data[:STEP] + sealed(THREE, new_key()).data[STEP:],
    "the first is changed": lambda data: bytes((data[0] ^ 1,)) + data[1:],
    "the last is changed": lambda data: data[:-1] + bytes((data[-1] ^ 1,)),
}
CUTS: dict[str, Callable[[bytes], bytes]] = {
    "the last chunk is gone": lambda data: data[: 2 * STEP],
    "the first chunk is gone": lambda data: data[STEP:],
    "a byte is gone": lambda data: data[:-1],
    "a byte too many": lambda data: data + b"x",
    "nothing is left": lambda data: b"",
}


@pytest.mark.parametrize("lie", [*LIES.values(), *CUTS.values()], ids=[*LIES, *CUTS])
def test_what_is_not_the_file_whole_is_refused(lie: Callable[[bytes], bytes]) -> None:
    one = sealed(THREE)
    with pytest.raises(Refused, match="the sealed file"):
        opened(lie(one.data), one)


def test_a_file_cut_at_a_chunk_is_refused_whatever_size_is_told() -> None:
    one = sealed(THREE)
    short = replace_size(one, 2 * CHUNK_BYTES)
    with pytest.raises(Refused, match="changed, moved or cut short"):
        opened(one.data[: 2 * STEP], short)


def test_who_shares_the_key_cannot_put_another_content_in_its_place() -> None:
    """A viewer has the keys of a job's inputs. What was signed beside them is the content."""
    one, other = sealed(b"echo fine"), sealed(b"echo evil")
    with pytest.raises(Refused, match="other content than was signed"):
        opened(other.data, one)


def test_another_key_opens_nothing() -> None:
    one = sealed(b"text")
    for key in (new_key(), KEY[:-1], ""):
        with pytest.raises(Refused):
            opened(one.data, one, key)


def test_a_key_follows_from_content_fleet_and_secret() -> None:
    digests = [sealed(data).sha256 for data in (b"one", b"two")]
    keys = {
        content_key(secret, fleet, digest)
        for secret in (bytes(32), bytes(31) + b"x")
        for fleet in ("home", "work")
        for digest in digests
    }
    assert len(keys) == 8
    assert content_key(bytes(32), "home", digests[0]) in keys


def test_no_more_than_one_chunk_is_in_memory_beside_the_sealed_file(tmp_path: Path) -> None:
    data = tmp_path / "big"
    with data.open("wb") as file:
        file.truncate(8 << 20)
    tracemalloc.start()
    try:
        with data.open("rb") as file:
            one = seal_file(file.read, KEY, MAX_FILE_BYTES)
        assert tracemalloc.get_traced_memory()[1] < (8 << 20) * 1.3 + 8 * CHUNK_BYTES
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        write_file(tmp_path / "copy", open_file(one.data, KEY, one.sha256, one.size))
        assert tracemalloc.get_traced_memory()[1] - before < 8 * CHUNK_BYTES
    finally:
        tracemalloc.stop()
    assert (tmp_path / "copy").stat().st_size == 8 << 20


def test_nothing_is_left_of_a_file_whose_end_is_forged(tmp_path: Path) -> None:
    one = sealed(THREE)
    forged = LIES["the last is changed"](one.data)
    for force in (False, True):
        with pytest.raises(Refused):
            write_file(tmp_path / "x", open_file(forged, KEY, one.sha256, one.size), force=force)
    assert list(tmp_path.iterdir()) == []


def replace_size(one: SealedFile, size: int) -> SealedFile:
    """The same, said to be of another size."""
    return one._replace(size=size)


# -- on their way


@pytest.fixture
async def rig(hub_url: str, fleet: str, home: Path) -> AsyncIterator[Rig]:
    rig = Rig(hub_url, fleet, home)
    async with rig.hub:
        yield rig


@pytest.fixture
async def client(rig: Rig) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(rig.url, fleet=rig.fleet, tell=lambda _: None) as client:
        yield client


@pytest.mark.parametrize("lie", [*LIES.values(), *CUTS.values()], ids=[*LIES, *CUTS])
async def test_a_worker_starts_nothing_on_an_input_that_the_hub_made_over(
    rig: Rig, lie: Callable[[bytes], bytes]
) -> None:
    item = await rig.put_file("a.txt", THREE)
    job = await rig.submit(rig.mark("ran"), inputs=[item])
    key = rig.hub.keys.of("b", stored_as(str(item["key"])))
    await rig.hub.link.call("SET", key, lie(await rig.hub.link.call("GET", key)))
    async with rig.worker():
        record = await rig.ended(job)
        assert (record.state, record.reason) == ("FAILED", "refused")
        [said] = (await rig.output(job, 2)).decode().splitlines()
        assert said == "relayq: input a.txt has other content than was signed"
    assert rig.marked("ran") == []


@pytest.mark.parametrize("lie", [*LIES.values(), *CUTS.values()], ids=[*LIES, *CUTS])
async def test_nothing_is_fetched_of_a_file_that_the_hub_made_over(
    rig: Rig, client: AsyncClient, tmp_path: Path, lie: Callable[[bytes], bytes]
) -> None:
    async with rig.worker():
        job = await rig.submit(f"head -c {len(THREE)} /dev/zero > a", outputs=["a"])
        left = (await rig.ended(job)).outputs["a"]
    key = rig.hub.keys.of("b", left.stored)
    await rig.hub.link.call("SET", key, lie(await rig.hub.link.call("GET", key)))
    with pytest.raises(Refused, match="file 'a' came out of the hub with other content than its job left"):
        await client.handle(job).fetch(tmp_path / "back")
    assert [path.name for path in tmp_path.glob("back/*")] == []


async def test_files_of_another_job_are_not_lent(rig: Rig, client: AsyncClient, tmp_path: Path) -> None:
    async with rig.worker():
        one = await rig.submit("echo one > a", outputs=["a"])
        other = await rig.submit("echo two > a", outputs=["a"])
        for job in (one, other):
            await rig.ended(job)
    keys = rig.hub.keys
    for kind in ("r", "o"):
        await rig.hub.link.call("COPY", keys.of(kind, one), keys.of(kind, other), "REPLACE")
    with pytest.raises(Refused, match="belongs elsewhere"):
        await client.handle(other).fetch(tmp_path)


async def test_files_by_the_word_of_a_stranger_are_not_fetched(
    rig: Rig, client: AsyncClient, tmp_path: Path
) -> None:
    async with rig.worker():
        job = await rig.submit("echo one > a", outputs=["a"])
        left = (await rig.ended(job)).outputs["a"]
    forger = Voice(SigningKey.generate(), rig.fleet, rig.roster().readers())
    lie = forger.ended(job, 1, Ended("ok", 0, b"", (left._replace(name="b"),)), "")
    await rig.hub.link.call("SET", rig.hub.keys.of("r", job), lie)
    with pytest.raises(Refused, match="no worker of this fleet"):
        await client.handle(job).fetch(tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        '["ok",0,[["a","0",1]]]',
        '["ok",0,[["a","0",1,"short"]]]',
        f'["ok",0,[["a","0",-1,"{KEY}"]]]',
        f'["ok",0,[["a",0,1,"{KEY}"]]]',
        '["ok",0,[["a","0",1,"\\ud800"]]]',
        '["ok",0,[5]]',
        '["ok",0,5]',
        '["ok",0,[],[]]',
        '["ok"]',
    ],
    ids=range(9),
)
def test_an_end_that_tells_of_files_in_no_known_form_is_refused(line: str) -> None:
    key, box = SigningKey.generate(), BoxKey.generate()
    ear = Ear("home", Opener([box]), lambda _: True)
    sealed_end = Sealer([box.public], key).seal(line.encode() + b"\n", b"relayq-end-1\nhome\nJ\n1")
    with pytest.raises(Refused, match="not in a form that this version knows"):
        ear.ended("J", 1, sealed_end)


async def test_a_viewer_and_the_submitter_read_files_and_nobody_else_does(rig: Rig) -> None:
    keys = {name: SigningKey.generate() for name in ("anna", "laptop", "other")}
    for name, role in (("anna", "viewer"), ("laptop", "submit"), ("other", "submit")):
        member = Member(role=role, name=name, sign=keys[name].public, box=BoxKey.of(keys[name]).public)
        rig.standing().desk.edit(lambda roster, pen, one=member: add_member(roster, pen, one, NOW_S))
    item = await rig.put_file("in.txt", b"input")
    spec = JobSpec.from_dict({"command": "cp in.txt out.txt", "inputs": [item], "outputs": ["out.txt"]})
    job, submission = rig.submission(spec, key=keys["laptop"])
    await rig.jobs.submit([submission])
    async with rig.worker():
        await rig.ended(job)
    seen = {name: await names_seen(rig, key, job) for name, key in keys.items()}
    assert seen == {"anna": ["out.txt"], "laptop": ["out.txt"], "other": []}


async def names_seen(rig: Rig, key: SigningKey, job: str) -> list[str]:
    """The files of a job with somebody else's eyes."""
    roster = rig.roster()
    raw = await raw_record(rig, job)
    return list(Reader(key, rig.fleet, roster, lambda _: roster).record(raw).outputs)


async def raw_record(rig: Rig, job: str):  # type: ignore[no-untyped-def]
    """The record as the hub has it."""
    from relayq.store.jobs import Jobs

    hub = Hub(rig.url, rig.fleet)
    async with hub:
        record = await Jobs(hub).record(job)
    assert record
    return replace(record)


async def test_a_job_by_whose_spec_a_file_is_not_sealed_does_not_run(rig: Rig) -> None:
    job, submission = rig.submission(
        JobSpec.from_dict(
            {"command": rig.mark("ran"), "inputs": [{"name": "a", "sha256": "0" * 64, "size": 1}]}
        )
    )
    known = {name: value for name, value in submission.routing.items() if name != "in"}
    await rig.jobs.submit([replace(submission, routing=known)])
    async with rig.worker():
        assert (await rig.ended(job)).reason == "refused"
        assert b"input a is not sealed" in await rig.output(job, 2)
    assert rig.marked("ran") == []


def test_the_same_file_sent_again_is_the_same_in_the_hub_and_does_not_travel_twice(
    hub_url: str, fleet: str, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100_000)
    key, other = SigningKey.generate(), SigningKey.generate()
    hub = Dispatcher(hub_url, fleet)
    sent: list[int] = []
    ask = hub.ask

    def counted(*commands):  # type: ignore[no-untyped-def]
        sent.append(sum(len(part) for command in commands for part in command if isinstance(part, bytes)))
        return ask(*commands)

    hub.ask = counted  # type: ignore[method-assign]
    try:
        [first] = put_files([tmp_path / "a"], hub, key)
        assert max(sent) > 100_000
        sent.clear()
        assert put_files([tmp_path / "a"], hub, key) == [first]
        assert max(sent) < 1_000
        [theirs] = put_files([tmp_path / "a"], hub, other)
        assert theirs["sha256"] == first["sha256"]
        assert theirs["key"] != first["key"]
    finally:
        hub.close()


def test_a_file_that_changes_while_it_is_read_is_not_sent(tmp_path: Path) -> None:
    """One key never seals two contents."""
    (tmp_path / "a").write_bytes(b"one")
    file = InputFile.of(tmp_path / "a")
    item = {**file.item(), "key": KEY}
    (tmp_path / "a").write_bytes(b"two")
    with pytest.raises(SpecError, match="was changed while it was read"):
        file.sealed(item)


async def test_what_a_worker_keeps_of_inputs_is_sealed(rig: Rig) -> None:
    item = await rig.put_file("a.txt", b"zebrainput")
    async with rig.worker() as worker:
        await rig.ended(await rig.submit("cat a.txt", inputs=[item]))
        [kept] = worker._dir.files.iterdir()
        assert kept.name == stored_as(str(item["key"]))
        assert b"zebrainput" not in kept.read_bytes()


async def test_an_element_of_a_large_array_leaves_its_file_and_its_word(rig: Rig) -> None:
    """Nothing is kept of those that leave nothing (lua/array.lua)."""
    commands = ("[ $RELAYQ_ARRAY_INDEX = 1 ] && echo one; [ $RELAYQ_ARRAY_INDEX != 2 ] || touch a", "a")
    async with rig.worker():
        job = await rig.submit(commands[0], array=10_001, outputs=[commands[1]])
        for index in (1, 2):
            await rig.ended(f"{job}:{index}")
        await rig.jobs.cancel(job)
        one, two = [await rig.record(f"{job}:{index}") for index in (1, 2)]
        assert (one.doubt, one.attempt, list(one.outputs)) == ("", 1, [])
        assert (two.doubt, two.attempt, list(two.outputs)) == ("", 1, ["a"])

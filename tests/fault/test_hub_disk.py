"""The disk of the private hub is full: nothing is acknowledged that would be lost, and nothing is hidden."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from relayq import hub
from relayq.client.dispatch import Dispatcher
from relayq.config import Config, load
from relayq.errors import HubError, HubFull
from relayq.store.hub import connect
from relayq.store.wire import Wire, WireReplyError
from tests.e2e.command_line import printed, relayq, state_of
from tests.fault.disk import SMALL_BYTES, Mounted, mount
from tests.support import eventually_sync

PIECE = b"x" * 50_000
FULL = r"cannot write to its disk \(No space left on device\) and takes nothing new"


@pytest.fixture
def disk(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mounted]:
    """A small file system for the hub's data."""
    path = home / "data"
    path.mkdir()
    become_root = mount(path)
    if become_root is None:
        pytest.skip("this user may mount no file system, and a server dies of a file size limit")
    disk = Mounted(path, become_root)
    (path / "ballast").write_bytes(bytes(SMALL_BYTES // 2))
    monkeypatch.setenv("RELAYQ_DATA_DIR", str(path))
    yield disk
    disk.close()


@pytest.fixture
def config(disk: Mounted) -> Config:
    """The configuration that puts the private hub there."""
    return load()


def write_until_refused(url: str) -> list[bytes]:
    """Write to the hub until it takes nothing more; the names of what it acknowledged."""
    wire, taken = Wire(url), []
    try:
        while True:
            name = b"k%d" % len(taken)
            wire.call("SET", name, PIECE)
            taken.append(name)
    except WireReplyError as error:
        assert error.code == "MISCONF"
        return taken
    finally:
        wire.close()


def test_a_job_is_refused_in_one_sentence_when_the_disk_is_full(disk: Mounted) -> None:
    printed("hub", "start")
    disk.fill()
    for words in (("submit", "--", "true"), ("run", "--", "true")):
        ended = relayq(*words)
        assert ended.returncode == 125
        assert ended.stderr.count("\n") == 1
        assert "disk" in ended.stderr
        assert "make room" in ended.stderr
    disk.free()
    assert printed("run", "-q", "--", "echo fits") == "fits\n"


def test_a_hub_that_cannot_write_is_up_and_can_be_read(config: Config, disk: Mounted) -> None:
    url = hub.start(config)
    [name, *_] = write_until_refused(url)
    assert hub.running(config) == hub.start(config) == url
    assert Wire(url).call("GET", name) == PIECE
    assert "not answering" not in relayq("jobs").stderr


def test_what_is_in_its_memory_only_is_not_thrown_away(config: Config, disk: Mounted) -> None:
    taken = write_until_refused(hub.start(config))
    with pytest.raises(HubFull, match="latest changes are in its memory only"):
        hub.stop(config)
    ended = relayq("down")
    assert (ended.returncode, "kept" in ended.stderr) == (125, False)
    disk.free()
    assert hub.stop(config) is True
    wire = Wire(hub.start(config))
    assert [wire.call("EXISTS", name) for name in taken] == [1] * len(taken)
    wire.close()


def test_it_can_be_ended_by_force(config: Config, disk: Mounted) -> None:
    write_until_refused(hub.start(config))
    ended = relayq("hub", "stop", "--force")
    assert (ended.returncode, ended.stderr) == (0, "relayq: the hub has stopped\n")
    assert hub.running(config) is None


def test_a_hub_cannot_be_started_on_a_full_disk_and_says_so(config: Config, disk: Mounted) -> None:
    hub.start(config)
    hub.stop(config)
    disk.fill()
    with pytest.raises(HubError, match=r"the local hub cannot be started in .*: No space left on device"):
        hub.start(config)


async def test_every_way_into_a_hub_says_why_it_takes_nothing(config: Config) -> None:
    url = await asyncio.to_thread(hub.start, config)
    far = await connect(url, "f1")
    await asyncio.to_thread(write_until_refused, url)
    with pytest.raises(HubFull, match=FULL):
        await asyncio.to_thread(Dispatcher(url, "f1").ask, ("SET", "a", "b"))
    with pytest.raises(HubFull, match=FULL):
        await far.send("SET", "a", "b")
    await far.close()


def test_a_job_that_ends_while_the_hub_cannot_write_is_reported_later(
    config: Config, disk: Mounted, home: Path
) -> None:
    job = printed("submit", "--", f"touch {home}/begun; until [ -e {home}/go ]; do sleep 0.1; done").strip()
    eventually_sync((home / "begun").exists)
    url = hub.running(config)
    assert url
    write_until_refused(url)
    (home / "go").touch()
    log = home / ".local/state/relayq/background-worker.log"
    eventually_sync(lambda: "cannot write to its disk" in log.read_text(), timeout_s=40)
    disk.free()
    eventually_sync(lambda: state_of(job) == "SUCCEEDED", timeout_s=40)

"""A hub's data goes into a file and comes back: every job, result and schedule, or nothing at all."""

from __future__ import annotations

import gzip
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from relayq.cli.main import main
from relayq.errors import HubDenied, RelayQError
from relayq.hub.backup import backup, restore
from relayq.store.hub import Hub, load_library
from relayq.store.jobs import Jobs
from relayq.store.logs import Logs
from relayq.store.wire import encode
from tests.integration.worker_support import Rig
from tests.security.hub_support import RoleHub
from tests.support import ENGINE, PrivateServer


@pytest.fixture
def other() -> Iterator[PrivateServer]:
    """Another server, with the other engine where that is here: nothing depends on which."""
    server = PrivateServer(engine="redis" if ENGINE == "valkey" else "valkey").start()
    yield server
    server.close()


def tell(_: str) -> None:
    """Nobody looks."""


def everything(server: PrivateServer) -> dict[bytes, Any]:
    """Every key and what is in it; streams with the id after which they go on."""
    with redis.Redis(unix_socket_path=str(server.socket)) as client:
        found: dict[bytes, Any] = {}
        for key in client.scan_iter("{rq:*"):
            kind = client.type(key)
            reads: dict[bytes, Any] = {
                b"string": client.get, b"hash": client.hgetall, b"set": client.smembers,
                b"list": lambda k: client.lrange(k, 0, -1),
                b"zset": lambda k: client.zrange(k, 0, -1, withscores=True),
                b"stream": lambda k: (client.xrange(k), client.xinfo_stream(k)["last-generated-id"]),
            }  # fmt: skip
            found[key] = (kind, reads[kind](key), client.ttl(key) > 0)
        return found


async def test_a_whole_fleet_comes_back(
    hub_url: str, hub_server: PrivateServer, other: PrivateServer, fleet: str, home: Path
) -> None:
    rig = Rig(hub_url, fleet, home)
    async with rig.hub, rig.worker():
        done = [await rig.submit(f"echo out {n}; exit {n % 2}") for n in range(6)]
        array = await rig.submit("echo $RELAYQ_ARRAY_INDEX", array=3)
        for job in (*done, array):
            await rig.ended(job)
    async with rig.hub:
        await rig.submit("true", delay="1h", unique="only-one", limits={"license": 1}, priority=3)
        await rig.submit("true", after=[{"job": done[0], "on": "any"}])
        file = home / "hub.backup"
        before = everything(hub_server)
        assert backup(hub_url, file, tell) == len(before)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert restore(other.url, file, tell) == len(before)
        assert everything(other) == before
    await load_library(other.url, fleet)
    async with Hub(other.url, fleet, rig.standing().reader()) as hub:
        records = {record.id: record for record in await Jobs(hub).list_jobs()}
        assert len(records) == 9
        assert [records[job].exit_code for job in done] == [0, 1, 0, 1, 0, 1]
        assert b"".join(entry.data for entry in await Logs(hub).read(done[3])) == b"out 3\n"


async def test_large_and_empty_things_come_back(
    hub_url: str, hub_server: PrivateServer, other: PrivateServer, home: Path
) -> None:
    with redis.Redis(unix_socket_path=str(hub_server.socket)) as client:
        client.set("{rq:x}:b:1", bytes(range(256)) * 4096)
        client.zadd("{rq:x}:done", {f"job{n}": n + 0.123 for n in range(2_000)})
        client.hset("{rq:x}:n", mapping={f"f{n}": n for n in range(1_201)})
        client.rpush("{rq:x}:dep", *range(1_001))
        client.set("{rq:x}:uq", "1", px=3_600_000)
        for _ in range(3):
            client.xadd("{rq:x}:ev", {"a": "b"})
        client.xtrim("{rq:x}:ev", maxlen=0)
        client.set("not-ours", "1")
    before = everything(hub_server)
    backup(hub_url, home / "b", tell)
    restore(other.url, home / "b", tell)
    assert everything(other) == before
    assert len(before) == 6


def test_writers_wait_while_it_is_read_and_go_on_afterwards(
    hub_url: str, hub_server: PrivateServer, home: Path
) -> None:
    with redis.Redis(unix_socket_path=str(hub_server.socket), socket_timeout=5) as client:
        client.set("{rq:x}:a", "1")
        backup(hub_url, home / "b", tell)
        assert client.set("{rq:x}:a", "2")


def test_a_hub_with_jobs_is_not_restored_into(hub_url: str, hub_server: PrivateServer, home: Path) -> None:
    with redis.Redis(unix_socket_path=str(hub_server.socket)) as client:
        client.hset("{rq:x}:j:1", "s", "R")
        backup(hub_url, home / "b", tell)
        with pytest.raises(RelayQError, match="has jobs already"):
            restore(hub_url, home / "b", tell)
        assert client.hgetall("{rq:x}:j:1") == {b"s": b"R"}


def test_the_roster_of_the_new_hub_stays(
    hub_url: str, hub_server: PrivateServer, other: PrivateServer, home: Path
) -> None:
    with (
        redis.Redis(unix_socket_path=str(hub_server.socket)) as old,
        redis.Redis(unix_socket_path=str(other.socket)) as new,
    ):
        old.set("{rq:x}:roster", "roster 3 old")
        old.set("{rq:y}:roster", "roster 1 other fleet")
        new.set("{rq:x}:roster", "roster 9 new")
        backup(hub_url, home / "b", tell)
        restore(other.url, home / "b", tell)
        assert new.get("{rq:x}:roster") == b"roster 9 new"
        assert new.get("{rq:y}:roster") == b"roster 1 other fleet"


@pytest.mark.parametrize(
    "content",
    [
        b"", b"nonsense", gzip.compress(b"nonsense\n"), gzip.compress(b"relayq-backup 1 5\n"),
        gzip.compress(b"relayq-backup 1 1\n" + encode(["DEL", "{rq:x}:a"]))[:-9],
        gzip.compress(b"relayq-backup 1 1\n" + encode(["DEL", "{rq:x}:a"]) + encode(["FLUSHALL", "x"])),
        gzip.compress(b"relayq-backup 1 1\n" + encode(["DEL", "strange"])),
        gzip.compress(b"relayq-backup 1 1\n*1\r\n$3\r\nDEL\r\n"),
        gzip.compress(b"relayq-backup 1 1\n*9999999999\r\n"),
    ],
    ids=range(9),
)  # fmt: skip
def test_a_file_that_is_no_whole_backup_restores_nothing(hub_url: str, home: Path, content: bytes) -> None:
    file = home / "b"
    file.write_bytes(content)
    with pytest.raises(RelayQError, match=r"not a whole backup|has jobs already"):
        restore(hub_url, file, tell)


def test_what_cannot_be_is_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hub", "restore", str(home / "none")]) == 2
    assert "cannot be read: No such file" in capsys.readouterr().err
    assert main(["hub", "backup", str(home / "no" / "where")]) == 125
    assert "cannot be written to" in capsys.readouterr().err
    (home / "here").write_text("x")
    assert main(["hub", "backup", str(home / "here")]) == 2
    assert "is there already" in capsys.readouterr().err
    assert main(["hub", "stop"]) == 0


def test_a_worker_may_not_take_the_hub_home(fleet: str, home: Path) -> None:
    hub = RoleHub(fleet, ENGINE)
    hub.add("worker", "mini")
    hub.start()
    try:
        with pytest.raises(HubDenied, match="by its owner alone"):
            backup(hub.url("w-mini"), home / "b", tell)
        assert backup(hub.url(), home / "b", tell) == 0
        assert restore(hub.url(), home / "b", tell) == 0
    finally:
        hub.close()

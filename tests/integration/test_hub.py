"""The embedded hub: started once, found by everybody, restarted with its data, gone when unused."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from relayq import hub
from relayq.config import Config, load
from relayq.errors import HubError, HubUnreachable
from relayq.hub import embedded, server
from relayq.hub.caretaker import watch
from relayq.hub.place import Place, place_of, read_record
from relayq.hub.process import Process, command_line
from relayq.model.lifecycle import State
from relayq.store.hub import Hub
from relayq.store.scripts import SCHEMA
from relayq.store.wire import Wire, WireReplyError
from tests.support import ENGINE, PrivateServer, eventually_sync, processes_of

START = "from relayq import hub; from relayq.config import load; print(hub.start(load()), end='')"


@pytest.fixture
def config(home: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """The configuration of somebody who has none; on the engine that the run is about."""
    if ENGINE == "redis":
        monkeypatch.setattr(server, "packaged_binary", lambda: None)
    return load()


@pytest.fixture
def place(config: Config) -> Place:
    """Where that person's hub lives."""
    return place_of(config)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub that is given up sooner than a slow machine deserves."""
    for name in ("PING_S", "START_S", "STOP_S"):
        monkeypatch.setattr(embedded, name, 0.5)


def server_of(place: Place) -> Process:
    """The process that was written down."""
    process, _ = read_record(place)
    assert process is not None
    return process


def call(config: Config, *words: object) -> object:
    """One command to the running hub."""
    url = hub.running(config)
    assert url
    wire = Wire(url)
    try:
        return wire.call(*words)
    finally:
        wire.close()


def servers(home: Path) -> list[int]:
    """The server processes under a home."""
    return [pid for pid in processes_of(home) if "relayq-hub" in command_line(pid)]


def caretakers(home: Path) -> list[int]:
    """The caretaker processes under a home."""
    return [pid for pid in processes_of(home) if "relayq.hub.caretaker" in command_line(pid)]


@pytest.fixture
def unattended(config: Config, place: Place, home: Path) -> Process:
    """A running hub without its caretaker, which the test plays itself."""
    hub.start(config)
    [caretaker] = eventually_sync(lambda: caretakers(home), "the caretaker runs")
    os.kill(caretaker, signal.SIGKILL)
    eventually_sync(lambda: b"connected_clients:1\r" in call(config, "INFO", "clients"))
    return server_of(place)


def test_nothing_runs_before_it_is_needed(config: Config, home: Path) -> None:
    assert hub.running(config) is None
    assert hub.stop(config) is False
    assert list(home.rglob("hub*")) == []


def test_starting_twice_finds_the_first(config: Config, place: Place) -> None:
    url = hub.start(config)
    first = server_of(place)
    assert hub.start(config) == url == hub.running(config)
    assert server_of(place) == first


def test_twenty_processes_at_once_start_one_server(config: Config, home: Path) -> None:
    starters = [
        subprocess.Popen([sys.executable, "-c", START], stdout=subprocess.PIPE, text=True) for _ in range(20)
    ]
    urls = {starter.communicate(timeout=60)[0] for starter in starters}
    assert urls == {hub.running(config)}
    assert len(servers(home)) == 1


def test_the_socket_is_for_this_user_only(config: Config, place: Place) -> None:
    hub.start(config)
    assert stat.S_IMODE(place.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.socket.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(place.data.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) & 0o077 for file in place.data.rglob("*.aof")} == {0}


def test_it_never_listens_on_the_network(config: Config) -> None:
    hub.start(config)
    assert call(config, "CONFIG", "GET", "port") == [b"port", b"0"]


def test_it_keeps_what_it_says(config: Config) -> None:
    hub.start(config)
    wanted = {
        b"appendonly": b"yes",
        b"appendfsync": b"everysec",
        b"aof-use-rdb-preamble": b"no",
        b"save": b"",
        b"maxmemory-policy": b"noeviction",
        b"stream-node-max-bytes": b"1024",
    }
    for name, value in wanted.items():
        assert call(config, "CONFIG", "GET", name) == [name, value]


def test_it_outlives_the_process_that_started_it(config: Config, place: Place, home: Path) -> None:
    subprocess.run([sys.executable, "-c", START], check=True, stdout=subprocess.PIPE)
    assert hub.running(config)
    session = os.getsid(server_of(place).pid)
    assert session not in (os.getsid(0), 0)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_it_inherits_no_secret(config: Config, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_TEST_PASSWORD", "hunter2")
    hub.start(config)
    for pid in processes_of(home):
        assert b"hunter2" not in Path(f"/proc/{pid}/environ").read_bytes()


def test_what_was_acknowledged_survives_kill_9(config: Config, place: Place) -> None:
    wire = Wire(hub.start(config))
    for number in range(500):
        wire.call("SET", f"key:{number}", number)
    eventually_sync(
        lambda: b"aof_pending_bio_fsync:0" in wire.call("INFO", "persistence"), "no fsync is under way"
    )
    wire.call("SET", "last", "word")
    os.kill(server_of(place).pid, signal.SIGKILL)
    wire.close()
    hub.start(config)
    assert call(config, "DBSIZE") == 501
    assert call(config, "GET", "last") == b"word"


def test_a_killed_hub_is_started_anew(config: Config, place: Place) -> None:
    hub.start(config)
    first = server_of(place)
    os.kill(first.pid, signal.SIGKILL)
    eventually_sync(lambda: hub.running(config) is None)
    assert place.socket.exists(), "the stale socket is what this test is about"
    hub.start(config)
    assert server_of(place) != first


def test_whoever_has_had_a_hub_starts_it_after_its_death_alone(config: Config, place: Place) -> None:
    hub.start(config)
    os.kill(server_of(place).pid, signal.SIGKILL)
    eventually_sync(lambda: hub.running(config) is None)
    assert hub.choose_url(config, again=True) == (hub.running(config), True)
    hub.stop(config)
    with pytest.raises(HubUnreachable, match="was stopped: `relayq hub start`"):
        hub.choose_url(config, again=True)
    assert hub.running(config) is None


def test_functions_survive_a_restart(config: Config) -> None:
    hub.start(config)
    code = "#!lua name=probe\nredis.register_function('probe', function() return 'here' end)"
    call(config, "FUNCTION", "LOAD", code)
    hub.stop(config)
    hub.start(config)
    assert call(config, "FCALL", "probe", 0) == b"here"


def test_stopping_keeps_the_data(config: Config, home: Path) -> None:
    hub.start(config)
    call(config, "SET", "kept", "yes")
    assert hub.stop(config) is True
    assert servers(home) == []
    assert hub.running(config) is None
    hub.start(config)
    assert call(config, "GET", "kept") == b"yes"


def test_a_hub_that_still_reads_its_file_is_not_taken_for_a_silent_one(own_server: PrivateServer) -> None:
    wire = Wire(own_server.url)
    wire.pipeline([("SET", f"k{number}", "x") for number in range(5_000)])
    wire.close()
    own_server.kill()
    slowly = ("--key-load-delay", "100", "--loading-process-events-interval-bytes", "1024")
    own_server.options = slowly
    with subprocess.Popen(own_server._argv(), stdout=subprocess.DEVNULL) as server:
        own_server.process = server
        eventually_sync(lambda: embedded.ping(own_server.socket) == embedded.Answer.LOADING, every_s=0.005)
        seen = set()
        eventually_sync(lambda: seen.add(found := embedded.ping(own_server.socket)) or found == "ready")
        assert seen <= {embedded.Answer.LOADING, embedded.Answer.READY}
        own_server.kill()


@pytest.mark.usefixtures("impatient")
def test_a_frozen_hub_is_never_replaced(config: Config, place: Place, home: Path) -> None:
    hub.start(config)
    pid = server_of(place).pid
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(HubUnreachable, match=f"process {pid}.*relayq hub stop"):
            hub.start(config)
        assert servers(home) == [pid]
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.usefixtures("impatient")
def test_a_frozen_hub_without_a_record_is_not_replaced_either(
    config: Config, place: Place, home: Path
) -> None:
    hub.start(config)
    pid = server_of(place).pid
    place.record.unlink()
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(HubUnreachable, match="local hub is not answering"):
            hub.start(config)
        with pytest.raises(HubUnreachable, match="no record says which process"):
            hub.stop(config)
        assert servers(home) == [pid]
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.usefixtures("impatient")
def test_a_frozen_hub_can_be_stopped(config: Config, place: Place, home: Path) -> None:
    hub.start(config)
    os.kill(server_of(place).pid, signal.SIGSTOP)
    assert hub.stop(config) is True
    assert servers(home) == []


@pytest.mark.usefixtures("impatient")
def test_a_hub_whose_socket_was_removed_is_replaced(config: Config, place: Place, home: Path) -> None:
    hub.start(config)
    call(config, "SET", "kept", "yes")
    first = server_of(place)
    place.socket.unlink()
    hub.start(config)
    assert servers(home) == [server_of(place).pid] != [first.pid]
    assert call(config, "GET", "kept") == b"yes"


def test_another_runtime_directory_finds_the_same_hub(config: Config, home: Path, place: Place) -> None:
    url = hub.start(config)
    elsewhere = load({"paths.runtime_dir": str(home / "other")})
    assert place_of(elsewhere).socket != place.socket
    assert hub.start(elsewhere) == url


def test_a_stranger_with_our_pid_is_left_alone(config: Config, place: Place) -> None:
    hub.start(config)
    hub.stop(config)
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        place.record.write_text(f'{{"pid": {stranger.pid}, "born": "1", "socket": "{place.socket}"}}')
        hub.start(config)
        place.record.write_text(f'{{"pid": {stranger.pid}, "born": "1", "socket": "{place.socket}"}}')
        hub.stop(config)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_process_of_our_birth_without_our_mark_is_left_alone(config: Config, place: Place) -> None:
    from relayq.hub.process import born

    hub.start(config)
    hub.stop(config)
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        record = f'{{"pid": {stranger.pid}, "born": "{born(stranger.pid)}", "socket": "{place.socket}"}}'
        place.record.write_text(record)
        hub.stop(config)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_lost_record_does_not_start_a_second_server(config: Config, place: Place, home: Path) -> None:
    url = hub.start(config)
    place.record.unlink()
    assert hub.start(config) == url
    assert len(servers(home)) == 1
    assert hub.stop(config) is True
    assert servers(home) == []


def test_a_ruined_file_is_reported_with_the_log(config: Config, place: Place) -> None:
    hub.start(config)
    call(config, "SET", "key", "value")
    hub.stop(config)
    for file in place.data.rglob("*.incr.aof"):
        file.write_bytes(b"this is not a command\r\n" * 5)
    with pytest.raises(HubError, match=r"did not start .*hub\.log"):
        hub.start(config)


def test_a_half_written_command_is_forgiven(config: Config, place: Place) -> None:
    hub.start(config)
    call(config, "SET", "whole", "yes")
    hub.stop(config)
    for file in place.data.rglob("*.incr.aof"):
        file.write_bytes(file.read_bytes() + b"*3\r\n$3\r\nSET\r\n$4\r\nha")
    hub.start(config)
    assert call(config, "GET", "whole") == b"yes"


def test_a_directory_open_to_others_is_closed(config: Config, place: Place) -> None:
    place.data.mkdir(parents=True)
    place.data.chmod(0o777)
    hub.start(config)
    assert stat.S_IMODE(place.data.stat().st_mode) == 0o755


def test_a_home_with_a_long_path_has_a_short_socket(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAYQ_STATE_DIR", str(home / ("long" * 20)))
    config = load()
    assert hub.start(config) == f"unix://{place_of(config).socket}"
    assert len(str(place_of(config).socket)) < 100
    hub.stop(config)
    place_of(config).socket.parent.rmdir()


def test_a_named_hub_is_taken_as_it_is(home: Path) -> None:
    assert hub.choose_url(load({"hub.url": "redis://example.org:7777"})) == (
        "redis://example.org:7777",
        False,
    )


def test_without_a_name_the_private_hub_is_started(config: Config) -> None:
    assert hub.choose_url(config) == (hub.running(config), True)


def test_status_describes_the_hub(config: Config, place: Place) -> None:
    assert hub.status(config)["running"] is False
    url = hub.start(config)
    shown = hub.status(config)
    assert shown["url"] == url
    assert shown["socket"] == str(place.socket)
    assert shown["pid"] == server_of(place).pid
    assert shown["server"] in ("valkey", "redis")
    assert shown["role"] == "master"
    assert shown["persistence"] == {"append_only": True, "last_write_ok": True, "loading": False}
    assert (shown["schema"], shown["workers"], shown["jobs"]) == (None, 0, {})


async def test_status_counts_the_jobs_of_the_fleet(config: Config) -> None:
    url = await asyncio.to_thread(hub.start, config)
    async with Hub(url, "home"):
        pass
    shown = await asyncio.to_thread(hub.status, config)
    assert shown["schema"] == SCHEMA
    assert shown["jobs"] == dict.fromkeys(State, 0)


def test_a_named_hub_that_is_not_there_is_an_error(home: Path) -> None:
    config = load({"hub.url": f"unix://{home}/nobody.sock"})
    with pytest.raises(HubUnreachable, match="cannot be reached"):
        hub.status(config)


def test_an_unused_hub_leaves(unattended: Process, place: Place, home: Path) -> None:
    watch(place, unattended, idle_s=0.2, look_s=0.05)
    assert servers(home) == []
    assert not place.record.exists()


def test_a_hub_with_a_client_stays(unattended: Process, config: Config, place: Place, home: Path) -> None:
    wire = Wire(hub.start(config))
    wire.call("PING")
    caretaker = threading.Thread(target=watch, args=(place, unattended, 0.2, 0.05))
    caretaker.start()
    caretaker.join(1.0)
    assert caretaker.is_alive()
    assert servers(home)
    wire.close()
    caretaker.join(10)
    assert servers(home) == []


def test_a_hub_with_a_waiting_job_stays(
    unattended: Process, config: Config, place: Place, home: Path
) -> None:
    call(config, "HSET", "{rq:home}:n", "R", 1)
    caretaker = threading.Thread(target=watch, args=(place, unattended, 0.2, 0.05))
    caretaker.start()
    caretaker.join(1.0)
    assert caretaker.is_alive()
    assert servers(home)
    call(config, "HSET", "{rq:home}:n", "R", 0, "S", 1)
    caretaker.join(10)
    assert servers(home) == []


def test_the_caretaker_leaves_with_its_server(config: Config, place: Place, home: Path) -> None:
    hub.start(config)
    eventually_sync(lambda: caretakers(home), "the caretaker runs")
    os.kill(server_of(place).pid, signal.SIGKILL)
    eventually_sync(lambda: processes_of(home) == [], "the caretaker has left")


def test_memory_is_refused_not_evicted(config: Config) -> None:
    hub.start(config)
    call(config, "CONFIG", "SET", "maxmemory", "1")
    with pytest.raises(WireReplyError, match="OOM"):
        call(config, "SET", "key", "value")

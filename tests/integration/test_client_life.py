"""The sync client through forks, between threads, and at its end."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from relayq.client.sync import Client
from relayq.errors import HubUnreachable, RelayQError
from relayq.model.job import JobSpec
from relayq.model.lifecycle import State
from tests.integration.client_support import running_worker
from tests.support import eventually_sync

CHILD_S = 20
CLOSED = 7


@pytest.fixture
def client(hub_url: str, fleet: str, home: Path) -> Iterator[Client]:
    """A client whose jobs run, and which has waited for one."""
    with running_worker(hub_url, fleet, home, "--slots", "4"), Client(hub_url, fleet=fleet) as client:
        assert client.run("echo the parent").get(20) == "the parent\n"
        yield client


def in_a_child(client: Client, number: int) -> int:
    """A child that submits and waits with its parent's client; its process id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        threading.Timer(CHILD_S, os._exit, (CLOSED,)).start()
        client.submit_many(JobSpec(command="true", name=f"{number}") for _ in range(3))
        os._exit(client.run(f"echo {number}").get(CHILD_S) != f"{number}\n")
    finally:
        os._exit(CLOSED)


def test_children_and_their_parent_use_one_client_at_once(client: Client) -> None:
    children = [in_a_child(client, number) for number in range(3)]
    handles = [client.run(f"echo parent {number}") for number in range(5)]
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    assert [handle.get(20) for handle in handles] == [f"parent {number}\n" for number in range(5)]


def test_a_handle_is_good_in_a_child(client: Client) -> None:
    handle = client.run("echo both")
    child = os.fork()
    if not child:
        threading.Timer(CHILD_S, os._exit, (CLOSED,)).start()
        os._exit(0 if handle.get(CHILD_S) == "both\n" else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert handle.get(20) == "both\n"


def test_closing_a_client_ends_the_waits_of_other_threads(client: Client) -> None:
    handle, ended, begun = client.run("echo up; sleep 60"), list[BaseException](), threading.Event()

    def wait() -> None:
        try:
            for _ in handle.logs(follow=True):
                begun.set()
        except BaseException as error:
            ended.append(error)

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    assert begun.wait(20)
    client.close()
    waiting.join(20)
    assert [(type(error), str(error)) for error in ended] == [
        (RelayQError, "the client was closed while this waited; jobs go on")
    ]
    assert handle.cancel()
    assert handle.wait(20) is State.CANCELLED


def test_a_hub_that_is_away_leaves_neither_threads_nor_files_behind(home: Path) -> None:
    before = threading.active_count(), len(os.listdir("/proc/self/fd"))
    with Client("redis://127.0.0.1:1") as client:
        for _ in range(5):
            with pytest.raises(HubUnreachable):
                client.worker_status()
    eventually_sync(lambda: threading.active_count() <= before[0], "its threads have ended")
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= before[1]


def test_a_client_that_is_forgotten_goes_when_nobody_needs_it_any_more(client: Client) -> None:
    before = threading.active_count()
    for number in range(3):
        entries = another(client).run(f"echo {number}").logs(follow=True)
        gc.collect()
        assert [entry.data for entry in entries] == [f"{number}\n".encode()]
    del entries
    gc.collect()
    eventually_sync(lambda: threading.active_count() <= before, "its threads have ended")


def another(client: Client) -> Client:
    """A client of the same fleet."""
    submitter = client.far()[1].submitter
    return Client(submitter.url, fleet=submitter.fleet)


def test_what_is_mapped_may_come_one_by_one(client: Client) -> None:
    assert client.map("echo {}", (word for word in ("a", "b"))).get(20) == ["a\n", "b\n"]

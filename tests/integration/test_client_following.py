"""Output that is followed while the hub goes away and comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from relayq.client.sync import Client, JobHandle
from relayq.model.lifecycle import State
from relayq.store.records import LogEntry
from tests.integration.client_support import running_worker
from tests.support import PrivateServer, eventually_sync

WAIT = "until [ -e {} ]; do sleep 0.05; done"
WORDS = ("echo a; echo A >&2", "echo b; echo B >&2", "echo c; echo C >&2; echo d; echo D >&2")


class Followed:
    """A job that says its words one gate at a time, and what is shown of them."""

    def __init__(self, client: Client, place: Path) -> None:
        self._gates = [place / str(number) for number in range(len(WORDS))]
        parts = (f"{WAIT.format(gate)}; {words}" for gate, words in zip(self._gates, WORDS, strict=True))
        self.job: JobHandle = client.run("; ".join(parts))
        self._entries: Iterator[LogEntry] = self.job.logs(follow=True)
        self.shown = {1: b"", 2: b""}
        eventually_sync(lambda: self.job.info.state is State.RUNNING)

    def say(self, number: int) -> None:
        """Have it say these words."""
        self._gates[number].touch()

    def see(self, *ends: bytes) -> None:
        """Read on until the two streams end so; to the end of the job without."""
        while not ends or not all(self.shown[stream].endswith(end) for stream, end in enumerate(ends, 1)):
            entry = next(self._entries, None)
            if entry is None:
                return
            self.shown[entry.stream] += entry.data


@pytest.fixture
def followed(own_server: PrivateServer, fleet: str, home: Path, tmp_path: Path) -> Iterator[Followed]:
    """A job that runs and is followed."""
    with running_worker(own_server.url, fleet, home), Client(own_server.url, fleet=fleet) as client:
        yield Followed(client, tmp_path)


def test_following_survives_a_restart_of_the_hub(own_server: PrivateServer, followed: Followed) -> None:
    followed.say(0)
    followed.see(b"a\n", b"A\n")
    own_server.kill()
    followed.say(1)
    followed.say(2)
    own_server.start()
    followed.see()
    assert followed.shown == {1: b"a\nb\nc\nd\n", 2: b"A\nB\nC\nD\n"}


def test_following_survives_a_hub_that_lost_what_was_shown(
    own_server: PrivateServer, followed: Followed
) -> None:
    """Its worker sends the output again, in other pieces under other ids."""
    own_server.remember()
    for number, ends in enumerate(((b"a\n", b"A\n"), (b"b\n", b"B\n"))):
        followed.say(number)
        followed.see(*ends)
    own_server.kill()
    followed.say(2)
    own_server.roll_back()
    followed.see()
    assert followed.shown == {1: b"a\nb\nc\nd\n", 2: b"A\nB\nC\nD\n"}
    assert followed.job.get() == "a\nb\nc\nd\n"

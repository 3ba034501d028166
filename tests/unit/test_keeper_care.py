"""When an attempt needs attention, and what its journal makes of damaged lines."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import time
from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Any

import pytest

from relayq.worker import keeper, tree
from relayq.worker.care import Care, boot_time_s
from relayq.worker.kept import Journal, Kept


@pytest.fixture
def care(tmp_path: Path) -> Care:
    return Care(Journal(str(tmp_path / "journal")), selectors.DefaultSelector())


def attempt(*, ran_s: float = 0.0, **facts: Any) -> Kept:
    known: dict[str, Any] = {"order": "a.1", "dir": "/d", "timeout_ms": 0, "kill_ms": 0, "orphan_ms": 0}
    at_ms = int((time.time() - ran_s) * 1000)
    return Kept(known | {"marks": [], "at_ms": at_ms, "boot": ""} | facts)


@pytest.mark.parametrize(("ran_s", "grace_s"), [(0, 60), (59, 60), (300, 300), (86_400, 600)])
def test_the_usual_grace_is_as_long_as_it_has_run(care: Care, ran_s: float, grace_s: float) -> None:
    care.alone_since = boot_time_s()
    left_s = care.orphan_at(attempt(ran_s=ran_s, orphan_ms=-1)) - time.monotonic()
    assert left_s == pytest.approx(grace_s, abs=0.5)


def test_a_grace_that_is_ordered_counts_from_when_the_worker_left(care: Care) -> None:
    care.alone_since = boot_time_s() - 5
    left_s = care.orphan_at(attempt(ran_s=100, orphan_ms=20_000)) - time.monotonic()
    assert left_s == pytest.approx(15, abs=0.5)


@pytest.mark.skipif(not tree.LINUX, reason="elsewhere only the wall clock tells how old a process is")
@pytest.mark.parametrize("day_s", [86_400, -86_400])
def test_a_clock_that_was_set_between_two_keepers_ends_nothing_early(tmp_path: Path, day_s: int) -> None:
    journal = Journal(str(tmp_path / "journal"))
    kept = attempt(ran_s=day_s, timeout_ms=3_600_000, boot=tree.boot_id())
    kept.pid, kept.start = os.getpid(), tree.start_of(os.getpid())
    for line in kept.lines():
        journal.add(line)
    care = Care(journal, selectors.DefaultSelector())
    left_s = care.due_at(care.kept["a.1"]) - time.monotonic()
    assert 0 < left_s < 3_600


def test_a_torn_line_takes_no_later_one_along_though_the_journal_cannot_be_rewritten(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b'{"order": "torn.1", "di')
    (tmp_path / "journal.new").mkdir()  # as on a disk that is full
    journal = Journal(str(path))
    Care(journal, selectors.DefaultSelector())
    assert "cannot be rewritten" in journal.trouble
    journal.add(attempt().facts())
    assert set(Journal(str(path)).replay()) == {"a.1"}


def test_nobody_is_an_orphan_while_a_worker_is_here(care: Care) -> None:
    care.alone_since = None
    assert care.orphan_at(attempt(orphan_ms=1)) == inf


@pytest.fixture
def lone_keeper(care: Care) -> Iterator[keeper.Keeper]:
    """A keeper in this process, which has its signals back afterwards."""
    before = signal.getsignal(signal.SIGCHLD)
    with socket.socket() as listener:
        one = keeper.Keeper(listener, care.journal)
        yield one
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, before)
        for each in (one.selector, one.near, one.far):
            each.close()


@pytest.mark.skipif(not hasattr(os, "fdatasync"), reason="counts what is used on Linux")
def test_exits_are_made_durable_together_while_others_run_and_else_at_once(
    lone_keeper: keeper.Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    monkeypatch.setattr(keeper, "SYNC_S", 3600.0)  # however slow this machine is
    lone_keeper.care.active["b.1"] = attempt(order="b.1")
    for _ in range(3):
        lone_keeper.care.news = [{"ev": "exit", "key": "a.1"}]
        lone_keeper.publish()
    assert len(synced) == 0
    lone_keeper.sync_at = time.monotonic()
    assert lone_keeper.patience_s() == 0
    lone_keeper.publish()
    assert len(synced) == 1
    lone_keeper.publish()
    assert len(synced) == 1
    lone_keeper.care.active.clear()
    lone_keeper.care.news = [{"ev": "exit", "key": "b.1"}]
    lone_keeper.publish()
    assert len(synced) == 2


def test_nothing_to_do_is_nothing_to_wait_for(care: Care) -> None:
    assert care.patience_s() == inf


def test_a_journal_keeps_what_it_is_told(tmp_path: Path) -> None:
    kept = attempt(orphan_ms=5)
    kept.pid, kept.start = 7, 8
    kept.exit = {"exit": "a.1", "code": 3, "reason": "exit", "run_ms": 1, "note": ""}
    journal = Journal(str(tmp_path / "journal"))
    for line in kept.lines():
        journal.add(line)
    assert [list(entry.lines()) for entry in journal.replay().values()] == [list(kept.lines())]
    journal.rewrite([kept])
    assert [list(entry.lines()) for entry in journal.replay().values()] == [list(kept.lines())]
    journal.add({"forget": ["a.1"]})
    assert journal.replay() == {}


def test_a_journal_that_cannot_be_rewritten_stays(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "journal"))
    for line in attempt().lines():
        journal.add(line)
    (tmp_path / "journal.new").mkdir()
    journal.rewrite([])
    assert "cannot be rewritten" in journal.trouble
    assert journal.replay().keys() == {"a.1"}

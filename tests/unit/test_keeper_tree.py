"""Who belongs to an attempt, decided on process tables written by hand and on this machine's own."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator

import pytest

from relayq.worker import tree
from relayq.worker.tree import Process

KEEPER, ROOT = 50, 100


def table(*rows: tuple[int, int, int, int, int]) -> dict[int, Process]:
    """Rows of pid, parent, group, session, start."""
    return {row[0]: Process(row, zombie=False) for row in rows}


def nobody(_: Process) -> bool:
    return False


MACHINE = table(
    (1, 0, 0, 0, 0),
    (2, 0, 0, 0, 0),
    (KEEPER, 1, KEEPER, KEEPER, 10),
    (ROOT, KEEPER, ROOT, ROOT, 20),
    (101, ROOT, ROOT, ROOT, 21),
    (102, 101, 102, 102, 22),
    (103, 102, 102, 102, 23),
    (104, KEEPER, ROOT, ROOT, 24),
    (200, KEEPER, 200, 200, 30),
)


def test_a_family_is_group_session_and_descendants() -> None:
    assert tree.family(MACHINE, ROOT, 20, nobody) == [ROOT, 101, 102, 103, 104]


def test_what_is_claimed_belongs_with_all_its_descendants() -> None:
    found = tree.family(MACHINE, 0, 20, lambda process: process.pid == 102)
    assert found == [102, 103]


def test_an_attempt_without_a_process_has_no_group_and_no_session() -> None:
    assert tree.family(MACHINE, 0, 0, nobody) == []


def test_nothing_older_than_the_attempt_belongs_to_it() -> None:
    assert tree.family(MACHINE, ROOT, 23, lambda _: True) == [103, 104, 200]


def test_this_process_is_in_both_tables() -> None:
    by_proc, by_ps = tree.snapshot_by_proc(), tree.snapshot_by_ps()
    me = os.getpid()
    assert by_ps[me].parent == by_proc[me].parent == os.getppid()
    assert by_ps[me].group == by_proc[me].group == os.getpgrp()


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "1000"], env={"MARK": "1", "OTHER": "2"}, cwd="/tmp") as process:
        yield process
        process.kill()


def test_a_mark_is_read_from_the_environment(sleeper: subprocess.Popen[bytes]) -> None:
    assert tree.carries(sleeper.pid, [b"MARK=1"])
    assert tree.carries(sleeper.pid, [b"MARK=1", b"OTHER=2"])
    assert not tree.carries(sleeper.pid, [b"MARK=1", b"OTHER=3"])
    assert not tree.carries(sleeper.pid, [])


def test_a_process_works_in_its_directory(sleeper: subprocess.Popen[bytes]) -> None:
    assert tree.works_in(sleeper.pid, "/tmp")
    assert not tree.works_in(sleeper.pid, "/tm")


def test_a_process_is_known_by_pid_and_start(sleeper: subprocess.Popen[bytes]) -> None:
    start = tree.start_of(sleeper.pid)
    assert start > 0
    assert tree.still_runs(sleeper.pid, start, 0)
    assert not tree.still_runs(sleeper.pid, start + 1, 0)
    sleeper.kill()
    sleeper.wait()
    assert not tree.still_runs(sleeper.pid, start, 0)


def test_without_proc_a_process_is_known_by_its_age(
    sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "LINUX", False)
    now_ms = int(time.time() * 1000)
    assert tree.still_runs(sleeper.pid, 0, now_ms)
    assert not tree.still_runs(sleeper.pid, 0, now_ms - 60_000)
    assert not tree.still_runs(2**22 - 1, 0, now_ms)


def test_without_proc_the_table_comes_from_ps(
    sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "LINUX", False)
    assert sleeper.pid in tree.descendants(tree.snapshot(), {os.getpid()})
    assert tree.children() == set()

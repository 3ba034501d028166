"""The worker's journal and replay ledger: what is on disk is what was promised."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayq.errors import WorkerError
from relayq.store.records import Report
from relayq.worker.spool import Ending, OpenAttempt, Spool, _pack, _unpack
from relayq.worker.tree import AT_BOOT_S

FAR = 4_000_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.db"


@pytest.fixture
def spool(path: Path) -> Iterator[Spool]:
    spool = Spool(path)
    yield spool
    spool.close()


def opened(job: str, attempt: int = 1) -> OpenAttempt:
    return OpenAttempt(job=job, attempt=attempt, failures=1, exp_s=FAR, body=b"{}")


def ending(job: str, attempt: int = 1, *, done: bool = True, exp_s: int = FAR) -> Ending:
    report = Report(
        job=job, attempt=attempt, outcome="ok" if done else "failed", retry=not done, result=b"\x00\n1"
    )
    return Ending(job=job, attempt=attempt, exp_s=exp_s, done=done, report=report)


def after_a_crash(path: Path) -> Spool:
    """What another process finds when this one is killed now."""
    return Spool(path)


async def test_a_claim_is_on_disk_before_anything_starts(spool: Spool, path: Path) -> None:
    await spool.claimed([opened("A"), opened("B", 3)])
    again = after_a_crash(path)
    assert again.opened() == [opened("A"), opened("B", 3)]
    again.close()


async def test_an_exit_is_on_disk_before_it_is_reported(spool: Spool, path: Path) -> None:
    await spool.claimed([opened("A")])
    await spool.ended([ending("A")])
    again = after_a_crash(path)
    (found,) = again.opened()
    assert found.report == ending("A").report
    assert again.past("A").done
    again.close()


async def test_an_exit_that_the_keeper_remembers_rides_along(spool: Spool, path: Path) -> None:
    spool.ended_elsewhere([ending("A")])
    assert spool.past("A").done
    again = after_a_crash(path)
    assert again.past("A") is None
    await spool.claimed([opened("B")])
    assert again.past("A").done
    again.close()


async def test_an_acknowledged_attempt_is_closed_and_stays_in_the_ledger(spool: Spool, path: Path) -> None:
    await spool.claimed([opened("A"), opened("B")])
    await spool.ended([ending("A")])
    spool.acknowledged([("A", 1)])
    await spool.flush()
    assert spool.opened() == [opened("B")]
    assert spool.past("A").done


async def test_an_acknowledgement_does_not_close_the_next_attempt(spool: Spool) -> None:
    await spool.claimed([opened("A", 1)])
    spool.acknowledged([("A", 1)])
    await spool.claimed([opened("A", 2)])
    assert spool.opened() == [opened("A", 2)]


async def test_an_attempt_that_may_be_followed_by_another_is_not_done(spool: Spool) -> None:
    await spool.ended([ending("A", done=False)])
    assert not spool.past("A").done
    assert spool.past("A").attempt == 1


async def test_what_has_expired_is_forgotten(spool: Spool) -> None:
    await spool.ended([ending("old", exp_s=100), ending("new")])
    await spool.prune(200)
    assert spool.past("old") is None
    assert spool.past("new")


async def test_a_clock_that_was_set_back_is_noticed_after_a_restart(path: Path) -> None:
    first = Spool(path)
    assert first.high_water_s(1000) == 1000
    first.close()
    second = Spool(path)
    assert second.high_water_s(500) == 1000
    second.close()


async def test_failures_are_counted_also_in_the_ledger_of_an_earlier_version(path: Path) -> None:
    Spool(path).close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("ALTER TABLE ledger DROP COLUMN failed")
        db.execute("INSERT INTO ledger VALUES ('A', 1, 0, ?, NULL)", (FAR,))
        db.commit()
    with contextlib.closing(Spool(path)) as spool:
        assert spool.past("A").failed == 0
        await spool.ended([replace(ending("A", 2, done=False), failed=2)])
        assert spool.past("A").failed == 2
    with contextlib.closing(Spool(path)) as again:
        assert again.past("A").failed == 2


async def test_what_an_earlier_version_held_is_held_with_no_limits_beyond_the_spec(path: Path) -> None:
    Spool(path).close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        for column in ("again_s", "timeout_ms", "keep_output_bytes"):
            db.execute(f"ALTER TABLE open DROP COLUMN {column}")
        db.execute("INSERT INTO open VALUES ('A', 1, 1, ?, ?)", (FAR, b"{}"))
        db.commit()
    limited = replace(opened("B"), again_s=5, timeout_ms=6, keep_output_bytes=7)
    with contextlib.closing(Spool(path)) as spool:
        await spool.claimed([limited])
    with contextlib.closing(Spool(path)) as again:
        assert again.opened() == [opened("A"), limited]


def test_a_directory_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="cannot be used"):
        Spool(tmp_path / "missing" / "spool.db")


async def test_a_full_disk_is_a_sentence_and_nothing_is_forgotten(path: Path) -> None:
    spool = Spool(path)
    spool._writer.execute(
        f"PRAGMA max_page_count = {spool._writer.execute('PRAGMA page_count').fetchone()[0]}"
    )
    spool.ended_elsewhere([ending("A")])
    big = OpenAttempt(job="B", attempt=1, failures=1, exp_s=FAR, body=bytes(60_000))
    with pytest.raises(WorkerError, match="cannot be written"):
        await spool.claimed([big])
    assert spool.opened() == []
    assert spool.past("A").done
    spool._writer.execute("PRAGMA max_page_count = 100000")
    await spool.claimed([big])
    assert spool.opened() == [big]
    spool.close()


def test_a_file_that_is_no_database_is_a_sentence(path: Path) -> None:
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(WorkerError, match="cannot be used"):
        Spool(path)
    with pytest.raises(sqlite3.DatabaseError):
        sqlite3.connect(path).execute("PRAGMA schema_version").fetchone()


@given(
    st.builds(
        Report,
        job=st.text(max_size=40),
        attempt=st.integers(1, 10**9),
        outcome=st.sampled_from(["ok", "failed", "timeout"]),
        exit_code=st.integers(-1, 255),
        reason=st.text(max_size=60),
        retry=st.booleans(),
        run_ms=st.integers(0, 10**12),
        result=st.binary(max_size=200),
    )
)
def test_every_report_reads_back(report: Report) -> None:
    assert _unpack(_pack(report, "boot"), "boot") == report


def test_what_ended_before_the_machine_was_switched_on_anew_ended_then_at_the_latest() -> None:
    report = Report(job="A", attempt=1, outcome="ok", ended_at=86_400.0)
    assert _unpack(_pack(report, "boot"), "boot") == report
    told = _unpack(_pack(report, "boot"), "another")
    assert told == replace(report, ended_at=AT_BOOT_S)
    unseen = replace(report, ended_at=0.0)
    assert _unpack(_pack(unseen, "boot"), "another") == unseen

"""What attempts leave on the disk of a worker, and for how long."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from relayq.config import load
from relayq.worker import retention
from relayq.worker.retention import Retention
from relayq.worker.statedir import StateDir

HOUR_S = 3600
DAY_S = 24 * HOUR_S


class Disk:
    """A worker's directory with attempts in it."""

    def __init__(self, root: Path, **settings: object) -> None:
        self.dir = StateDir(root, "w1")
        config = load({f"worker.{name}": value for name, value in settings.items()}).worker
        self.retention = Retention(self.dir, config)

    def attempt(self, name: str, age_s: float, *, out: bytes = b"said", work: bool = False) -> Path:
        """An attempt that ended so long ago."""
        place = self.dir.attempts / name
        place.mkdir()
        (place / "out").write_bytes(out)
        (place / "err").touch()
        if work:
            (place / "work").mkdir()
            (place / "work" / "x").touch()
        os.utime(place, (time.time() - age_s,) * 2)
        return place

    def left(self) -> list[str]:
        """What is there, by path below the attempts."""
        paths = self.dir.attempts.glob("*/*")
        return sorted(str(path.relative_to(self.dir.attempts)) for path in paths if path.name != "err")


@pytest.fixture
def disk(home: Path, tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def test_a_log_is_kept_for_three_days(disk: Disk) -> None:
    disk.attempt("old", 3 * DAY_S + HOUR_S)
    disk.attempt("young", 3 * DAY_S - HOUR_S)
    disk.retention.prune(set())
    assert disk.left() == ["young/out"]


def test_a_work_directory_is_kept_for_a_day_and_its_log_stays_without_looking_younger(disk: Disk) -> None:
    place = disk.attempt("failed", 2 * DAY_S, work=True)
    disk.attempt("lately", HOUR_S, work=True)
    before_s = place.stat().st_mtime
    disk.retention.prune(set())
    assert disk.left() == ["failed/out", "lately/out", "lately/work"]
    assert place.stat().st_mtime == before_s


def test_a_work_directory_may_outlive_its_log(home: Path, tmp_path: Path) -> None:
    disk = Disk(tmp_path, keep_logs="1h", keep_workdir="1d")
    disk.attempt("failed", 2 * HOUR_S, work=True)
    disk.retention.prune(set())
    assert disk.left() == ["failed/work"]


def test_what_is_held_is_not_touched_however_old_it_is(disk: Disk) -> None:
    disk.attempt("running", 30 * DAY_S, work=True)
    disk.attempt("fetching.new", 30 * DAY_S, work=True)
    disk.retention.prune({"running", "fetching"})
    assert disk.left() == ["fetching.new/out", "fetching.new/work", "running/out", "running/work"]


def test_beyond_the_disk_space_for_logs_the_oldest_goes_first(home: Path, tmp_path: Path) -> None:
    disk = Disk(tmp_path, max_logs="100K")
    for hours in (5, 1, 3):
        disk.attempt(f"{hours}h", hours * HOUR_S, out=b"x" * 40_000, work=True)
    disk.retention.prune(set())
    assert disk.left() == ["1h/out", "1h/work", "3h/out", "3h/work", "5h/work"]


def test_fetched_inputs_go_after_a_day(disk: Disk) -> None:
    for name, age_s in (("old", 2 * DAY_S), ("young", HOUR_S)):
        (disk.dir.files / name).touch()
        os.utime(disk.dir.files / name, (time.time() - age_s,) * 2)
    disk.retention.prune(set())
    assert [path.name for path in disk.dir.files.iterdir()] == ["young"]


def test_after_success_the_log_stays_and_the_work_directory_goes(disk: Disk) -> None:
    place = disk.attempt("ok", 2 * DAY_S, work=True)
    disk.retention.over(str(place), is_ok=True)
    assert disk.left() == ["ok/out"]


def test_after_success_nothing_stays_of_a_job_that_said_nothing(disk: Disk) -> None:
    place = disk.attempt("ok", HOUR_S, out=b"", work=True)
    disk.retention.over(str(place), is_ok=True)
    assert not place.exists()


def test_the_time_of_a_failed_attempt_counts_from_its_end(disk: Disk) -> None:
    place = disk.attempt("failed", 30 * DAY_S, work=True)
    disk.retention.over(str(place), is_ok=False)
    disk.retention.prune(set())
    assert disk.left() == ["failed/out", "failed/work"]


def test_a_look_is_due_at_the_start_and_when_much_was_added(home: Path, tmp_path: Path) -> None:
    disk = Disk(tmp_path, max_logs="100K")
    assert disk.retention.is_due
    disk.retention.prune(set())
    assert not disk.retention.is_due
    place = disk.attempt("ok", 0, out=b"x" * 40_000)
    disk.retention.over(str(place), is_ok=True)
    assert disk.retention.is_due


def test_a_work_directory_of_any_depth_is_removed(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    place = disk.attempt("ok", HOUR_S, work=True)
    monkeypatch.chdir(place / "work")
    for _ in range(1200):
        os.mkdir("d")
        os.chdir("d")
    disk.retention.over(str(place), is_ok=True)
    assert disk.left() == ["ok/out"]


def test_a_disk_with_room_loses_nothing(disk: Disk) -> None:
    disk.attempt("a.1", HOUR_S, work=True)
    disk.retention.make_room(held=set())
    assert disk.left() == ["a.1/out", "a.1/work"]


def test_a_full_disk_loses_everything_that_is_not_held(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "ROOM_BYTES", 1 << 60)
    disk.attempt("a.1", HOUR_S, work=True)
    disk.attempt("b.1", DAY_S)
    disk.retention.make_room(held={"a.1"})
    assert disk.left() == ["a.1/out", "a.1/work"]


def test_a_directory_that_a_job_has_made_beside_its_log_goes_with_the_log(disk: Disk) -> None:
    place = disk.attempt("old", 0)
    (place / "own").mkdir()
    (place / "own" / "x").touch()
    os.utime(place, (time.time() - 4 * DAY_S,) * 2)
    disk.retention.prune(set())
    assert not place.exists()


def test_the_secrets_of_a_log_go_after_all_that_must_be_masked(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = disk.attempt("old", 0)
    for name in ("secrets", "err.cut", "zzz"):
        (place / name).touch()
    os.utime(place, (time.time() - 4 * DAY_S,) * 2)
    gone: list[str] = []
    unlink = os.unlink

    def told(path: Path) -> None:
        gone.append(path.name)
        unlink(path)

    names = sorted(place.iterdir(), key=lambda path: path.name != "secrets")
    monkeypatch.setattr(Path, "iterdir", lambda path: iter([one for one in names if one.exists()]))
    monkeypatch.setattr(Path, "unlink", told)
    disk.retention.prune(set())
    assert len(gone) == 5
    assert gone[-1] == "secrets"

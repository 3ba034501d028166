"""Directories that stand ready for attempts: made ahead, and taken back when nothing was left in them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from relayq.worker import stock
from relayq.worker.statedir import StateDir
from relayq.worker.stock import Stock

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="taken back on Linux alone")


@pytest.fixture
def directory(tmp_path: Path) -> StateDir:
    return StateDir(tmp_path, "w1")


def place_of(directory: StateDir, ready: Stock, key: str = "A.1") -> Path:
    """The place of an attempt for which a ready directory has been taken."""
    place = Path(ready.place(key))
    os.rename(ready.take(str(place)), place)
    return place


def test_as_many_are_made_as_there_are_slots_but_not_too_many(directory: StateDir) -> None:
    ready = Stock(directory, slots=3)
    ready.fill()
    assert len(list(directory.stock.iterdir())) == 3
    Stock(directory, slots=200).fill()
    assert len(list(directory.stock.iterdir())) == stock.AHEAD_MAX


def test_a_ready_one_is_private_and_has_what_a_command_needs(directory: StateDir) -> None:
    ready = Stock(directory, slots=1)
    ready.fill()
    place = place_of(directory, ready)
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in place.iterdir()} == {
        "out": "0o600",
        "err": "0o600",
        "work": "0o700",
    }
    assert place.stat().st_mode & 0o777 == 0o700
    assert ready.take(ready.place("B.1")) == ""  # there is no other


def test_none_is_taken_for_a_place_that_stands(directory: StateDir) -> None:
    ready = Stock(directory, slots=1)
    ready.fill()
    Path(ready.place("A.1")).mkdir()
    assert ready.take(ready.place("A.1")) == ""
    assert ready.take(ready.place("A.2"))


@on_linux
def test_an_untouched_one_serves_again(directory: StateDir) -> None:
    ready = Stock(directory, slots=1)
    ready.fill()
    place = place_of(directory, ready)
    inode = place.stat().st_ino
    assert ready.give(str(place))
    assert not place.exists()
    assert place_of(directory, ready, "B.1").stat().st_ino == inode


def _write(place: Path) -> None:
    (place / "out").write_text("said")


def _leave_a_file(place: Path) -> None:
    (place / "work" / "model.bin").touch()


def _leave_progress(place: Path) -> None:
    (place / "progress").touch()


def _link_elsewhere(place: Path) -> None:
    (place / "err").unlink()
    (place / "err").symlink_to("/etc/hostname")


def _link_twice(place: Path) -> None:
    os.link(place / "out", place.parent / "listening")


def _open_up(place: Path) -> None:
    (place / "out").chmod(0o644)


def _open_work_up(place: Path) -> None:
    (place / "work").chmod(0o777)


def _lead_work_elsewhere(place: Path) -> None:
    (place / "work").rmdir()
    (place.parent / "elsewhere").mkdir()
    (place / "work").symlink_to(place.parent / "elsewhere")


def _remove(place: Path) -> None:
    (place / "out").unlink()


@on_linux
@pytest.mark.parametrize(
    "touch",
    [
        _write,
        _leave_a_file,
        _leave_progress,
        _link_elsewhere,
        _link_twice,
        _open_up,
        _open_work_up,
        _lead_work_elsewhere,
        _remove,
    ],
)
def test_one_that_was_touched_does_not(directory: StateDir, touch: object) -> None:
    ready = Stock(directory, slots=1)
    ready.fill()
    place = place_of(directory, ready)
    touch(place)  # type: ignore[operator]
    assert not ready.give(str(place))
    assert place.exists()
    assert ready.take(ready.place("B.1")) == ""


@on_linux
def test_no_more_are_kept_than_is_sensible(directory: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stock, "KEPT_MAX", 2)
    ready = Stock(directory, slots=3)
    ready.fill()
    place = place_of(directory, ready)
    assert not ready.give(str(place))
    assert place.exists()


@on_linux
def test_what_an_earlier_worker_left_is_used_up(directory: StateDir) -> None:
    Stock(directory, slots=2).fill()
    spoiled, good = sorted(directory.stock.iterdir())
    (spoiled / "work" / "x").touch()
    ready = Stock(directory, slots=2)
    assert list(directory.stock.iterdir()) == [good]
    assert ready.take(ready.place("A.1")) == str(good)


def test_a_full_disk_costs_only_the_advantage(directory: StateDir) -> None:
    ready = Stock(directory, slots=2)
    directory.stock.rmdir()
    directory.stock.touch()
    ready.fill()
    assert ready.take(ready.place("A.1")) == ""


@on_linux
def test_one_that_was_opened_to_others_does_not_serve_again(directory: StateDir) -> None:
    ready = Stock(directory, slots=1)
    ready.fill()
    place = place_of(directory, ready)
    place.chmod(0o755)
    assert not ready.give(str(place))

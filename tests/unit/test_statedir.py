"""A worker's directory: what makes it this one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from relayq.worker import statedir
from relayq.worker.statedir import StateDir


def test_a_copied_memory_card_is_another_instance_and_a_restart_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serial = tmp_path / "serial-number"
    monkeypatch.setattr(statedir, "SERIAL", serial)
    serial.write_text("10000000abcdef01\0")
    here = StateDir(tmp_path / "card", "w1")
    first = here.instance()
    assert StateDir(tmp_path / "card", "w1").instance() == first
    shutil.copytree(tmp_path / "card", tmp_path / "copy")
    serial.write_text("10000000abcdef02\0")
    assert StateDir(tmp_path / "copy", "w1").instance() != first


def test_where_boards_have_no_number_the_directory_is_the_instance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statedir, "SERIAL", tmp_path / "nothing")
    first = StateDir(tmp_path, "w1").instance()
    assert first
    assert StateDir(tmp_path, "w1").instance() == first


def test_what_is_not_noted_of_the_boot_is_a_new_one(tmp_path: Path) -> None:
    here = StateDir(tmp_path, "w1")
    assert here.is_new_boot()
    here.note_boot()
    assert not here.is_new_boot()
    (here.path / "boot").write_text("another")
    assert here.is_new_boot()

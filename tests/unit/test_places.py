"""Facts about our directories: ours alone, or a sentence."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from relayq.errors import ConfigError
from relayq.places import private_dir

NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_directory_and_what_is_missing_above_it_are_made_for_the_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = private_dir(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    assert (mode_of(path), mode_of(path.parent)) == (0o700, 0o700)


def test_a_directory_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.mkdir()
    path.chmod(0o750)
    assert mode_of(private_dir(path)) == 0o750


def test_our_own_directory_is_taken_from_others_who_could_write_to_it(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.mkdir()
    path.chmod(0o777)
    assert mode_of(private_dir(path)) == 0o755


@NEEDS_ROOT
def test_a_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.mkdir()
    os.chown(path, 12345, 12345)
    with pytest.raises(ConfigError, match=f"directory {path} belongs to another user"):
        private_dir(path)


@NEEDS_ROOT
def test_a_link_that_another_user_put_there_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    os.chown(link, 12345, 12345, follow_symlinks=False)
    with pytest.raises(ConfigError, match="belongs to another user"):
        private_dir(link)


def test_a_link_of_our_own_is_followed(tmp_path: Path) -> None:
    link = tmp_path / "link"
    (tmp_path / "there").mkdir(mode=0o700)
    link.symlink_to(tmp_path / "there")
    assert private_dir(link) == link


def test_a_file_in_the_place_of_a_directory_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigError, match=f"directory {path} cannot be made: .*; name another one"):
            private_dir(path)


def test_a_directory_that_cannot_be_written_to_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(ConfigError, match=f"directory {tmp_path} cannot be written to; name another one"):
        private_dir(tmp_path)

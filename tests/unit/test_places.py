"""Facts about our directories: ours alone, or a sentence."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from relayq.errors import ConfigError
from relayq.hub.joining import write_private
from relayq.places import private_dir
from relayq.services.plan import File, carry_out
from relayq.trust.book import Book
from relayq.trust.keys import SigningKey, owner_key
from relayq.trust.roster import new_roster, sign_roster
from relayq.worker.kept import Journal
from relayq.worker.statedir import StateDir

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


def write_roster(directory: Path) -> None:
    owner = SigningKey.generate()
    Book(directory, "home", owner.public).accept(sign_roster(owner, new_roster(owner, "home", 1)))


def write_unit(directory: Path) -> None:
    carry_out([File(path=directory / "unit", content="x")], print, as_root=False)


WRITERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "roster": ("rosters", write_roster),
    "owner's key": ("", lambda directory: owner_key(directory / "owner.key")),
    "what joining leaves": ("", lambda directory: write_private(directory / "joined", "x")),
    "a service": ("", write_unit),
    "a worker's own word": ("workers/w1", lambda directory: StateDir(directory, "w1").instance()),
    "the keeper's journal": ("", lambda directory: Journal(str(directory / "journal")).rewrite([])),
}


@pytest.mark.parametrize("what", WRITERS)
def test_what_must_survive_a_power_cut_has_its_name_on_disk_too(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, write = WRITERS[what]
    synced: list[int] = []
    sync = os.fsync

    def note(file: int) -> None:
        synced.append(os.fstat(file).st_ino)
        sync(file)

    monkeypatch.setattr(os, "fsync", note)
    write(tmp_path)
    assert synced.index((tmp_path / place).stat().st_ino) == len(synced) - 1 >= 1

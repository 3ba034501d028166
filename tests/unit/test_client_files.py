"""What goes along with a job, and what comes back: below one directory and nowhere else."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from relayq.client.files import InputFile, items_of, target_below, write_file
from relayq.errors import Refused, RelayQError, SpecError
from relayq.model.job import JobSpec
from relayq.model.parts import MAX_FILE_BYTES


def test_a_file_is_named_by_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one")
    [item] = items_of([tmp_path / "a.txt"])
    assert item == {"name": "a.txt", "sha256": hashlib.sha256(b"one").hexdigest(), "size": 3}


def test_a_file_may_be_called_otherwise_in_the_work_directory(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    assert InputFile.of(f"{tmp_path}/a.txt=b.txt") == (tmp_path / "a.txt", "b.txt")


def test_a_file_whose_own_name_has_an_equals_sign_is_found(tmp_path: Path) -> None:
    (tmp_path / "a=b").touch()
    assert InputFile.of(f"{tmp_path}/a=b") == (tmp_path / "a=b", "a=b")
    assert InputFile.of(tmp_path / "c=d") == (tmp_path / "c=d", "c=d")


@pytest.mark.parametrize(("name", "why"), [("missing", "No such file"), (".", "Is a directory")])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(SpecError, match=f"cannot be read: {why}.*field 'inputs'"):
        items_of([tmp_path / name])


@pytest.mark.parametrize("path", ["/dev/zero", "pipe"])
def test_what_has_no_end_or_is_read_once_is_no_file(tmp_path: Path, path: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SpecError, match="is no file but a pipe or device"):
        items_of([tmp_path / path])


def test_a_file_above_the_limit_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "big").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(SpecError, match="has 16777217 bytes: at most 16M go through the hub"):
        items_of([tmp_path / "big"])


def test_two_inputs_cannot_have_one_name(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    items = items_of([tmp_path / "a", f"{tmp_path}/a=A"])
    with pytest.raises(SpecError, match="two input files are named 'a'"):
        JobSpec.from_dict({"command": "true", "inputs": items})


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../x",
        "/tmp/x",
        "sub/../../x",
        "sub//x",
        "sub/",
        "out/x",
        "a\nb",
        "a\x1b[2Jb",
        "a\x00b",
    ],
)
def test_a_hostile_name_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "out").symlink_to("/tmp")
    with pytest.raises(Refused):
        target_below(tmp_path, name, is_named=True, force=True)


def test_a_hidden_file_is_written_only_when_it_is_named(tmp_path: Path) -> None:
    for name in (".profile", ".ssh/rc"):
        with pytest.raises(Refused, match="hidden"):
            target_below(tmp_path, name)
        assert target_below(tmp_path, name, is_named=True) == tmp_path / name


def test_what_is_there_stays_unless_it_is_forced(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"mine")
    with pytest.raises(RelayQError, match="is there already"):
        target_below(tmp_path, "x")
    write_file(target_below(tmp_path, "x", force=True), [b"new"], force=True)
    assert (tmp_path / "x").read_bytes() == b"new"


def test_a_link_is_replaced_and_never_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"mine")
    below = tmp_path / "below"
    below.mkdir()
    (below / "x").symlink_to(elsewhere)
    with pytest.raises(RelayQError, match="is there already"):
        target_below(below, "x")
    write_file(target_below(below, "x", force=True), [b"new"], force=True)
    assert (elsewhere.read_bytes(), (below / "x").read_bytes()) == (b"mine", b"new")
    assert not (below / "x").is_symlink()


def test_a_file_that_appears_meanwhile_stays(tmp_path: Path) -> None:
    target = target_below(tmp_path, "sub/x")
    target.parent.mkdir()
    target.write_bytes(b"mine")
    with pytest.raises(RelayQError, match="cannot be written: File exists"):
        write_file(target, [b"new"])
    assert target.read_bytes() == b"mine"


def test_a_file_in_place_of_a_directory_is_one_sentence(tmp_path: Path) -> None:
    write_file(target_below(tmp_path, "a"), [b"1"])
    with pytest.raises(RelayQError, match="cannot be written"):
        write_file(target_below(tmp_path, "a/b"), [b"2"])

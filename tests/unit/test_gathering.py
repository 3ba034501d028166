"""Which files a job leaves: a shell's patterns, plain files, nothing that leads out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from relayq.errors import SpecError
from relayq.model.parts import MAX_FILE_BYTES
from relayq.trust.files import new_key
from relayq.worker.gathering import FILES_MAX, find, matching, seal_plain

KEY = new_key()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A work directory."""
    root = tmp_path / "work"
    for name in ("a.txt", "b.log", ".hidden", "d/c.txt", "d/e/f.txt", "d/.git/x.txt", "d/e/g.bin"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.txt", ["a.txt"]),
        ("*", ["a.txt", "b.log"]),
        ("?.log", ["b.log"]),
        ("[ab].*", ["a.txt", "b.log"]),
        ("d/*.txt", ["d/c.txt"]),
        ("*/*/f.txt", ["d/e/f.txt"]),
        ("**/*.txt", ["a.txt", "d/c.txt", "d/e/f.txt"]),
        ("**", ["a.txt", "b.log", "d/c.txt", "d/e/f.txt", "d/e/g.bin"]),
        ("**/**", ["a.txt", "b.log", "d/c.txt", "d/e/f.txt", "d/e/g.bin"]),
        (".", ["a.txt", "b.log", "d/c.txt", "d/e/f.txt", "d/e/g.bin"]),
        ("d/e", ["d/e/f.txt", "d/e/g.bin"]),
        ("d/e/", ["d/e/f.txt", "d/e/g.bin"]),
        ("./a.txt", ["a.txt"]),
        (".h*", [".hidden"]),
        ("d/.git/*", ["d/.git/x.txt"]),
        ("nothing", []),
        ("a.txt/x", []),
    ],
)
def test_patterns_are_a_shells(root: Path, pattern: str, names: list[str]) -> None:
    assert list(matching(root, pattern)) == names


def test_no_link_is_followed(root: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key.txt").write_text("hush")
    (root / "out").symlink_to(secret)
    (root / "key.txt").symlink_to(secret / "key.txt")
    assert list(matching(root, "out/*")) == list(matching(root, "out/key.txt")) == []
    assert "out/key.txt" not in list(matching(root, "**"))
    with pytest.raises(SpecError, match="a link"):
        seal_plain(root, "key.txt", KEY)


@pytest.mark.parametrize("name", ["work", "work/d", "work/d/e"])
def test_a_directory_that_became_a_link_since_it_was_looked_into_is_not_followed(
    root: Path, tmp_path: Path, name: str
) -> None:
    [found] = find(root, ["d/e/f.txt"]).names
    (tmp_path / name).rename(tmp_path / "elsewhere")
    (tmp_path / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SpecError):
        seal_plain(root, found, KEY)
    assert find(root, ["d/e/*"]).names == []


def test_a_pipe_is_not_waited_for(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with pytest.raises(SpecError, match="no plain file"):
        seal_plain(root, "pipe", KEY)


def test_a_file_above_the_limit_stays_behind(root: Path) -> None:
    with (root / "big").open("wb") as file:
        file.truncate(MAX_FILE_BYTES)
    assert seal_plain(root, "big", KEY).size == MAX_FILE_BYTES
    with (root / "big").open("ab") as file:
        file.write(b"x")
    with pytest.raises(SpecError, match="more than 16M"):
        seal_plain(root, "big", KEY)


@pytest.mark.parametrize("name", [b"a\nb", b"\xff.txt", b"a\x1b[2J"])
def test_a_name_that_cannot_be_told_stays_behind(root: Path, name: bytes) -> None:
    (root / os.fsdecode(name)).touch()
    with pytest.raises(SpecError, match="name cannot be told"):
        seal_plain(root, os.fsdecode(name), KEY)


def test_so_many_files_are_taken_and_no_more(root: Path) -> None:
    for number in range(FILES_MAX):
        (root / f"{number:03}.png").touch()
    found = find(root, ["*.png", "*.mp4"])
    assert (len(found.names), found.has_more, found.unmatched) == (FILES_MAX, False, ["*.mp4"])
    found = find(root, ["a.txt", "*.png"])
    assert (found.names[0], len(found.names), found.has_more) == ("a.txt", FILES_MAX, True)


def test_a_directory_that_has_gone_holds_nothing(tmp_path: Path) -> None:
    assert find(tmp_path / "gone", ["*"]).unmatched == ["*"]


def test_a_very_deep_tree_is_not_searched_to_its_ground(tmp_path: Path) -> None:
    ground = tmp_path.joinpath(*["d"] * 100)
    ground.mkdir(parents=True)
    (ground / "x").touch()
    assert find(tmp_path, ["**/x"]).names == []

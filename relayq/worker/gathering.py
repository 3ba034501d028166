"""Find and read the files that a job leaves, by the patterns of its spec.

The patterns are a shell's: `*`, `?`, `[a-z]`, and `**` for any number of directories. A
hidden name is matched only by a pattern that begins with a dot. A directory's own name,
or one with a slash behind it, stands for everything below it.

Only plain files are taken, and no link is followed, neither on the way nor at the end:
what a job leaves lies where it worked, and a link to the worker's own files is not it. Other
jobs may work in the same directory and put a link in the way at any moment, so every path is
opened part by part from the ground up. A root is therefore a real path.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from relayq.errors import SpecError
from relayq.model.duration import format_size
from relayq.model.parts import MAX_FILE_BYTES
from relayq.trust.files import SealedFile, seal_file

FILES_MAX = 64
DEPTH_MAX = 64
NAME_BYTES_MAX = 1024
EVERYTHING = "**"
ON_THE_WAY = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)


class Found(NamedTuple):
    """The first files that match, by name; whether there are more; the patterns that nothing matches."""

    names: list[str]
    has_more: bool
    unmatched: list[str]


def find(root: Path, patterns: Sequence[str]) -> Found:
    """Look for at most FILES_MAX files below `root`."""
    names: dict[str, None] = {}
    unmatched = []
    for pattern in patterns:
        matches = list(islice(matching(root, pattern), FILES_MAX + 1))
        names |= dict.fromkeys(matches)
        if not matches:
            unmatched.append(pattern)
    return Found([*names][:FILES_MAX], len(names) > FILES_MAX, unmatched)


def matching(root: Path, pattern: str) -> Iterator[str]:
    """What is no directory and matches, in order, by its path below `root`."""
    parts = [part for part in pattern.split("/") if part not in ("", ".")]
    if pattern.endswith("/") or not parts:
        parts.append(EVERYTHING)
    twice = [EVERYTHING] * 2
    return _below(str(root), "", [part for at, part in enumerate(parts) if parts[at : at + 2] != twice])


def seal_plain(root: Path, name: str, key: str) -> SealedFile:
    """A plain file, sealed; SpecError says in a few words why it stays behind."""
    if not name.isprintable() or len(name.encode()) > NAME_BYTES_MAX:
        raise SpecError("its name cannot be told")
    try:
        # Without O_NONBLOCK opening a FIFO would wait for somebody to write into it.
        file = _opened(f"{root}/{name}", os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise SpecError("a link" if (root / name).is_symlink() else _reason(error)) from None
    with os.fdopen(file, "rb") as opened:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise SpecError("no plain file")
        try:
            sealed = seal_file(opened.read, key, MAX_FILE_BYTES)
        except OSError as error:
            raise SpecError(_reason(error)) from None
    if sealed.size > MAX_FILE_BYTES:
        raise SpecError(f"{format_size(status.st_size)}, more than {format_size(MAX_FILE_BYTES)}")
    return sealed


def _below(directory: str, prefix: str, parts: list[str]) -> Iterator[str]:
    head, rest = parts[0], parts[1:]
    if head == EVERYTHING:
        yield from _below(directory, prefix, rest or ["*"])
    for entry, is_directory in _entries(directory):
        name = prefix + entry
        if not _fits(entry, head):
            continue
        if not is_directory:
            if not rest and head != EVERYTHING:
                yield name
        elif further := _further(head, rest, depth=name.count("/")):
            yield from _below(f"{directory}/{entry}", f"{name}/", further)


def _further(head: str, rest: list[str], depth: int) -> list[str]:
    """What to look for in a directory that matches `head`; nothing when it is not looked into."""
    if depth > DEPTH_MAX:
        return []
    if head == EVERYTHING:
        return [head, *rest]
    return rest or ([] if re.search(r"[*?[]", head) else [EVERYTHING])


def _fits(name: str, part: str) -> bool:
    if name.startswith(".") and not part.startswith("."):
        return False
    return part == EVERYTHING or fnmatchcase(name, part)


def _entries(directory: str) -> list[tuple[str, bool]]:
    """What is in a directory, in order, and whether it is a directory itself."""
    try:
        place = _opened(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return []
    try:
        with os.scandir(place) as entries:
            return sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
    except OSError:
        return []
    finally:
        os.close(place)


def _opened(path: str, flags: int) -> int:
    """Open an absolute path no part of which is a link."""
    *above, last = path.strip("/").split("/")
    place = os.open("/", ON_THE_WAY)
    try:
        for part in above:
            below = os.open(part, ON_THE_WAY, dir_fd=place)
            os.close(place)
            place = below
        return os.open(last or ".", flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place)
    finally:
        os.close(place)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()

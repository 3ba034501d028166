"""Bring a job its input files, and keep what it leaves, through the hub.

**Inputs** stand in the signed spec by name, digest, size and key, so a job runs on the bytes
its submitter had or not at all: a file that is gone or another one refuses the job. They
are written beside the attempt's directory and become its work directory all at once: a
worker that dies meanwhile has started nothing. What was fetched is kept for a while, sealed
as it came, because the elements of an array take the same files; each use opens it again.

**Outputs** are the files that the spec's patterns name, sealed and put into the hub before the
report that tells of them, however long the hub is away. What is too large, too much or
no plain file stays behind: the job has succeeded all the same, and one line in its log
says so. Should the hub have lost them before it has the report, they are put once more.

All of it goes over links of its own, one file at a time: a sync does not wait behind
16 MiB, and no more than that is in memory, sealed; in the clear it is there chunk by chunk.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

from relayq.errors import HubError, HubUnreachable, NotFound, Refused, SpecError
from relayq.model.parts import Blob
from relayq.model.reading import shown
from relayq.store.blobs import Blobs
from relayq.text import safe
from relayq.trust.files import Left, new_key, open_file
from relayq.worker.attempt import Attempt
from relayq.worker.gathering import FILES_MAX, Found, find, seal_plain
from relayq.worker.isolation import CWD
from relayq.worker.session import Patience, Session
from relayq.worker.statedir import remove_tree

T = TypeVar("T")

CACHE_BYTES_MAX = 256 << 20
NAMED_MAX = 5


class Kept(NamedTuple):
    """The outputs that are in the hub now, and a sentence about what stayed behind, or nothing."""

    outputs: tuple[Left, ...]
    notice: str


class Files:
    """Files on their way between the hub and the work directories; `cache` holds what was fetched."""

    def __init__(self, session: Session, cache: Path) -> None:
        self._session, self._cache = session, cache
        self._turn = asyncio.Lock()

    # -- inputs

    async def bring(self, attempt: Attempt) -> None:
        """Make the work directory with the inputs in it.

        Refused when one is gone or is not what was signed; HubError and OSError pass.
        """
        fresh = Path(attempt.place + ".new")
        try:
            for blob in attempt.spec.inputs:
                async with self._turn:
                    await self._bring(blob, fresh / "work" / blob.name)
            await asyncio.to_thread(fresh.rename, attempt.place)
            attempt.has_place = True
        finally:
            remove_tree(fresh)

    async def _bring(self, blob: Blob, target: Path) -> None:
        if not blob.key:
            raise Refused(f"input {blob.name} is not sealed: send it again with a newer RelayQ")
        path = self._cache / blob.stored
        if await asyncio.to_thread(_opened_into, target, _cached(path), blob):
            return
        data = await self._over_link(lambda blobs: _fetched(blobs, blob))
        if not await asyncio.to_thread(_opened_into, target, data, blob):
            raise Refused(f"input {blob.name} has other content than was signed")
        await asyncio.to_thread(_remember, path, data)

    # -- outputs

    async def keep(self, attempt: Attempt) -> Kept:
        """Put the outputs into the hub, however long it is away."""
        spec = attempt.spec
        try:
            root = await asyncio.to_thread(_root_of, attempt)
        except (Refused, OSError) as error:
            return Kept((), f"every file is left behind: {error}")
        found = await asyncio.to_thread(find, root, spec.outputs)
        kept, left = [], []
        for name in found.names:
            try:
                kept.append(await self._put(root, name))
            except (SpecError, HubError) as error:
                left.append(f"{safe(name)} ({error})")
        return Kept(tuple(kept), _notice(found, left))

    async def _put(self, root: Path, name: str) -> Left:
        patience = Patience()
        while True:
            with suppress(HubUnreachable):
                return await self._put_now(root, name)
            await patience.wait()

    async def _put_now(self, root: Path, name: str) -> Left:
        async with self._turn:
            key = new_key()
            sealed = await asyncio.to_thread(seal_plain, root, name, key)
            left = Left(name, sealed.sha256, sealed.size, key)
            await self._over_link(lambda blobs: blobs.put(left.stored, sealed.data, name))
        return left

    async def _over_link(self, action: Callable[[Blobs], Awaitable[T]]) -> T:
        hub = await self._session.open_link()
        try:
            return await action(Blobs(hub))
        finally:
            await hub.close()


def _root_of(attempt: Attempt) -> Path:
    """Where the outputs are, as a real path; Refused when a strict job's is not the one it began in."""
    cwd = attempt.spec.cwd
    root = os.path.realpath(Path("/", cwd) if cwd else attempt.workdir)
    with suppress(FileNotFoundError):
        if cwd and root != Path(attempt.place, CWD).read_text():
            raise Refused(f"the directory {shown(cwd)} is another one than when the job began")
    return Path(root)


async def _fetched(blobs: Blobs, blob: Blob) -> bytes:
    """An input as the hub has it."""
    try:
        return await blobs.get(blob.stored)
    except NotFound:
        raise Refused(f"input {blob.name} is not in the hub any more") from None


def _opened_into(target: Path, sealed: bytes, blob: Blob) -> bool:
    """Write what is sealed into a new file; False, and no file, when it is not what was signed."""
    try:
        _write_private(target, open_file(sealed, blob.key, blob.sha256, blob.size))
    except Refused:
        target.unlink(missing_ok=True)
        return False
    return True


def _cached(path: Path) -> bytes:
    """What was fetched before, or nothing."""
    with suppress(OSError):
        return path.read_bytes()
    return b""


def _remember(path: Path, data: bytes) -> None:
    """Keep a file for the next job that takes it, and forget the oldest; a full disk forgets it at once."""
    fresh = path.with_suffix(".new")
    with suppress(OSError):
        fresh.unlink(missing_ok=True)
        _write_private(fresh, [data])
        fresh.replace(path)
        total = 0
        for one in sorted(path.parent.iterdir(), key=lambda one: one.stat().st_mtime, reverse=True):
            total += one.stat().st_size
            if total > CACHE_BYTES_MAX:
                one.unlink()


def _write_private(path: Path, pieces: Iterable[bytes]) -> None:
    path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "wb") as opened:
        opened.writelines(pieces)


def _notice(found: Found, left: list[str]) -> str:
    """One line about everything that was not kept; empty when all was."""
    behind = left[:NAMED_MAX] + ([f"{len(left) - NAMED_MAX} more"] if len(left) > NAMED_MAX else [])
    if found.has_more:
        behind.append(f"whatever matches beyond the first {FILES_MAX} files")
    said = [f"left behind: {', '.join(behind)}"] if behind else []
    return "; ".join([*said, *(f"no file matches {pattern!r}" for pattern in found.unmatched)])

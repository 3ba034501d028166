"""Bring a job its input files, and keep what it leaves, through the hub.

Inputs are named in the signed spec by the digest of their content, so a job runs on
the bytes its submitter had or not at all. They are kept here for a while: the elements
of an array take the same files. Outputs are those files of the work directory that the
spec's patterns name, put into the hub before the report that tells of them; should the
hub have lost them by then, it says so and they are put once more.

All of it goes over links of its own: a sync does not wait behind 16 MiB.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from relayq.errors import HubUnreachable, SpecError
from relayq.model.parts import Blob
from relayq.store.blobs import Blobs
from relayq.store.records import Report
from relayq.worker.attempt import Attempt
from relayq.worker.session import Patience, Session

T = TypeVar("T")
Output = tuple[str, str, int]

OUTPUTS_MAX = 200


class Files:
    """Files on their way between the hub and the work directories; `cache` holds what was fetched."""

    def __init__(self, session: Session, cache: Path) -> None:
        self._session, self._cache = session, cache

    async def bring(self, attempt: Attempt) -> None:
        """Put the inputs into the work directory; NotFound or Refused when they cannot be had."""
        for blob in attempt.spec.inputs:
            source = await self._fetched(blob)
            await asyncio.to_thread(shutil.copyfile, source, attempt.workdir / blob.name)

    async def keep(self, attempt: Attempt) -> tuple[Output, ...]:
        """Put the outputs into the hub; SpecError for what does not fit, HubFull when there is no room."""
        names = await asyncio.to_thread(_matching, attempt.workdir, attempt.spec.outputs)
        return tuple([await self._put(attempt.workdir, name) for name in names])

    async def keep_again(self, place: str, report: Report) -> Report:
        """The report with its outputs put once more, as far as they are still there."""
        workdir = Path(place, "work")
        names = [name for name, _, _ in report.outputs if (workdir / name).is_file()]
        return replace(report, outputs=tuple([await self._put(workdir, name) for name in names]))

    async def _fetched(self, blob: Blob) -> Path:
        path = self._cache / blob.sha256
        if not path.exists():
            data = await self._patiently(lambda blobs: blobs.get(blob.sha256))
            fresh = path.with_suffix(".new")
            await asyncio.to_thread(fresh.write_bytes, data)
            fresh.replace(path)
        return path

    async def _put(self, workdir: Path, name: str) -> Output:
        data = await asyncio.to_thread((workdir / name).read_bytes)
        return name, await self._patiently(lambda blobs: blobs.put(data, name)), len(data)

    async def _patiently(self, action: Callable[[Blobs], Awaitable[T]]) -> T:
        """Do it over a link of its own, however long the hub is away."""
        patience = Patience()
        while True:
            try:
                hub = await self._session.open_link()
                try:
                    return await action(Blobs(hub))
                finally:
                    await hub.close()
            except HubUnreachable:
                await patience.wait()


def _matching(workdir: Path, patterns: tuple[str, ...]) -> list[str]:
    """The files that the patterns name, by their path in the work directory."""
    found = {
        path.relative_to(workdir).as_posix()
        for pattern in patterns
        for path in workdir.glob(pattern)
        if path.is_file()
    }
    if len(found) > OUTPUTS_MAX:
        raise SpecError(
            f"{len(found)} files match {', '.join(patterns)}: "
            f"at most {OUTPUTS_MAX} are kept (field 'outputs')"
        )
    return sorted(found)

"""Take the hub's jobs in: ask for them, make rows of them, post what is new or different.

A hundred thousand jobs come while somebody reads the first of them, and hundreds a second
while somebody moves among them. So rows are made and posted in slices between which a key
goes first. One portion is asked for and taken in after the other, whoever wanted it: what
the hub said later is never covered by what it said before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from relayq.store.bulk import PORTION, Bulk
from relayq.store.pace import give_way, worked_off
from relayq.store.records import JobRecord
from relayq_tui.feed import JobsChanged, JobsGone, Post, Snapshot
from relayq_tui.hubbeyond import OVERLAP
from relayq_tui.hubrows import job_row
from relayq_tui.rows import JobRow
from relayq_tui.store import MAX_JOBS

AT_ONCE = 50  # rows taken into the store without a pause

T = TypeVar("T")


class Intake:
    """Brings the jobs of a hub into `rows`, by posting them; `note` hears of every row that is made."""

    def __init__(
        self,
        bulk: Bulk,
        rows: Mapping[str, JobRow],
        post: Post,
        *,
        now_ms: Callable[[], int],
        note: Callable[[JobRow], None],
    ) -> None:
        self._bulk, self._rows, self._post = bulk, rows, post
        self._now_ms, self._note = now_ms, note
        self._turn = asyncio.Lock()
        self._gone_meanwhile: set[str] = set()

    def row(self, record: JobRecord) -> JobRow:
        """What there is to show of a job."""
        row = job_row(record, self._rows.get(record.id))
        self._note(row)
        return row

    def learn(self, records: Iterable[JobRecord]) -> list[JobRow]:
        """The rows of these, without elements of arrays."""
        return [self.row(record) for record in records if _is_job(record)]

    def gone(self, ids: Iterable[str]) -> None:
        """These jobs are forgotten, also where an answer that is being taken in still names them."""
        ids = list(ids)
        if self._turn.locked():
            self._gone_meanwhile.update(ids)
        known = [job for job in ids if job in self._rows]
        if known:
            self._post(JobsGone(known))

    async def fetch(self, ids: Iterable[str]) -> None:
        """Read these jobs again, or for the first time."""
        for portion in _portions(sorted(ids), PORTION):
            async with self._turn:
                await self._fetch(portion)

    async def read_rest(self) -> None:
        """Every job there is, index by index; then what was not met is gone."""
        missed, met = set(self._rows), 0
        for index in await self._bulk.indices():
            start, before = 0, set[str]()
            while met < MAX_JOBS:
                async with self._turn:
                    found, page = await self._read_page(index, start)
                met += len(page - before)
                before = page
                missed -= page
                if found < PORTION:
                    break
                start += PORTION - OVERLAP
        if met < MAX_JOBS:  # met nowhere: gone, or moved from an index not yet read to one that had been
            await self.fetch(missed & self._rows.keys())

    async def _fetch(self, ids: Sequence[str]) -> None:
        self._gone_meanwhile.clear()
        known = [job for job in ids if job in self._rows]
        fresh = [job for job in ids if job not in self._rows]
        records = await self._bulk.rows(fresh, known=known)
        await self._post_rows(await worked_off(filter(_is_job, records), self.row), JobsChanged)
        self.gone(set(known) - {record.id for record in records})

    async def _read_page(self, index: str, start: int) -> tuple[int, set[str]]:
        """How many ids stood there, and the jobs that were met."""
        self._gone_meanwhile.clear()
        found, records = await self._bulk.page(index, start)
        jobs = [record for record in records if _is_job(record)]
        fresh = [one for one in jobs if one.id not in self._rows]
        known = [one for one in jobs if one.id in self._rows]
        await self._post_rows(await worked_off(fresh, self.row), self._older)
        changed = await worked_off(known, self._changed)
        await self._post_rows([row for row in changed if row is not None], JobsChanged)
        return found, {record.id for record in records}

    async def _post_rows(
        self, rows: Sequence[JobRow], update: Callable[[Sequence[JobRow]], Snapshot | JobsChanged]
    ) -> None:
        for portion in _portions(rows, AT_ONCE):
            await give_way()
            if living := [row for row in portion if row.id not in self._gone_meanwhile]:
                self._post(update(living))

    def _older(self, rows: Sequence[JobRow]) -> Snapshot:
        return Snapshot(jobs=rows, at_ms=self._now_ms(), is_whole=False)

    def _changed(self, record: JobRecord) -> JobRow | None:
        """The row, when it is another one than was known."""
        before = self._rows.get(record.id)
        row = job_row(record, before)
        return None if row == before else row


def _is_job(record: JobRecord) -> bool:
    """Not only an element of one."""
    return ":" not in record.id


def _portions(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))

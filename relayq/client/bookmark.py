"""How far a log has been read, also when the hub comes back without its last seconds.

A log is read on by the id of the last entry that was seen. A hub that was killed while its disk was
slow may have lost that entry, and those before it: then its worker sends the output again, perhaps
in other pieces under other ids. So on a new connection a reader asks whether the entry is still
there. If it is, so is everything before it; if not, the log is read from the start of the attempt
again, without the bytes of each stream that were seen already.
"""

from __future__ import annotations

from dataclasses import replace

from relayq.store.hub import Hub
from relayq.store.logs import ATTEMPT_STEP, Logs
from relayq.store.records import End, LogEntry


class Bookmark:
    """A reader's place in the log of one job; nothing before `from_id` is read."""

    def __init__(self, job: str, from_id: str = "0") -> None:
        self._job, self._from_id = job, from_id
        self._attempt = 0
        self._seen: dict[tuple[int, int], int] = {}
        self._has_read = False

    def is_adrift(self, hub: Hub) -> bool:
        """Was a connection lost since the last page? Then `find` comes before the next."""
        return self._has_read and not hub.link.is_open

    async def find(self, hub: Hub) -> None:
        """Go back to the start of the attempt where the hub no longer has the last entry that was seen."""
        if self._attempt and not await Logs(hub).has(self._job, self._from_id):
            self._from_id = f"{self._attempt * ATTEMPT_STEP}-0"

    async def page(self, hub: Hub, block_ms: int) -> list[LogEntry | End]:
        """What came since, waiting up to `block_ms` for the first of it; may be empty."""
        while items := await Logs(hub).follow(self._job, self._from_id, block_ms):
            self._has_read, self._from_id = True, items[-1].id
            if unseen := [item for item in map(self._unseen, items) if item]:
                return unseen
        self._has_read = True
        return []

    def _unseen(self, item: LogEntry | End) -> LogEntry | End | None:
        """What of it has not been seen; None when that is nothing."""
        self._attempt = item.attempt or self._attempt
        if isinstance(item, End):
            return item
        stream = (item.attempt, item.stream)
        end = self._seen.get(stream, 0)
        self._seen[stream] = max(end, item.offset + len(item.data))
        known = end - item.offset
        if known <= 0:
            return item
        if known >= len(item.data):
            return None
        return replace(
            item, data=item.data[known:], offset=item.offset + known, position=item.position + known
        )

"""Output in the hub: read what is there, follow what comes, learn how it ended.

The log of a job is a stream whose ids are positions (lua/logs.lua), so a reader
resumes by the last id it has seen. A job that somebody waits for is `watched`:
then the end of the job stands in the same stream, after its last byte, and one
blocking read brings output and outcome together.
"""

from __future__ import annotations

from typing import Any

from relayq.model.lifecycle import State, state_of
from relayq.store import decode
from relayq.store.hub import Hub
from relayq.store.records import End, LogEntry

ATTEMPT_STEP = 1 << 44
PAGE = 500


class Logs:
    """The logs of a fleet. Blocking reads hold the link: use a hub of their own for them."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def watch(self, job: str) -> State | None:
        """Ask for the job's end to be written into its log; its state now, None if there is no such job.

        A viewer cannot ask: it gets the state alone.
        """
        if self._hub.is_read_only:
            letter = await self._hub.link.call("HGET", self._hub.keys.of("j", job), "s")
            return state_of(decode.text(letter)) if letter else None
        word = decode.text((await self._hub.run("watch", {"id": job}))[0])
        return None if word == "unknown" else state_of(word)

    async def follow(self, job: str, from_id: str = "0", block_ms: int = 20_000) -> list[LogEntry | End]:
        """What came after `from_id`, waiting up to `block_ms` for the first of it; may be empty."""
        key = self._hub.keys.of("log", job)
        reply = await self._hub.link.call(
            "XREAD", "COUNT", PAGE, "BLOCK", max(1, block_ms), "STREAMS", key, from_id,
            timeout_s=block_ms / 1000 + 10,
        )  # fmt: skip
        return await self._opened(job, [entry(item) for item in reply[0][1]]) if reply else []

    async def read(self, job: str, attempt: int | None = None) -> list[LogEntry]:
        """All that the hub keeps of the job's output, or of one attempt's, in order."""
        first = f"{attempt * ATTEMPT_STEP}-0" if attempt else "-"
        last = f"({(attempt + 1) * ATTEMPT_STEP}-0" if attempt else "+"
        found: list[LogEntry] = []
        while True:
            reply = await self._hub.link.call(
                "XRANGE", self._hub.keys.of("log", job), first, last, "COUNT", PAGE
            )
            entries = await self._opened(job, [entry(item) for item in reply])
            found += [item for item in entries if isinstance(item, LogEntry)]
            if len(reply) < PAGE:
                return found
            first = "(" + decode.text(reply[-1][0])

    async def _opened(self, job: str, items: list[LogEntry | End]) -> list[LogEntry | End]:
        reader = self._hub.reader
        if reader is None:
            return items
        known = reader.version
        found = [reader.entry(job, item) for item in items]
        if any(item.doubt for item in found) and await self._hub.has_news_for_reader(known):
            return [reader.entry(job, item) for item in items]
        return found

    async def has(self, job: str, entry_id: str) -> bool:
        """Is the entry with this id (still) in the log?"""
        key = self._hub.keys.of("log", job)
        return bool(await self._hub.link.call("XRANGE", key, entry_id, entry_id))

    async def dropped(self, job: str) -> int:
        """Bytes of the job's output that the hub does not keep (the middle of too much)."""
        value = await self._hub.link.call("HGET", self._hub.keys.of("j", job), "ld")
        return int(value or 0)


def entry(item: list[Any]) -> LogEntry | End:
    """One entry of a log's stream."""
    name, flat = decode.text(item[0]), item[1]
    attempt, position = divmod(int(name.split("-", 1)[0]), ATTEMPT_STEP)
    if flat[0] == b"x":
        letter, code, reason = decode.text(flat[1]).split(" ", 2)
        return End(
            id=name,
            state=state_of(letter),
            exit_code=None if code == "-" else int(code),
            reason=reason,
            result=flat[3],
            attempt=attempt,
            position=position,
        )
    return LogEntry(
        id=name,
        attempt=attempt,
        position=position,
        stream=1 if flat[0] == b"o" else 2,
        data=flat[1],
        offset=int(flat[3].split()[0]) if len(flat) > 3 else position,
    )

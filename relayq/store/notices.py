"""Notices in the hub: claim one, say how it went. One holder at a time, by a lease."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from relayq.store import decode
from relayq.store.hub import Hub
from relayq.store.jobs import Jobs
from relayq.store.records import JobRecord
from relayq.store.workers import Workers


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeClaim:
    """The right to tell one notice of `job` until the lease is over.

    `index` counts from 0 in the spec's `notify`. `ended_ms` is the end that is told, `envelope`
    what was signed, as it stands in the hub. `has_doubt`: the holder before vanished without
    a word, perhaps after it had posted.
    """

    member: str
    job: str
    index: int
    ended_ms: int
    tries: int
    has_doubt: bool
    envelope: bytes


class Notices:
    """The notices that one process tells. `token` is what it holds them by."""

    def __init__(self, hub: Hub) -> None:
        self.hub, self._jobs, self._workers = hub, Jobs(hub), Workers(hub)
        self.token = secrets.token_hex(8)

    async def claim(self, repos: Sequence[str], lease: timedelta) -> NoticeClaim | int | None:
        """A notice for one of `repos` (OWNER/NAME, OWNER/*); else the ms until one is due, None for none."""
        request: dict[str, object] = {
            "token": self.token,
            "lease": round(lease.total_seconds() * 1000),
            "repos": [repo.lower() for repo in repos],
        }
        match await self.hub.run("notice_claim", request):
            case [b"none", wait]:
                return int(wait) if int(wait) >= 0 else None
            case [member, tries, doubt, envelope]:
                name = decode.text(member)
                job, index, ended = name.split(" ")
                return NoticeClaim(
                    member=name,
                    job=job,
                    index=int(index) - 1,
                    ended_ms=int(ended),
                    tries=int(tries),
                    has_doubt=bool(doubt),
                    envelope=envelope,
                )
            case reply:
                raise AssertionError(f"notice_claim answered {reply!r}")

    async def record(self, claim: NoticeClaim) -> JobRecord | None:
        """The job, read with the eyes of whoever tells; None when it has gone or runs again."""
        record = await self._jobs.record(claim.job)
        return record if record and record.ended_ms == claim.ended_ms else None

    async def done(self, claim: NoticeClaim, word: str, detail: str = "", delay_s: float = 0.0) -> bool:
        """Say how it went: posted, failed, unsure, or later (after `delay_s`); False: not ours any more."""
        request: dict[str, object] = {
            "member": claim.member,
            "token": self.token,
            "word": word,
            "detail": detail,
            "delay": round(delay_s * 1000),
        }
        return decode.text(await self.hub.run("notice_done", request)) == "ok"

    async def batch_record(self, digest: str) -> bytes:
        """The record of a batch, to verify a member by."""
        return await self._workers.batch_record(digest)

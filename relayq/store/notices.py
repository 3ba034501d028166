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
    """The right to tell one notice until the lease is over.

    `index` counts from 0 in the spec's `notify`. `ended_ms` is the end that is told.
    `has_doubt`: the holder before vanished without a word, perhaps after it had posted.
    """

    member: str
    index: int
    ended_ms: int
    tries: int
    has_doubt: bool
    job: JobRecord


class Notices:
    """The notices that one process tells. `token` is what it holds them by."""

    def __init__(self, hub: Hub) -> None:
        self._hub, self._jobs, self._workers = hub, Jobs(hub), Workers(hub)
        self.token = secrets.token_hex(8)

    async def claim(self, repos: Sequence[str], lease: timedelta) -> NoticeClaim | int | None:
        """A notice for one of `repos` (OWNER/NAME, OWNER/*); else the ms until one is due, None for none."""
        request: dict[str, object] = {
            "token": self.token,
            "lease": round(lease.total_seconds() * 1000),
            "repos": [repo.lower() for repo in repos],
        }
        match await self._hub.run("notice_claim", request):
            case [b"none", wait]:
                return int(wait) if int(wait) >= 0 else None
            case [member, tries, doubt, job, fields, envelope]:
                name = decode.text(member)
                _, index, ended = name.split(" ")
                record = decode.job([job, fields, envelope], await self._jobs.lanes(fields))
                return NoticeClaim(
                    member=name,
                    index=int(index) - 1,
                    ended_ms=int(ended),
                    tries=int(tries),
                    has_doubt=bool(doubt),
                    job=record,
                )
            case reply:
                raise AssertionError(f"notice_claim answered {reply!r}")

    async def done(self, claim: NoticeClaim, word: str, detail: str = "", delay_s: float = 0.0) -> bool:
        """Say how it went: posted, failed, unsure, or later (after `delay_s`); False: not ours any more."""
        request: dict[str, object] = {
            "member": claim.member,
            "token": self.token,
            "word": word,
            "detail": detail,
            "delay": round(delay_s * 1000),
        }
        return decode.text(await self._hub.run("notice_done", request)) == "ok"

    async def batch_record(self, digest: str) -> bytes:
        """The record of a batch, to verify a member by."""
        return await self._workers.batch_record(digest)

"""The hub as a feed: one snapshot, then its event stream, for ever.

Three connections. On one the feed waits for events, a single blocking read at a time;
on the other it fetches what they speak of: the first at once, then gathered for a tenth
of a second and, the more there is, up to a whole one. The third is for what screens ask
about one job: they give up when the cursor moves on, and that costs the line.
A gap in the stream's ids, or a new connection, means that all is read again: what is
new or different is posted, what is no longer there goes. The newest jobs come first;
the older ones follow in the background.

A lost hub is tried again after half a second, then every second: somebody
is looking, and wants to be live within two seconds of its return. Every five seconds
the hub's clock is read: that is the latency in the header, and no answer to it within
five more is a lost hub.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from relayq.client.steering import Order, Told, carry_out
from relayq.errors import HubError, RelayQError
from relayq.model.job import JobSpec
from relayq.model.lifecycle import FINAL
from relayq.query import Query
from relayq.store.records import End, LogEntry
from relayq_tui.feed import BudgetChanged, Connection, JobDetail, Post
from relayq_tui.rows import JobRow

if TYPE_CHECKING:
    from relayq.client.aio import AsyncClient
    from relayq.config import Config
    from relayq.store.budget import Budget
    from relayq.store.reader import Reader as Eyes
    from relayq_tui.hubreader import Reader

BACKOFF_S = 0.5
BACKOFF_MAX_S = 1.0
LIVED_S = 10.0
OVERHEAR_MS = 2_000


class HubFeed:
    """The fleet of a configuration. The hub is chosen, and redis imported, when it runs.

    With `read_only` nothing is written: output is followed without the hub's being told
    that somebody does, so that it comes with the worker's heartbeats only.
    """

    def __init__(self, config: Config, *, read_only: bool = False) -> None:
        self._config = config
        self._read_only = read_only
        self._name = config.fleet
        self._reader: Reader | None = None
        self._client: AsyncClient | None = None
        self._closing = AsyncExitStack()
        self._turns = asyncio.Lock()

    @property
    def name(self) -> str:
        """The fleet, and where its hub is once that is known."""
        return self._name

    def now_ms(self) -> int:
        """The hub's clock, or this machine's before the hub was heard."""
        return self._reader.now_ms() if self._reader else int(time.time() * 1000)

    async def run(self, post: Post, jobs: Mapping[str, JobRow]) -> None:
        """Keep at it for ever."""
        pause_s = BACKOFF_S
        while True:
            began_s = time.monotonic()
            try:
                await self._live(post, jobs)
            except* RelayQError as errors:
                post(Connection(state="lost", message=told(_first(errors)), hub=self._name))
            if time.monotonic() - began_s > LIVED_S:
                pause_s = BACKOFF_S
            await asyncio.sleep(pause_s * (0.75 + time.monotonic() % 0.5))
            pause_s = min(BACKOFF_MAX_S, pause_s * 2)

    async def detail(self, job: str) -> JobDetail | None:
        """Everything about one job; None when it is forgotten, or the hub is away or answers nonsense."""
        if self._reader is None or not self._reader.is_open:
            return None
        with suppress(RelayQError):
            return await self._reader.detail(job)
        return None

    async def log(self, job: str, from_id: str = "0", attempt: int | None = None) -> list[LogEntry | End]:
        """What the hub keeps of its output."""
        if self._reader is not None and self._reader.is_open:
            return shown(await self._reader.log(job, attempt))
        client = await self._opened()
        return shown(await client.logs.read(job, attempt))

    async def follow(self, job: str, from_id: str = "0") -> AsyncGenerator[LogEntry | End, None]:
        """Its output as it comes."""
        client = await self._opened()
        last = place(from_id)
        source = self._overheard(client, job, from_id) if self._read_only else client.follow(job)
        async with aclosing(source) as entries:
            async for entry in entries:
                if isinstance(entry, End) or place(entry.id) > last:
                    yield entry if isinstance(entry, End) else readable(entry)

    async def _overheard(
        self, client: AsyncClient, job: str, last_id: str
    ) -> AsyncGenerator[LogEntry | End, None]:
        """A job's output as it happens to come, until the job has ended."""
        from relayq.client.bookmark import Bookmark
        from relayq.client.following import end_of

        hub, mark = client.twin(), Bookmark(job, last_id)
        try:
            while True:
                record = await client.jobs.record(job)
                for entry in await mark.page(hub, OVERHEAR_MS):
                    yield entry
                if record is None:
                    return
                if record.state in FINAL:
                    yield end_of(record)
                    return
        finally:
            await hub.close()

    async def act(self, order: Order) -> Told:
        """Carry out an order."""
        return await carry_out(await self._opened(), order)

    async def matching(self, query: Query, tell: Callable[[int], None]) -> list[JobRow]:
        """Those in the hub that are too old to be held."""
        return await self._reader.matching(query, tell) if self._reader else []

    async def submit(self, spec: Mapping[str, object], like: str = "") -> str:
        """Submit a job, signed with this user's key."""
        client = await self._opened()
        fields: dict[str, Any] = dict(spec)
        if like:
            from relayq.client.steering import spec_of_job

            before = (await spec_of_job(client, like)).to_dict()
            fields.pop("secrets", None)
            fields = {**before, **fields}
        return (await client.submit(JobSpec.from_dict(fields))).id

    async def close(self) -> None:
        """Close every connection."""
        await self._closing.aclose()
        if self._reader:
            await self._reader.close()

    async def _live(self, post: Post, jobs: Mapping[str, JobRow]) -> None:
        """One connection's life."""
        url, is_embedded = await asyncio.to_thread(_prepared, self._config, again=self._reader is not None)
        from relayq.store.budget import Budget
        from relayq.store.connect import parse_url
        from relayq.store.hub import Hub
        from relayq_tui.hubreader import Reader

        address, known = parse_url(url), self._reader
        self._name = f"{self._config.fleet}@{'this machine' if is_embedded else address.host}"
        if known is None:
            post(Connection(state="connecting", message=f"waiting for hub {address.shown} to answer"))
        hub, eyes = Hub(url, self._config.fleet), partial(_eyes, self._config, url)
        self._reader = Reader(hub, post, jobs, name=self._name, eyes=eyes, known=known)
        self._reader.look_at_budget = partial(self._look_at_budget, Budget(hub), post)
        if known is not None:
            await self._hang_up()
        await self._reader.live()

    async def _look_at_budget(self, budget: Budget, post: Post) -> None:
        """The month, as the hub knows it. A silent hub is noticed as soon as by its clock."""
        from relayq_tui import hubreader
        from relayq_tui.hubbudget import budget_view

        record = await budget.read(timeout_s=hubreader.BEAT_S)
        post(BudgetChanged(budget_view(record, self._config)))

    async def _hang_up(self) -> None:
        """The hub was away: the line for orders is dead too, and the next order must not be lost on it."""
        closing, self._closing, self._client = self._closing, AsyncExitStack(), None
        with suppress(HubError):
            await closing.aclose()

    async def _opened(self) -> AsyncClient:
        """The client for orders and logs, opened when it is first wanted."""
        await asyncio.to_thread(import_module, "relayq.client.aio")
        from relayq.client.aio import AsyncClient

        async with self._turns:
            while self._client is None:
                await asyncio.to_thread(_prepared, self._config, again=self._reader is not None)
                closing = self._closing
                client = AsyncClient(self._config.url, fleet=self._config.fleet, tell=lambda _: None)
                await closing.enter_async_context(client)
                if closing is self._closing:
                    self._client = client
                else:  # the hub went away and came back meanwhile
                    await closing.aclose()
            return self._client


def _prepared(config: Config, *, again: bool) -> tuple[str, bool]:
    """The hub's URL, and whether it is the local one; `again` for whoever has had it.

    What takes time to import is imported here, beside the drawing of the first frame.
    """
    from relayq.client.submitter import choose_url

    for name in ("relayq.client.standing", "relayq_tui.hubreader", "relayq_tui.hubbudget"):
        import_module(name)
    return choose_url(config, again=again)


def _eyes(config: Config, url: str) -> Eyes:
    """What opens specs, output and results for this user."""
    from relayq.client.dispatch import Dispatcher
    from relayq.client.standing import Standing

    asker = Dispatcher(url, config.fleet)
    try:
        return Standing(config, asker.ask).reader()
    finally:
        asker.close()


def readable(entry: LogEntry) -> LogEntry:
    """The entry, with the reason in place of output that is not opened."""
    return replace(entry, data=f"{entry.doubt}\n".encode(), stream=2) if entry.doubt else entry


def shown(entries: list[LogEntry]) -> list[LogEntry | End]:
    """What there is to show of a log: one line for all that is not opened."""
    doubtful = next((entry for entry in entries if entry.doubt), None)
    return [readable(doubtful)] if doubtful else list(entries)


def place(name: str) -> tuple[int, int]:
    """The id of a log's entry as something to compare."""
    first, _, second = name.partition("-")
    return int(first), int(second or 0)


def told(error: str) -> str:
    """An error without the address of the hub, which may be long: the header names the hub."""
    return re.sub(r"^hub \S+://\S+ ", "the hub ", error)


def _first(errors: BaseExceptionGroup[Any]) -> str:
    found: BaseException = errors
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return str(found)

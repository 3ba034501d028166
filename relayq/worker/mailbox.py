"""Read what the hub pushes: claims to start now, cancels, wake-ups, orders to the worker.

A connection of its own, blocked on the session's stream for as long as a connection
may rest. Losing it costs time, never a job: every sync says the same things again.
So it is opened again and again, and nobody is told; the syncs tell when the hub is gone.
Reading goes on from the last letter seen, never from "now".
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable

from relayq.errors import HubError
from relayq.store.hub import Hub
from relayq.store.records import Letter
from relayq.store.workers import Workers
from relayq.worker.session import Patience, Session

BLOCK_MS = 55_000


async def read_mail(session: Session, deliver: Callable[[list[Letter]], Awaitable[None]]) -> None:
    """Deliver letters for ever."""
    patience = Patience()
    while True:
        await session.registered.wait()
        with contextlib.suppress(HubError):
            hub = await session.open_link()
            try:
                await _read(hub, session, deliver, patience)
            finally:
                await hub.close()
        await patience.wait()


async def _read(
    hub: Hub, session: Session, deliver: Callable[[list[Letter]], Awaitable[None]], patience: Patience
) -> None:
    workers = Workers(hub)
    while True:
        letters = await workers.letters(session.id, session.mail_id, BLOCK_MS)
        patience.reset()
        if letters:
            session.mail_id = letters[-1].id
            await deliver(letters)

"""Run a coroutine with an open client: what every command that reads the hub does."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from relayq.cli.output import say

if TYPE_CHECKING:
    from relayq.client.aio import AsyncClient

T = TypeVar("T")


def with_client(args: argparse.Namespace, work: Callable[[AsyncClient], Awaitable[T]]) -> T:
    """Open a client for the hub that was named, do `work` with it, close it."""
    from relayq.client.aio import AsyncClient

    async def session() -> T:
        async with AsyncClient(args.url, fleet=args.fleet, tell=say) as client:
            return await work(client)

    return asyncio.run(session())

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
    """Open a client for the hub that was named, do `work` with it, close it; `--quiet` keeps it silent."""
    from relayq.client.aio import AsyncClient

    tell = _keep_quiet if getattr(args, "quiet", False) else say

    async def session() -> T:
        async with AsyncClient(args.url, fleet=args.fleet, tell=tell) as client:
            return await work(client)

    return asyncio.run(session())


def _keep_quiet(_: str) -> None:
    """What is told to nobody."""

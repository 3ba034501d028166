"""Commands under a keeper at a level of isolation, and what becomes of them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from relayq.worker.bubblewrap import try_bubblewrap
from relayq.worker.isolation import Isolation, Terms
from relayq.worker.sandbox import Hidden
from tests.integration.keeper_support import Home

BOXES = ("owner", "strict")


def isolation_of(home: Home) -> Isolation:
    """What a worker with this keeper would find; its state directory is hidden from jobs."""
    bwrap, why = try_bubblewrap()
    assert bwrap, f"these tests need a bubblewrap that works (.ci/run installs it): {why}"
    return Isolation(asked="bwrap", bwrap=bwrap, hidden=Hidden((os.path.realpath(home.state_dir),), ()))


def boxed(
    home: Home, key: str, *argv: str, level: str, terms: Terms | None = None, **more: Any
) -> dict[str, Any]:
    """An order as the worker gives it under a level."""
    order = home.order(key, *argv, **({"cwd": ""} | more))
    return isolation_of(home).confine(order, terms or Terms(level=level))


@asynccontextmanager
async def keeper_in(directory: Path) -> AsyncIterator[Home]:
    """A keeper in a directory of its own, with real paths."""
    async with Home(Path(os.path.realpath(directory)) / "state") as home:
        yield home

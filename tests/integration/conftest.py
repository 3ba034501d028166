"""The driver of the library's tests: a fleet of their own on the private server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from relayq.store.hub import connect
from tests.model.driver import Driver


@pytest.fixture
async def driver(hub_url: str, fleet: str) -> AsyncIterator[Driver]:
    """A fleet with nothing in it."""
    hub = await connect(hub_url, fleet)
    yield Driver(hub)
    await hub.close()

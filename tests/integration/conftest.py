"""The driver of the library's tests: a fleet of their own, recounted at the end of each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import redis

from relayq.store.hub import connect
from tests.model import invariants
from tests.model.driver import Driver


@pytest.fixture
async def driver(hub_url: str, fleet: str) -> AsyncIterator[Driver]:
    """A fleet with nothing in it; whatever a test does, the invariants hold when it is done."""
    hub = await connect(hub_url, fleet)
    yield Driver(hub)
    with redis.Redis(unix_socket_path=hub.address.path) as client:
        broken = invariants.breaches(invariants.read(client, hub.keys.prefix))
    await hub.close()
    assert broken == []

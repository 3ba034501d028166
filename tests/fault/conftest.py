"""What the tests with real workers share: a fleet on a server that can be hurt, short time-outs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relayq.store.workers import Workers
from relayq.worker import session
from tests.fault.proxy import Proxy
from tests.integration.worker_support import Rig
from tests.support import PrivateServer


@pytest.fixture
async def rig(own_server: PrivateServer, fleet: str, home: Path) -> AsyncIterator[Rig]:
    """A fleet on a persistent server of this test alone."""
    rig = Rig(own_server.url, fleet, home)
    async with rig.hub:
        yield rig


@pytest.fixture
async def proxy(own_server: PrivateServer, rig: Rig) -> AsyncIterator[Proxy]:
    """A link between that server and the workers of the rig; the test itself has a good one."""
    async with Proxy(own_server.socket) as proxy:
        rig.worker_url = proxy.url
        yield proxy


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers in this process give a silent hub up after half a second and ask again soon."""
    monkeypatch.setitem(Workers.sync.__kwdefaults__, "timeout_s", 0.5)
    monkeypatch.setattr(session, "RETRY_MIN_S", 0.02)
    monkeypatch.setattr(session, "RETRY_MAX_S", 0.3)

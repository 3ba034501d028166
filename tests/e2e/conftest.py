"""A hub and a worker for command lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.client_support import running_worker


@pytest.fixture
def hub(hub_url: str, fleet: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A joined hub without workers, named by the environment."""
    monkeypatch.setenv("RELAYQ_URL", hub_url)
    monkeypatch.setenv("RELAYQ_FLEET", fleet)
    return hub_url


@pytest.fixture
def served(hub: str, fleet: str, home: Path) -> Iterator[None]:
    """The same with a worker."""
    with running_worker(hub, fleet, home, "--name", "w1", "--slots", "4"):
        yield

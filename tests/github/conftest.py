"""A GitHub of each test's own, and a connection to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from relayq.github.api import GitHub, Manners
from relayq.github.etags import Etags
from relayq.github.token import Token
from tests.github.server import TOKEN, Replay, moment


class Clock:
    """GitHub's clock, which stands until a test moves it; `waited` is how long it was waited for."""

    def __init__(self, text: str) -> None:
        self.now_s = moment(text)
        self.waited: list[float] = []

    async def pause(self, seconds: float) -> None:
        """Let time pass at once."""
        self.waited.append(seconds)
        self.now_s += seconds


@pytest.fixture
def clock() -> Clock:
    """It is the first of December, early."""
    return Clock("2026-12-01T06:00:00")


@pytest.fixture
def replay(clock: Clock) -> Iterator[Replay]:
    """The server."""
    server = Replay(lambda: clock.now_s)
    yield server
    server.close()


@pytest.fixture
async def github(replay: Replay, clock: Clock, tmp_path: Path) -> AsyncIterator[GitHub]:
    """A connection whose pauses only move the clock."""
    etags = Etags(tmp_path / "etags", "mark")
    async with GitHub(
        replay.url, Token(TOKEN, "env:GH_TOKEN"), etags=etags, manners=Manners(pause=clock.pause)
    ) as connection:
        yield connection

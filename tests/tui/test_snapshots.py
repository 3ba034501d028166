"""Every screen at every size, as text: what a change does to a picture shows up in its review.

The snapshots stand in tests/tui/snapshots, one file for each screen and size.
RELAYQ_UPDATE_SNAPSHOTS=1 writes them anew instead of comparing.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from rich.cells import cell_len

from relayq_tui.app import RelayQApp
from relayq_tui.screenshots import KEYS, SHOTS, Shot
from tests.support import eventually
from tests.tui.app_support import grid, running, settled

FOLDER = Path(__file__).parent / "snapshots"
SIZES = ((40, 15), (60, 25), (80, 24), (120, 40), (250, 80))
LOOK_S, STILL = 0.05, 8
IS_UPDATING = bool(os.environ.get("RELAYQ_UPDATE_SNAPSHOTS"))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "{}x{}".format(*size))
@pytest.mark.parametrize("shot", SHOTS, ids=lambda shot: shot.name)
async def test_a_screen_looks_as_it_did(shot: Shot, size: tuple[int, int]) -> None:
    async with running(size, screen=shot.screen) as (app, pilot):
        for key in shot.keys:
            await pilot.press(KEYS.get(key, key))
        await settled(pilot)
        lines = await at_rest(app)
    assert [line for line in lines if cell_len(line) > size[0]] == []
    compare(FOLDER / f"{shot.name}-{size[0]}x{size[1]}.txt", "\n".join(lines).rstrip() + "\n")


async def at_rest(app: RelayQApp) -> list[str]:
    """The screen once it has not changed for longer than a preview may be late (REST_S + AT_LATEST_S)."""
    seen: list[list[str]] = []

    def is_still() -> bool:
        seen.append(grid(app))
        return len(seen) > STILL and all(lines == seen[-1] for lines in seen[-STILL:])

    await eventually(is_still, "the screen stands still", every_s=LOOK_S)
    return seen[-1]


def compare(path: Path, text: str) -> None:
    """Hold a picture against its snapshot, or make it the snapshot."""
    if IS_UPDATING:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    assert text.splitlines() == path.read_text("utf-8").splitlines()

"""What the documentation says of the terminal UI is what it does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from relayq.config import load
from relayq.query import parse
from relayq.settings import SETTINGS
from relayq_tui.actions import ACTIONS, CONTEXTS
from relayq_tui.keymap import keymap
from relayq_tui.keypage import TITLES, renewed
from relayq_tui.screenshots import SHOTS, SIZES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "howto" / "tui.md").read_text("utf-8")


def test_the_keys_on_the_page_are_those_of_the_table() -> None:
    assert renewed(PAGE) == PAGE, "run: python -m relayq_tui.keypage docs/howto/tui.md"


def test_every_context_has_a_title() -> None:
    assert set(TITLES) == set(CONTEXTS)


def test_every_action_is_on_the_page() -> None:
    assert [action.id for action in ACTIONS if f"| {action.id} |" not in PAGE] == []


def test_the_queries_on_the_page_can_be_asked() -> None:
    [block] = re.findall(r"```\n(state:.*?)```", PAGE, re.DOTALL)
    for query in re.split(r"\s{2,}|\n", block.strip()):
        parse(query)


def test_the_settings_on_the_page_are_settings(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [block] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    folder = home / "written"
    folder.mkdir()
    (folder / "config.toml").write_text(block, "utf-8")
    monkeypatch.setenv("RELAYQ_CONFIG_DIR", str(folder))
    config = load()
    assert config.values["tui.theme"] == "ansi"
    assert keymap(config.values["tui.keys"]) == {"cancel": "ctrl+k"}
    assert {name for name in SETTINGS if name.startswith("tui.")} <= set(config.sources)


def test_every_picture_is_there_and_they_are_small() -> None:
    wanted = {
        f"{shot.name}-{width}x{height}.{kind}"
        for shot in SHOTS
        for width, height in SIZES
        for kind in ("svg", "png")
    }
    there = {
        path.name: path.stat().st_size
        for path in (ROOT / "screenshots").iterdir()
        if path.suffix in (".svg", ".png")
    }
    assert set(there) == wanted
    assert sum(there.values()) < 3_000_000

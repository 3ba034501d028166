"""The first run: nothing is started or written before the person has chosen."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from relayq.config import load
from relayq.errors import ConfigError
from relayq_tui.screens.wizard import Wizard
from relayq_tui.setup import Choice, is_first_run, probe, remember
from tests.support import eventually


@asynccontextmanager
async def asking(
    size: tuple[int, int] = (80, 24), style: str = "dark"
) -> AsyncIterator[tuple[Wizard, Pilot[Choice]]]:
    """The wizard on a screen."""
    app = Wizard(load(), style)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield app, pilot


def said(app: Wizard) -> str:
    """Everything on the screen."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


def test_a_fresh_home_is_a_first_run(home: Path) -> None:
    assert is_first_run(load())
    assert not is_first_run(load({"hub.url": "redis://vm"}))


def test_a_home_with_a_hub_of_its_own_is_none(home: Path) -> None:
    config = load()
    (config.data_dir / "hub").mkdir(parents=True)
    assert not is_first_run(config)


def test_an_address_is_remembered_for_its_owner_alone(home: Path) -> None:
    remember(load(), "rediss://me:secret@vm:6379")
    path = load().config_dir / "config.toml"
    assert load().url == "rediss://me:secret@vm:6379"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_configured_already_is_kept(home: Path) -> None:
    path = load().config_dir / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text('[worker]\nname = "mac-mini"\n')
    remember(load(), "redis://vm")
    assert (load().url, load().worker.name) == ("redis://vm", "mac-mini")


def test_a_section_that_is_there_is_left_to_its_author(home: Path) -> None:
    path = load().config_dir / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text('[hub]\nfleet = "attic"\n')
    with pytest.raises(ConfigError, match='write this line into it: url = "redis://vm"'):
        remember(load(), "redis://vm")
    assert path.read_text() == '[hub]\nfleet = "attic"\n'


async def test_an_address_is_tried(hub_url: str, fleet: str) -> None:
    answer = await probe(hub_url, fleet)
    assert answer.is_good
    assert "0 jobs, 0 workers online" in answer.sentence


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1", "unix:///nowhere", "http://vm", "nonsense"])
async def test_an_address_without_a_hub_is_a_sentence(url: str, fleet: str) -> None:
    answer = await probe(url, fleet)
    assert not answer.is_good
    assert answer.sentence


async def test_a_password_is_never_shown(fleet: str) -> None:
    answer = await probe("redis://me:secret@127.0.0.1:1", fleet)
    assert "secret" not in answer.sentence


@pytest.mark.parametrize("size", [(80, 24), (60, 25), (40, 15)])
async def test_three_ways_are_offered(home: Path, size: tuple[int, int]) -> None:
    ways = ("Start here", "Join a hub", "Look around", "a made-up home", "enter chooses")
    async with asking(size) as (app, pilot):
        assert [way for way in ways if way not in said(app)] == []
        await pilot.resize_terminal(120, 40)
        await pilot.resize_terminal(*size)
        await pilot.pause()
        assert [way for way in ways if way not in said(app)] == []


async def test_in_ascii_the_box_is_drawn_with_it_too(home: Path) -> None:
    app = Wizard(load(), is_ascii=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert said(app).isascii()


async def test_looking_around_starts_nothing(home: Path) -> None:
    async with asking() as (app, pilot):
        await pilot.press("down", "down", "enter")
        await pilot.pause()
    assert app.return_value == Choice("demo")
    assert not (load().data_dir / "hub").exists()


async def test_leaving_chooses_nothing(home: Path) -> None:
    async with asking() as (app, pilot):
        await pilot.press("escape")
        await pilot.pause()
    assert app.return_value is None
    assert not list(home.rglob("config.toml"))


async def test_an_address_is_tried_before_it_is_remembered(home: Path, hub_url: str) -> None:
    async with asking() as (app, pilot):
        await pilot.press("down", "enter", *"nonsense", "enter")
        await eventually(lambda: "nonsense" in said(app) and "trying" not in said(app), "it was tried")
        assert load().url is None
        app.screen.query_one("Input").value = hub_url  # type: ignore[attr-defined]  # it is one
        await pilot.press("enter")
        await eventually(lambda: "a hub answers" in said(app), "it answers")
        assert load().url is None
        await pilot.press("enter")
        await pilot.pause()
    assert app.return_value == Choice("join", hub_url)
    assert load().url == hub_url


async def test_without_colours_there_is_none(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with asking(style="mono") as (app, _):
        strips = app.screen._compositor.render_strips()
        colours = {segment.style.color for strip in strips for segment in strip if segment.style}
        assert colours <= {None}


async def test_an_address_that_is_none_leaves_a_way_out(home: Path) -> None:
    async with asking() as (app, pilot):
        await pilot.press("down", "enter")
        app.screen.query_one("Input").value = "redis://127.0.0.1:1"  # type: ignore[attr-defined]  # it is one
        await pilot.press("enter")
        await eventually(lambda: "esc goes back" in said(app) and "cannot be reached" in said(app), "both")
        await pilot.press("escape")
        await pilot.pause()
        assert "Look around" in said(app)


async def test_what_is_said_of_a_way_stands_below_it_on_a_phone(home: Path) -> None:
    async with asking((60, 25)) as (app, _):
        [line] = [line for line in said(app).splitlines() if "port is opened" in line]
        assert line.startswith("│     port is opened")

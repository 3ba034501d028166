"""Updates as JSON: the cache of the first frame, recordings, and other keys."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from relayq.errors import ConfigError, Refused, UsageError
from relayq_tui import cache, recording
from relayq_tui.demo import DemoFeed
from relayq_tui.feed import Counts, JobsGone, Snapshot, Update
from relayq_tui.keymap import keymap
from relayq_tui.replay import ReplayFeed
from relayq_tui.store import Store
from relayq_tui.views import checked
from tests.support import eventually
from tests.tui.app_support import running, settled, shows


async def told() -> list[Update]:
    """Everything the demo tells at the start."""
    updates: list[Update] = []
    task = asyncio.create_task(DemoFeed().run(updates.append, {}))
    await eventually(lambda: len(updates) >= 8, "the demo's home")
    task.cancel()
    return updates


async def test_every_update_comes_back_as_it_was() -> None:
    for update in [*await told(), JobsGone(["a", "b"]), Counts(by_state={})]:
        document = json.loads(json.dumps(recording.dump(update)))
        again = recording.load(document)
        assert recording.dump(again) == recording.dump(update)
        assert type(again) is type(update)


async def test_rows_are_the_same_after_a_round_trip() -> None:
    [snapshot] = [update for update in await told() if isinstance(update, Snapshot)]
    again = recording.load(json.loads(json.dumps(recording.dump(snapshot))))
    assert isinstance(again, Snapshot)
    assert list(again.jobs) == list(snapshot.jobs)


async def test_what_was_recorded_can_be_played_back(tmp_path: Path) -> None:
    path = tmp_path / "session"
    async with running(record=path) as (app, _):
        count = len(app.store.jobs)
    feed = ReplayFeed(path)
    async with running(feed=feed, read_only=True) as (app, pilot):
        await eventually(lambda: len(app.store.jobs) == count, "every job")
        await settled(pilot)
        assert shows(app, "(recorded)")
        with pytest.raises(Refused):
            await feed.submit({})


async def lines_of_a_recording(path: Path) -> list[str]:
    """A recording of the demo, line by line."""
    async with running(record=path):
        pass
    return path.read_text("utf-8").splitlines()


@pytest.mark.parametrize(
    "cut", ['{"ms":1,"update":{"kind":"Snap', '{"a":1}', "7", '{"ms":1,"update":{"kind":"Fly"}}']
)
async def test_a_recording_that_is_damaged_is_shown_as_far_as_it_goes(tmp_path: Path, cut: str) -> None:
    path = tmp_path / "session"
    lines = await lines_of_a_recording(path)
    path.write_text("\n".join([*lines, cut]), "utf-8")
    async with running(feed=ReplayFeed(path), read_only=True) as (app, _):
        said = f"the recording is damaged in line {len(lines) + 1}"
        await eventually(lambda: shows(app, said), "it says where")
        assert shows(app, "train-lora")


async def test_where_a_recording_is_over_it_says_so_and_its_clock_stands_still(tmp_path: Path) -> None:
    path = tmp_path / "session"
    lines = await lines_of_a_recording(path)
    feed = ReplayFeed(path)
    async with running(feed=feed, read_only=True) as (app, pilot):
        await eventually(lambda: shows(app, "the recording is over"), "it says so")
        assert feed.now_ms() - json.loads(lines[0])["at_ms"] == json.loads(lines[-1])["ms"]
        await pilot.press("r")
        await eventually(lambda: shows(app, "the recording is over"), "once more")


async def test_a_recording_tells_the_terminal_nothing(tmp_path: Path) -> None:
    path = tmp_path / "session"
    lines = await lines_of_a_recording(path)
    evil = [line.replace("train-lora", "\\u001b]52;c;UFdO\\u0007\\u009btrain") for line in lines]
    path.write_text("\n".join(evil).replace("home@", "\\u001b[2Jhome@"), "utf-8")
    feed = ReplayFeed(path)
    told = [repr(update) for _, update in recording.opened(path).updates()]
    assert not any(sign in text for text in (*told, repr(feed.name)) for sign in ("\\x1b", "\\x07", "\\x9b"))
    assert any("train" in text for text in told)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"relayq": 99}', "\x00"])
def test_what_is_no_recording_is_refused_with_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "session"
    path.write_text(text)
    with pytest.raises(UsageError, match="record"):
        recording.opened(path)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "[1, [{}]]", '[1, [{"kind": "Snapshot", "jobs": 7}]]', "\x00"]
)
def test_a_damaged_cache_is_no_cache(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cache"
    path.write_text(text)
    assert list(cache.load(path)) == []


async def test_the_cache_is_small_and_holds_the_newest(tmp_path: Path) -> None:
    store = Store(lambda: 0)
    for update in await told():
        store.apply(update)
    path = tmp_path / "new" / "cache"
    cache.save(path, store)
    assert path.stat().st_size < cache.MAX_BYTES
    [snapshot] = [update for update in cache.load(path) if isinstance(update, Snapshot)]
    assert [row.id for row in snapshot.jobs] == [row.id for row in store.newest[: cache.KEPT]]


def test_a_hub_that_never_answered_leaves_no_cache(tmp_path: Path) -> None:
    cache.save(tmp_path / "cache", Store(lambda: 0))
    assert not (tmp_path / "cache").exists()


def test_other_keys_are_taken() -> None:
    assert keymap({"retry": "Z"}) == {"retry": "Z"}


@pytest.mark.parametrize("key", ["ctrl+kk", "hyper+x", "enterr", "ctrl+"])
def test_keys_that_no_terminal_sends_are_refused(key: str) -> None:
    with pytest.raises(ConfigError, match="there is no key"):
        keymap({"retry": key})


@pytest.mark.parametrize(
    "key", ["Z", "ctrl+z", "f2", "space", "ctrl+f2", "+", "ctrl+left_square_bracket", "Z, f3", ""]
)
def test_keys_that_a_terminal_sends_are_taken(key: str) -> None:
    assert keymap({"retry": key, "mark": "ctrl+t"})["retry"] == key


@pytest.mark.parametrize("given", [{"retry": "j"}, {"cancel": "1"}, {"down": "K"}, {"help": "l"}])
def test_a_key_that_is_listened_to_everywhere_is_not_given_to_one_list(given: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="give one another"):
        keymap(given)


def test_a_key_that_was_freed_may_be_given() -> None:
    assert keymap({"retry": "j", "down": "f5"})


def test_a_view_that_cannot_be_asked_is_refused_with_a_sentence() -> None:
    assert checked({"gpu": "queue:gpu"}) == (("gpu", "queue:gpu"),)
    with pytest.raises(ConfigError, match="the view 'bad'"):
        checked({"bad": "state:("})


def test_keys_for_actions_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ConfigError, match="no action 'fly'"):
        keymap({"fly": "Z"})


def test_a_key_for_two_things_is_refused() -> None:
    with pytest.raises(ConfigError, match="'C' is for"):
        keymap({"retry": "C"})


async def test_another_key_works_and_is_shown() -> None:
    async with running(keymap=(("filter", "w"),)) as (app, pilot):
        assert shows(app, "w filter")
        await pilot.press("w")
        await settled(pilot)
        assert app.focused is not None
        assert app.focused.id != "jobs"

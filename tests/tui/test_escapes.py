"""What a terminal sends, as keys."""

from __future__ import annotations

import pytest
from textual import events
from textual.drivers import linux_driver

from relayq_tui.escapes import listening


def keys(sent: str) -> list[str]:
    """The keys of what was sent, when nothing more comes."""
    listening(linux_driver.LinuxDriver)
    parser = vars(linux_driver)["XTermParser"]()
    found = [*parser.feed(sent), *parser.feed("")]
    return [one.key for one in found if isinstance(one, events.Key)]


@pytest.mark.parametrize(
    ("sent", "key"),
    [("/", "slash"), ("j", "j"), ("R", "R"), ("1", "1"), ("?", "question_mark"), (" ", "space")],
)
def test_escape_and_a_key_are_two(sent: str, key: str) -> None:
    assert keys(f"\x1b{sent}") == ["escape", key]


@pytest.mark.parametrize(
    ("sent", "key"),
    [("\x1b[A", "up"), ("\x1bOB", "down"), ("\x1b[5~", "pageup"), ("\x1b[1;5A", "ctrl+up"), ("\x1bOP", "f1")],
)
def test_a_key_that_sends_more_is_one(sent: str, key: str) -> None:
    assert keys(sent) == [key]


def test_between_others_each_stays_what_it_is() -> None:
    assert keys("a\x1bb\x1b[Bc") == ["a", "escape", "b", "down", "c"]


def test_a_toolkit_without_that_parser_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(linux_driver, "XTermParser")
    assert listening(linux_driver.LinuxDriver) is linux_driver.LinuxDriver
    assert not hasattr(linux_driver, "XTermParser")

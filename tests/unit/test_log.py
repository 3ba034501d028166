"""Facts about the log: one line an event, whatever it holds."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from relayq.log import Human, Json, setup

LOG = logging.getLogger("relayq.test")


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger("relayq")
    before = (root.handlers, root.level, root.propagate)
    yield
    root.handlers, root.level, root.propagate = before


def lines(formatter: logging.Formatter, **facts: object) -> list[str]:
    record = LOG.makeRecord("relayq.test", logging.WARNING, "x.py", 1, "lease lost", (), None, extra=facts)
    record.created, record.msecs = 0.0, 7.0
    return formatter.format(record).split("\n")


def test_a_person_reads_phrase_and_facts_on_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relayq.log.time.localtime", lambda seconds: (1970, 1, 1, 0, 0, 0, 3, 1, 0))
    assert lines(Human(), job="7K3M9Q", attempt=2) == ["00:00:00 warning  lease lost  job=7K3M9Q attempt=2"]


def test_a_program_reads_json() -> None:
    (line,) = lines(Json(), job="7K3M9Q", attempt=2)
    assert json.loads(line) == {
        "time": "1970-01-01T00:00:00.007Z",
        "level": "warning",
        "logger": "relayq.test",
        "event": "lease lost",
        "job": "7K3M9Q",
        "attempt": 2,
    }


def test_a_hostile_fact_breaks_neither_line() -> None:
    hostile = "a\n00:00:00 info  forged\x1b]0;x\x07\ud800"
    (human,) = lines(Human(), command=hostile)
    assert "\x1b" not in human
    (line,) = lines(Json(), command=hostile, place=object())
    assert json.loads(line)["command"] == hostile


def test_a_fact_cannot_take_the_place_of_ours() -> None:
    (line,) = lines(Json(), level="info", time="never")
    assert json.loads(line)["level"] == "warning"


@pytest.mark.parametrize("formatter", [Human(), Json()])
def test_a_traceback_is_kept_and_clean(formatter: logging.Formatter) -> None:
    try:
        raise RuntimeError("bad \x1b[2J news")
    except RuntimeError as error:
        info = (type(error), error, error.__traceback__)
    record = LOG.makeRecord("relayq.test", logging.ERROR, "x.py", 1, "went wrong", (), info)
    text = formatter.format(record)
    assert "RuntimeError" in text
    assert "\x1b" not in text


@pytest.mark.parametrize(("json_wanted", "first"), [(False, "%H"), (True, "{")])
def test_setup_sends_the_log_to_stderr_once(
    capsys: pytest.CaptureFixture[str], json_wanted: bool, first: str
) -> None:
    setup(json=json_wanted)
    setup(json=json_wanted)
    LOG.info("started", extra={"worker": "pi"})
    LOG.debug("detail")
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "started" in err
    assert err.startswith("{") == (first == "{")


def test_setup_obeys_the_level(capsys: pytest.CaptureFixture[str]) -> None:
    setup(level="debug")
    LOG.debug("detail")
    assert "detail" in capsys.readouterr().err


def test_the_log_does_not_reach_the_root_logger_of_a_host_program() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    try:
        setup()
        LOG.warning("ours")
    finally:
        logging.getLogger().removeHandler(handler)
    assert stream.getvalue() == ""

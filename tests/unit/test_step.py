"""How a step reads its inputs, speaks to its runner and counts its minutes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayq.errors import RelayQError, UsageError
from relayq.step import cost
from relayq.step.inputs import INPUTS, event_of, pairs, wanted
from relayq.step.notices import notices
from relayq.step.runner import ANNOTATION_CHARS_MAX, SUMMARY_BYTES_MAX, Runner, code
from tests.step.runner_support import SHA, Log

HERE = {"GITHUB_REPOSITORY": "acme/site", "GITHUB_SHA": SHA}


def test_lines_become_pairs() -> None:
    text = "A=1\n\n# nothing\nB=x=y \nC<<END\none\n two\nEND\nD="
    assert pairs(text, "params") == {"A": "1", "B": "x=y ", "C": "one\n two", "D": ""}


def test_json_has_no_way_out_of_its_quotes() -> None:
    scene = 'x\nLD_PRELOAD=evil.so\nSCENE<<END"}'
    text = json.dumps({"SCENE": scene, "N": 7, "ON": True, "NO": None})
    assert pairs(text, "params") == {"SCENE": scene, "N": "7", "ON": "true"}


@pytest.mark.parametrize(
    "text", ["{", '{"A": []}', '{"A": 1, "A": 2}', "{A=1}", "A", "=x", "A B=1", "A<<END\n1", "<<X\nX"]
)
def test_lines_that_are_no_pairs_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="params"):
        pairs(text, "params")


@pytest.mark.parametrize(
    ("text", "size", "start", "values"),
    [
        ("7", 7, 0, ()),
        ("5-20", 16, 5, ()),
        ("a.png", 1, 0, ("a.png",)),
        ("7\n", 1, 0, ("7",)),
        ("a\n\nb\n", 2, 0, ("a", "b")),
    ],
)
def test_an_array_is_a_number_a_range_or_lines(
    text: str, size: int, start: int, values: tuple[str, ...]
) -> None:
    array = wanted({"command": "true", "array": text}, {}).spec.array
    assert array is not None
    assert (array.size, array.start, array.values) == (size, start, values)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([name for name in INPUTS if name != "join"]), st.text(max_size=60)))
def test_any_inputs_are_a_job_or_one_sentence(given: dict[str, str]) -> None:
    try:
        wanted(given, HERE)
    except RelayQError as error:
        assert 10 < len(str(error)) < 400
        assert error.exit_code == 2


def test_notices_name_the_commit_the_issue_and_the_repository() -> None:
    event = {"issue": {"number": 12}}
    assert notices("status, comment\ndispatch none status", HERE, event) == [
        f"status:acme/site@{SHA}",
        "comment:acme/site#12",
        "dispatch:acme/site",
    ]
    assert notices("comment", HERE, {"pull_request": {"number": 3}}) == ["comment:acme/site#3"]
    assert notices("none", {}, {}) == []
    assert notices("dispatch", {"GITHUB_REPOSITORY": "mona_acme/site"}, {}) == ["dispatch:mona_acme/site"]


HEAD = "f" * 40


@pytest.mark.parametrize(
    ("event", "sha"),
    [
        ({"pull_request": {"number": 3, "head": {"sha": HEAD}}}, HEAD),
        ({"workflow_run": {"head_sha": HEAD}}, HEAD),
        ({"pull_request": {"head": None}, "workflow_run": 3}, SHA),
        ({"pull_request": None}, SHA),
    ],
)
def test_a_status_stands_at_the_commit_that_people_look_at(event: dict[str, object], sha: str) -> None:
    assert notices("status check", HERE, event) == [f"status:acme/site@{sha}", f"check:acme/site@{sha}"]


@pytest.mark.parametrize(
    ("words", "environ"),
    [("all", HERE), ("status", {}), ("status", {"GITHUB_REPOSITORY": "acme/site"}), ("comment", HERE),
     ("dispatch", {"GITHUB_REPOSITORY": "a b/c"})],
)  # fmt: skip
def test_nobody_is_told_where_nobody_can_be(words: str, environ: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="input 'notify'"):
        notices(words, environ, {})


def test_minutes_are_rounded_up_and_weighed() -> None:
    table = [(0, "Linux"), (60, "Linux"), (60.1, "Linux"), (7200, "Linux"), (61, "Windows"), (10, "macOS")]
    assert [cost.minutes(*one) for one in table] == [1, 1, 2, 120, 4, 10]
    assert "6.0 %" in cost.forecast(7200, "Linux")
    line = cost.sentence(400, "Linux", is_private=True, waited=True)
    assert "Billed so far: 7 minutes" in line
    assert "6 of them for waiting" in line
    assert "free" in cost.sentence(400, "Linux", is_private=False, waited=True)


def spoken(speak: object, environ: dict[str, str] | None = None) -> str:
    """What a runner is told."""
    out = io.StringIO()
    assert callable(speak)
    speak(Runner(environ or {}, out))
    return out.getvalue()


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200), st.lists(st.binary(max_size=60), max_size=5))
def test_no_text_and_no_output_is_ever_a_command(text: str, pieces: list[bytes]) -> None:
    def speak(runner: Runner) -> None:
        runner.say(text)
        runner.annotate("error", text)
        with runner.foreign() as foreign:
            for number, piece in enumerate([b"::error::x\n", *pieces, b"\n::error::y"]):
                foreign.write(piece, is_error=bool(number % 2))

    log = Log.read(spoken(speak))
    assert [name for name, _ in log.commands] == ["error", "stop-commands"]


@pytest.mark.parametrize(
    "text",
    [
        "::error::x",
        "  ::error::x",
        "\t::error::x",
        "##[error]x",
        "so ##[add-mask]e",
        "a\n::error::x",
        "\r##[x]",
    ],
)
def test_a_sentence_is_no_command(text: str) -> None:
    log = Log.read(spoken(lambda runner: runner.say(text)))
    assert (log.commands, len(log.shown)) == ([], 1)


def test_annotations_are_ten_and_short() -> None:
    def speak(runner: Runner) -> None:
        for _ in range(12):
            runner.annotate("warning", "x" * 9_000)

    log = Log.read(spoken(speak))
    assert [len(text) for text in log.annotations("warning")] == [ANNOTATION_CHARS_MAX] * 10
    assert len(log.shown) == 2


def test_a_summary_is_cut_at_what_the_runner_takes(tmp_path: Path) -> None:
    file = tmp_path / "summary"
    spoken(lambda runner: runner.summary("é" * SUMMARY_BYTES_MAX), {"GITHUB_STEP_SUMMARY": str(file)})
    assert SUMMARY_BYTES_MAX - 80 < file.stat().st_size <= SUMMARY_BYTES_MAX
    assert file.read_text().endswith("(the rest is cut)\n")


@given(st.text(max_size=100))
def test_an_output_is_one_line(text: str) -> None:
    lines = {}

    class Memory(Runner):
        def _append(self, variable: str, text: str) -> None:
            lines[variable] = text

    Memory({}, io.StringIO()).output("url", text)
    assert len(lines["GITHUB_OUTPUT"].splitlines()) == 1


@given(st.text(max_size=100))
def test_code_in_a_summary_stays_code(text: str) -> None:
    found = code(text)
    assert found.count("`") in (0, 2)
    assert not set("<>|\n\r") & set(found)


def test_masks_are_set_line_by_line() -> None:
    assert spoken(lambda runner: runner.mask("a%b\n\n c\r\n")) == "::add-mask::a%25b\n::add-mask:: c\n"


def test_an_event_that_is_no_json_is_no_event(tmp_path: Path) -> None:
    file = tmp_path / "event"
    for text in ("", "[1]", "{", "[" * 100_000):
        file.write_text(text)
        assert event_of({"GITHUB_EVENT_PATH": str(file)}) == {}
    file.write_text(json.dumps({"a": 1}))
    assert event_of({"GITHUB_EVENT_PATH": str(file)}) == {"a": 1}
    assert event_of({"GITHUB_EVENT_PATH": str(tmp_path / "no")}) == {}

"""The form of a new job as text: what it says as a spec, as a command line, and what is wrong with it."""

from __future__ import annotations

import shlex

import pytest

from relayq.cli.commands import COMMANDS
from relayq.cli.options import JOB_OPTIONS
from relayq.cli.options import fields_of as fields_of_cli
from relayq.cli.parser import parser_of
from relayq.errors import SpecError
from relayq.model.job import FIELDS as SPEC_FIELDS
from relayq.model.job import JobSpec
from relayq_tui.demo import DemoFeed
from relayq_tui.jobform import (
    FIELDS,
    Wrong,
    changed,
    command_line,
    fields_of,
    judge,
    texts_of,
    untold,
    who_could,
)

IDS = ["AAAAAAAAAAAA7RDKM4"[-16:], "BBBBBBBBBBBBBB12"]


def wrong(**texts: str) -> Wrong:
    """What is wrong with a form."""
    verdict = judge({"command": "true", **texts}, {}, IDS)
    assert isinstance(verdict, Wrong)
    return verdict


def test_every_line_of_the_form_is_a_field_of_the_spec() -> None:
    assert [field.name for field in FIELDS if field.name not in SPEC_FIELDS] == []


def test_every_line_of_the_form_is_an_option_of_submit() -> None:
    flags = {option.field: option.flag for option in JOB_OPTIONS}
    assert [field.name for field in FIELDS[1:] if field.flag != flags[field.name]] == []


def test_empty_lines_are_not_given() -> None:
    assert fields_of({"command": "make", "queue": "  ", "needs": ""}) == {"command": "make"}


def test_lines_take_the_shapes_of_the_spec() -> None:
    texts = {
        "command": "make",
        "needs": "mac, tool:ffmpeg",
        "attempts": "3",
        "array": "9-19",
        "priority": "-5",
    }
    assert fields_of(texts) == {
        "command": "make",
        "needs": ["mac", "tool:ffmpeg"],
        "attempts": 3,
        "array": "9-19",
        "priority": -5,
    }


@pytest.mark.parametrize(
    ("texts", "field"),
    [
        ({"attempts": "0"}, "attempts"),
        ({"attempts": "many"}, "attempts"),
        ({"priority": "101"}, "priority"),
        ({"timeout": "soon"}, "timeout"),
        ({"queue": "a b"}, "queue"),
        ({"array": "0"}, "array"),
        ({"needs": "cpus=none"}, "needs"),
        ({"at": "teatime"}, "at"),
        ({"after": "7RDK"}, "after"),
        ({"unique": "key,never"}, "unique"),
        ({"delay": "1h", "at": "2040-01-01T00:00"}, "at"),
    ],
)
def test_what_is_wrong_is_told_with_its_field(texts: dict[str, str], field: str) -> None:
    found = wrong(**texts)
    assert (found.field, "(field" in found.sentence) == (field, False)


def test_without_a_command_it_is_the_command_that_is_wrong() -> None:
    assert judge({}, {}, ()) == Wrong("command", "the command is empty")


def test_a_shortened_id_is_spelt_out() -> None:
    assert fields_of({"after": "7RDKM4:any"}, IDS)["after"] == [f"{IDS[0]}:any"]


def test_a_shortened_id_of_two_jobs_is_refused() -> None:
    with pytest.raises(SpecError, match="could be 2 jobs"):
        fields_of({"after": "RDKM4"}, ["AAAAAAAAAAARDKM4", "BBBBBBBBBBBRDKM4"])


def test_the_command_line_reads_back_as_the_same_spec() -> None:
    texts = {"command": "ffmpeg -i 'a b.mp4' out.webm", "name": "to webm", "needs": "media, cpus=2",
             "attempts": "3", "timeout": "2h", "unique": "webm,1h", "array": "5"}  # fmt: skip
    words = shlex.split(command_line(texts, {}))
    cut = words.index("--")
    parser, _ = parser_of(COMMANDS["submit"])
    args = parser.parse(words[2:cut])
    from_cli = JobSpec.from_dict({"command": words[cut + 1], **fields_of_cli(args)})
    assert from_cli == judge(texts, {}, ())


def test_each_job_to_wait_for_has_an_option_of_its_own() -> None:
    line = command_line({"command": "x", "after": "AAAA, BBBB:any"}, {})
    assert line == "relayq submit --after AAAA --after BBBB:any -- x"


def test_an_edited_job_sends_only_what_was_changed() -> None:
    before = {"command": ["make", "all"], "queue": "gpu", "attempts": 3, "labels": {"run": "7"}}
    texts = texts_of(before)
    assert (texts["command"], changed(fields_of(texts), before)) == ("make all", {})
    texts |= {"queue": "", "attempts": "5"}
    assert changed(fields_of(texts), before) == {"attempts": 5, "queue": None}
    assert command_line(texts, before, "T50YG4H0GZ7RDKM4") == "relayq clone 7RDKM4 --queue '' --attempts 5"


def test_what_an_edited_job_had_besides_is_kept() -> None:
    before = {"command": "make", "labels": {"run": "7"}}
    spec = judge(texts_of(before) | {"priority": "9"}, before, ())
    assert isinstance(spec, JobSpec)
    assert (spec.priority, spec.labels) == (9, (("run", "7"),))


def test_it_is_known_who_could_run_it() -> None:
    workers = DemoFeed().home.workers.values()
    able, reasons = who_could(JobSpec.from_dict({"command": "true", "needs": ["gpu=1"]}), workers)
    assert able == ["mac-mini"]
    assert "pi3-shed" in " ".join(reasons)
    assert "iphone-ssh" not in " ".join([*able, *reasons])  # it is offline


def test_the_jobs_that_an_edited_job_waited_for_are_shown_and_stay_as_they_are() -> None:
    before = JobSpec.from_dict({"command": "make", "after": [IDS[1], {"job": IDS[0], "on": "any"}]}).to_dict()
    texts = texts_of(before)
    assert texts["after"] == f"{IDS[1]},{IDS[0]}:any"
    assert changed(fields_of(texts), before) == {}
    assert changed(fields_of(texts | {"after": ""}), before) == {"after": None}


@pytest.mark.parametrize("key", ["webm", "webm,1h", "webm,replace"])
def test_the_unique_key_of_an_edited_job_is_shown_as_it_is_typed(key: str) -> None:
    spec = judge({"command": "true", "unique": key}, {}, ())
    assert isinstance(spec, JobSpec)
    assert texts_of(spec.to_dict())["unique"] == key


def test_what_has_no_words_in_the_form_is_known_and_kept() -> None:
    after = [{"job": IDS[0], "mode": "index"}]
    before = {"command": "make", "array": ["a.png", "b.png"], "after": after, "labels": {"run": "7"}}
    assert untold(before) == {"array", "after"}
    assert changed(fields_of(texts_of(before)), before) == {}

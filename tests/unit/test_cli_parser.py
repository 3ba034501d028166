"""The command line: names, options, what is refused, and what a job's options become."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from relayq import __version__
from relayq.cli.commands import COMMANDS
from relayq.cli.main import main
from relayq.cli.options import add_job_options, command_of, fields_of
from relayq.cli.parser import parser_of
from relayq.cli.reference import page
from relayq.errors import UsageError
from relayq.model.job import JobSpec
from tests.arch.tree import ROOT


def typed(*words: str) -> dict[str, object]:
    """The fields of a spec that these options give."""
    parser = argparse.ArgumentParser()
    add_job_options(parser)
    return fields_of(parser.parse_args(words))


def error_of(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """What a refused command line says."""
    assert main(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_every_command_of_the_table_can_be_built() -> None:
    for command in COMMANDS.values():
        parser, module = parser_of(command)
        assert parser.prog == f"relayq {command.name}"
        assert callable(module.run)


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"  {name} " in out for name in COMMANDS)


def test_the_version_is_the_package_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"relayq {__version__}\n"
    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text()


def test_a_misspelt_command_is_suggested(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean jobs?" in error_of(capsys, "jbos")


def test_a_misspelt_option_is_suggested(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no option --que, did you mean --queue?" in error_of(capsys, "jobs", "--que", "x")


def test_an_option_without_its_value_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--queue needs a value" in error_of(capsys, "jobs", "--queue")


def test_a_word_like_no_other_is_not_taken_for_one(capsys: pytest.CaptureFixture[str]) -> None:
    for line in (["bogus"], ["submit", "--nosuch", "--", "true"], ["jobs", "--zz"]):
        assert "did you mean" not in error_of(capsys, *line)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("jobs -n x", "-n: 'x' is not a whole number"),
        ("reprioritise ID x", "N: 'x' is not a whole number"),
        ("queue", "missing: pause|resume|weight, NAME"),
        ("queue weight a x", "N: 'x' is not a number"),
    ],
)
def test_what_argparse_says_is_put_plainly(capsys: pytest.CaptureFixture[str], line: str, words: str) -> None:
    assert error_of(capsys, *line.split()).startswith(f"relayq: {words}; see `relayq ")


def test_a_command_without_dashes_is_told_where_they_belong(capsys: pytest.CaptureFixture[str]) -> None:
    assert "relayq run [OPTIONS] -- echo hi" in error_of(capsys, "run", "echo", "hi")


def test_run_without_a_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no command was given" in error_of(capsys, "run", "--")


def test_names_may_stand_before_and_behind_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    parser, _ = parser_of(COMMANDS["schedule"])
    for line in ("pause a b --json", "pause --json a b", "pause a --json b"):
        args = parser.parse(line.split())
        assert (args.action, args.names, args.json) == ("pause", ["a", "b"], True)
    assert "has no use for 'b'" in error_of(capsys, "queue", "pause", "a", "1", "b")


def test_commands_of_later_issues_do_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("bench",):
        assert "there is no command" in error_of(capsys, name)


def test_options_naming_the_hub_may_stand_in_front(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    assert main(["--url", "redis://user:pw@nowhere.invalid:1/0", "config", "show", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["hub.url"]
    assert shown["source"] == "flag"
    assert "pw" not in shown["value"]


def test_one_argument_is_a_shell_line_and_several_are_argv() -> None:
    one = argparse.Namespace(command="run", command_line=["echo $HOME"])
    several = argparse.Namespace(command="run", command_line=["echo", "$HOME"])
    assert command_of(one) == "echo $HOME"
    assert command_of(several) == ["echo", "$HOME"]


def test_options_become_fields_of_a_spec() -> None:
    fields = typed(
        *("--needs", "mac,tool:ffmpeg", "--needs", "cpus=2", "--priority", "5", "--limit", "gpu=2"),
        *("--rate", "api=10/1m", "--env", "A=b=c", "--label", "team=x", "--retry-on", "75,100-110"),
        *("--unique", "key,1h", "--array", "5-20", "--timeout", "2h"),
    )
    spec = JobSpec.from_dict({"command": "true", **fields})
    assert spec.needs.to_list() == ["mac", "tool:ffmpeg", "cpus=2"]
    assert spec.limits == (("gpu", 2),)
    assert spec.rates == (("api", 10, 60_000),)
    assert spec.env == (("A", "b=c"),)
    assert spec.unique is not None and spec.unique.window_ms == 3_600_000
    assert spec.array is not None and (spec.array.start, spec.array.size) == (5, 16)


@pytest.mark.parametrize("how", ["queued", "replace"])
def test_a_unique_mode_may_follow_the_key(how: str) -> None:
    assert typed("--unique", f"a,b,{how}") == {"unique": {"key": "a,b", "mode": how}}


def test_a_typed_variable_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("# comment\nA=file\nB=file\n\n")
    assert typed("--env", "A=typed", "--env-file", str(tmp_path / "env")) == {
        "env": {"A": "typed", "B": "file"}
    }


def test_the_lines_of_a_file_are_the_values_of_an_array(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("a b\nc\n")
    fields = typed("--array", f"@{tmp_path / 'list'}", "--sequential")
    spec = JobSpec.from_dict({"command": "true", **fields})
    assert spec.array is not None
    assert (spec.array.values, spec.array.sequential) == (("a b", "c"), True)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--env", "novalue"), "not NAME=VALUE"),
        (("--sequential",), "needs --array"),
        (("--at", "soon"), "not a time"),
        (("--stdin", "/nonexistent/file"), "cannot be read"),
    ],
)
def test_a_bad_value_is_refused_by_name(words: tuple[str, ...], what: str) -> None:
    with pytest.raises(UsageError, match=what):
        typed(*words)


def test_a_time_without_a_date_is_the_next_such_time() -> None:
    spec = JobSpec.from_dict({"command": "true", **typed("--at", "23:59")})
    assert spec.at_ms > 0


def test_the_reference_page_is_what_the_parsers_say() -> None:
    stored = (ROOT / "docs" / "reference" / "cli.md").read_text()
    assert stored == page(), "run: python -m relayq.cli.reference > docs/reference/cli.md"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_knows_every_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(name in script for name in COMMANDS)
    assert "keep-output" in script


def test_a_public_key_may_begin_with_a_dash() -> None:
    key = "-" + "A" * 42
    worker, _ = parser_of(COMMANDS["worker"])
    assert worker.parse(["--trust", key]).trust == [key]
    trust, _ = parser_of(COMMANDS["trust"])
    assert trust.parse(["key", "phone", key, key]).words == ["phone", key, key]
    with pytest.raises(UsageError, match="no option --slotz"):
        worker.parse(["--slotz"])

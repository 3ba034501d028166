"""What a workflow file will cost, read from the file; and the token, found by the name of its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayq.config import load
from relayq.errors import ConfigError, UsageError
from relayq.github.token import find_token
from relayq.github.workflows import firings, read_workflow
from relayq.model.budget import Month

NOVEMBER, OCTOBER = Month(2026, 11), Month(2026, 10)


def written(folder: Path, text: str) -> Path:
    """A workflow file."""
    path = folder / "ci.yml"
    path.write_text(text)
    return path


def test_crons_matrices_and_systems_are_multiplied_out(tmp_path: Path) -> None:
    planned = read_workflow(
        written(
            tmp_path,
            """
on:
  schedule: [{cron: '17 3 * * *'}, {cron: '0 */6 * * 1-5'}]
  push:
jobs:
  test:
    runs-on: ${{ matrix.os }}
    timeout-minutes: 20
    strategy:
      matrix:
        os: [ubuntu-latest, windows-latest]
        python: ['3.11', '3.12', '3.13']
        exclude: [{os: windows-latest, python: '3.11'}]
        include: [{os: macos-14, python: '3.13'}]
  home: {runs-on: [self-hosted, linux]}
  box: {runs-on: {group: big}}
""",
        )
    )
    assert planned.crons == ("17 3 * * *", "0 */6 * * 1-5")
    assert planned.runs(NOVEMBER) == 30 + 21 * 4
    assert {(job.system, job.copies) for job in planned.jobs if job.name == "test"} == {
        ("linux", 3), ("windows", 2), ("macos", 1),
    }  # fmt: skip
    assert planned.least_a_run == 3 + 2 * 2 + 10 + 0 + 1
    assert planned.most_a_run == 20 * (3 + 4 + 10) + 360
    assert any("runs on big" in note for note in planned.notes)


# The table of the documentation: minutes a month of a cron whose run is one minute.
@pytest.mark.parametrize(
    ("cron", "thirty", "thirty_one"),
    [
        ("*/5 * * * *", 8640, 8928), ("*/10 * * * *", 4320, 4464), ("*/15 * * * *", 2880, 2976),
        ("*/20 * * * *", 2160, 2232), ("*/30 * * * *", 1440, 1488), ("0 * * * *", 720, 744),
        ("17 3 * * 0", 5, 4), ("0 0 1,15 * *", 2, 2), ("0 0 13 * fri", 4, 6), ("* * * * *", 8640, 8928),
        ("0 0 31 * *", 0, 1), ("5 4 * nov *", 30, 0),
    ],
)  # fmt: skip
def test_firings_are_counted_by_the_calendar(cron: str, thirty: int, thirty_one: int) -> None:
    assert (firings(cron, NOVEMBER), firings(cron, OCTOBER)) == (thirty, thirty_one)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("on: push", "no `on` or no `jobs`"),
        ("a: [", "is not valid YAML \\(line"),
        ("- 1", "it is no table"),
        ("on: push\njobs: {a: {steps: []}}", "has no `runs-on`"),
        (
            "on: {schedule: [{cron: '* * *'}]}\njobs: {a: {runs-on: x}}",
            r"does not have five fields .*; nearest is '\* \* \* \* \*'",
        ),
        (
            "on: {schedule: [{cron: '61 * * * *'}]}\njobs: {a: {runs-on: x}}",
            "minute 61 is out of range: 0 to 59; nearest is '59 ",
        ),
        (
            "on: {schedule: [{cron: '@daily'}]}\njobs: {a: {runs-on: x}}",
            "no names of rules; nearest is '0 0 ",
        ),
        (
            "on: {schedule: [{cron: '@dayly'}]}\njobs: {a: {runs-on: x}}",
            "no names of rules; nearest is '0 0 ",
        ),
        (
            "on: {schedule: [{cron: '0 0 31 2 *'}]}\njobs: {a: {runs-on: x}}",
            "would never fire; nearest is '0 0 29 ",
        ),
        (
            "on: {schedule: [{cron: '0 0 * * *', timezone: Moon/Sea}]}\njobs: {a: {runs-on: x}}",
            "'Moon/Sea' is not",
        ),
        ("on: {schedule: [{}]}\njobs: {a: {runs-on: x}}", "has no `cron`"),
        ("on: push\njobs: {a: {runs-on: x, strategy: {matrix: {n: [%s]}}}}" % ("1," * 300), "more than 256"),
    ],
)
def test_what_is_no_workflow_is_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_workflow(written(tmp_path, text))
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_workflow(tmp_path / "none.yml")


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("cron: '* * *'", r"does not have five fields .*; nearest is '\* \* \* \* \*'"),
        ("cron: '61 * * * *'", "minute 61 is out of range: 0 to 59; nearest is '59 "),
        ("cron: '@daily'", r"GitHub knows no names of rules; nearest is '0 0 \* \* \*'"),
        ("cron: '@dayly'", r"GitHub knows no names of rules; nearest is '0 0 \* \* \*'"),
        ("cron: '0 0 31 2 *'", "would never fire; nearest is '0 0 29 2 "),
        ("cron: '0 0 * * *', timezone: Moon/Sea", "the timezone 'Moon/Sea' is not known here"),
    ],
)
def test_what_github_would_not_fire_is_one_sentence(tmp_path: Path, entry: str, words: str) -> None:
    text = f"on: {{schedule: [{{{entry}}}]}}\njobs: {{a: {{runs-on: x}}}}"
    with pytest.raises(UsageError, match=words):
        read_workflow(written(tmp_path, text))


def test_a_cron_fires_by_the_clock_of_its_zone(tmp_path: Path) -> None:
    text = "on: {schedule: [{cron: '30 0 1 * *', timezone: %s}]}\njobs: {a: {runs-on: x}}"
    for zone, fired in (("UTC", 1), ("Asia/Tokyo", 1), ("America/New_York", 1)):
        assert read_workflow(written(tmp_path, text % zone)).runs(NOVEMBER) == fired
    assert firings("30 0 31 * *", NOVEMBER, "America/New_York") == 0
    assert firings("30 22 31 * *", NOVEMBER, "America/New_York") == 1  # in UTC that is the first of November


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="0123456789*/,- abcL#?", max_size=24))
def test_any_text_is_a_cron_or_a_sentence(text: str) -> None:
    try:
        assert 0 <= firings(text, NOVEMBER) <= 8640
    except ValueError as error:
        assert str(error)


# -- tokens

TOKEN = "ghp_0123456789abcdefghij"


def test_auto_takes_the_variables_then_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_token("auto", {}, tmp_path) is None
    kept = tmp_path / "github-token"
    kept.write_text(TOKEN + "\n")
    kept.chmod(0o600)
    found = find_token("auto", {}, tmp_path)
    assert found is not None
    assert (found.value, found.place) == (TOKEN, f"file {kept}")
    found = find_token("auto", {"GITHUB_TOKEN": "ghs_other0123456789"}, tmp_path)
    assert found is not None
    assert found.place == "the variable GITHUB_TOKEN"


def test_gh_is_asked_for_its_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "gh"
    program.write_text(f'#!/bin/sh\n[ "$*" = "auth token" ] && echo {TOKEN}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    found = find_token("gh", {}, tmp_path)
    assert found is not None
    assert (found.value, found.place) == (TOKEN, "gh")


@pytest.mark.parametrize(
    ("api", "asked"),
    [
        ("https://api.github.com", "auth token"),
        ("https://api.acme.ghe.com", "auth token --hostname acme.ghe.com"),
        ("https://github.acme.org/api/v3", "auth token --hostname github.acme.org"),
        ("https://api.acme.org:8443/v3", "auth token --hostname api.acme.org"),
    ],
)
def test_gh_is_asked_for_the_token_of_the_server_and_of_no_other(
    api: str, asked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "gh"
    program.write_text(f'#!/bin/sh\n[ "$*" = "{asked}" ] && echo {TOKEN}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for place in ("gh", "auto"):
        assert find_token(place, {}, tmp_path, api) == (TOKEN, "gh")


ENTERPRISE = "https://github.acme.org/api/v3"


@pytest.mark.parametrize("api", [ENTERPRISE, "https://api.acme.ghe.com", "https://api.github.com.evil.org"])
@pytest.mark.parametrize("place", ["GH_TOKEN", "GITHUB_TOKEN", "file"])
def test_a_token_for_github_goes_to_no_other_server(
    api: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    if place == "file":
        kept = tmp_path / "github-token"
        kept.write_text(TOKEN)
        kept.chmod(0o600)
    with pytest.raises(ConfigError, match="does not go to") as it:
        find_token("auto", {place: TOKEN, "GH_HOST": "github.other.org"}, tmp_path, api)
    assert TOKEN not in str(it.value)


@pytest.mark.parametrize(
    ("api", "environ"),
    [
        ("https://api.github.com", {"GH_TOKEN": TOKEN, "GH_HOST": "github.acme.org"}),
        (ENTERPRISE, {"GH_TOKEN": TOKEN, "GH_HOST": "github.acme.org"}),
        (ENTERPRISE, {"GH_TOKEN": "ghp_of_github_itself", "GH_ENTERPRISE_TOKEN": TOKEN}),
        (ENTERPRISE, {"GITHUB_ENTERPRISE_TOKEN": TOKEN}),
        ("https://api.acme.ghe.com", {"GITHUB_TOKEN": TOKEN, "GH_HOST": "acme.ghe.com"}),
        ("http://127.0.0.1:8080/api/v3", {"GH_TOKEN": TOKEN}),
        ("http://[::1]:8080", {"GH_TOKEN": TOKEN}),
    ],
)
def test_a_token_goes_to_the_server_that_was_named_for_it(
    api: str, environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = find_token("auto", environ, tmp_path, api)
    assert found is not None
    assert found.value == TOKEN


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_token_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    kept = tmp_path / "token"
    kept.write_text(TOKEN)
    kept.chmod(mode)
    with pytest.raises(ConfigError, match=f"may be read by others .mode 0{mode:o}.: type `chmod 600") as it:
        find_token(f"file:{kept}", {}, tmp_path)
    assert TOKEN not in str(it.value)


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("env:NOT_SET", "there is no GitHub token in the variable NOT_SET"),
        ("env:BAD", "what stands in the variable BAD is no GitHub token"),
        ("file:/nowhere/at/all", "there is no GitHub token in file /nowhere/at/all"),
        (TOKEN, "names no place of a token: write auto, gh, env:NAME or file:PATH"),
    ],
)
def test_a_token_that_is_not_there_is_one_sentence(tmp_path: Path, named: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as it:
        find_token(named, {"BAD": "two words\nand lines"}, tmp_path)
    assert TOKEN not in str(it.value)


@pytest.mark.parametrize(
    "address",
    ["http://github.example.com", "https://user@github.example.com", "https://x?y", "ftp://x", "https://"],
)
def test_a_token_goes_nowhere_in_the_clear(home: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("RELAYQ_GITHUB_API", address)
    with pytest.raises(ConfigError, match="is not an https:// address"):
        load()
    monkeypatch.setenv("RELAYQ_GITHUB_API", "http://127.0.0.1:8080/api/v3/")
    assert load().values["github.api"] == "http://127.0.0.1:8080/api/v3"

"""A policy file is read strictly: what is misspelt is an error, never a rule that is missing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from relayq.errors import ConfigError
from relayq.worker.policyfile import load_policy, parse_policy, spelt


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("typos = []", "there is no rule 'typos' at the top: did you mean 'types'?"),
        ("[github]\ncomands = []", "there is no rule 'comands' in [github]: did you mean 'commands'?"),
        ("[githubb]\nshell = false", "there is no rule 'githubb' at the top: did you mean 'github'?"),
        ("xyzzy = 1", "the rules are types, queues,"),
        ("types = 'shell'", "types at the top: 'shell' is not a list of words"),
        ("shell = 'maybe'", "shell at the top: 'maybe' is neither true nor false"),
        ("[owner]\nshell = 'owner'", "'owner' stands at the top only"),
        ("commands = ['ffmpeg']", "a list of commands, each a list of words"),
        ("commands = [[]]", "a command has at least the name of a program"),
        ("commands = [['a', 1]]", "is not a list of texts"),
        ("commands = [['...']]", "'...' stands only at the end"),
        ("commands = [['a', '...', 'b']]", "'...' stands only at the end"),
        ("commands = [['a', 're:[']]", "is not a regular expression"),
        ("commands = [['a', '-f=/etc/*']]", "is an option with a path in it: write re: for it"),
        ("commands = [['a', '../x']]", "has '..' in it"),
        ("commands = [['a', 'glob:x/y']]", "a slash, which a glob never matches"),
        ("commands = [['a', 'b/c']]", "commands at the top: 'b/c' lies under a root, and there are no roots"),
        ("[owner]\nroots = ['/']\n[github]\ncommands = [['a', '...path:b']]", "in [github]: 'path:b' lies"),
        ("roots = ['srv']", "'srv' is not an absolute path"),
        ("env = ['PATH']", "PATH can never be allowed"),
        ("env = ['LD_PRELOAD']", "LD_PRELOAD can never be allowed"),
        ("env = ['A B']", "'A B' is not the name of a variable"),
        ("max_runtime = 'soon'", "'soon' is not a duration"),
        ("max_runtime = 0", "a duration above 0"),
        ("max_output = 'much'", "'much' is not a size"),
        ("max_attempts = 0", "0 is not a whole number from 1 to 10"),
        ("max_attempts = true", "True is not a whole number"),
        ("isolation = 'none'", "'none' is not one of user, owner, strict"),
        ("network = 'off'", "'off' is neither true nor false"),
        ("user = 'a b'", "'a b' is not the name of a user"),
        ("github = true", "'github' is a section, written [github]"),
        ("keys = []", "'keys' holds one section a key"),
        ("[keys]\nlaptop = 1", "'keys.laptop' is a section"),
        ("shell = ", "is not valid TOML"),
        ("x = " + "[" * 10_000, "is not valid TOML"),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_policy(text, "policy.toml")
    assert said in str(caught.value)
    assert str(caught.value).startswith("policy policy.toml")
    assert "\n" not in str(caught.value).partition(":")[0]


def test_no_file_is_no_policy(tmp_path: Path) -> None:
    assert load_policy(tmp_path / "none.toml").sections == {}


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_policy_that_others_can_write_is_none(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "policy.toml"
    path.touch()
    path.chmod(mode)
    with pytest.raises(ConfigError, match="can be written by other users"):
        load_policy(path)


def test_a_policy_of_somebody_else_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "policy.toml"
    path.touch(mode=0o600)
    if os.geteuid() == 0:
        os.chown(path, 65_534, 65_534)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(ConfigError, match="belongs to another user"):
        load_policy(path)


def test_what_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.mkdir()
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_policy(path)
    (tmp_path / "latin.toml").write_bytes(b"user = '\xff'")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_policy(tmp_path / "latin.toml")


def test_rules_are_shown_as_they_are_written() -> None:
    policy = parse_policy(
        "shell = false\n[github]\nwritable = ['/srv']\n"
        "commands = [['a', '*.b', 're:c+', 'work:d', 'path:e', 'f/*', '...'], ['g', '...work:h']]"
    )
    shown = [
        (section, rule, str(value[0]) if rule == "commands" else value)
        for section, rule, value in spelt(policy)
    ]
    assert shown == [
        ("", "shell", False),
        ("github", "commands", "a *.b re:c+ work:d path:e f/* ..."),
        ("github", "writable", ("/srv",)),
    ]

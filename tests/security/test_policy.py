"""A policy refuses what it forbids, names the rule, and lets the rest in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relayq.errors import Refused
from relayq.model.job import JobSpec
from relayq.model.signer import GITHUB, MEMBER, THE_OWNER, Signer
from relayq.worker.policy import judge, merge
from relayq.worker.policyfile import parse_policy

WORKFLOW = Signer(GITHUB, "me/site")
LAPTOP = Signer(MEMBER, "laptop")
EVERYBODY = (THE_OWNER, LAPTOP, WORKFLOW)


def refusal(policy: str, signer: Signer = WORKFLOW, command: Any = ("true",), **fields: Any) -> str:
    """Why a job is refused, or nothing."""
    given = command if isinstance(command, str) else list(command)
    spec = JobSpec.from_dict({"command": given, **fields})
    try:
        judge(parse_policy(policy), spec, signer)
    except Refused as refused:
        return str(refused)
    return ""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory that a policy may name, and a secret beside it."""
    root = tmp_path / "class"
    (root / "scripts").mkdir(parents=True)
    (root / "media").mkdir()
    (root / "scripts" / "a.py").touch()
    (tmp_path / "secret.py").touch()
    return root


def lesson(root: Path, command: list[str], **fields: Any) -> str:
    """Why the classroom refuses a command, or nothing."""
    policy = f"""
        [github]
        roots = ["{root}"]
        commands = [
            ["python3", "scripts/*.py", "..."],
            ["ffmpeg", "-i", "media/**", "re:-crf=[0-9]+", "{root}/media/out/*"],
            ["show", "*.txt", "...work:*.csv"],
        ]
    """
    return refusal(policy, command=command, **{"cwd": str(root), **fields})


# -- without a policy


@pytest.mark.parametrize("signer", EVERYBODY)
def test_without_a_policy_whoever_is_trusted_may_run_anything(signer: Signer) -> None:
    assert refusal("", signer, "rm -rf / | sh", cwd="/etc", timeout="30d", attempts=10) == ""


@pytest.mark.parametrize(
    "name",
    [
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "DYLD_INSERT_LIBRARIES",
        "PATH",
        "BASH_ENV",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "GIT_SSH_COMMAND",
        "NODE_OPTIONS",
        "ENV",
        "IFS",
        "PERL5OPT",
        "PERL5LIB",
        "RUBYOPT",
        "GLIBC_TUNABLES",
        "HOME",
        "AWS_BATCH_JOB_ID",
    ],
)
@pytest.mark.parametrize("field", ["env", "secrets"])
def test_nobody_but_the_owner_sets_what_programs_load(name: str, field: str) -> None:
    for signer in (LAPTOP, WORKFLOW):
        assert refusal("", signer, **{field: {name: "/tmp/evil"}}).startswith("policy rule env: ")
    assert refusal("", THE_OWNER, **{field: {name: "/opt/mine"}}) == ""


def test_a_rule_for_variables_binds_the_owner_to_the_list_of_the_denied_too() -> None:
    assert "LD_PRELOAD may not be set" in refusal("env = ['*']", THE_OWNER, env={"LD_PRELOAD": "x"})


# -- the plain rules


@pytest.mark.parametrize(
    ("policy", "fields", "rule"),
    [
        ("types = ['shell']", {"type": "render"}, "types"),
        ("queues = ['video', 'ci-*']", {"queue": "default"}, "queues"),
        ("shell = false", {"command": "echo one line"}, "shell"),
        ("env = ['CI', 'APP_*']", {"env": {"OTHER": "1"}}, "env"),
        ("env = ['CI', 'APP_*']", {"secrets": {"OTHER": "1"}}, "env"),
        ("max_runtime = '1h'", {"timeout": "61m"}, "max_runtime"),
        ("max_output = '2M'", {"keep_output": "3M"}, "max_output"),
        ("max_attempts = 2", {"attempts": 3}, "max_attempts"),
        ("commands = []", {}, "commands"),
        ("commands = [['true']]", {"command": "true # and a line for the shell"}, "commands"),
        ("commands = [['true']]", {"type": "render"}, "commands"),
        ("roots = ['/srv']", {"cwd": "/etc"}, "roots"),
    ],
)
def test_a_job_outside_a_rule_is_refused_and_the_rule_named(
    policy: str, fields: dict[str, Any], rule: str
) -> None:
    assert refusal(policy, **fields).startswith(f"policy rule {rule}: ")
    assert refusal(f"[github]\n{policy}", **fields).startswith(f"policy rule github.{rule}: ")


@pytest.mark.parametrize(
    ("policy", "fields"),
    [
        ("types = ['shell', 'render']", {"type": "render"}),
        ("queues = ['video', 'ci-*']", {"queue": "ci-7"}),
        ("shell = true", {"command": "echo one line"}),
        ("shell = false", {"command": ["echo", "several words"]}),
        ("env = ['CI', 'APP_*']", {"env": {"CI": "1", "APP_TOKEN": "2"}}),
        ("max_runtime = '1h'", {"timeout": "60m"}),
        ("max_runtime = '1h'", {}),
        ("max_output = '512K'", {}),
        ("max_attempts = 2", {"attempts": 2}),
        ("commands = [['true']]", {}),
        ("shell = true\ncommands = [['false']]", {"command": "true"}),
        ("types = ['render']\ncommands = [['false']]", {"type": "render"}),
        ("roots = ['/srv']", {"cwd": "/srv/x"}),
        ("roots = ['/srv']", {}),
    ],
)
def test_a_job_inside_a_rule_runs(policy: str, fields: dict[str, Any]) -> None:
    assert refusal(policy, **fields) == ""


def test_the_shell_can_be_the_owners_alone() -> None:
    assert refusal("shell = 'owner'\ncommands = [['x']]", THE_OWNER, "echo") == ""
    assert refusal("shell = 'owner'", WORKFLOW, "echo").startswith("policy rule shell: ")


def test_a_section_only_narrows_what_holds_for_all() -> None:
    policy = "queues = ['a', 'b']\n[github]\nqueues = ['b', 'c']"
    assert refusal(policy, queue="b") == ""
    assert refusal(policy, queue="a").startswith("policy rule github.queues")
    assert refusal(policy, queue="c").startswith("policy rule queues")
    assert refusal(policy, LAPTOP, queue="a") == ""


def test_a_named_key_has_the_rules_of_its_kind_and_its_own() -> None:
    policy = "[member]\nqueues = ['a', 'b']\n[keys.laptop]\nqueues = ['b']\n[keys.phone]\nqueues = ['a']"
    assert refusal(policy, LAPTOP, queue="b") == ""
    assert refusal(policy, LAPTOP, queue="a").startswith("policy rule keys.laptop.queues")
    assert refusal(policy, LAPTOP, queue="c").startswith("policy rule member.queues")


def test_a_workflow_that_is_named_like_a_key_has_not_its_rules() -> None:
    assert refusal("[keys.'me/site']\nqueues = ['x']", WORKFLOW) == ""


# -- commands


def test_a_command_of_the_list_runs(root: Path) -> None:
    assert lesson(root, ["python3", "scripts/a.py", "--any", "../thing"]) == ""
    assert lesson(root, ["python3", "a.py"], cwd=f"{root}/scripts") == ""
    assert lesson(root, ["python3", f"{root}/scripts/a.py"]) == ""
    assert lesson(root, ["ffmpeg", "-i", "media/deep/in.mp4", "-crf=23", f"{root}/media/out/o.mp4"]) == ""
    assert lesson(root, ["show", "a.txt", "one.csv", "two.csv"], cwd="") == ""


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["ffmpeg", "-i", "media/a", "-crf=23"], "it ends before"),
        (["ffmpeg", "-i", "media/a", "-crf=23", "media/out/o", "-y"], "'-y' is one word too many"),
        (["ffmpeg", "-i", "media/a", "-crf=23;id", "media/out/o"], "does not match '-crf=[0-9]+'"),
        (["ffmpeg", "-i", "-crf=23", "-crf=23", "media/out/o"], "'-crf=23' is an option, not a path"),
        (["ffmpeg", "-i", "http://x/y", "-crf=23", "media/out/o"], "is no path of a file"),
        (["ffmpeg", "-i", "concat:/etc/passwd", "-crf=23", "media/out/o"], "is no path of a file"),
        (["ffmpeg", "-i", "", "-crf=23", "media/out/o"], "is no path of a file"),
        (["ffmpeg", "-i", "media/a", "-crf=23", "media/out/deep/o"], "is not under"),
        (["python3", "-c", "import os"], "'-c' is an option, not a path"),
        (["python3", "-"], "'-' is an option, not a path"),
        (["python3", "../secret.py"], "climbs out with '..'"),
        (["python3", "scripts/../../secret.py"], "climbs out with '..'"),
        (["python3", "scripts/../scripts/a.py"], "climbs out with '..'"),
        (["python3", "../../../../../etc/passwd"], "climbs out with '..'"),
        (["python3", "/etc/passwd"], "is not under 'scripts/*.py'"),
        (["python3", "scripts/deep/a.py"], "is not under 'scripts/*.py'"),
        (["python3", "scripts/a.sh"], "is not under 'scripts/*.py'"),
        (["/tmp/python3", "scripts/a.py"], "no command that begins with '/tmp/python3' is allowed"),
        (["Python3", "scripts/a.py"], "no command that begins with"),
        (["python3"], "it ends before"),
        (["show", "-h.txt"], "'-h.txt' does not match"),
        (["show", "../x.txt"], "does not match '*.txt'"),
        (["show", "a/b.txt"], "does not match '*.txt'"),
        (["show", "a.txt", "x.csv"], "is not in the job's own work directory"),
    ],
)
def test_any_other_command_is_refused(root: Path, argv: list[str], why: str) -> None:
    said = lesson(root, argv)
    assert said.startswith("policy rule github.commands: ")
    assert why in said
    assert len(said) <= 200


def test_a_job_cannot_bring_its_own_script_to_a_path_of_the_policy(root: Path) -> None:
    brought = [{"name": "a.py", "sha256": "0" * 64, "size": 1}]
    said = lesson(root, ["python3", "a.py"], cwd="", inputs=brought)
    assert "lies in the job's own work directory" in said


def test_the_roots_of_all_jobs_are_those_of_a_sections_commands(root: Path) -> None:
    policy = f"roots = ['{root}']\n[github]\ncommands = [['python3', 'scripts/*.py']]"
    assert refusal(policy, command=["python3", "scripts/a.py"], cwd=str(root)) == ""
    assert refusal(policy, command=["python3", "media/a.py"], cwd=str(root)).startswith(
        "policy rule github.commands: "
    )
    assert refusal(policy, command=["python3", "scripts/a.py"], cwd="/etc").startswith("policy rule roots: ")


def test_a_work_path_stays_in_the_work_directory(root: Path) -> None:
    for word in ("/etc/x.csv", "../x.csv", "a/x.csv", "-x.csv"):
        assert lesson(root, ["show", "a.txt", word], cwd="").startswith("policy rule github.commands")


def test_a_link_is_followed_before_a_path_is_compared(root: Path) -> None:
    (root / "scripts" / "link.py").symlink_to(root.parent / "secret.py")
    (root / "scripts" / "deep").symlink_to("/etc")
    assert "is not under 'scripts/*.py'" in lesson(root, ["python3", "scripts/link.py"])
    assert lesson(root, ["ffmpeg", "-i", "scripts/deep/passwd", "-crf=1", "media/out/o"])


def test_a_directory_that_is_a_link_counts_as_what_it_is(root: Path, tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.symlink_to(root)
    (root / "inside").symlink_to("/etc")
    inside.symlink_to(root / "media")
    assert lesson(root, ["python3", "scripts/a.py"], cwd=str(outside)) == ""
    assert lesson(root, ["python3", "scripts/a.py"], cwd=str(root / "inside")).startswith(
        "policy rule github.roots: "
    )
    policy = f"roots = ['{inside}']"
    assert refusal(policy, cwd=str(root / "media")) == ""
    assert refusal(policy, cwd=str(root)).startswith("policy rule roots: ")


@pytest.mark.parametrize("cwd", ["/srv/../etc", "/srvx", "srv/../../etc", "//etc", "/"])
def test_a_directory_beside_a_root_is_not_under_it(cwd: str) -> None:
    assert refusal("roots = ['/srv']", cwd=cwd).startswith("policy rule roots: ")


PIECES = st.sampled_from(
    ["..", ".", "", "scripts", "media", "a.py", "link", "etc", "-c", "~", "x:", "*", "\n", "ü"]
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(PIECES, max_size=6), start=st.sampled_from(["", "/", "./", "//"]), end=st.booleans())
def test_whatever_fits_a_path_lies_under_its_root(
    root: Path, words: list[str], start: str, end: bool
) -> None:
    link = root / "link"
    if not link.is_symlink():
        link.symlink_to(root.parent)
    before = f"{root}/" if start == "/" else start
    word = before + "/".join(words) + "/a.py" * end
    for cwd in (root, root / "scripts"):
        if lesson(root, ["python3", word], cwd=str(cwd)) == "":
            real = os.path.realpath(cwd / word)
            assert os.path.dirname(real) == f"{root}/scripts"
            assert not word.startswith("-")


def test_a_regular_expression_must_fit_the_whole_word() -> None:
    policy = "commands = [['run', 're:[a-z]+']]"
    assert refusal(policy, command=["run", "abc"]) == ""
    for word in ("abc;id", "abc\nid", "abc\n", "", "1abc"):
        assert refusal(policy, command=["run", word])


@pytest.mark.parametrize(
    ("pattern", "fits", "not_so"),
    [
        ("*", ["a", "a.b", "ü"], ["-a", "a/b", "..", "/"]),
        ("-*", ["-a", "--all"], ["a", "-a/b"]),
        ("a?c", ["abc"], ["ac", "a/c", "abbc"]),
        ("[ab].txt", ["a.txt"], ["c.txt", "ab.txt"]),
        ("[!a]", ["b"], ["a", "/"]),
        ("a+b(c)", ["a+b(c)"], ["aab(c)", "aabc"]),
        ("", [""], ["a"]),
    ],
)
def test_a_glob_matches_one_word_without_slashes(pattern: str, fits: list[str], not_so: list[str]) -> None:
    policy = f"commands = [['run', '{pattern}']]"
    assert [word for word in fits if refusal(policy, command=["run", word])] == []
    assert [word for word in not_so if not refusal(policy, command=["run", word])] == []


# -- what several sections leave


def test_the_paths_of_two_sections_are_those_on_which_they_agree() -> None:
    policy = parse_policy(
        "writable = ['/srv']\nmax_runtime = '2h'\n[github]\nwritable = ['/srv/a', '/etc']\n"
        "max_runtime = '1h'\nnetwork = false\nisolation = 'strict'\nmax_output = '1M'"
    )
    merged = merge([rules for _, rules in policy.rules_for(WORKFLOW)])
    assert merged.writable == ("/srv/a",)
    assert (merged.max_runtime_ms, merged.max_output_bytes) == (3_600_000, 1 << 20)
    assert (merged.network, merged.level) == (False, "strict")
    assert merge([]).network is None


def test_a_relative_directory_counts_from_the_top(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    assert refusal(f"roots = ['{os.path.realpath(tmp_path)}']", cwd="x").startswith("policy rule roots: ")

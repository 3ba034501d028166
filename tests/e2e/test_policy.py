"""`relayq policy` as people type it, and the level of isolation wherever it is shown."""

from __future__ import annotations

from pathlib import Path

from relayq.trust.boxes import BoxKey
from relayq.trust.keys import SigningKey
from tests.e2e.command_line import objects, printed, relayq, state_of


def policy(text: str) -> Path:
    """Make this the policy of the machine."""
    path = Path(printed("policy", "path").strip())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_a_policy_begins_closed_for_github_and_open_for_the_owner(hub: str) -> None:
    path = Path(printed("policy", "init").strip())
    assert path.stat().st_mode & 0o077 == 0
    assert printed("policy", "check", "--", "anything | at all") == "allowed for owner, isolation none\n"
    refused = relayq("policy", "check", "--as", "github", "--", "true", "x")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("relayq: refused: policy rule github.commands: ")
    again = relayq("policy", "init")
    assert again.returncode == 2
    assert "is there already" in again.stderr


def test_a_key_that_nobody_knows_is_no_answer(hub: str) -> None:
    policy("[keys.laptop]\nshell = false")
    other = SigningKey.generate()
    printed("trust", "key", "ci", other.public, BoxKey.of(other).public)
    for name in ("nobody", "member:nobody"):
        mistyped = relayq("policy", "check", "--as", name, "--", "true")
        assert (mistyped.returncode, mistyped.stdout) == (2, "")
        assert "no key is called 'nobody'" in mistyped.stderr
        assert "they know ci, laptop" in mistyped.stderr
    assert printed("policy", "check", "--as", "ci", "--", "true").startswith("allowed for member:ci")
    assert relayq("policy", "check", "--as", "laptop", "--", "true").returncode == 1
    assert printed("policy", "check", "--as", "member", "--", "true").startswith("allowed for member")


def test_a_job_of_the_hub_is_checked_against_a_policy_that_is_only_tried(hub: str, home: Path) -> None:
    job = printed("submit", "--", "echo one line").strip()
    tried = home / "tried.toml"
    tried.write_text("shell = false")
    tried.chmod(0o600)
    assert relayq("policy", "check", job[-6:]).returncode == 0
    refused = relayq("policy", "check", "--file", str(tried), "--json", job[-6:])
    assert refused.returncode == 1
    assert '"allowed":false' in refused.stdout
    assert "policy rule shell: " in refused.stdout


def test_rules_are_shown_by_section(hub: str) -> None:
    policy("max_runtime = '90m'\n[keys.laptop]\ncommands = [['a', '...'], ['b']]\nnetwork = false")
    lines = [line.split(maxsplit=2) for line in printed("policy", "show").splitlines()]
    assert ["keys.laptop", "commands", "a ..., b"] in lines
    assert ["keys.laptop", "network", "false"] in lines
    assert ["all", "jobs", "max_runtime  1h30m"] in lines
    (shown,) = objects("policy", "show")
    assert {"section": "keys.laptop", "rule": "network", "value": "false"} in shown["rules"]  # type: ignore[operator]


def test_mistakes_are_one_sentence(hub: str) -> None:
    for argv, code, said in (
        (("policy", "check"), 2, "what shall be checked?"),
        (("policy", "check", "ABCDEF", "--", "true"), 2, "give the job ABCDEF or a command, not both"),
        (("policy", "check", "--file", "/no/such", "--", "true"), 2, "policy /no/such does not exist"),
        (("policy", "check", "--cwdd", "x", "--", "true"), 2, "did you mean --cwd?"),
    ):
        ended = relayq(*argv)
        assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (code, "", 1), argv
        assert said in ended.stderr


def test_a_policy_that_is_wrong_stops_what_would_go_by_it_and_the_doctor_says_so(hub: str) -> None:
    policy("[github]\nshel = false")
    said = "there is no rule 'shel' in [github]: did you mean 'shell'?"
    for argv in (("policy", "show"), ("policy", "check", "--", "true"), ("worker", "--headless", "--once")):
        ended = relayq(*argv)
        assert ended.returncode == 125
        assert said in ended.stderr
        assert "Traceback" not in ended.stderr
    doctor = relayq("doctor", "--json")
    assert doctor.returncode == 1
    assert said in doctor.stdout


def test_a_refused_job_shows_the_rule_to_whoever_asks(hub: str) -> None:
    policy("shell = false")
    job = printed("submit", "--", "echo one line").strip()
    assert relayq("worker", "--headless", "--once").returncode == 0
    assert state_of(job) == "FAILED"
    shown = printed("show", job)
    assert "policy rule shell: a line for the shell does not run here" in shown


def test_the_level_is_shown_wherever_the_worker_is(served: None) -> None:
    told = objects("workers")[0]["facts"]["isolation"]  # type: ignore[index]
    checks = {check["name"]: check for check in objects("doctor")}
    assert checks["isolation"]["found"] == told == "none; strict for others"
    assert checks["isolation"]["verdict"] == "ok"
    (header, row) = printed("workers").splitlines()
    assert row[header.index("ISOLATION") :].startswith("none; strict for others")

"""What starts a worker by itself: absolute paths, the PATH that was typed with, and no secrets."""

from __future__ import annotations

import os
import plistlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from relayq.cli.main import main
from relayq.client.local import kept_environment
from relayq.errors import UsageError
from relayq.services import examples, manager
from relayq.services.manager import Wish
from relayq.services.plan import Command, File, Step, shown
from relayq.services.systemd import Service, command_line, unit
from tests.arch.tree import ROOT

LINUX = {"system": "linux", "command": "/opt/relayq/bin/relayq", "home": Path("/srv/anna")}
MAC = LINUX | {"system": "darwin", "home": Path("/srv/mac/anna")}
ENVIRONMENT = {"PATH": "/srv/anna/bin:/usr/bin", "RELAYQ_FLEET": "den", "SECRET": "x", "XDG_STATE_HOME": ""}


def wish(**facts: object) -> Wish:
    """A service that is wanted."""
    return Wish(**{"what": "worker", **facts})


def text_of(steps: list[Step]) -> str:
    """The content of the one file of a plan."""
    [file] = [step for step in steps if isinstance(step, File)]
    return file.content


def commands_of(steps: list[Step]) -> list[str]:
    """The commands of a plan."""
    return [str(step) for step in steps if isinstance(step, Command)]


def test_a_users_worker_lives_on_after_the_logout_and_its_jobs_after_its_end() -> None:
    steps = manager.install_plan(wish(**LINUX), ENVIRONMENT)
    lines = text_of(steps).splitlines()
    assert "ExecStart=/opt/relayq/bin/relayq worker --headless" in lines
    assert "KillMode=process" in lines
    assert "Delegate=yes" in lines
    assert "Environment=PATH=/srv/anna/bin:/usr/bin" in lines
    assert "Environment=RELAYQ_FLEET=den" in lines
    assert "SECRET" not in text_of(steps)
    assert "WantedBy=default.target" in lines
    commands = commands_of(steps)
    assert any(command.startswith("loginctl enable-linger") for command in commands)
    assert commands[-1] == "systemctl --user restart relayq-worker.service"


def test_a_system_worker_runs_as_its_user_and_waits_for_the_network() -> None:
    steps = manager.install_plan(wish(is_system=True, **LINUX), ENVIRONMENT)
    lines = text_of(steps).splitlines()
    assert any(line.startswith("User=") for line in lines)
    assert "After=network-online.target" in lines
    assert "WantedBy=multi-user.target" in lines
    assert "systemctl enable relayq-worker.service" in commands_of(steps)
    assert not any("linger" in command for command in commands_of(steps))


def test_the_local_hub_is_started_and_stopped_in_order() -> None:
    lines = text_of(manager.install_plan(wish(**{**LINUX, "what": "hub"}), ENVIRONMENT)).splitlines()
    assert "ExecStart=/opt/relayq/bin/relayq hub start" in lines
    assert "ExecStop=/opt/relayq/bin/relayq hub stop" in lines


def test_on_a_mac_a_worker_needs_nobody_at_the_screen() -> None:
    steps = manager.install_plan(wish(**MAC), ENVIRONMENT)
    facts = plistlib.loads(text_of(steps).encode())
    assert facts["ProgramArguments"] == ["/opt/relayq/bin/relayq", "worker", "--headless"]
    assert facts["LimitLoadToSessionType"] == ["Aqua", "Background"]
    assert facts["EnvironmentVariables"]["PATH"] == "/srv/anna/bin:/usr/bin"
    assert facts["AbandonProcessGroup"] is True
    last = commands_of(steps)[-1]
    assert re.fullmatch(r"launchctl bootstrap gui/\d+ (\S+) \|\| launchctl bootstrap user/\d+ \1", last)


@pytest.mark.parametrize("facts", [LINUX, MAC])
def test_uninstalling_stops_it_and_removes_its_file(facts: dict[str, object]) -> None:
    one = wish(**facts)
    text = "\n".join(shown(manager.uninstall_plan(one)))
    assert f"# remove {manager.unit_path(one)}" in text
    assert "disable --now" in text or "bootout" in text


def test_a_password_does_not_get_into_a_unit() -> None:
    with pytest.raises(UsageError, match="holds a password"):
        manager.install_plan(wish(**LINUX), ENVIRONMENT | {"RELAYQ_URL": "redis://me:secret@vm"})
    plain = manager.install_plan(wish(**LINUX), ENVIRONMENT | {"RELAYQ_URL": "redis://vm"})
    assert "Environment=RELAYQ_URL=redis://vm" in text_of(plain)


def test_a_secret_beside_the_settings_does_not_get_into_what_lives_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = text_of(manager.install_plan(wish(**LINUX), ENVIRONMENT | {"RELAYQ_JOIN": "rq1secret"}))
    assert "Environment=RELAYQ_FLEET=den" in text and "rq1secret" not in text
    monkeypatch.setenv("RELAYQ_JOIN", "rq1secret")
    monkeypatch.setenv("RELAYQ_FLEET", "den")
    kept = kept_environment()
    assert kept["RELAYQ_FLEET"] == "den" and "RELAYQ_JOIN" not in kept


def test_a_variable_reaches_the_service_as_it_is() -> None:
    text = text_of(manager.install_plan(wish(**LINUX), {"PATH": '/a b/$HOME/100%:"x"\nUser=root'}))
    assert r'''Environment="PATH=/a b/$HOME/100%%:\"x\"\nUser=root"''' in text.splitlines()


def test_words_with_blanks_and_signs_stay_whole() -> None:
    assert command_line(["/a b/relayq", "100%", 'say "$x"']) == '"/a b/relayq" "100%%" "say \\"$$x\\""'


def test_the_installed_command_is_named_by_its_whole_path() -> None:
    found = Path(manager.installed_command())
    assert found.is_absolute()
    assert found == Path(sys.executable).with_name("relayq")


def test_systemd_understands_the_units(tmp_path: Path) -> None:
    assert shutil.which("systemd-analyze"), "the package systemd is needed: apt-get install systemd"
    service = Service(
        name="relayq-worker",
        about="RelayQ worker",
        argv=["/bin/true", "a b", "100%"],
        environment={"PATH": "/bin"},
    )
    path = tmp_path / "relayq-worker.service"
    path.write_text(unit(service))
    said = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True, check=False
    )
    assert [line for line in said.stderr.splitlines() if path.name in line] == []


def test_the_examples_are_what_the_templates_say() -> None:
    for name, text in examples.texts().items():
        assert (ROOT / "contrib" / name).read_text() == text, "run `python -m relayq.services.examples`"


def test_the_dry_run_shows_and_changes_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["service", "install", "--user", "worker", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "worker --headless" in out
    assert list(home.rglob("*.service")) == []
    assert main(["service", "uninstall", "--system", "hub", "--dry-run"]) == 0
    assert "relayq-local-hub" in capsys.readouterr().out
    assert main(["service", "status", "--dry-run"]) == 2


def test_a_service_manager_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    mine, systems = manager.Wish(what="worker"), manager.Wish(what="worker", is_system=True)
    if mine.system == "darwin":
        pytest.skip("launchd is always there")
    assert "systemd does not run on this machine" in manager.unreachable(systems, {}, tmp_path)
    (tmp_path / "systemd/system").mkdir(parents=True)
    assert manager.unreachable(systems, {}, tmp_path) == ""
    assert "this user's own systemd cannot be reached" in manager.unreachable(mine, {}, tmp_path)
    bus = tmp_path / "user" / str(os.getuid()) / "bus"
    bus.parent.mkdir(parents=True)
    bus.touch()
    assert manager.unreachable(mine, {}, tmp_path) == ""


@pytest.mark.skipif(Path("/run/systemd/system").is_dir(), reason="systemd runs here")
def test_a_machine_without_systemd_is_told_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["status"], ["install"], ["status", "hub", "--system"], ["uninstall"]):
        assert main(["service", *words]) == 2
        assert "runs neither" in (said := capsys.readouterr().err) or "systemd does not run" in said

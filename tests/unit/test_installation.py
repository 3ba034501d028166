"""What installing a hub writes and runs: all of it shown, twice the same as once, hardened, and its own."""

from __future__ import annotations

import plistlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from relayq.cli.main import main
from relayq.errors import RelayQError, UsageError
from relayq.hub import installation
from relayq.hub.hubconf import HubConf
from relayq.hub.installation import Wishes
from relayq.services.plan import Command, File, Removal, Step, carry_out, shown

EXPOSURE_MAX = 3.0


def wishes(**changes: object) -> Wishes:
    """A hub on Linux."""
    return Wishes(fleet="home", memory_bytes=1 << 28, system="linux", **changes)


def files(steps: list[Step]) -> dict[str, File]:
    """The files of a plan by their last name."""
    return {step.path.name: step for step in steps if isinstance(step, File)}


def test_the_dry_run_shows_every_file_and_command_and_no_secret() -> None:
    steps = [*installation.plan(wishes(), "/usr/bin/redis-server"), *installation.commands(wishes())]
    text = "\n".join(shown(steps))
    for name in ("hub.conf", "ca.pem", "server.pem", "users.acl", "owner.join", "relayq-hub.service"):
        assert name in text
    for command in ("useradd", "daemon-reload", "enable relayq-hub.service", "restart relayq-hub.service"):
        assert command in text
    assert "PRIVATE KEY" not in text
    assert "rq1" not in text
    assert not re.search(r"#[0-9a-f]{64}", text)


def test_nothing_of_the_distributions_server_is_touched() -> None:
    steps = [*installation.plan(wishes(), ""), *installation.commands(wishes())]
    steps += [*installation.fetch_server("linux"), *installation.uninstall_plan("linux")]
    text = "\n".join(shown(steps))
    assert "/etc/redis" not in text
    assert "redis-server.service" not in text
    assert not re.search(r"\b6379\b", text)
    assert "install --no-install-recommends redis-tools" in text


def test_there_is_no_port_without_tls(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf = files(installation.plan(wishes(), ""))["hub.conf"].content
    assert re.findall(r"^(?:tls-)?port .*$", conf, re.MULTILINE) == ["port 0", "tls-port 7379"]
    assert main(["hub", "install", "--no-tls", "--dry-run"]) == 2
    assert "no option --no-tls" in capsys.readouterr().err


def test_the_strangers_port_is_refused() -> None:
    with pytest.raises(UsageError, match="another one, such as 7379"):
        installation.plan(wishes(port=6379), "")


@pytest.mark.parametrize(
    "line",
    [
        "port 0", "tls-port 7379", 'tls-protocols "TLSv1.3"', "tls-auth-clients yes", "appendonly yes",
        "aof-use-rdb-preamble no", "maxmemory 268435456", "maxmemory-policy noeviction", "tcp-keepalive 60",
        "enable-debug-command no", "enable-module-command no", "maxclients 4000",
        "client-query-buffer-limit 50331648",
    ],
)  # fmt: skip
def test_the_configuration_says(line: str) -> None:
    conf = HubConf(data=Path("/d"), secrets=Path("/s"), memory_bytes=1 << 28)
    assert line in conf.text().splitlines()


def test_the_unit_is_hardened(tmp_path: Path) -> None:
    assert shutil.which("systemd-analyze"), "the package systemd is needed: apt-get install systemd"
    unit = tmp_path / "relayq-hub.service"
    unit.write_text(files(installation.plan(wishes(), ""))[unit.name].content)
    said = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = re.search(r"Overall exposure level for relayq-hub.service: ([0-9.]+)", said.stdout)
    assert found, said.stderr
    assert float(found[1]) <= EXPOSURE_MAX


def test_installing_twice_changes_nothing_the_second_time(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["hub", "install", "--root", str(home / "vm"), "--address", "vm.example"]
    assert main(argv) == 0
    first, before = capsys.readouterr(), content(home / "vm")
    assert first.out.startswith("rq1")
    assert "wrote" in first.err
    assert main(argv) == 0
    second = capsys.readouterr()
    assert content(home / "vm") == before
    assert second.out == ""
    assert "wrote" not in second.err
    assert main([*argv, "--show-join"]) == 0
    assert capsys.readouterr().out == first.out


def test_installing_again_with_another_wish_changes_that_alone(home: Path) -> None:
    argv = ["hub", "install", "--root", str(home / "vm")]
    assert main(argv) == 0
    before = content(home / "vm")
    assert main([*argv, "--max-memory", "128M"]) == 0
    after = content(home / "vm")
    assert {path for path in after if after[path] != before[path]} == {"etc/relayq-hub/hub.conf"}


def content(root: Path) -> dict[str, bytes]:
    """Every file below a directory."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_what_is_left_to_do_fits_what_was_installed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert installation.next_step(wishes(port=7000)) == (
        "the hub is installed and started; let TCP port 7000 through the firewall"
    )
    alone = wishes(listen=("127.0.0.1", "::1"))
    assert installation.next_step(alone).endswith("it listens on this machine alone")
    assert main(["hub", "install", "--root", str(home / "vm"), "--listen", "127.0.0.1"]) == 0
    said = capsys.readouterr().err
    assert "firewall" not in said
    command = said.partition("start it with `")[2].partition("`")[0].split()
    assert [Path(word).exists() for word in command] == [True, True]


def test_uninstalling_leaves_the_data_and_says_where(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = home / "vm"
    assert main(["hub", "install", "--root", str(root)]) == 0
    (root / "var/lib/relayq-hub/appendonly.aof").write_text("jobs")
    capsys.readouterr()
    assert main(["hub", "uninstall", "--root", str(root)]) == 0
    assert f"left in {root}/var/lib/relayq-hub" in capsys.readouterr().err
    assert set(content(root)) == {"var/lib/relayq-hub/appendonly.aof", "var/lib/relayq-hub/users.acl"}
    assert main(["hub", "uninstall", "--root", str(root), "--dry-run"]) == 0


def test_a_new_installation_beside_old_data_has_new_users(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = home / "vm"
    users = root / "var/lib/relayq-hub/users.acl"
    assert main(["hub", "install", "--root", str(root)]) == 0
    old = users.read_text()
    assert main(["hub", "uninstall", "--root", str(root)]) == 0
    assert main(["hub", "install", "--root", str(root)]) == 0
    assert users.read_text() != old


def test_on_a_mac_it_is_a_daemon_of_launchd() -> None:
    mac = Wishes(fleet="home", memory_bytes=1 << 28, system="darwin")
    steps = [*installation.plan(mac, "/opt/homebrew/bin/redis-server"), *installation.commands(mac)]
    plist = plistlib.loads(files(steps)["org.relayq.hub.plist"].content.encode())
    assert plist["ProgramArguments"][1] == "/usr/local/etc/relayq-hub/hub.conf"
    assert plist["KeepAlive"] is True
    commands = [str(step) for step in steps if isinstance(step, Command)]
    assert commands[-1].startswith("launchctl bootstrap system /Library/LaunchDaemons/")
    assert [str(step) for step in installation.fetch_server("darwin")] == ["brew install redis"]


def test_a_server_without_tls_is_not_taken() -> None:
    from relayq.hub.server import packaged_binary

    packaged = packaged_binary()
    assert packaged
    assert not installation.has_tls(packaged)
    assert installation.has_tls("/usr/bin/redis-server")
    assert installation.has_tls("/usr/bin/redis-check-rdb"), "the same program, from Debian's redis-tools"
    assert not installation.has_tls("/bin/true")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["invite", "worker"], "type it so: relayq hub invite worker|submit|viewer NAME"),
        (["invite", "king", "x"], "'king' is not a role"),
        (["start", "--expires", "1d"], "no use for --expires"),
        (["install", "--json"], "no use for --json"),
        (["install", "--address", "a b", "--dry-run"], "is not HOST:PORT"),
        (["backup"], "type it so: relayq hub backup FILE"),
    ],
)
def test_what_makes_no_sense_is_told(
    home: Path, capsys: pytest.CaptureFixture[str], argv: list[str], said: str
) -> None:
    assert main(["hub", *argv]) in (2, 125)
    assert said in capsys.readouterr().err


def test_a_step_that_cannot_be_done_ends_the_plan(tmp_path: Path) -> None:
    told: list[str] = []
    steps: list[Step] = [
        Command(argv=("false",), may_fail=True),
        Command(argv=("sh", "-c", "echo no room >&2; exit 1")),
        File(path=tmp_path / "never", content=""),
    ]
    with pytest.raises(RelayQError, match="no room"):
        carry_out(steps, told.append)
    assert told == ["ran false (which failed; going on)"]
    assert not (tmp_path / "never").exists()
    with pytest.raises(RelayQError, match="No such file"):
        carry_out([File(path=tmp_path / "no/where", content="")], told.append)
    assert not carry_out(
        [Removal(path=tmp_path / "gone"), Command(argv=("false",), unless=("true",))], told.append
    )

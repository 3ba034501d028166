"""`relayq service`: have the worker, or the local hub, started by the machine itself.

The unit names the installed command by its absolute path and brings the PATH of whoever
installed it, because a service manager's own finds neither Homebrew nor a user's tools. A
user's unit on Linux lives on after the logout by `loginctl enable-linger`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from relayq.config import variables
from relayq.errors import UsageError
from relayq.services.launchd import domains, label_of, plist
from relayq.services.plan import Command, Directory, File, Removal, Step
from relayq.services.systemd import Service, unit

KEPT = ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")
_SECRET = ("RELAYQ_URL",)
LOG_LINES = "200"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Which service is meant: `worker` or `hub`, the user's own or the system's."""

    what: str
    is_system: bool = False
    command: str = ""
    system: str = sys.platform
    home: Path | None = None

    @property
    def name(self) -> str:
        """What the service is called."""
        return "relayq-worker" if self.what == "worker" else "relayq-local-hub"


def install_plan(wish: Wish, environment: Mapping[str, str]) -> list[Step]:
    """Write the unit and start it; `environment` is that of whoever installs."""
    if wish.system == "darwin":
        return _mac_plan(wish, environment)
    path = unit_path(wish)
    linger = [] if wish.is_system else [Command(argv=("loginctl", "enable-linger", _user()), may_fail=True)]
    return [
        Directory(path=path.parent),
        File(path=path, content=unit(service_of(wish, environment))),
        *linger,
        Command(argv=(*_systemctl(wish), "daemon-reload")),
        Command(argv=(*_systemctl(wish), "enable", path.name)),
        Command(argv=(*_systemctl(wish), "restart", path.name)),
    ]


def uninstall_plan(wish: Wish) -> list[Step]:
    """Stop it and remove the unit; running jobs of a worker are left alone."""
    path = unit_path(wish)
    if wish.system == "darwin":
        return [Command(argv=_mac_bootout(wish), may_fail=True), Removal(path=path)]
    return [
        Command(argv=(*_systemctl(wish), "disable", "--now", path.name), may_fail=True),
        Removal(path=path),
        Command(argv=(*_systemctl(wish), "daemon-reload")),
    ]


def status_command(wish: Wish) -> list[str]:
    """What shows how the service is."""
    if wish.system == "darwin":
        domain = "system" if wish.is_system else domains(os.getuid())[0]
        return ["launchctl", "print", f"{domain}/{label_of(wish.name)}"]
    return [*_systemctl(wish), "--no-pager", "status", unit_path(wish).name]


def logs_command(wish: Wish) -> list[str]:
    """What shows what it said last."""
    if wish.system == "darwin":
        return ["tail", "-n", LOG_LINES, _mac_log(wish)]
    scope = [] if wish.is_system else ["--user"]
    return ["journalctl", *scope, "--no-pager", "-n", LOG_LINES, "-u", unit_path(wish).name]


def unreachable(wish: Wish, environment: Mapping[str, str], run: Path = Path("/run")) -> str:
    """Why systemd cannot be spoken to here, and what to do; empty where it can, or where launchd is."""
    if wish.system == "darwin":
        return ""
    if not (run / "systemd/system").is_dir():
        return (
            "systemd does not run on this machine (is it a container?): start it by your own means, "
            f"as `relayq service install {wish.what} --dry-run` shows it"
        )
    mine = Path(environment.get("XDG_RUNTIME_DIR") or run / "user" / str(os.getuid()))
    has_bus = "DBUS_SESSION_BUS_ADDRESS" in environment or (mine / "bus").exists()
    if wish.is_system or has_bus or (mine / "systemd/private").exists():
        return ""
    return (
        "this user's own systemd cannot be reached: log in as this user, not by su or sudo "
        f"(`loginctl enable-linger {_user()}` keeps it running), or add --system"
    )


def unit_path(wish: Wish) -> Path:
    """Where the service manager looks for it."""
    home = wish.home or Path.home()
    if wish.system == "darwin":
        place = Path("/Library/LaunchDaemons") if wish.is_system else home / "Library/LaunchAgents"
        return place / f"{label_of(wish.name)}.plist"
    place = Path("/etc/systemd/system") if wish.is_system else _user_units(home)
    return place / f"{wish.name}.service"


def service_of(wish: Wish, environment: Mapping[str, str]) -> Service:
    """The service as data. UsageError for what a unit file must not hold."""
    command = wish.command or installed_command()
    is_worker = wish.what == "worker"
    return Service(
        name=wish.name,
        about="RelayQ worker" if is_worker else "RelayQ local hub",
        argv=[command, "worker", "--headless"] if is_worker else [command, "hub", "start"],
        stop_argv=[] if is_worker else [command, "hub", "stop"],
        environment=kept(environment),
        user=_user() if wish.is_system else "",
        is_worker=is_worker,
    )


def kept(environment: Mapping[str, str]) -> dict[str, str]:
    """What the service needs of the environment: where things are, and no secret."""
    for name in _SECRET:
        if "@" in environment.get(name, ""):
            raise UsageError(
                f"{name} holds a password, which does not belong into a unit file that all can read: "
                "put the address into config.toml, or join the hub with `relayq join`"
            )
    wanted = {*KEPT, *variables()}
    found = {name: value for name, value in sorted(environment.items()) if value and name in wanted}
    return {"PATH": environment.get("PATH", os.defpath), **found}


def installed_command() -> str:
    """The absolute path of the `relayq` that was typed; UsageError when it is not installed."""
    typed = Path(sys.argv[0])
    beside = Path(sys.executable).with_name("relayq")
    for candidate in (typed if typed.name == "relayq" else beside, beside):
        if candidate.is_absolute() and os.access(candidate, os.X_OK):
            return str(candidate)
    if found := shutil.which("relayq"):
        return str(Path(found).absolute())
    raise UsageError(
        "there is no installed `relayq` command beside this Python: install RelayQ with pip first"
    )


def _mac_plan(wish: Wish, environment: Mapping[str, str]) -> list[Step]:
    path = unit_path(wish)
    text = plist(service_of(wish, environment), _mac_log(wish))
    first, second = ("system", "") if wish.is_system else domains(os.getuid())
    steps: list[Step] = [
        Directory(path=path.parent),
        Directory(path=Path(_mac_log(wish)).parent),
        File(path=path, content=text),
        Command(argv=_mac_bootout(wish), may_fail=True),
    ]
    if not second:
        return [*steps, Command(argv=("launchctl", "bootstrap", first, str(path)))]
    # Without a screen there is no graphical session: then the user's own domain takes it.
    here = ("launchctl", "bootstrap", first, str(path))
    return [*steps, Command(argv=("launchctl", "bootstrap", second, str(path)), unless=here)]


def _mac_bootout(wish: Wish) -> tuple[str, ...]:
    domain = "system" if wish.is_system else domains(os.getuid())[0]
    return ("launchctl", "bootout", f"{domain}/{label_of(wish.name)}")


def _mac_log(wish: Wish) -> str:
    home = wish.home or Path.home()
    place = Path("/Library/Logs/relayq") if wish.is_system else home / "Library/Logs/relayq"
    return str(place / f"{wish.what}.log")


def _user_units(home: Path) -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "systemd/user"


def _systemctl(wish: Wish) -> tuple[str, ...]:
    return ("systemctl",) if wish.is_system else ("systemctl", "--user")


def _user() -> str:
    """Whose jobs they are: with sudo, whoever typed it."""
    return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name

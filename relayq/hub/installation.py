"""Install a hub that other machines reach: a server under one service of its own.

It shares nothing with the distribution's: not its unit, not /etc/redis, not port 6379. On
Debian and its kin the package `redis-tools` is enough, for it holds the server's program
under another name and starts nothing by itself.

    /etc/relayq-hub/hub.conf, ca.pem, server.pem    configuration and certificates
    /etc/relayq-hub/owner.join                      the string with which its owner joins
    /var/lib/relayq-hub                             the data and the users; all that uninstalling leaves
    /etc/systemd/system/relayq-hub.service          the unit

Secrets are made once: installing again changes what differs and nothing else. The key of
the owner never comes here: the hub is a mailbox, and whoever breaks into it finds neither
a key that signs nor a job that is not sealed.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from relayq.errors import RelayQError, UsageError
from relayq.hub.acl import OWNER, acl_file
from relayq.hub.certificates import Pair, certificate_pem, make_authority, make_client, make_server
from relayq.hub.hubconf import DEFAULT_PORT, EVERYWHERE, HubConf
from relayq.hub.process import within
from relayq.hub.server import OLDEST, memory_limit_bytes, version_of
from relayq.services.launchd import hub_plist, label_of
from relayq.services.plan import PRIVATE, Command, Directory, File, Link, Removal, Step, carry_out
from relayq.services.systemd import hub_unit
from relayq.trust.ticket import SECRET_BYTES, Ticket

USER = "relayq-hub"
UNIT = "relayq-hub.service"
START_S = 15.0
# Programs that may be a server with TLS, best first; the last one is in Debian's redis-tools.
PROGRAMS = (
    "/usr/bin/valkey-server",
    "/usr/bin/redis-server",
    "/opt/homebrew/bin/valkey-server",
    "/opt/homebrew/bin/redis-server",
    "/usr/local/bin/valkey-server",
    "/usr/local/bin/redis-server",
    "/usr/bin/redis-check-rdb",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What was asked for. `root`: everything goes below it and nothing is started."""

    fleet: str
    address: str = ""
    port: int = DEFAULT_PORT
    listen: tuple[str, ...] = EVERYWHERE
    memory_bytes: int = 0
    root: Path | None = None
    system: str = sys.platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where an installed hub's files are on this kind of system."""

    settings: Path
    data: Path
    service: Path
    server: Path
    log: str = ""

    @property
    def config(self) -> Path:
        """What the server reads."""
        return self.settings / "hub.conf"

    @property
    def ticket(self) -> Path:
        """The owner's join string."""
        return self.settings / "owner.join"


def layout(system: str = sys.platform, root: Path | None = None) -> Layout:
    """The files of an installed hub."""
    top = root or Path("/")
    if system == "darwin":
        return Layout(
            settings=top / "usr/local/etc/relayq-hub",
            data=top / "usr/local/var/relayq-hub",
            service=top / f"Library/LaunchDaemons/{label_of('hub')}.plist",
            server=top / "usr/local/lib/relayq-hub/redis-server",
            log=str(top / "usr/local/var/relayq-hub/hub.log"),
        )
    return Layout(
        settings=top / "etc/relayq-hub",
        data=top / "var/lib/relayq-hub",
        service=top / f"etc/systemd/system/{UNIT}",
        server=top / "usr/local/lib/relayq-hub/redis-server",
    )


def find_tls_server() -> str:
    """A server program of 7.0 or newer with TLS, or empty."""
    return next((path for path in PROGRAMS if os.access(path, os.X_OK) and has_tls(path)), "")


def has_tls(path: str) -> bool:
    """Is it new enough, and was it built with TLS? One that was asks for its certificate."""
    argv = ["redis-server", "--port", "0", "--tls-port", "1", "--bind", "127.0.0.1", "--save", ""]
    try:
        if _version(path) < OLDEST:
            return False
        said = subprocess.run(argv, executable=path, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return "tls-cert-file" in said.stdout + said.stderr


def fetch_server(system: str) -> list[Step]:
    """How a server with TLS comes onto this system."""
    if system == "darwin":
        return [Command(argv=("brew", "install", "redis"))]
    quiet = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y")
    return [
        Command(argv=(*quiet, "update"), may_fail=True),
        Command(argv=(*quiet, "install", "--no-install-recommends", "redis-tools")),
    ]


def plan(wishes: Wishes, server: str) -> list[Step]:
    """Every file that an installed hub has, and the user; `server` is the program, or empty if unknown."""
    place = layout(wishes.system, wishes.root)
    conf = HubConf(
        data=place.data,
        secrets=place.settings,
        port=wishes.port,
        listen=wishes.listen,
        memory_bytes=wishes.memory_bytes or memory_limit_bytes(),
    )
    conf.check()
    is_mac = wishes.system == "darwin"
    user = "" if is_mac else USER
    steps: list[Step] = [] if is_mac or wishes.root else [_make_user(place)]
    steps += [
        Directory(path=place.settings),
        Directory(path=place.data, mode=0o700, owner=user),
        Directory(path=place.server.parent),
        Link(path=place.server, target=Path(server or PROGRAMS[-1])),
        *_secret_files(wishes, place, user, _version(server) if server else OLDEST),
        File(path=place.config, content=conf.text()),
        Directory(path=place.service.parent),
        File(path=place.service, content=_service_text(place, user)),
    ]
    return steps


def commands(wishes: Wishes, *, is_changed: bool = True) -> list[Step]:
    """What makes the service run, and run with what was changed."""
    if wishes.root:
        return []
    if wishes.system == "darwin":
        service = str(layout(wishes.system).service)
        out = Command(argv=("launchctl", "bootout", f"system/{label_of('hub')}"), may_fail=True)
        return [out, Command(argv=("launchctl", "bootstrap", "system", service))]
    verb = "restart" if is_changed else "start"
    return [
        Command(argv=("systemctl", "daemon-reload")),
        Command(argv=("systemctl", "enable", UNIT)),
        Command(argv=("systemctl", verb, UNIT)),
    ]


def install(wishes: Wishes, tell: Callable[[str], None]) -> tuple[str, bool]:
    """Install, or bring up to date. The owner's join string, and whether it was made just now.

    The string is empty when the owner's file was removed after joining.
    """
    _check_system(wishes)
    place = layout(wishes.system, wishes.root)
    server = find_tls_server()
    if not server:
        carry_out(fetch_server(wishes.system), tell)
        server = find_tls_server()
    if not server:
        raise RelayQError(
            "no Redis or Valkey server of 7.0 or newer with TLS is here, and this system's packages have "
            "none (Debian 12, Ubuntu 24.04 and Raspberry Pi OS 12 do): install one, then try again"
        )
    is_new = not (place.settings / "server.pem").exists()
    is_changed = carry_out(plan(wishes, server), tell, as_root=not wishes.root)
    carry_out(commands(wishes, is_changed=is_changed), tell)
    if not wishes.root:
        _await_port(wishes.port)
    return (place.ticket.read_text().strip() if place.ticket.exists() else ""), is_new


def next_step(wishes: Wishes) -> str:
    """What is left to do after a first installation."""
    place = layout(wishes.system, wishes.root)
    is_ours_alone = all(word.startswith("127.") or word in ("::1", "localhost") for word in wishes.listen)
    reach = (
        "it listens on this machine alone"
        if is_ours_alone
        else f"let TCP port {wishes.port} through the firewall"
    )
    if wishes.root:
        return f"the hub's files are written; start it with `{place.server} {place.config}`; {reach}"
    return f"the hub is installed and started; {reach}"


def uninstall_plan(system: str = sys.platform, root: Path | None = None) -> list[Step]:
    """Everything but the data goes."""
    place = layout(system, root)
    stop: list[Step] = []
    end: list[Step] = []
    if not root and system == "darwin":
        stop = [Command(argv=("launchctl", "bootout", f"system/{label_of('hub')}"), may_fail=True)]
    elif not root:
        stop = [Command(argv=("systemctl", "disable", "--now", UNIT), may_fail=True)]
        end = [
            Command(argv=("systemctl", "daemon-reload")),
            Command(argv=("userdel", USER), may_fail=True),
        ]
    files = [Removal(path=path) for path in (place.service, place.settings, place.server.parent)]
    return [*stop, *files, *end]


def installed(system: str = sys.platform) -> dict[str, object] | None:
    """What is known of the hub that is installed on this machine, or None."""
    place = layout(system)
    try:
        lines = place.config.read_text().splitlines()
    except OSError:
        return None
    ports = (line.split()[1] for line in lines if line.startswith(("tls-port ", "port ")))
    port = max(map(int, ports), default=0)
    return {"data": str(place.data), "config": str(place.config), "port": port, "listens": _listens(port)}


def _make_user(place: Layout) -> Step:
    home = ("--no-create-home", "--home-dir", str(place.data), "--shell", "/usr/sbin/nologin")
    return Command(argv=("useradd", "--system", "--user-group", *home, USER), unless=("id", "-u", USER))


def _secret_files(wishes: Wishes, place: Layout, user: str, version: tuple[int, ...]) -> Iterator[Step]:
    """Certificates, the first users and the owner's string: made together, and once."""
    if (place.settings / "server.pem").exists():
        return
    authority = make_authority()
    ticket = _owner_ticket(wishes, authority)
    server = make_server(authority)
    yield File(path=place.settings / "ca.pem", content=certificate_pem(authority.certificate))
    yield File(path=place.ticket, content=ticket.encode() + "\n", mode=PRIVATE, is_secret=True)
    users = acl_file(ticket.password, wishes.fleet, version)
    yield File(path=place.data / "users.acl", content=users, owner=user, mode=PRIVATE, is_secret=True)
    # Last, because it says that the others are there.
    path = place.settings / "server.pem"
    yield File(path=path, content=server.pem(), owner=user, mode=PRIVATE, is_secret=True)


def _owner_ticket(wishes: Wishes, authority: Pair) -> Ticket:
    client = make_client(authority, OWNER)
    return Ticket(
        role=OWNER,
        name=OWNER,
        fleet=wishes.fleet,
        address=wishes.address or f"{own_address()}:{wishes.port}",
        secret=secrets.token_bytes(SECRET_BYTES),
        authority=authority.certificate,
        certificate=client.certificate,
        key=client.key,
        authority_key=authority.key,
    )


def own_address() -> str:
    """The address of this machine on its way out: what others may reach, unless a router stands between."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent; RFC 5737 gives this address to nobody
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def _service_text(place: Layout, user: str) -> str:
    server, config = str(place.server), str(place.config)
    if place.log:
        return hub_plist(server=server, config=config, log=place.log)
    return hub_unit(server=server, config=config, data=str(place.data), user=user)


def _check_system(wishes: Wishes) -> None:
    if wishes.root:
        return
    if wishes.system == "linux" and not Path("/run/systemd/system").is_dir():
        raise UsageError(
            "this machine does not run systemd: add --root DIR to have the files written there, "
            "and start the server with your own service manager"
        )
    if os.geteuid() != 0:
        raise UsageError("installing a hub needs root: type it with sudo, or look first with --dry-run")


def _version(path: str) -> tuple[int, ...]:
    return version_of(path) if not path.endswith("check-rdb") else _version_as_server(path)


def _version_as_server(path: str) -> tuple[int, ...]:
    """The version of a program that is a server when it is called one."""
    said = subprocess.run(
        ["redis-server", "--version"],
        executable=path,
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    _, _, rest = said.stdout.partition(" v=")
    numbers = rest.split(" ")[0].split(".")[:2]
    return tuple(int(number) for number in numbers if number.isdigit())


def _await_port(port: int) -> None:
    if not within(START_S, lambda: _listens(port)):
        raise RelayQError(f"the hub does not listen on port {port}: `journalctl -u {UNIT} -n 20` says why")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0

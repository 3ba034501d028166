"""Units for systemd, each line with its reason.

The worker's unit kills the worker alone (`KillMode=process`): its keeper and the jobs
stay, and the next start takes them back. `Delegate=yes` leaves the unit's control group
to it. The hub's unit gives the server as little of the machine as it needs; what that is
worth is measured by `systemd-analyze security --offline=true`, which tests hold at 3.0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# systemd reads these itself inside a quoted word (systemd.syntax(7), QUOTING), and `$` in commands
# alone (systemd.service(5), COMMAND LINES; systemd.exec(5), Environment=).
_ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"', "%": "%%", "\n": "\\n"})
_IN_COMMANDS = _ESCAPED | {ord("$"): "$$"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A command that is to run for good: `user` is set for system units, empty for the user's own."""

    name: str
    about: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    user: str = ""
    is_worker: bool = True
    stop_argv: Sequence[str] = ()


def unit(service: Service) -> str:
    """The unit file of `relayq service install`."""
    lines = ["[Unit]", f"Description={service.about}"]
    if service.user:
        lines += ["Wants=network-online.target", "After=network-online.target"]
    lines += [
        "# A machine that starts without a network tries for as long as it takes.",
        "StartLimitIntervalSec=0",
    ]
    lines += ["", "[Service]"]
    lines += [f"User={service.user}"] if service.user else []
    lines += _worker_lines(service) if service.is_worker else _hub_lines(service)
    lines += [f"Environment={_word(f'{name}={value}')}" for name, value in service.environment.items()]
    target = "multi-user.target" if service.user else "default.target"
    return "\n".join([*lines, "", "[Install]", f"WantedBy={target}", ""])


def _worker_lines(service: Service) -> list[str]:
    return [
        "Type=exec",
        f"ExecStart={command_line(service.argv)}",
        "Restart=always",
        "RestartSec=5",
        "# The worker alone is stopped: its keeper and the running jobs stay,",
        "# and the next start takes them back.",
        "KillMode=process",
        "Delegate=yes",
        "TimeoutStopSec=90",
    ]


def _hub_lines(service: Service) -> list[str]:
    return [
        "# The server detaches by itself and leaves when nobody has used it for an hour.",
        "Type=oneshot",
        "RemainAfterExit=yes",
        f"ExecStart={command_line(service.argv)}",
        f"ExecStop={command_line(service.stop_argv)}",
    ]


def hub_unit(*, server: str, config: str, data: str, user: str) -> str:
    """The unit of an installed hub: its own server, its own user, and nothing else of the machine."""
    return f"""\
[Unit]
Description=RelayQ hub
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
User={user}
Group={user}
ExecStart={command_line([server, config])}
Restart=always
RestartSec=2
TimeoutStopSec=60
LimitNOFILE=10240
UMask=0077

# It writes its data and nothing else.
ProtectSystem=strict
ReadWritePaths={_word(data)}
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
DevicePolicy=closed
PrivateUsers=yes
PrivateMounts=yes
RemoveIPC=yes

# It sees itself and no other process, and cannot change the machine.
ProtectProc=invisible
ProcSubset=pid
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes

# It becomes nobody else, and runs no code that was not in its program.
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""


def command_line(argv: Sequence[str]) -> str:
    """A command as ExecStart takes it."""
    return " ".join(_word(word, _IN_COMMANDS) for word in argv)


def _word(text: str, escaped: Mapping[int, str] = _ESCAPED) -> str:
    plain = text.translate(escaped)
    return f'"{plain}"' if plain != text or any(letter in text for letter in " ;'\t") or not text else text

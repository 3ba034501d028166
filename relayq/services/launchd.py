"""Property lists for launchd: the same services on macOS.

A headless Mac mini has nobody logged in at its screen, so a user agent is loaded into
the Background session too and not into Aqua alone; `domains` names where it is looked
for: the graphical session first, then the user's own.

Written after launchd.plist(5) and launchctl(1) of macOS 14; these files are generated and
compared in the tests, and were not run on a Mac by them.
"""

from __future__ import annotations

import plistlib
from typing import Any

from relayq.services.systemd import Service

LABEL = "org.relayq"


def label_of(name: str) -> str:
    """What launchd calls a service."""
    return f"{LABEL}.{name.removeprefix('relayq-')}"


def plist(service: Service, log: str) -> str:
    """The property list of a service; it logs to a file, which launchd opens."""
    facts: dict[str, Any] = {
        "Label": label_of(service.name),
        "ProgramArguments": list(service.argv),
        "EnvironmentVariables": dict(service.environment),
        "RunAtLoad": True,
        "KeepAlive": service.is_worker,
        "ThrottleInterval": 5,
        "ExitTimeOut": 90,
        # The jobs of a worker that is stopped are its keeper's: they are left alone.
        "AbandonProcessGroup": True,
        "ProcessType": "Background",
        "StandardOutPath": log,
        "StandardErrorPath": log,
        "Umask": 0o077,
    }
    if service.user:
        facts["UserName"] = service.user
    else:
        facts["LimitLoadToSessionType"] = ["Aqua", "Background"]
    return plistlib.dumps(facts, sort_keys=False).decode()


def hub_plist(*, server: str, config: str, log: str) -> str:
    """The property list of an installed hub, for /Library/LaunchDaemons."""
    facts = {
        "Label": label_of("hub"),
        "ProgramArguments": [server, config],
        "RunAtLoad": True,
        "KeepAlive": True,
        "ThrottleInterval": 5,
        "ExitTimeOut": 60,
        "SoftResourceLimits": {"NumberOfFiles": 10240},
        "HardResourceLimits": {"NumberOfFiles": 10240},
        "StandardOutPath": log,
        "StandardErrorPath": log,
        "Umask": 0o077,
    }
    return plistlib.dumps(facts, sort_keys=False).decode()


def domains(uid: int) -> tuple[str, str]:
    """Where a user's agent may be loaded, the graphical session first."""
    return f"gui/{uid}", f"user/{uid}"

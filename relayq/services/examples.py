"""The files in contrib/systemd and contrib/launchd: `python -m relayq.services.examples` writes them.

They are what `relayq service install` and `relayq hub install` write, for those who install by
other means; a test holds them against the templates.
"""

from __future__ import annotations

import sys
from pathlib import Path

from relayq.services.launchd import hub_plist, label_of, plist
from relayq.services.systemd import Service, hub_unit, unit

WORKER = Service(
    name="relayq-worker",
    about="RelayQ worker",
    argv=["/opt/relayq/bin/relayq", "worker", "--headless"],
    environment={"PATH": "/opt/relayq/bin:/usr/local/bin:/usr/bin:/bin"},
)


def texts() -> dict[str, str]:
    """Path below contrib -> content."""
    system = Service(
        name=WORKER.name, about=WORKER.about, argv=WORKER.argv, environment=WORKER.environment, user="relayq"
    )
    return {
        "systemd/user/relayq-worker.service": unit(WORKER),
        "systemd/system/relayq-worker.service": unit(system),
        "systemd/system/relayq-hub.service": hub_unit(
            server="/usr/local/lib/relayq-hub/redis-server",
            config="/etc/relayq-hub/hub.conf",
            data="/var/lib/relayq-hub",
            user="relayq-hub",
        ),
        f"launchd/{label_of('relayq-worker')}.plist": plist(WORKER, "/usr/local/var/log/relayq-worker.log"),
        f"launchd/{label_of('hub')}.plist": hub_plist(
            server="/usr/local/lib/relayq-hub/redis-server",
            config="/usr/local/etc/relayq-hub/hub.conf",
            log="/usr/local/var/relayq-hub/hub.log",
        ),
    }


def main() -> None:
    """Write them below the directory that is named, or below contrib."""
    top = Path(sys.argv[1] if len(sys.argv) > 1 else "contrib")
    for name, text in texts().items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()

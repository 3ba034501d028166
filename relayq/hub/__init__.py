"""The hub of people who have none: a private server on this machine, started when first needed.

`choose.py` decides which hub a command talks to, `embedded.py` starts, finds and
stops the private one, `server.py` finds a server program and writes its
configuration, `place.py` names the files, `process.py` knows whose process a pid is,
`caretaker.py` ends the hub after an hour without use, `health.py` says how it is and
`info.py` reads what the server says of itself.

A cold `relayq submit` passes through here, so nothing heavy is imported before a
server really has to be started.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relayq.hub.choose import choose_url as choose_url
from relayq.hub.embedded import require_room as require_room
from relayq.hub.embedded import running as running
from relayq.hub.embedded import start as start
from relayq.hub.embedded import stop as stop

if TYPE_CHECKING:
    from relayq.config import Config


def status(config: Config) -> dict[str, object]:
    """How the hub is, running or not; `health.status` says which facts."""
    from relayq.hub import health

    return health.status(config)

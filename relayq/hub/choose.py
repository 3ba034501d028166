"""Decide which hub a command talks to.

Whoever named one gets it: `--url`, RELAYQ_URL or the configuration, in that order
(config.py has already chosen among them). Everybody else gets the private hub of
this user, started when it is not there. A server that happens to listen on the
usual port of this machine is a stranger's and is never tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relayq.hub.embedded import start

if TYPE_CHECKING:
    from collections.abc import Callable

    from relayq.config import Config


def choose_url(
    config: Config, tell: Callable[[str], None] | None = None, *, again: bool = False
) -> tuple[str, bool]:
    """The hub's URL, and whether it is our own embedded one; `tell` hears that this was started.

    Whoever asks `again` has had it: what somebody has stopped meanwhile stays so (HubUnreachable).
    """
    if config.url:
        return config.url, False
    return start(config, tell, only_after_death=again), True

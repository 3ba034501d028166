"""Let the private hub leave after an hour in which nobody used it.

A small process of its own, started with the server, looks once a minute. The hub
was used when a client is connected, when commands were executed since the last
look, or when a job has not ended. After an hour without any of these it takes the
lock of `embedded.py`, looks once more and shuts the server down; the data stays and
the next command that needs a hub starts it again. It ends by itself when its server
is gone. Nobody depends on it: killed, the hub merely stays.

The server cannot do this itself, and a worker may be killed before it could.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from relayq.errors import HubFull
from relayq.hub.embedded import shut_down
from relayq.hub.info import parse_info
from relayq.hub.place import Place, locked, read_record, url_of
from relayq.hub.process import Process
from relayq.model.lifecycle import CODE, FINAL, State
from relayq.store.wire import Wire, WireError, WireReplyError

IDLE_S = 3600.0
LOOK_S = 60.0


def watch(place: Place, server: Process, idle_s: float = IDLE_S, look_s: float = LOOK_S) -> None:
    """Stay until the server is gone, or until it was idle for `idle_s` and has been shut down."""
    usage = Usage(place)
    idle_since = time.monotonic()
    while is_ours(place, server):
        if usage.since_last_look():
            idle_since = time.monotonic()
        elif time.monotonic() - idle_since >= idle_s:
            if usage.unfinished_jobs():
                idle_since = time.monotonic()
            else:
                leave(place, server, usage)
        usage.pause(look_s)


def leave(place: Place, server: Process, usage: Usage) -> None:
    """Shut the server down, unless somebody came while we waited for the lock, or its disk is full."""
    with locked(place), suppress(HubFull):
        if is_ours(place, server) and not usage.unfinished_jobs():
            shut_down(place)


def is_ours(place: Place, server: Process) -> bool:
    """Whether the server we were started for still is this place's hub."""
    return read_record(place)[0] == server and server.is_alive(place.mark)


class Usage:
    """What others do with the hub, seen through one connection."""

    def __init__(self, place: Place) -> None:
        self._wire = Wire(url_of(place.socket), timeout_s=LOOK_S + 30)
        self._executed = 0

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than the server lives: its end breaks a blocking read."""
        try:
            self._wire.call("BLPOP", "relayq:nobody-writes-here", str(seconds))
        except (WireError, WireReplyError):
            time.sleep(min(1.0, seconds))

    def since_last_look(self) -> bool:
        """Whether anybody is connected or sent a command since this was last asked."""
        try:
            clients, stats = map(parse_info, self._wire.pipeline([["INFO", "clients"], ["INFO", "stats"]]))
        except (WireError, WireReplyError):
            return True
        before, self._executed = self._executed, int(stats["total_commands_processed"])
        # The two INFOs and the pause are ours, and so is the connection.
        return self._executed - before > 3 or int(clients["connected_clients"]) > 1

    def unfinished_jobs(self) -> bool:
        """Whether any fleet has a job that has not ended; unknown counts as yes."""
        try:
            return any(self._live_jobs(key) > 0 for key in self._counters())
        except (WireError, WireReplyError):
            return True

    def _counters(self) -> Iterator[bytes]:
        cursor = b"0"
        while True:
            cursor, keys = self._wire.call("SCAN", cursor, "MATCH", "{rq:*}:n", "COUNT", 1000)
            yield from keys
            if cursor == b"0":
                return

    def _live_jobs(self, key: bytes) -> int:
        counts = self._wire.call("HMGET", key, *(CODE[state] for state in State if state not in FINAL))
        return sum(int(count or 0) for count in counts)


def main() -> None:
    """`python -m relayq.hub.caretaker DATA SOCKET PID BORN`, as `embedded.launch` starts it."""
    data, socket, pid, birth = sys.argv[1:]
    watch(Place(Path(data), Path(socket)), Process(int(pid), birth))


if __name__ == "__main__":
    main()

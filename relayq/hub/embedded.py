"""Start, find and stop the private hub of this user.

It is started at most once: whoever finds no living hub takes a file lock and looks
again before starting one, so of twenty processes at once one starts it and nineteen
find it. Looking (`running`) takes no lock: one small file and one PING.

The server is detached and outlives everybody. When it was killed, the next start
reads its append-only file. What that file promises (`appendfsync everysec`): each
write reaches the kernel before its reply leaves the server, so killing the server
loses nothing that was acknowledged; a power cut or kernel crash loses at most about
the last second. Only where a disk needs longer for an fsync than a command for its
reply, the server itself puts writes off behind that fsync for up to two seconds.

What could not be written yet, because the disk is full, is in the server's memory alone. A
server in that state takes nothing more and tries again every second, so it is not ended
unless that is forced, and nothing is submitted to it when its disk is about to be full.

A process is signalled only when pid, start time and command line are all ours
(`process.py`). A frozen server is never replaced: a second one would write the same
file.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING

from relayq.errors import ConfigError, HubError, HubFull, HubUnreachable
from relayq.hub.info import parse_info
from relayq.hub.place import Place, locked, place_of, prepare, read_record, url_of, write_record
from relayq.hub.process import Process, end, spawn_detached, within
from relayq.places import ANOTHER
from relayq.store.wire import Wire, WireError, WireReplyError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from relayq.config import Config

PING_S = 2.0
START_S = 10.0
STOP_S = 10.0
STARTED = (
    "no hub was running: started a private one in the background "
    "(on a socket that only you may open; it leaves after an unused hour)"
)
STOPPED = "the private hub was stopped: `relayq hub start` starts it again"
WRITE_S = 3.0  # the server tries again every second
ROOM_BYTES_MIN = 1 << 20


class Answer(StrEnum):
    """What a PING finds at a socket."""

    READY = "ready"
    LOADING = "still loading its data"
    SILENT = "not answering"
    ABSENT = "gone"


# What an error reply to a PING means.
ANSWERS = {"LOADING": Answer.LOADING, "MISCONF": Answer.READY}


def running(config: Config) -> str | None:
    """The URL of our own local hub when it is up and answers, else None."""
    place = place_of(config)
    _, socket = read_record(place)
    return url_of(socket) if ping(socket) == Answer.READY else None


def start(
    config: Config, tell: Callable[[str], None] | None = None, *, only_after_death: bool = False
) -> str:
    """The URL of our own local hub, started if it was not up; `tell` hears that it was.

    HubError when that cannot be. With `only_after_death`, as for whoever has had it already, one
    that was killed is started and one that somebody has stopped is not: HubUnreachable.
    """
    if url := running(config):
        return url
    place = place_of(config)
    prepare(place)
    try:
        return found_or_launched(place, tell, only_after_death=only_after_death)
    except OSError as error:
        raise HubError(
            f"the local hub cannot be started in {place.data}: {error.strerror or error}"
        ) from error


def found_or_launched(
    place: Place, tell: Callable[[str], None] | None = None, *, only_after_death: bool = False
) -> str:
    """The URL of the hub of this place, alone among all who may start it; `tell` hears of a start."""
    with locked(place):
        process, socket = read_record(place)
        if process is not None and process.is_alive(place.mark):
            found = settle(process, socket)
            # It may live without its socket: /tmp is swept of what looks old.
            if found == Answer.ABSENT and not end(process, place.mark, STOP_S):
                found = Answer.SILENT
        else:
            found = ping(socket)
        match found:
            case Answer.READY:
                return url_of(socket)
            case Answer.ABSENT if process is None and only_after_death:
                raise HubUnreachable(STOPPED)
            case Answer.ABSENT:
                url = launch(place)
                if tell:
                    tell(STARTED)
                return url
        raise HubUnreachable(
            f"the local hub{f' (process {process.pid})' if process else ''} is {found}; "
            "`relayq hub stop` ends it"
        )


def launch(place: Place) -> str:
    """Start the server; the lock is ours and no server of ours lives."""
    from relayq.hub.server import configuration, find_server

    program, _ = find_server()
    place.configuration.write_text(configuration(place.socket, place.data))
    if place.log.exists():
        place.log.replace(place.log.with_suffix(".log.old"))
    process = spawn_detached([program, str(place.configuration)], place.log)
    write_record(place, process)
    if (found := settle(process, place.socket)) != Answer.READY:
        end(process, place.mark, STOP_S)
        raise HubError(
            f"the local hub did not start ({program}, {found}): {last_line(place.log)} (see {place.log})"
        )
    spawn_caretaker(place, process)
    return url_of(place.socket)


def spawn_caretaker(place: Place, server: Process) -> None:
    """Start the process that lets `server` leave when it is unused (caretaker.py)."""
    words = [str(place.data), str(place.socket), str(server.pid), server.born]
    spawn_detached([sys.executable, "-P", "-m", "relayq.hub.caretaker", *words], place.log)


def require_room(config: Config) -> None:
    """HubFull when the disk of our own local hub has too little left for another job."""
    data = place_of(config).data
    try:
        free = free_bytes(data)
    except OSError as error:
        raise ConfigError(
            f"the local hub's directory {data} cannot be read: {error.strerror}; {ANOTHER}"
        ) from None
    if free < ROOM_BYTES_MIN:
        raise HubFull(
            f"the disk of the local hub is full: nothing was queued; make room at {data} "
            f"(at least {ROOM_BYTES_MIN >> 20} MiB)"
        )


def stop(config: Config, *, force: bool = False) -> bool:
    """End our own local hub in order; its data stays. Whether there was one to end.

    HubFull when its latest writes cannot be written: only `force` ends it then, without them.
    """
    place = place_of(config)
    if not place.data.is_dir():
        return False
    with locked(place):
        return shut_down(place, force=force)


def shut_down(place: Place, *, force: bool = False) -> bool:
    """Ask the server to leave, and make it leave; the lock is ours. Whether there was one."""
    process, socket = read_record(place)
    is_known = process is not None and process.is_alive(place.mark)
    found = ping(socket)
    if found == Answer.SILENT and not is_known:
        raise HubUnreachable(
            f"the local hub at {socket} does not answer, and no record says which process it is: "
            "look for relayq-hub in `ps` and end it"
        )
    if found in (Answer.READY, Answer.SILENT) and not force:
        require_written(place, socket, found)
    if found in (Answer.READY, Answer.LOADING):
        with suppress(WireError, WireReplyError):
            Wire(url_of(socket), timeout_s=STOP_S).call("SHUTDOWN")
    if process is not None and not end(process, place.mark, STOP_S):
        raise HubUnreachable(
            f"the local hub (process {process.pid}) cannot be ended: the system holds on to it"
        )
    place.record.unlink(missing_ok=True)
    socket.unlink(missing_ok=True)
    return is_known or found != Answer.ABSENT


def require_written(place: Place, socket: Path, found: Answer) -> None:
    """HubFull when something the server has taken is not on file, and will not be in a moment.

    Who is silent cannot be asked: of it the disk alone can tell.
    """
    if found == Answer.SILENT:
        is_written = free_bytes(place.data) > 0
    else:
        is_written = within(WRITE_S, lambda: has_written(socket))
    if not is_written:
        raise HubFull(
            "the local hub goes on: its disk is full, and its latest changes are in its memory only; "
            f"make room at {place.data} and try again (--force ends it now and loses them)"
        )


def has_written(socket: Path) -> bool:
    """Is everything on file that the server has taken?"""
    wire = Wire(url_of(socket), timeout_s=STOP_S)
    try:
        info = parse_info(wire.call("INFO", "persistence"))
    except (WireError, WireReplyError):
        return True  # it has just died, or reads its file
    finally:
        wire.close()
    return info.get("aof_last_write_status", "ok") == "ok" and info.get("aof_buffer_length", "0") == "0"


def free_bytes(directory: Path) -> int:
    """What its disk has left for us."""
    disk = os.statvfs(directory)
    return disk.f_bavail * disk.f_frsize


def settle(process: Process, socket: Path) -> Answer:
    """Wait until the server answers or has died; what it was last seen as.

    Loading a large file may take as long as it takes; silence may not.
    """
    deadline = time.monotonic() + START_S
    while (found := ping(socket)) != Answer.READY:
        if found == Answer.LOADING:
            deadline = time.monotonic() + START_S
        if not process.is_alive("") or time.monotonic() > deadline:
            return found
        time.sleep(0.002)
    return Answer.READY


def ping(socket: Path) -> Answer:
    """What is at the socket: ready, loading, silent (it hangs) or absent.

    A server that cannot write to its disk refuses even a PING, but it answers: what is there can be read.
    """
    wire = Wire(url_of(socket), timeout_s=PING_S)
    try:
        wire.call("PING")
    except WireReplyError as error:
        return ANSWERS.get(error.code, Answer.SILENT)
    except WireError as error:
        return Answer.SILENT if isinstance(error.__cause__, TimeoutError) else Answer.ABSENT
    finally:
        wire.close()
    return Answer.READY


def last_line(log: Path) -> str:
    """The last thing the server said."""
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"

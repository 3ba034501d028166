"""Where the private hub of this user lives: one data directory, one socket, one record.

The data directory decides, not the socket. Two shells of the same user may be told
different runtime directories; both must find the one server that writes the
append-only file, so lock and record lie beside the data and the record names the
process and its socket.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from relayq.hub.process import Process
from relayq.places import private_dir

if TYPE_CHECKING:
    from relayq.config import Config


class Place(NamedTuple):
    """The files of one private hub."""

    data: Path
    socket: Path

    @property
    def lock(self) -> Path:
        """Held while somebody starts or stops the server."""
        return self.data / "hub.lock"

    @property
    def record(self) -> Path:
        """The pid file: which process is the server, and where it listens."""
        return self.data / "hub.json"

    @property
    def configuration(self) -> Path:
        """What the server reads at its start; written anew each time."""
        return self.data / "hub.conf"

    @property
    def log(self) -> Path:
        """What the server and its caretaker print."""
        return self.data / "hub.log"

    @property
    def mark(self) -> str:
        """What the server's command line carries, before and after it sets its title."""
        return str(self.configuration)


def place_of(config: Config) -> Place:
    """The private hub that belongs to this configuration, whether it exists or not."""
    return Place(config.data_dir / "hub", config.runtime_dir / "hub.sock")


def has_private_hub(config: Config) -> bool:
    """Was the private hub ever started here? Its jobs are kept whether it runs or not."""
    return place_of(config).configuration.exists()


def url_of(socket: Path) -> str:
    """A socket as a hub URL."""
    return f"unix://{quote(str(socket))}"


def prepare(place: Place) -> None:
    """Make the directories, for this user only; ConfigError when that cannot be."""
    for directory in (place.data, place.socket.parent):
        private_dir(directory)


@contextmanager
def locked(place: Place) -> Iterator[None]:
    """Alone among all processes that start or stop this hub; waits for its turn."""
    with place.lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def read_record(place: Place) -> tuple[Process | None, Path]:
    """The process and socket that were written down; (None, the usual socket) when nothing was."""
    try:
        record = json.loads(place.record.read_text())
        return Process(record["pid"], record["born"]), Path(record["socket"])
    except (OSError, ValueError, KeyError, TypeError):
        return None, place.socket


def write_record(place: Place, process: Process) -> None:
    """Write the process down, all or nothing."""
    fresh = place.record.with_suffix(".new")
    fresh.write_text(json.dumps({"pid": process.pid, "born": process.born, "socket": str(place.socket)}))
    fresh.replace(place.record)

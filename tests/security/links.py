"""Two hosts and the link between one of them and the hub, which can be cut.

`Namespaces` are hosts of their own as far as the network goes: each has its own addresses
and routes, and cutting is taking its interface down, so that packets vanish in both
directions. That needs root and a kernel that lets us. Where it is not permitted, `Relay`
stands in: a TCP relay on loopback that, while it is cut, takes what is sent and forwards
nothing, which looks the same from both ends.
"""

from __future__ import annotations

import os
import secrets
import select
import socket
import subprocess
import threading
from typing import Protocol

HUB, WORKER, SENDER = "hub", "worker", "sender"
NETS = {WORKER: "198.18.1", SENDER: "198.18.2"}  # RFC 2544 sets 198.18.0.0/15 aside for tests


class Links(Protocol):
    """How the hosts of a test reach each other."""

    def prefix(self, host: str) -> tuple[str, ...]:
        """The command that runs another one on this host."""

    def listen(self) -> str:
        """The address on which the hub listens."""

    def address(self, host: str, port: int) -> str:
        """Where the hub is reached from this host, as HOST:PORT."""

    def cut(self) -> None:
        """Let nothing through between the worker and the hub, silently."""

    def mend(self) -> None:
        """Let everything through again."""

    def close(self) -> None:
        """Take it all down."""


class Namespaces:
    """Three network namespaces; worker and sender have a wire to the hub each, and none to each other."""

    def __init__(self) -> None:
        self._mark = secrets.token_hex(2)
        self._names = {host: f"rq{self._mark}{host}" for host in (HUB, WORKER, SENDER)}
        for name in self._names.values():
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        for host, net in NETS.items():
            here, there = f"{host[0]}{self._mark}", f"h{host[0]}{self._mark}"
            _ip("-n", self._names[host], "link", "add", here, "type", "veth", "peer", "name", there,
                "netns", self._names[HUB])  # fmt: skip
            for name, end, last in ((self._names[host], here, 2), (self._names[HUB], there, 1)):
                _ip("-n", name, "address", "add", f"{net}.{last}/24", "dev", end)
                _ip("-n", name, "link", "set", end, "up")

    def prefix(self, host: str) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self._names[host])

    def listen(self) -> str:
        return "0.0.0.0"

    def address(self, host: str, port: int) -> str:
        return f"{NETS[host]}.1:{port}"

    def cut(self) -> None:
        self._wire("down")

    def mend(self) -> None:
        self._wire("up")

    def close(self) -> None:
        for name in self._names.values():
            _ip("netns", "delete", name)

    def _wire(self, state: str) -> None:
        # The hub's end: the worker's own interface stays up, so it gets no hint from its kernel.
        _ip("-n", self._names[HUB], "link", "set", f"hw{self._mark}", state)


class Relay:
    """The worker reaches the hub through a relay; everybody is on loopback."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._is_cut = threading.Event()
        self._target = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def prefix(self, host: str) -> tuple[str, ...]:
        return ()

    def listen(self) -> str:
        return "127.0.0.1"

    def address(self, host: str, port: int) -> str:
        self._target = port
        return f"127.0.0.1:{self._listener.getsockname()[1] if host == WORKER else port}"

    def cut(self) -> None:
        self._is_cut.set()

    def mend(self) -> None:
        self._is_cut.clear()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        """Forward both ways; what comes while the link is cut is lost, and so is its connection."""
        if self._is_cut.is_set():
            return self._swallow(near)
        with near, socket.create_connection(("127.0.0.1", self._target)) as far:
            ends = {near: far, far: near}
            while True:
                for ready in select.select(list(ends), [], [])[0]:
                    data = ready.recv(65536)
                    if self._is_cut.is_set():
                        return self._swallow(near)
                    if not data:
                        return None
                    ends[ready].sendall(data)

    def _swallow(self, near: socket.socket) -> None:
        while near.recv(65536):
            pass


def links() -> Links:
    """Namespaces where they are permitted (RELAYQ_TEST_LINKS=relay: the other way), else a relay."""
    if os.environ.get("RELAYQ_TEST_LINKS") == "relay" or not may_make_namespaces():
        return Relay()
    return Namespaces()


def may_make_namespaces() -> bool:
    """Does this kernel let us?"""
    name = f"rqtry{secrets.token_hex(2)}"
    try:
        made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    if made.returncode:
        return False
    works = subprocess.run(
        ["ip", "-n", name, "link", "add", "a", "type", "veth", "peer", "name", "b"],
        capture_output=True,
        check=False,
    )
    _ip("netns", "delete", name)
    return works.returncode == 0


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)

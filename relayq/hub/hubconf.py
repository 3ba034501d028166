"""The configuration of an installed hub's server, each line with its reason.

It differs from the private hub's (server.py) where others can reach it: TLS with its own
authority, users, and limits to what one of them can make it hold. There is no way to have
it without TLS: the only port it opens is the one for TLS.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from relayq.errors import UsageError
from relayq.hub.server import quoted

DEFAULT_PORT = 7379
STRANGERS_PORT = 6379
EVERYWHERE = ("*", "-::*")


@dataclass(frozen=True, slots=True, kw_only=True)
class HubConf:
    """What was decided: `listen` are addresses as the server's `bind` takes them."""

    data: Path
    secrets: Path
    port: int = DEFAULT_PORT
    listen: tuple[str, ...] = EVERYWHERE
    memory_bytes: int

    def check(self) -> None:
        """UsageError for somebody else's port."""
        if self.port == STRANGERS_PORT:
            raise UsageError(
                f"port {STRANGERS_PORT} belongs to the distribution's server: "
                f"take another one, such as {DEFAULT_PORT}"
            )

    def text(self) -> str:
        """The file."""
        parts = (self._network(), self._users(), self._data(), self._limits())
        return "\n".join("\n".join(lines) + "\n" for lines in parts)

    def _network(self) -> list[str]:
        pem, authority = quoted(self.secrets / "server.pem"), quoted(self.secrets / "ca.pem")
        return [
            "# TLS 1.3 and nothing else; who has no certificate of this hub's authority stays outside.",
            "port 0",
            f"tls-port {self.port}",
            f"bind {' '.join(self.listen)}",
            'tls-protocols "TLSv1.3"',
            f"tls-cert-file {pem}",
            f"tls-key-file {pem}",
            f"tls-ca-cert-file {authority}",
            "tls-auth-clients yes",
            "# A link that died unnoticed is noticed within a few minutes.",
            "tcp-keepalive 60",
            "timeout 0",
        ]

    def _users(self) -> list[str]:
        return [
            "# Nobody is anybody without a password; the owner adds users (relayq hub invite).",
            f"aclfile {quoted(self.data / 'users.acl')}",
            "protected-mode yes",
            "enable-debug-command no",
            "enable-module-command no",
            "enable-protected-configs no",
            "# Workers hear of a submit-only user's push at once (lists only).",
            "notify-keyspace-events Kl",
        ]

    def _data(self) -> list[str]:
        return [
            f"dir {quoted(self.data)}",
            "databases 1",
            "# Every write is on file when its reply leaves; a power cut loses at most the last second.",
            "appendonly yes",
            "appendfsync everysec",
            "# Plain commands, so any engine and version can read the data.",
            "aof-use-rdb-preamble no",
            'save ""',
            "stream-node-max-bytes 1024",
            "set-proc-title yes",
            'proc-title-template "relayq-hub {listen-addr}"',
            "# Standard output: the service manager keeps and rotates it.",
            'logfile ""',
            "loglevel notice",
        ]

    def _limits(self) -> list[str]:
        return [
            "# A flood is refused before the machine swaps; a queue never forgets a key by itself.",
            f"maxmemory {self.memory_bytes}",
            "maxmemory-policy noeviction",
            "# Files travel whole, 16 MiB at most; beyond twice that nobody has anything to say.",
            "proto-max-bulk-len 33554432",
            "client-query-buffer-limit 50331648",
            "client-output-buffer-limit normal 268435456 67108864 60",
            "client-output-buffer-limit pubsub 8388608 2097152 60",
            "# What clients hold in buffers is bounded too: the greediest go first.",
            "maxmemory-clients 25%",
            "maxclients 4000",
        ]

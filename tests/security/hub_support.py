"""A hub as `relayq hub install` sets it up, on loopback, for tests: TLS, the generated ACL, real users.

Debian's redis-server has TLS; the embedded server has none, so its twin listens on a
unix socket with the same ACL file.
"""

from __future__ import annotations

import secrets
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

from relayq.hub import acl, certificates
from relayq.hub.server import version_of
from tests.support import eventually_sync, server_binary

OPTIONS = (
    "--enable-debug-command",
    "yes",
    "--notify-keyspace-events",
    "Kl",
    "--maxmemory-policy",
    "noeviction",
    "--save",
    "",
)


def free_port() -> int:
    """A TCP port of loopback that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RoleHub:
    """A server with the generated ACL file; users are added to it before it starts."""

    def __init__(self, fleet: str, engine: str = "redis", *options: str, tls: bool = False) -> None:
        self.fleet, self.options = fleet, options
        self.directory = Path(tempfile.mkdtemp(prefix="rqs-"))
        self.socket = self.directory / "s"
        self.binary = server_binary(engine)
        self.version = version_of(self.binary)
        self.secrets: dict[str, str] = {"owner": secrets.token_hex(8)}
        self.users: dict[str, acl.User] = {"owner": acl.User(acl.OWNER, "owner", fleet)}
        self.port = free_port() if tls else 0
        self.process: subprocess.Popen[bytes] | None = None
        if tls:
            self.authority = certificates.make_authority()
            self.write_pems()

    def write_pems(self) -> None:
        """The authority, the server's certificate and one for clients."""
        (self.directory / "ca.pem").write_text(certificates.certificate_pem(self.authority.certificate))
        (self.directory / "server.pem").write_text(certificates.make_server(self.authority).pem())
        (self.directory / "client.pem").write_text(certificates.make_client(self.authority, "test").pem())

    def add(self, role: str, name: str) -> acl.User:
        """One more user; before the start."""
        mark = acl.new_mark() if role == acl.SUBMITTER else ""
        user = acl.User(role, name, self.fleet, mark)
        self.users[user.login], self.secrets[user.login] = user, secrets.token_hex(8)
        return user

    def start(self) -> RoleHub:
        """Start it and wait until it answers."""
        lines = acl.acl_file(self.secrets["owner"], self.fleet, self.version)
        for login, user in self.users.items():
            if login != "owner":
                lines += f"user {login} {' '.join(acl.rules(user, self.secrets[login], self.version))}\n"
        (self.directory / "users.acl").write_text(lines)
        self._launch()
        return self

    def _launch(self) -> None:
        argv = [self.binary, "--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.directory)]
        argv += ["--aclfile", str(self.directory / "users.acl"), *OPTIONS, *self.options]
        if self.port:
            argv += ["--tls-port", str(self.port), "--bind", "127.0.0.1", "--tls-protocols", "TLSv1.3"]
            for name in ("tls-cert-file", "tls-key-file"):
                argv += [f"--{name}", str(self.directory / "server.pem")]
            argv += ["--tls-ca-cert-file", str(self.directory / "ca.pem"), "--tls-auth-clients", "yes"]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        eventually_sync(self.answers, f"the hub answers (log: {self.directory / 'log'})")

    def restart(self) -> None:
        """SIGKILL, and start again with what is on disk."""
        assert self.process
        self.process.kill()
        self.process.wait()
        self._launch()

    def answers(self) -> bool:
        """Whether somebody is there."""
        with socket.socket(socket.AF_UNIX) as link:
            try:
                link.connect(str(self.socket))
                link.sendall(b"PING\r\n")
                return link.recv(64).startswith(b"-NOAUTH")
            except OSError:
                return False

    def url(self, login: str = "owner", *, secret: str | None = None) -> str:
        """The address over the unix socket, as this user."""
        return f"unix://{self._who(login, secret)}{quote(str(self.socket))}?{self._what(login)}"

    def tls_url(self, login: str = "owner", *, port: int = 0, **files: str) -> str:
        """The address over TLS, as this user; other files than its own where a test wants them."""
        named = {"ca": "ca.pem", "cert": "client.pem", "name": certificates.SERVER_NAME} | files
        for kind in ("ca", "cert"):
            if named[kind]:
                named[kind] = quote(str(self.directory / named[kind]))
        query = "&".join(f"{name}={value}" for name, value in named.items() if value)
        return f"rediss://{self._who(login, None)}127.0.0.1:{port or self.port}?{query}&{self._what(login)}"

    def _who(self, login: str, secret: str | None) -> str:
        return f"{login}:{self.secrets[login] if secret is None else secret}@"

    def _what(self, login: str) -> str:
        user = self.users[login]
        return f"role={user.role}&mark={user.mark}"

    def close(self) -> None:
        """Kill it and remove its directory."""
        if self.process:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

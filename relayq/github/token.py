"""Find the token that speaks to GitHub, by the name of its place; it never stands in a message.

`github.token` names the place: `gh` (what `gh auth token` prints), `env:NAME`,
`file:PATH` (a file that only its owner may read), or `auto`: the variables GH_TOKEN and
GITHUB_TOKEN, then gh, then the file `github-token` beside the configuration.

No token goes to a server that it was not meant for. What `auto` finds is for GitHub itself; a
server of GitHub Enterprise in `github.api` gets it where GH_HOST names that server, and what
stands in GH_ENTERPRISE_TOKEN or GITHUB_ENTERPRISE_TOKEN, as with gh. gh keeps a token for each
server, and is asked for that server's. A place that `github.token` names is for `github.api`.
"""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from relayq.errors import ConfigError

FILE_NAME = "github-token"
PUBLIC = "github.com"
VARIABLES = ("GH_TOKEN", "GITHUB_TOKEN")
ENTERPRISE_VARIABLES = ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
HOST_VARIABLE = "GH_HOST"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
GH_TIMEOUT_S = 10.0
_TOKEN = re.compile(r"[A-Za-z0-9_.\-]{8,512}")


class Token(NamedTuple):
    """A token and where it came from; shown as the latter alone."""

    value: str
    place: str

    def __repr__(self) -> str:
        return f"Token({self.place})"

    @property
    def mark(self) -> str:
        """A word that differs from token to token and tells nothing of it."""
        return sha256(b"relayq github " + self.value.encode()).hexdigest()[:16]


def find_token(named: str, environ: Mapping[str, str], config_dir: Path, api: str = "") -> Token | None:
    """The token in the place that is named; None when `auto` finds none anywhere.

    `api` is the address that it is for, GitHub's own without one.
    """
    kind, _, rest = named.partition(":")
    match kind:
        case "auto":
            return _first(environ, config_dir, api)
        case "gh":
            return _required(_from_gh(api), "gh", "log in with `gh auth login`")
        case "env" if rest:
            found = _read(environ.get(rest, ""), f"the variable {rest}")
            return _required(found, f"the variable {rest}", "set it")
        case "file" if rest:
            return _required(_from_file(Path(rest).expanduser()), f"file {rest}", "write it there")
    raise ConfigError("github.token names no place of a token: write auto, gh, env:NAME or file:PATH")


def _first(environ: Mapping[str, str], config_dir: Path, api: str) -> Token | None:
    server, stored = server_of(api), config_dir / FILE_NAME
    is_ours = _is_meant(server, environ)
    found = _from_variables(VARIABLES if is_ours else ENTERPRISE_VARIABLES, environ) or _from_gh(api)
    if found or is_ours:
        return found or _from_file(stored)
    if withheld := _from_variables(VARIABLES, environ) or _from_file(stored):
        raise ConfigError(
            f"the token in {withheld.place} is for {PUBLIC} and does not go to {server} (github.api): "
            f"set {ENTERPRISE_VARIABLES[0]}, or {HOST_VARIABLE}={server} if it is that server's"
        )
    return None


def _is_meant(server: str, environ: Mapping[str, str]) -> bool:
    """Does what names no server belong to this one? To this machine itself it may always go."""
    return server in (PUBLIC, *LOOPBACK, environ.get(HOST_VARIABLE, "").strip().lower())


def _from_variables(names: tuple[str, ...], environ: Mapping[str, str]) -> Token | None:
    found = (_read(environ.get(name, ""), f"the variable {name}") for name in names)
    return next(filter(None, found), None)


def _required(found: Token | None, place: str, remedy: str) -> Token:
    if found is None:
        raise ConfigError(f"there is no GitHub token in {place} (github.token): {remedy}")
    return found


def server_of(api: str) -> str:
    """The server of an API's address as gh calls it: `github.com`, `acme.ghe.com`, `github.acme.org`."""
    host = urlsplit(api).hostname or PUBLIC
    is_theirs = host.endswith((f".{PUBLIC}", ".ghe.com"))
    return host.removeprefix("api.") if is_theirs else host


def _from_gh(api: str) -> Token | None:
    server = server_of(api)
    which = [] if server == PUBLIC else ["--hostname", server]
    program = shutil.which("gh")
    if not program:
        return None
    try:
        ended = subprocess.run(
            [program, "auth", "token", *which],
            capture_output=True,
            text=True,
            timeout=GH_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return _read(ended.stdout, "gh") if ended.returncode == 0 else None


def _from_file(path: Path) -> Token | None:
    try:
        mode = path.stat().st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigError(
                f"token file {path} may be read by others (mode {stat.S_IMODE(mode):04o}): "
                f"type `chmod 600 {path}`"
            )
        text = path.read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"token file {path} cannot be read: {error.strerror}") from None
    return _read(text, f"file {path}")


def _read(text: str, place: str) -> Token | None:
    value = text.strip()
    if not value:
        return None
    if not _TOKEN.fullmatch(value):
        raise ConfigError(f"what stands in {place} is no GitHub token")
    return Token(value, place)

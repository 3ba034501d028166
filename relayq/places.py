"""Where things live on this machine, and who may write there.

The directories are those of platformdirs; on Linux they are worked out here,
because importing it takes 14 ms and every command needs them. Sockets are the
exception: they live in `<state_dir>/run` and not in XDG_RUNTIME_DIR, which is
emptied at logout and unknown to cron, while workers and the local hub outlive
the login.
"""

from __future__ import annotations

import os
import sys
from posixpath import expanduser, isabs, join

from relayq.errors import ConfigError

TYPE_CHECKING = False  # `typing` takes 6 ms to import
if TYPE_CHECKING:
    from pathlib import Path

RUNTIME_DIR_BYTES_MAX = 60  # the path of a socket ends near 100 bytes: 40 are left for its name

_XDG = {
    "config": ("XDG_CONFIG_HOME", "~/.config"),
    "state": ("XDG_STATE_HOME", "~/.local/state"),
    "data": ("XDG_DATA_HOME", "~/.local/share"),
    "cache": ("XDG_CACHE_HOME", "~/.cache"),
}
ANOTHER = "name another one under [paths] in config.toml, or with RELAYQ_STATE_DIR and its like"


def default_dirs() -> dict[str, str]:
    """Return this user's directories by kind: config, state, data, cache."""
    if sys.platform == "linux":
        return {kind: join(_xdg(variable, home), "relayq") for kind, (variable, home) in _XDG.items()}
    import platformdirs

    places = platformdirs.PlatformDirs("relayq", appauthor=False)
    return {kind: str(getattr(places, f"user_{kind}_dir")) for kind in _XDG}


def short(directory: str) -> str:
    """Return this directory, or one in /tmp that stands for it where its path is too long for sockets."""
    path = os.fsencode(directory)
    if len(path) <= RUNTIME_DIR_BYTES_MAX:
        return directory
    import zlib

    return join("/", "tmp", f"relayq-{os.getuid()}-{zlib.crc32(path):08x}")


def private_dir(path: Path) -> Path:
    """Make `path` a directory that this user alone can write to, or raise ConfigError.

    Our own directory is taken from others who could write to it. A link or a directory
    that somebody else put there first, as anybody can in /tmp, is refused.
    """
    make_dir(path)
    try:
        link, place = path.lstat(), path.stat()
        if {link.st_uid, place.st_uid} != {os.geteuid()}:
            raise ConfigError(f"directory {path} belongs to another user; {ANOTHER}")
        if place.st_mode & 0o022:
            path.chmod(place.st_mode & 0o755)
    except OSError as error:
        raise ConfigError(f"directory {path} cannot be used: {error.strerror}; {ANOTHER}") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise ConfigError(f"directory {path} cannot be written to; {ANOTHER}")
    return path


def make_dir(path: Path) -> None:
    """Make a directory and what is missing above it, for this user alone; or raise ConfigError."""
    try:
        for missing in (*reversed([level for level in path.parents if not level.exists()]), path):
            missing.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"directory {path} cannot be made: {error.strerror}; {ANOTHER}") from None


def put_durably(fresh: Path, path: Path) -> None:
    """Give a file that is on disk its name, in place of what has it; raises OSError.

    A name lies in its directory: until that is on disk too, a power cut brings the old file back.
    """
    fresh.replace(path)
    sync_dir(path.parent)


def sync_dir(directory: Path) -> None:
    """Make the names in a directory survive a power cut; raises OSError."""
    opened = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _xdg(variable: str, default: str) -> str:
    named = os.environ.get(variable, "")
    return named if isabs(named) else expanduser(default)

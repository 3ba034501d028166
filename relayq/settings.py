"""What can be set: one table, from which reader, suggestions and reference page follow.

A setting is read from whatever a person may write: TOML's own types in a file,
text in a variable or a flag (`a,b` is a list, `license=2` a table). A reader
raises ValueError with what it expected: "a whole number from 1 to 4096".
"""

from __future__ import annotations

import os
from posixpath import abspath, expanduser

from relayq.errors import SpecError

TYPE_CHECKING = False  # `typing` takes 6 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

_NAME_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


class Setting:
    """One thing that can be set: how it is read, what it is otherwise, a line about it, how it is shown."""

    __slots__ = ("about", "default", "read", "show")

    def __init__(
        self,
        read: Callable[[object], object],
        default: object,
        about: str,
        show: Callable[[object], str] | None = None,
    ) -> None:
        self.read = read
        self.default = default
        self.about = about
        self.show = show or plain


def plain(value: object) -> str:
    """Write a value as a person would: a list without brackets, nothing for None."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case tuple():
            return ",".join(map(plain, value))
        case dict():
            return ",".join(f"{name}={count}" for name, count in value.items())
    return str(value)


def without_password(url: object) -> str:
    """Write a URL without its password."""
    scheme, _, rest = plain(url).partition("://")
    userinfo, at, place = rest.rpartition("@")
    return f"{scheme}://{userinfo.partition(':')[0]}:***@{place}" if at else plain(url)


def _text(value: object) -> str:
    if isinstance(value, str) and value.strip() and value.isprintable():
        return value.strip()
    raise ValueError("a text of one line")


def _url(value: object) -> str:
    url = _text(value)
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("a redis://, rediss:// or unix:// address")
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        is_whole = bool(parts.path) if parts.scheme == "unix" else parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole:
        raise ValueError("an address such as redis://HOST:PORT (a port from 1 to 65535) or unix:///PATH")
    if parts.scheme != "unix" and not (parts.path.strip("/") or "0").isdecimal():
        raise ValueError("an address: behind HOST:PORT stands the number of a database, or nothing")
    return url


def _name(value: object) -> str:
    if isinstance(value, str) and 0 < len(value) <= 63 and _NAME_LETTERS.issuperset(value):
        return value
    raise ValueError("a name of 1 to 63 letters, digits, '-', '_' or '.'")


def _path(value: object) -> str:
    return abspath(expanduser(_text(value)))


def _truth(value: object) -> bool:
    if str(value).lower() not in ("true", "yes", "1", "false", "no", "0"):
        raise ValueError("true or false")
    return str(value).lower() in ("true", "yes", "1")


def _whole(low: int, high: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        text = str(value)
        if text.isascii() and text.isdigit() and len(text) < 20 and low <= int(text) <= high:
            return int(text)
        raise ValueError(f"a whole number from {low} to {high}")

    return read


def _positive(value: object) -> float:
    try:
        number = float(str(value))
    except ValueError:
        number = 0.0
    if 0 < number < float("inf"):
        return number
    raise ValueError("a number above 0")


def _words(value: object) -> tuple[str, ...]:
    words = value.split(",") if isinstance(value, str) else value
    if isinstance(words, list | tuple) and all(isinstance(word, str) for word in words):
        return tuple(word.strip() for word in words if word.strip())
    raise ValueError("a list of words")


def _labels(value: object) -> tuple[str, ...]:
    from relayq.model.needs import parse_labels

    what = "a list of labels: words or key=value of letters, digits and ._+@/-"
    return tuple(
        label for word in _words(value) for label in _parsed(lambda one: parse_labels(str(one)), word, what)
    )


def _queues(value: object) -> tuple[str, ...] | None:
    from relayq.model.reading import check_name

    what = "a list of queue names"
    return (
        tuple(_parsed(lambda word: check_name(word, "queue"), word, what) for word in _words(value)) or None
    )


def _counters(value: object) -> dict[str, int]:
    pairs = value if isinstance(value, dict) else dict(word.partition("=")[::2] for word in _words(value))
    return {_name(name): _whole(0, 1_000_000)(count) for name, count in pairs.items()}


def _duration_ms(value: object) -> int:
    from relayq.model.duration import parse_duration_ms

    return _parsed(parse_duration_ms, value, "a duration such as 90s, 15m or 2h")


def _show_duration(value: object) -> str:
    from relayq.model.duration import spell_duration

    return spell_duration(int(str(value)))


def _size_bytes(value: object) -> int:
    from relayq.model.duration import parse_size

    return _parsed(parse_size, value, "a size such as 512M or 2G")


def _show_size(value: object) -> str:
    from relayq.model.duration import spell_size

    return str(spell_size(int(str(value))))


def _parsed(parse: Callable[[object], T], value: object, what: str) -> T:
    try:
        return parse(value)
    except SpecError:
        raise ValueError(what) from None


def _choice(*words: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if value in words:
            return str(value)
        raise ValueError(f"one of {', '.join(words)}")

    return read


def _address(value: object) -> str:
    text = _text(value).rstrip("/")
    scheme, _, rest = text.partition("://")
    host = rest.partition("/")[0].rpartition(":")[0] or rest.partition("/")[0]
    is_safe = scheme == "https" or (scheme == "http" and host in ("127.0.0.1", "localhost", "[::1]"))
    if is_safe and rest and "@" not in rest and not {"?", "#"} & set(rest):
        return text
    raise ValueError("an https:// address without user or query, such as https://github.example.com/api/v3")


def _named(value: object) -> str:
    """The place of a secret; of anything else nothing is shown, for it may be the secret."""
    text = plain(value)
    return text if text in ("auto", "gh") or text.startswith(("env:", "file:")) else "***"


def _table(value: object) -> dict[str, str]:
    """Read a table of texts; in a variable, `name=text; name=text`."""
    if isinstance(value, str):
        value = dict(part.strip().partition("=")[::2] for part in value.split(";") if part.strip())
    if isinstance(value, dict) and all(isinstance(text, str) for text in value.values()):
        return {_text(name): text for name, text in value.items()}
    raise ValueError("a table of texts")


def _hours(value: object) -> tuple[tuple[int, int], ...]:
    spans = (word.partition("-") for word in _words(value))
    return tuple((_minute(start), _minute(end)) for start, _, end in spans)


def _minute(clock: str) -> int:
    """Return the minute of the day of `6:30` or `22:00`."""
    hour, _, minute = clock.strip().rpartition(":")
    if len(minute) == 2 and len(hour) in (1, 2) and (hour + minute).isascii() and (hour + minute).isdigit():
        minutes = int(hour) * 60 + int(minute)
        if int(minute) < 60 and minutes < 1440:
            return minutes
    raise ValueError("hours such as 22:00-06:00")


def _show_hours(value: object) -> str:
    spans = value if isinstance(value, tuple) else ()
    return ",".join(f"{a // 60:02d}:{a % 60:02d}-{b // 60:02d}:{b % 60:02d}" for a, b in spans)


def _host_name() -> str:
    """Return this machine's name as a worker's name."""
    host = os.uname().nodename.partition(".")[0].lower()
    return "".join(letter if letter in _NAME_LETTERS else "-" for letter in host)[:63].strip("-") or "worker"


SETTINGS = {
    "hub.url": Setting(
        _url,
        None,
        "the hub: redis://, rediss:// or unix://; without it, a private local one",
        without_password,
    ),
    "hub.fleet": Setting(_name, "home", "the fleet: the namespace of jobs and workers in the hub"),
    "worker.name": Setting(_name, _host_name(), "the name of the worker on this machine"),
    "worker.labels": Setting(_labels, (), "labels beside those it finds out by itself"),
    "worker.slots": Setting(_whole(1, 4096), None, "how many jobs at once; without it, the CPUs decide"),
    "worker.queues": Setting(_queues, None, "the queues it serves; without it, all"),
    "worker.max_memory": Setting(_size_bytes, None, "the memory for jobs; without it, what the machine has"),
    "worker.nice": Setting(_whole(0, 19), 10, "the niceness of jobs"),
    "worker.isolation": Setting(
        _choice("auto", "none", "user", "bwrap"),
        "auto",
        "how jobs are kept from the rest of the machine: auto, none, user or bwrap",
    ),
    "worker.user": Setting(_name, None, "the user as whom jobs run, where the worker is root"),
    "worker.stop_deadline": Setting(
        _duration_ms, 60_000, "how long a stopping worker waits for its jobs", _show_duration
    ),
    "worker.keep_workdir": Setting(
        _duration_ms, 86_400_000, "how long a failed job's work directory is kept", _show_duration
    ),
    "worker.keep_logs": Setting(
        _duration_ms, 259_200_000, "how long the whole output of an ended job is kept", _show_duration
    ),
    "worker.max_logs": Setting(
        _size_bytes, 1 << 30, "the disk space for such output; beyond it the oldest goes first", _show_size
    ),
    "worker.counters": Setting(_counters, {}, "named things to share out among jobs, such as license = 2"),
    "worker.gpus": Setting(_whole(0, 1024), None, "how many GPUs; without it, what is found"),
    "worker.take_when.on_battery": Setting(_truth, True, "take jobs on battery power"),
    "worker.take_when.max_load": Setting(_positive, None, "take no jobs above this load average per CPU"),
    "worker.take_when.max_temperature": Setting(
        _positive, None, "take no jobs above this many degrees Celsius"
    ),
    "worker.take_when.hours": Setting(_hours, (), "take jobs in these local hours: 22:00-06:00", _show_hours),
    "worker.watts": Setting(
        _positive, None, "the watts that this machine draws with all its CPUs at work; for the price tag"
    ),
    "github.api": Setting(
        _address, "https://api.github.com", "where GitHub's API is; another for Enterprise"
    ),
    "github.token": Setting(
        _text, "auto", "where the token is: auto, gh, env:NAME or file:PATH; never the token itself", _named
    ),
    "github.owner": Setting(_text, None, "the user or organisation whose minutes count; else the token's"),
    "github.repos": Setting(
        _words, (), "the repositories whose runs are counted, OWNER/NAME; else all its private ones"
    ),
    "github.notify": Setting(
        _words, (), "repositories to which this machine posts how jobs ended: OWNER/NAME or OWNER/*"
    ),
    "budget.plan": Setting(
        _choice("free", "pro", "team", "enterprise"), "free", "the GitHub plan, for its included minutes"
    ),
    "budget.minutes": Setting(_whole(1, 100_000_000), None, "included minutes a month, if not the plan's"),
    "budget.kwh_price": Setting(_positive, None, "what a kWh costs at home, for the price tag"),
    "tui.theme": Setting(
        _choice("dark", "light", "ansi", "mono"),
        "dark",
        "the colours of the terminal UI: dark, light, ansi or mono",
    ),
    "tui.ascii": Setting(_truth, False, "draw the terminal UI with plain ASCII characters"),
    "tui.views": Setting(_table, {}, "saved views of the terminal UI: names and queries"),
    "tui.keys": Setting(_table, {}, "other keys in the terminal UI, by action"),
    "trust.keys": Setting(_words, (), "public keys whose jobs this worker runs, beside this machine's own"),
    "trust.owner": Setting(
        _text, None, "the public key of the fleet's owner; without it, this machine's own"
    ),
    "trust.oidc_issuer": Setting(
        _text,
        "https://token.actions.githubusercontent.com",
        "who signs the tokens of GitHub Actions",
    ),
    "paths.config_dir": Setting(_path, None, "where config.toml is; not to be set in it"),
    "paths.state_dir": Setting(_path, None, "what a worker must find again after a restart"),
    "paths.data_dir": Setting(_path, None, "the local hub's data and the owner's key"),
    "paths.cache_dir": Setting(_path, None, "what may be lost"),
    "paths.runtime_dir": Setting(_path, None, "sockets; without it, in the state directory"),
    "paths.policy": Setting(_path, None, "the worker's policy; without it, policy.toml beside config.toml"),
    "paths.owner_key": Setting(_path, None, "the owner's private key; without it, in the data directory"),
    "paths.identity": Setting(
        _path, None, "this machine's key in a fleet it joined; without it, in the data directory"
    ),
}

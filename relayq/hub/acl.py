"""What each user of a hub may do: command by command, key by key.

| role | may |
|---|---|
| owner | load the library, make and remove users, back up and restore, and all that workers may |
| worker | call functions, and what these do on its behalf, on the keys of its fleet |
| submit | push onto its own inbox, read the jobs it sent, the roster, the month's sum: five commands |
| viewer | read |

The default user is off, so nobody is anybody without a password (`acl_file` says why it is
not powerless). A function runs with
the rights of whoever calls it: that is why a worker has the commands of the Lua files
too. It has no way to run Lua of its own (no EVAL, SCRIPT or FUNCTION), nor to look at the
server, its users or its files. The lists name commands and never categories: `+@write
-@dangerous` would still allow FUNCTION LOAD.

A submitter's jobs carry its mark: the first six characters of their ids, which a worker
checks at admission. So key patterns say what is its own, and nothing has to be asked.

Written against Redis 7.0.15 and Valkey 9.1; a file that names a command or subcommand
which the server does not know keeps it from starting, so the server's version decides
about `client|setinfo` (Redis 7.2).
"""

from __future__ import annotations

import hashlib
import os
from typing import NamedTuple

from relayq.model.ids import ALPHABET
from relayq.trust.ticket import MARK_CHARS, OWNER, ROLES, SUBMITTER, VIEWER, WORKER, login_of

__all__ = [
    "MARK_CHARS",
    "OWNER",
    "ROLES",
    "SUBMITTER",
    "VIEWER",
    "WORKER",
    "User",
    "acl_file",
    "commands",
    "new_mark",
    "password_hash",
    "rules",
]

SETINFO_SINCE = (7, 2)


def _words(*lines: str) -> tuple[str, ...]:
    return tuple(word for line in lines for word in line.split())


READS = _words(
    "bitfield_ro exists get getrange hexists hget hgetall hkeys hlen hmget hscan hvals lindex llen lrange",
    "mget scard sismember smembers strlen ttl xlen xrange xread xrevrange zcard zcount zrange zrangebyscore",
    "zrank zrevrange zscore",
)
WRITES = _words(
    "bitfield del expire hdel hincrby hset hsetnx incr incrby lpop lpush lrem ltrim persist pexpire rpop",
    "rpush sadd set setrange spop srem unlink xadd xdel xtrim zadd zrem",
    "zremrangebyscore",
)
LOOKS = _words("info ping scan time")
CALLS = _words("fcall fcall_ro")
LISTENS = _words("psubscribe punsubscribe")
ADMIN = _words(
    "acl|deluser acl|getuser acl|list acl|log acl|save acl|setuser acl|users acl|whoami bgrewriteaof",
    "client|kill client|list client|pause client|unpause config|get dbsize function|delete function|list",
    "function|load lastsave memory|usage pexpireat pexpiretime type xinfo|stream xsetid",
)
SUBMITS = _words("get hgetall rpush xrange xread")


class User(NamedTuple):
    """One user: its role, its own name, the fleet it belongs to and, of a submitter, the mark of its jobs."""

    role: str
    name: str
    fleet: str
    mark: str = ""

    @property
    def login(self) -> str:
        """What it is called in the hub: the role's letter and the name."""
        return login_of(self.role, self.name)


def new_mark() -> str:
    """A mark for a submitter: 30 random bits."""
    number = int.from_bytes(os.urandom(4), "big")
    return "".join(ALPHABET[number >> shift & 31] for shift in range(0, 5 * MARK_CHARS, 5))


def password_hash(secret: str) -> str:
    """A password as ACL files and SETUSER take it."""
    return "#" + hashlib.sha256(secret.encode()).hexdigest()


def rules(user: User, secret: str, version: tuple[int, ...]) -> list[str]:
    """The words that make a user, for a server of this version; the same for SETUSER and the file."""
    words = ["on", "sanitize-payload", password_hash(secret), *_keys(user)]
    return [*words, *(f"+{command}" for command in commands(user.role, version))]


def commands(role: str, version: tuple[int, ...]) -> list[str]:
    """Every command that a role has."""
    found = {
        OWNER: READS + WRITES + LOOKS + CALLS + LISTENS + ADMIN,
        WORKER: (*READS, *WRITES, *LOOKS, *CALLS, *LISTENS, "memory|usage"),
        SUBMITTER: SUBMITS,
        VIEWER: (*READS, *LOOKS, "fcall_ro"),
    }[role]
    if role != SUBMITTER and version >= SETINFO_SINCE:
        found = (*found, "client|setinfo")
    return sorted(found)


def acl_file(owner_secret: str, fleet: str, version: tuple[int, ...]) -> str:
    """The file with which a new hub starts: nobody by default, and the owner.

    The default user is off, so nobody can be it; yet it has every right. Redis 7.0 reads its
    append-only file in this user's name, and what the user may not do is lost in a restart.
    """
    owner = User(OWNER, OWNER, fleet)
    return (
        "user default off sanitize-payload resetpass ~* &* +@all\n"
        f"user {owner.login} {' '.join(rules(owner, owner_secret, version))}\n"
    )


def _keys(user: User) -> list[str]:
    own = f"{{rq:{user.fleet}}}:"
    match user.role:
        case "owner":
            return ["~{rq:*", "resetchannels", f"&{_channel(own)}"]
        case "worker":
            return [f"~{own}*", "resetchannels", f"&{_channel(own)}"]
        case "viewer":
            return [f"%R~{own}*", "resetchannels"]
    theirs = [f"%R~{own}{kind}:{user.mark}*" for kind in ("j", "s", "r", "o", "as", "ax", "no", "why", "log")]
    shared = [f"%R~{own}{kind}" for kind in ("b:*", "roster", "bs")]
    return [f"%W~{own}in:{user.name}", *theirs, *shared, "resetchannels"]


def _channel(own: str) -> str:
    """Where the hub says that somebody pushed onto an inbox (notify-keyspace-events Kl)."""
    return f"__keyspace@0__:{own}in:*"

"""The join string: everything a machine needs to belong to a fleet, in one line.

    rq1 <base64url of: fields, then the first 6 bytes of their SHA-256>

A field is a letter, two bytes of length, the bytes. Every letter stands at most once and
in the order of FIELDS. The digest is there for a string that was cut off or mistyped on
its way; it protects nothing, for who holds the string holds its secrets. They are never
shown: not in an error, not in a repr.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from relayq.errors import NoTicket
from relayq.model.ids import ALPHABET

if TYPE_CHECKING:
    from collections.abc import Iterator

# The roles of a hub's users, and how many letters of its jobs' ids are a submitter's own (hub/acl.py).
OWNER, WORKER, SUBMITTER, VIEWER = ROLES = ("owner", "worker", "submit", "viewer")
MARK_CHARS = 6
SERVER_NAME = "relayq-hub"  # what a hub's certificate says, whatever its address is

PREFIX = "rq1"
TICKET_CHARS_MAX = 8_192
SECRET_BYTES = 16
SEED_BYTES = 32
_CHECK_BYTES = 6
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}")
_ADDRESS = re.compile(r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):([1-9][0-9]{0,4})")
_DAMAGED = "this is not a whole join string: copy it again, from rq1 to its end"

# Letter, field, whether it is text.
FIELDS = (
    ("r", "role", True),
    ("n", "name", True),
    ("f", "fleet", True),
    ("a", "address", True),
    ("s", "secret", False),
    ("c", "authority", False),
    ("t", "certificate", False),
    ("k", "key", False),
    ("o", "owner", True),
    ("e", "seed", False),
    ("m", "mark", True),
    ("g", "authority_key", False),
)


class Ticket(NamedTuple):
    """What a join string says.

    `address` is HOST:PORT; `secret` the password's 16 bytes; `authority`, `certificate` and
    `key` are DER. `owner` is the public key of the fleet's owner and `seed` the member's own
    key; the owner's ticket has neither, but `authority_key`. `mark`: hub/acl.py.
    """

    role: str
    name: str
    fleet: str
    address: str
    secret: bytes
    authority: bytes
    certificate: bytes
    key: bytes
    owner: str = ""
    seed: bytes = b""
    mark: str = ""
    authority_key: bytes = b""

    @property
    def password(self) -> str:
        """The secret as the hub knows it."""
        return self.secret.hex()

    @property
    def login(self) -> str:
        """What this user is called in the hub."""
        return login_of(self.role, self.name)

    def url(self, directory: object) -> str:
        """The hub's address, with the authority in `ca.pem` and our certificate in `client.pem` there."""
        from urllib.parse import quote, urlencode

        query = {
            "ca": f"{directory}/ca.pem",
            "cert": f"{directory}/client.pem",
            "name": SERVER_NAME,
            "role": self.role,
        }
        if self.mark:
            query["mark"] = self.mark
        return f"rediss://{self.login}:{self.password}@{self.address}?{urlencode(query, quote_via=quote)}"

    def encode(self) -> str:
        """The join string."""
        body = b"".join(_packed(self))
        return PREFIX + base64.urlsafe_b64encode(body + _check(body)).decode().rstrip("=")

    def __repr__(self) -> str:
        return f"Ticket({self.role} {self.name} of fleet {self.fleet} at {self.address})"


def login_of(role: str, name: str) -> str:
    """What a user is called in the hub: the role's letter and the name."""
    return OWNER if role == OWNER else f"{role[0]}-{name}"


def read_ticket(text: str) -> Ticket:
    """Read a join string; NoTicket for anything that `encode` does not write."""
    text = "".join(text.split())
    if not text.startswith(PREFIX) or len(text) > TICKET_CHARS_MAX:
        raise NoTicket(_DAMAGED)
    data = _decoded(text[len(PREFIX) :])
    body, check = data[:-_CHECK_BYTES], data[-_CHECK_BYTES:]
    if check != _check(body):
        raise NoTicket(_DAMAGED)
    try:
        ticket = Ticket(**dict(_unpacked(body)))
    except (TypeError, UnicodeDecodeError):
        raise NoTicket(_DAMAGED) from None
    _judge(ticket)
    return ticket


def check_address(address: str) -> str:
    """HOST:PORT as a ticket has it; NoTicket for anything else."""
    found = _ADDRESS.fullmatch(address)
    if not found or int(found[1]) > 65_535:
        raise NoTicket(f"{address[:80]!a} is not HOST:PORT, the address at which others reach the hub")
    return address


def check_name(name: str) -> str:
    """A member's name; NoTicket for anything else."""
    if not _NAME.fullmatch(name):
        raise NoTicket(f"{name[:80]!a} is not a name: 1 to 63 letters, digits, '-', '_' or '.'")
    return name


def _packed(ticket: Ticket) -> Iterator[bytes]:
    for letter, field, is_text in FIELDS:
        value = getattr(ticket, field)
        data = value.encode() if is_text else value
        if data:
            yield letter.encode() + len(data).to_bytes(2, "big") + data


def _unpacked(body: bytes) -> Iterator[tuple[str, Any]]:
    for letter, field, is_text in FIELDS:
        if body[:1] != letter.encode():
            continue
        length = int.from_bytes(body[1:3], "big")
        data, body = body[3 : 3 + length], body[3 + length :]
        if not data or len(data) != length:
            raise NoTicket(_DAMAGED)
        yield field, data.decode() if is_text else data
    if body:
        raise NoTicket(_DAMAGED)


def _decoded(text: str) -> bytes:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise NoTicket(_DAMAGED) from None
    if base64.urlsafe_b64encode(data).decode().rstrip("=") != text:
        raise NoTicket(_DAMAGED)
    return data


def _judge(ticket: Ticket) -> None:
    """NoTicket for what no hub would write."""
    if ticket.role not in ROLES:
        raise NoTicket("this join string is for a role that this RelayQ does not know: install a newer one")
    check_name(ticket.name)
    check_name(ticket.fleet)
    check_address(ticket.address)
    is_owner = ticket.role == OWNER
    facts = (
        len(ticket.secret) == SECRET_BYTES,
        len(ticket.seed) == (0 if is_owner else SEED_BYTES),
        bool(ticket.owner) != is_owner,
        bool(ticket.authority_key) == is_owner,
        len(ticket.mark) == (MARK_CHARS if ticket.role == SUBMITTER else 0),
        set(ticket.mark) <= set(ALPHABET),
    )
    if not all(facts):
        raise NoTicket(_DAMAGED)


def _check(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()[:_CHECK_BYTES]

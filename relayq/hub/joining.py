"""Join a hub with a string: keys and certificates go beside the configuration, for this user alone.

    <config_dir>/joined.toml      address, fleet, owner: a layer below config.toml (config.py)
    <config_dir>/hub/ca.pem       the hub's authority, which alone is believed
    <config_dir>/hub/client.pem   our certificate and its key
    <config_dir>/hub/member.key   our signing key; the owner's own stays where it is
    <config_dir>/hub/authority.pem   the owner's only: what certificates are made with

An invitation that has expired says so by its certificate, and is not tried.
Nothing is written before the hub was reached with what the string says and has shown the
roster of the owner that the string names; then all of it is put in place at once.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from relayq.config import JOINED_FILE
from relayq.errors import ConfigError, HubDenied, HubError, HubUnreachable, Refused
from relayq.hub.acl import OWNER, SUBMITTER, WORKER
from relayq.hub.certificates import Pair, certificate_pem, end_of, is_issued_by, is_pair
from relayq.places import make_dir, private_dir, put_durably
from relayq.store.hub import Hub
from relayq.store.rosters import Rosters
from relayq.trust.book import Book
from relayq.trust.keys import SigningKey
from relayq.trust.ticket import Ticket

if TYPE_CHECKING:
    from relayq.config import Config


def joined_as(config: Config) -> str:
    """`worker mini of fleet home at vm:7379` when this machine has joined a hub, else empty."""
    try:
        return (config.config_dir / "hub" / "about").read_text().strip()
    except OSError:
        return ""


def join(config: Config, ticket: Ticket, tell: Callable[[str], None]) -> None:
    """Join the hub of this ticket, in place of one that was joined before."""
    _check(ticket)
    private_dir(config.config_dir)
    fresh = config.config_dir / f".hub-{secrets.token_hex(4)}"
    make_dir(fresh)
    try:
        _write_keys(fresh, ticket)
        asyncio.run(_look(config, ticket, ticket.url(fresh)))
        _put_in_place(config, ticket, fresh)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    if ticket.role == WORKER:
        tell(f"this machine is worker {ticket.name} of fleet {ticket.fleet}: start it with `relayq worker`")
    else:
        tell(f"this machine has joined fleet {ticket.fleet} at {ticket.address} as {_what(ticket)}")
    if "hub.url" in _overridden(config):
        tell(f"but another hub is named by {config.sources['hub.url']}, which comes first: remove that")


def leave(config: Config) -> bool:
    """Forget the hub that was joined; whether there was one."""
    had = bool(joined_as(config))
    (config.config_dir / JOINED_FILE).unlink(missing_ok=True)
    shutil.rmtree(config.config_dir / "hub", ignore_errors=True)
    return had


def _check(ticket: Ticket) -> None:
    pair = Pair(ticket.certificate, ticket.key)
    is_whole = is_pair(pair) and is_issued_by(ticket.certificate, ticket.authority)
    if ticket.authority_key:
        is_whole = is_whole and is_pair(Pair(ticket.authority, ticket.authority_key))
    if not is_whole:
        raise Refused("the certificates in this join string do not belong together: ask for another one")
    now, end = datetime.now(UTC), end_of(certificate_pem(ticket.certificate))
    if end <= now:
        raise Refused(
            f"this invitation expired on {end:%Y-%m-%d at %H:%M} UTC (here it is {now:%Y-%m-%d %H:%M}): "
            "ask the owner for another join string; nothing was changed"
        )


def _write_keys(directory: Path, ticket: Ticket) -> None:
    write_private(directory / "ca.pem", certificate_pem(ticket.authority))
    write_private(directory / "client.pem", Pair(ticket.certificate, ticket.key).pem())
    who = OWNER if ticket.role == OWNER else _what(ticket)
    write_private(directory / "about", f"{who} of fleet {ticket.fleet} at {ticket.address}\n")
    if ticket.seed:
        SigningKey(ticket.seed).save(directory / "member.key")
    if ticket.authority_key:
        write_private(directory / "authority.pem", Pair(ticket.authority, ticket.authority_key).pem())


async def _look(config: Config, ticket: Ticket, url: str) -> None:
    """Reach the hub as this user, and take the roster if its owner signed it."""
    hub = Hub(url, ticket.fleet)
    try:
        if ticket.role == OWNER:
            await hub.open()  # which loads the function library
        data = await Rosters(hub).read()
    except HubUnreachable as error:
        raise HubUnreachable(
            f"{error}; nothing was changed: join again when the hub can be reached"
        ) from error
    except HubDenied as error:
        raise Refused(
            f"the hub at {ticket.address} does not let {_what(ticket)} in: "
            "the join string may have been revoked: ask for another one"
        ) from error
    except HubError as error:
        raise Refused(f"{error}; the join string may have been revoked: ask for another one") from error
    finally:
        await hub.close()
    if ticket.role == OWNER:
        return
    if not data:
        raise Refused(
            "the hub has no roster: its owner makes it with `relayq join`, then `relayq hub invite`"
        )
    roster = Book(config.state_dir, ticket.fleet, ticket.owner).accept(data)
    if not roster.member(ticket.role, SigningKey(ticket.seed).public):
        raise Refused(f"{_what(ticket)} is not in the roster (any more): ask for another join string")


def _put_in_place(config: Config, ticket: Ticket, fresh: Path) -> None:
    place = config.config_dir / "hub"
    old = config.config_dir / f".hub-{secrets.token_hex(4)}"
    if place.exists():
        place.rename(old)
    fresh.rename(place)
    shutil.rmtree(old, ignore_errors=True)
    lines = ["# Written by `relayq join`; `relayq join --leave` removes it.", "[hub]"]
    lines += [f"url = {_toml(ticket.url(place))}", f"fleet = {_toml(ticket.fleet)}"]
    if ticket.owner:
        lines += ["[trust]", f"owner = {_toml(ticket.owner)}"]
    if ticket.role == WORKER:
        lines += ["[worker]", f"name = {_toml(ticket.name)}"]
    if ticket.seed:
        lines += ["[paths]", f"identity = {_toml(str(place / 'member.key'))}"]
    write_private(config.config_dir / JOINED_FILE, "\n".join(lines) + "\n")


def _toml(text: str) -> str:
    """A text as TOML writes it: as JSON does, but for what JSON would write as two halves."""
    return json.dumps(text, ensure_ascii=False)


def write_private(path: Path, text: str) -> None:
    """A file for this user alone, whole or not at all."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(
            os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        put_durably(fresh, path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None


def _overridden(config: Config) -> list[str]:
    """What is set elsewhere than where we write."""
    place = str(config.config_dir / JOINED_FILE)
    return [key for key, source in config.sources.items() if source not in ("default", place)]


def _what(ticket: Ticket) -> str:
    if ticket.role == OWNER:
        return "its owner"
    return f"submit-only user {ticket.name}" if ticket.role == SUBMITTER else f"{ticket.role} {ticket.name}"

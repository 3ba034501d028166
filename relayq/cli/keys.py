"""`relayq keys`: whose jobs the worker on this machine runs, and the key to name elsewhere."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import NamedTuple

from relayq.cli.exit_codes import OK
from relayq.cli.output import print_json, print_table, say
from relayq.cli.parser import add_json
from relayq.config import Config, load
from relayq.errors import RelayQError


class Key(NamedTuple):
    """One public key: itself, its short name, whose it is, and its four words.

    `box` is what one seals to its holder with; a key that only signs has none here.
    """

    key: str
    kid: str
    whose: str
    words: str
    box: str = ""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print every public key that is believed here, this machine's own first."""
    keys = list(believed(load({"hub.url": args.url, "hub.fleet": args.fleet})))
    if args.json:
        for key in keys:
            print_json(key._asdict())
    else:
        rows = [(one.key, one.kid, one.whose, one.words, one.box) for one in keys]
        print_table(["KEY", "KID", "WHOSE", "FOUR WORDS", "BOX"], rows)
    return OK


def believed(config: Config) -> Iterator[Key]:
    """The own key (made when there is none), the owner's, the members', those of the configuration."""
    from relayq.hub.joining import joined_as
    from relayq.trust.boxes import BoxKey
    from relayq.trust.keys import SigningKey, owner_key

    joined = config.identity_path
    own = SigningKey.load(joined) if joined.exists() else owner_key(config.owner_key_path)
    as_what = joined_as(config)
    whose = f"your own, {as_what}" if as_what else "your own, to be trusted by workers on other machines"
    seen = {own.public}
    yield _key(own.public, whose, BoxKey.of(own).public)
    for key in [*_members(config, own.public), *_configured(config)]:
        if key.key not in seen:
            seen.add(key.key)
            yield key


def _members(config: Config, own: str) -> Iterator[Key]:
    """Who is in the roster that was last seen here."""
    from relayq.trust.book import Book

    owner = config.trust_owner or own
    try:
        roster = Book(config.state_dir, config.fleet, owner).load()
    except RelayQError as error:
        say(f"the members of the fleet are not shown: {error}")
        return
    if roster is None:
        return
    yield _key(roster.owner, f"the owner of fleet {roster.fleet}", roster.owner_box)
    for one in roster.members:
        yield _key(one.sign, f"{one.role} {one.name}", one.box)


def _configured(config: Config) -> Iterator[Key]:
    for public in config.trust_keys:
        yield _key(public, f"trusted by {config.sources['trust.keys']}")


def _key(public: str, whose: str, box: str = "") -> Key:
    from relayq.trust.keys import PublicKey
    from relayq.trust.words import four_words

    return Key(public, PublicKey(public).kid, whose, four_words(public), box)

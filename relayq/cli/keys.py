"""`relayq keys`: whose jobs the worker on this machine runs, and the key to name elsewhere."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from relayq.cli.exit_codes import OK
from relayq.cli.output import print_json, print_table
from relayq.cli.parser import add_json
from relayq.config import Config, load


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print every public key that is believed here, this machine's own first."""
    keys = list(believed(load({"hub.url": args.url, "hub.fleet": args.fleet})))
    if args.json:
        for key, short_name, whose in keys:
            print_json({"key": key, "kid": short_name, "whose": whose})
    else:
        print_table(["KEY", "KID", "WHOSE"], keys)
    return OK


def believed(config: Config) -> Iterator[tuple[str, str, str]]:
    """(public key, its short name, whose it is); the own key is made when there is none."""
    from relayq.trust.keys import PublicKey, owner_key

    own = owner_key(config.owner_key_path)
    yield own.public, own.kid, "your own, to be trusted by workers on other machines"
    for public in config.trust_keys:
        key = PublicKey(public)
        if key.public != own.public:
            yield key.public, key.kid, f"trusted by {config.sources['trust.keys']}"

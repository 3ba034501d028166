"""The parts of `relayq hub` that install a hub and that its owner does: loaded when one of them is typed."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from relayq.cli.exit_codes import OK
from relayq.cli.output import say, waiting
from relayq.config import Config
from relayq.errors import NameTaken, UsageError
from relayq.model.duration import parse_duration_ms, parse_size


def run(args: argparse.Namespace, config: Config) -> int:
    """Do one of them; relayq/cli/hub.py has checked the words."""
    match args.action:
        case "install":
            return _install(args, config)
        case "uninstall":
            return _uninstall(args)
        case "invite":
            return _invite(args, config, *args.words)
        case "revoke":
            return revoke(config, args.words[0])
        case "rotate":
            return rotate(config)
        case "upgrade":
            return _upgrade(config)
        case "backup":
            return _backup(config, Path(args.words[0]))
    return _restore(config, Path(args.words[0]))


def _install(args: argparse.Namespace, config: Config) -> int:
    from relayq.hub import installation
    from relayq.hub.hubconf import DEFAULT_PORT, EVERYWHERE
    from relayq.services.plan import shown
    from relayq.trust.ticket import check_address

    wishes = installation.Wishes(
        fleet=config.fleet,
        address=_with_port(args.address, args.port or DEFAULT_PORT) if args.address else "",
        port=args.port or DEFAULT_PORT,
        listen=tuple(args.listen.replace(",", " ").split()) if args.listen else EVERYWHERE,
        memory_bytes=parse_size(args.max_memory, "--max-memory") if args.max_memory else 0,
        root=Path(args.root).absolute() if args.root else None,
    )
    if wishes.address:
        check_address(wishes.address)
    if args.dry_run:
        server = installation.find_tls_server()
        steps = [] if server else installation.fetch_server(wishes.system)
        for line in shown([*steps, *installation.plan(wishes, server), *installation.commands(wishes)]):
            print(line)
        return OK
    ticket, is_new = installation.install(wishes, say)
    place = installation.layout(wishes.system, wishes.root)
    if ticket and (is_new or args.show_join):
        print(ticket)
        say(
            "this is the owner's join string, and secret: "
            "on your own machine type `relayq join -` and paste it"
        )
    elif ticket:
        say(f"the owner's join string is in {place.ticket}; remove it when you have joined")
    say(installation.next_step(wishes) if is_new else "the hub is up to date")
    return OK


def _with_port(address: str, port: int) -> str:
    has_port = address.rpartition("]")[2].count(":") == 1
    return address if has_port else f"{address}:{port}"


def _uninstall(args: argparse.Namespace) -> int:
    import os

    from relayq.hub import installation
    from relayq.services.plan import carry_out, shown

    root = Path(args.root).absolute() if args.root else None
    steps = installation.uninstall_plan(root=root)
    if args.dry_run:
        for line in shown(steps):
            print(line)
        return OK
    if not root and os.geteuid() != 0:
        raise UsageError("uninstalling a hub needs root: type it with sudo")
    carry_out(steps, say)
    say(f"the hub is uninstalled; its data is left in {installation.layout(root=root).data}")
    return OK


def _invite(args: argparse.Namespace, config: Config, role: str, name: str) -> int:
    """The join string alone goes to stdout."""
    from relayq.hub.acl import ROLES, SUBMITTER, User
    from relayq.hub.hubconf import DEFAULT_PORT
    from relayq.hub.registrar import Registrar
    from relayq.trust.ticket import check_address

    if role not in ROLES[1:]:
        raise UsageError(f"{role!r} is not a role: worker, submit or viewer")
    limits = {
        word: tuple(getattr(args, word).split(",")) for word in ("queues", "types") if getattr(args, word)
    }
    if limits and role != SUBMITTER:
        raise UsageError(f"only a submit-only user is held to --{next(iter(limits))}")
    until_s = int(time.time()) + parse_duration_ms(args.expires, "--expires") // 1000 if args.expires else 0
    address = check_address(_with_port(args.address, DEFAULT_PORT)) if args.address else ""
    with Registrar(config) as desk:
        ticket = desk.invite(User(role, name, config.fleet), until_s=until_s, address=address, limits=limits)
    print(ticket.encode())
    say(f"whoever has this string is {role} {name}: on that machine type `relayq join -` and paste it")
    return OK


def revoke(config: Config, name: str) -> int:
    """Shut somebody out."""
    from relayq.hub.registrar import Registrar

    with Registrar(config) as desk:
        desk.revoke(name)
    say(f"{name} is shut out: its connections are cut, and nothing is sealed to it any more")
    return OK


def rotate(config: Config) -> int:
    """Begin a new epoch."""
    from relayq.hub.registrar import Registrar

    with Registrar(config) as desk:
        roster = desk.rotate()
    say(f"fleet {config.fleet} is in epoch {roster.epoch.number} (roster {roster.version})")
    return OK


def _upgrade(config: Config) -> int:
    import asyncio

    from relayq.hub.registrar import Registrar
    from relayq.store.hub import load_library
    from relayq.store.scripts import LIBRARY, REVISION

    with Registrar(config) as desk:
        asyncio.run(load_library(desk.url, config.fleet))
        users = desk.upgrade()
    say(f"the hub has {LIBRARY}, revision {REVISION}; {users} users have the rights of this version")
    return OK


def _backup(config: Config, file: Path) -> int:
    from relayq.hub.backup import backup
    from relayq.hub.choose import choose_url

    if file.exists():
        raise NameTaken(f"{file} is there already: name another file")
    with waiting("backing up") as tell:
        keys = backup(choose_url(config)[0], file, tell)
    say(f"{keys} keys are in {file}")
    return OK


def _restore(config: Config, file: Path) -> int:
    import asyncio

    from relayq.hub.backup import restore
    from relayq.hub.choose import choose_url
    from relayq.store.hub import load_library

    url, _ = choose_url(config)
    with waiting("restoring") as tell:
        keys = restore(url, file, tell)
    asyncio.run(load_library(url, config.fleet))
    say(f"{keys} keys are back")
    return OK

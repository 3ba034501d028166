"""`relayq policy check | show | path | init`: what the worker on this machine lets jobs do.

`check` asks the judge that the worker asks, with the policy file as it is now; a worker
that runs already read it when it started.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from relayq.cli.exit_codes import FAILED, OK
from relayq.cli.options import add_job_options, command_of, fields_of
from relayq.cli.output import print_json, print_table, say
from relayq.cli.parser import add_json
from relayq.config import Config, load
from relayq.errors import ConfigError, NameTaken, Refused, TypedError, UsageError
from relayq.model.job import JobSpec

if TYPE_CHECKING:
    from relayq.client.aio import AsyncClient
    from relayq.model.signer import Signer
    from relayq.trust.roster import Roster
    from relayq.worker.judge import Judge
    from relayq.worker.policy import Policy

TEMPLATE = """\
# What jobs may do on this machine. Without a rule everything is allowed; docs/howto/policy.md has them all.
# The worker reads this file when it starts. Try it first:  relayq policy check --as github -- COMMAND

# Rules here hold for every job.
# max_runtime = "6h"

# Jobs from GitHub Actions: no shell, and these commands alone, one pattern a word.
[github]
shell = false
commands = []           # nothing; for example [["ffmpeg", "-i", "/srv/media/**", "..."]]
isolation = "strict"    # refused where bubblewrap does not work

# Keys of others, all of them, or one by its name: [keys.laptop]
# [member]
# shell = false
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "action",
        choices=("check", "show", "path", "init"),
        help="say whether a job would run here, show the rules or the path of the file, or begin a file",
    )
    parser.add_argument("id", nargs="?", metavar="ID | -- COMMAND", help="check: a job, or a command")
    parser.add_argument("--file", metavar="FILE", help="this policy and not the one in force")
    parser.add_argument(
        "--as",
        dest="signer",
        metavar="WHO",
        help="who signs: owner, github or a known key's name (default: who signed the job, else owner)",
    )
    add_json(parser, "one JSON object")
    add_job_options(parser)


def run(args: argparse.Namespace) -> int:
    """Do what was asked; `check` ends with 1 when the job would be refused."""
    config = load({"hub.url": args.url, "hub.fleet": args.fleet, "paths.policy": args.file})
    if args.file and not config.policy_path.exists():
        raise TypedError(f"policy {config.policy_path} does not exist")
    match args.action:
        case "path":
            print(config.policy_path)
            return OK
        case "init":
            return _begin(config.policy_path)
        case "show":
            return _show(args, config)
    return _check(args, config)


def _check(args: argparse.Namespace, config: Config) -> int:
    """Judge one job as the worker would."""
    from relayq.worker.judge import Judge

    spec, signer = _job(args)
    judge = Judge.of(config)
    signer = _named(args.signer, judge.policy, config) if args.signer is not None else signer
    try:
        terms = judge.terms(spec, signer)
    except Refused as refused:
        return _tell(args, signer, why=str(refused))
    return _tell(args, signer, level=terms.level)


def _named(text: str, policy: Policy, config: Config) -> Signer:
    """Whom `--as` names; UsageError for a key that neither the policy nor the roster knows."""
    from relayq.model.signer import MEMBER, Signer

    signer = Signer.parse(text)
    in_policy = {name.removeprefix("keys.") for name in policy.sections if name.startswith("keys.")}
    known = sorted(in_policy | _submitters(config))
    if not text or (signer.kind == MEMBER and signer.name and signer.name not in known):
        names = f"they know {', '.join(known)}" if known else "they know none"
        raise UsageError(
            f"no key is called {signer.name[:80]!r} in this policy or in the roster that was last seen here: "
            f"{names}; owner and github are known everywhere"
        )
    return signer


def _submitters(config: Config) -> set[str]:
    """The names of those whom the roster that was last seen here lets submit."""
    from relayq.trust.book import Book
    from relayq.trust.keys import owner_key

    path = config.owner_key_path
    owner = config.trust_owner or (owner_key(path).public if path.exists() else "")
    roster = Book(config.state_dir, config.fleet, owner).load() if owner else None
    return {one.name for one in roster.of_role("submit")} if roster else set()


def _tell(args: argparse.Namespace, signer: Signer, *, why: str = "", level: str = "") -> int:
    if args.json:
        print_json({"allowed": not why, "signer": str(signer), "reason": why, "isolation": level})
    elif why:
        say(f"refused: {why}")
    else:
        print(f"allowed for {signer}, isolation {level}")
    return FAILED if why else OK


def _job(args: argparse.Namespace) -> tuple[JobSpec, Signer]:
    """The job that was typed, or that the hub has, and who signs it."""
    from relayq.model.signer import THE_OWNER

    if args.command_line is not None:
        if args.id:
            raise UsageError(f"give the job {args.id} or a command, not both")
        return JobSpec.from_dict({"command": command_of(args), **fields_of(args)}), THE_OWNER
    if not args.id:
        raise UsageError("what shall be checked? relayq policy check ID, or relayq policy check -- COMMAND")
    from relayq.cli.session import with_client
    from relayq.client.glance import glance

    envelope, roster = with_client(args, lambda client: _fetch(client, args.id))
    spec = glance(envelope)
    if spec is None:
        raise Refused(f"the spec of job {args.id} cannot be read here")
    return spec, _signer(envelope, roster)


async def _fetch(client: AsyncClient, text: str) -> tuple[bytes, Roster | None]:
    """A job's envelope, in the clear as far as our keys open it, and the roster."""
    from relayq.store.desk import Foreign

    record = (await (await client.job(text)).explain()).record
    try:
        return record.envelope, await asyncio.to_thread(client.submitter.standing.desk.seen)
    except Foreign:
        return record.envelope, None


def _signer(envelope: bytes, roster: Roster | None) -> Signer:
    """Who says to have signed: a worker believes it only after it has looked at the signature."""
    from relayq.model.signer import MEMBER, THE_OWNER, Signer

    kid = str(json.loads(envelope.partition(b"\n")[2]).get("by", ""))
    submitters = roster.of_role("submit") if roster else ()
    return next((Signer(MEMBER, one.name) for one in submitters if one.kid == kid), THE_OWNER)


def _show(args: argparse.Namespace, config: Config) -> int:
    """Every rule in force, and how jobs are isolated."""
    from relayq.worker.judge import Judge

    judge = Judge.of(config)
    rows = [("isolation", "", judge.isolation.shown()), *_rules(judge.policy)]
    if args.json:
        print_json(_json(judge, config))
        return OK
    print_table(("SECTION", "RULE", "VALUE"), rows)
    if not judge.policy.path:
        say(f"there is no {config.policy_path}: every job of a trusted key may run here")
    return OK


def _rules(policy: Policy) -> Iterator[tuple[str, str, str]]:
    from relayq.model.duration import spell_duration, spell_size
    from relayq.worker.policyfile import spelt

    for section, rule, value in spelt(policy):
        match rule, value:
            case "max_runtime", int():
                shown = spell_duration(value)
            case "max_output", int():
                shown = spell_size(value)
            case _, tuple():
                shown = ", ".join(map(str, value))
            case _:
                shown = str(value).lower() if isinstance(value, bool) else str(value)
        yield section or "all jobs", rule, shown


def _json(judge: Judge, config: Config) -> dict[str, object]:
    isolation = judge.isolation
    return {
        "path": str(config.policy_path),
        "exists": bool(judge.policy.path),
        "isolation": isolation.shown(),
        "bubblewrap": isolation.bwrap or isolation.why_no_bwrap,
        "rules": [
            {"section": section, "rule": rule, "value": value}
            for section, rule, value in _rules(judge.policy)
        ],
    }


def _begin(path: Path) -> int:
    """Write a policy to start from, unless there is one."""
    from relayq.places import make_dir

    make_dir(path.parent)
    try:
        with path.open("x", encoding="utf-8") as file:
            path.chmod(0o600)
            file.write(TEMPLATE)
    except FileExistsError:
        raise NameTaken(f"policy {path} is there already: edit it, or remove it first") from None
    except OSError as error:
        raise ConfigError(f"policy {path} cannot be written: {error.strerror}") from None
    print(path)
    return OK

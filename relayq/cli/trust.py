"""`relayq trust`: whose jobs may run besides the owner's, which worker may run them, who ordered what."""

from __future__ import annotations

import argparse
import time

from relayq.cli.exit_codes import OK
from relayq.cli.output import print_json, print_table, say
from relayq.cli.parser import add_json
from relayq.config import Config, load
from relayq.errors import UsageError
from relayq.model.ids import is_id, short

WORDS = {"github": "OWNER/REPO", "key": "NAME KEY BOX", "worker": "NAME KEY BOX", "log": "", "orders": ""}
ORDERS_SHOWN = 100
RULE_OPTIONS = (
    "branch",
    "environment",
    "workflow",
    "events",
    "approve",
    "repository_id",
    "owner_id",
    "remove",
)
REFS = "refs/"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "what",
        choices=tuple(WORDS),
        help="a repository, somebody's key, a worker, what was done so far, or who steered jobs and queues",
    )
    parser.add_argument(
        "words",
        nargs="*",
        metavar="OWNER/REPO | NAME KEY BOX",
        help="KEY and BOX as `relayq keys` shows them there; of a worker, as it says when it is not let in",
    )
    parser.add_argument(
        "--branch", metavar="NAME", help="github: the branch whose runs may submit (default: main)"
    )
    parser.add_argument("--environment", metavar="NAME", help="github: the environment, in place of a branch")
    parser.add_argument("--workflow", metavar="REF", help="github: only this job_workflow_ref")
    parser.add_argument(
        "--events", metavar="LIST", help="github: the events (default: push,schedule,workflow_dispatch)"
    )
    parser.add_argument("--approve", action="store_true", help="github: each job waits for your word")
    parser.add_argument(
        "--repository-id", metavar="N", help="github: its number, if GitHub is not to be asked"
    )
    parser.add_argument("--owner-id", metavar="N", help="github: the number of its owner")
    parser.add_argument("--remove", action="store_true", help="github: trust it no more")
    add_json(parser, "one JSON object a line (log, orders)")


def run(args: argparse.Namespace) -> int:
    """Edit the roster, or show what was edited."""
    wanted = WORDS[args.what]
    if len(args.words) != len(wanted.split()):
        raise UsageError(f"type it so: relayq trust {args.what} {wanted}".rstrip())
    if args.what != "github" and (given := [name for name in RULE_OPTIONS if getattr(args, name)]):
        raise UsageError(f"`relayq trust {args.what}` has no use for --{given[0].replace('_', '-')}")
    config = load({"hub.url": args.url, "hub.fleet": args.fleet})
    match args.what:
        case "github":
            return _github(args, config, args.words[0])
        case "key" | "worker":
            return _key(config, args.what, *args.words)
        case "orders":
            return _orders(args)
    return _log(args, config)


def _github(args: argparse.Namespace, config: Config, repository: str) -> int:
    from relayq.hub.registrar import Registrar
    from relayq.hub.repository import ask_numbers
    from relayq.trust.members import EVENTS, GithubRule, check_repository

    if args.remove:
        with Registrar(config) as desk:
            desk.distrust_github(repository)
        say(f"no run of {repository} may submit any more")
        return OK
    if args.branch and args.environment:
        raise UsageError("a rule goes by --branch or by --environment, not by both")
    if bool(args.repository_id) != bool(args.owner_id):
        raise UsageError("--repository-id and --owner-id go together")
    check_repository(repository)
    numbers = (args.repository_id, args.owner_id) if args.owner_id else ask_numbers(repository)
    branch = args.branch or ("" if args.environment else "main")
    rule = GithubRule(
        repository=repository,
        repository_id=numbers[0],
        owner_id=numbers[1],
        ref=branch if not branch or branch.startswith(REFS) else f"refs/heads/{branch}",
        environment=args.environment or "",
        workflow=args.workflow or "",
        events=tuple(args.events.split(",")) if args.events else EVENTS,
        approve=args.approve,
    )
    with Registrar(config) as desk:
        desk.trust_github(rule)
    where = f"environment {rule.environment}" if rule.environment else rule.ref.removeprefix("refs/heads/")
    say(f"runs of {repository} ({where}; {', '.join(rule.events)}) may submit to fleet {config.fleet}")
    return OK


def _key(config: Config, what: str, name: str, sign: str, box: str) -> int:
    from relayq.hub.registrar import Registrar
    from relayq.trust.words import four_words

    with Registrar(config) as desk:
        desk.trust_key(name, sign, box, "submit" if what == "key" else what)
    may = "may submit to" if what == "key" else "may run the jobs of"
    say(f"{name} ({four_words(sign)}) {may} fleet {config.fleet}: compare the four words")
    return OK


def _orders(args: argparse.Namespace) -> int:
    from relayq.cli.session import with_client
    from relayq.client.audit import given_orders

    orders = with_client(args, lambda client: given_orders(client, ORDERS_SHOWN))
    if args.json:
        for event, by, alarm in orders:
            fields = {"at_ms": event.at_ms, "order": event.kind, "subject": event.subject}
            print_json({**fields, "detail": event.detail, "by": by, "alarm": alarm})
        return OK
    rows = [
        (
            time.strftime("%Y-%m-%d %H:%M", time.localtime(event.at_ms / 1000)),
            event.kind,
            short(event.subject) if is_id(event.subject) else event.subject,
            event.detail,
            f"ALARM: {alarm}" if alarm else f"signed by {by}",
        )
        for event, by, alarm in orders
    ]
    print_table(("WHEN", "ORDER", "OF", "", "BY"), rows)
    return OK


def _log(args: argparse.Namespace, config: Config) -> int:
    from relayq.hub.registrar import read_log

    entries = list(read_log(config))
    if args.json:
        for entry in entries:
            print_json(entry)
        return OK
    rows = [
        (str(entry["version"]), time.strftime("%Y-%m-%d %H:%M", time.localtime(entry["at"])), entry["what"])
        for entry in entries
    ]
    print_table(("ROSTER", "WHEN", "WHAT"), rows)
    return OK

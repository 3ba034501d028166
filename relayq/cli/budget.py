"""`relayq budget show | check | plan | advise | limit | refresh`: the minutes of GitHub Actions.

What GitHub says is kept in the hub, so that any machine can show it with its age. It is read
again when it is older than a quarter of an hour and there is a token here.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relayq.cli.exit_codes import FAILED, OK
from relayq.cli.output import print_json, print_lines, print_table, say, waiting
from relayq.cli.parser import add_json
from relayq.cli.session import with_client
from relayq.errors import ConfigError, GitHubError, NotFound, UsageError

if TYPE_CHECKING:
    from relayq.client.aio import AsyncClient
    from relayq.client.budget import Standing
    from relayq.model.budget import Month

FRESH_MS = 15 * 60_000
ACTIONS = ("show", "check", "plan", "advise", "limit", "refresh")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "action",
        nargs="?",
        default="show",
        choices=ACTIONS,
        help="show the month (default); check it against --max; plan with workflow files; advise what saves; "
        "limit what may be used (90%%, 1500 or off); refresh it from GitHub",
    )
    parser.add_argument(
        "values", nargs="*", metavar="VALUE", help="the files of `plan`, the limit of `limit`"
    )
    parser.add_argument(
        "--max",
        metavar="LIMIT",
        help="check: exit 1 from here on: 90%% or 1500 (default: the limit, else 100%%)",
    )
    parser.add_argument(
        "--month", metavar="YYYY-MM", help="show: another month, as far as the hub remembers it"
    )
    parser.add_argument(
        "--refresh", action="store_true", help="ask GitHub now, however fresh the figures are"
    )
    parser.add_argument("--cached", action="store_true", help="do not ask GitHub: what the hub has is enough")
    add_json(parser, "one JSON object")


def run(args: argparse.Namespace) -> int:
    """Do what was asked."""
    if args.values and args.action not in ("plan", "limit"):
        raise UsageError(f"`relayq budget {args.action}` takes no {args.values[0]!r}")
    match args.action:
        case "check":
            return _check(args)
        case "plan":
            return _plan(args)
        case "advise":
            return _advise(args)
        case "limit":
            return _limit(args)
        case "refresh":
            args.refresh = True
    from relayq.cli.budgetviews import print_standing

    stands = _standing(args, _month(args.month))
    if args.json:
        print_json(stands.to_json())
    else:
        print_standing(stands)
    return OK


def _standing(args: argparse.Namespace, month: Month | None = None) -> Standing:
    return with_client(args, lambda client: _read(client, args, month))


async def _read(client: AsyncClient, args: argparse.Namespace, month: Month | None) -> Standing:
    """The month, read from GitHub before where that is wanted and possible."""
    from relayq.client.budget import standing

    record = await client.budget.read(month)
    known = record.runs or record.bill
    is_stale = known is None or record.now_ms - known.read_ms > FRESH_MS or known.month != record.month
    if month is None and not args.cached and (args.refresh or is_stale):
        await _refresh(client, is_wanted=args.refresh)
        record = await client.budget.read()
    return standing(record, client.submitter.config)


async def _refresh(client: AsyncClient, *, is_wanted: bool) -> None:
    """Ask GitHub. What was asked for by name and cannot be done is an error, else a word."""
    from relayq.github.opening import token_of
    from relayq.github.refresh import RESERVE, refresh

    config = client.submitter.config
    try:
        if not is_wanted and token_of(config, os.environ) is None:
            return
        from relayq.client.budget import included_minutes
        from relayq.github.api import Manners
        from relayq.github.opening import open_github

        async with open_github(config, os.environ, Manners(reserve=RESERVE)) as github:
            with waiting("asking GitHub") as tell:
                done = await refresh(github, client.budget, config, included_minutes(config), tell)
    except (GitHubError, ConfigError) as error:
        if is_wanted:
            raise
        say(f"{error}; what was read before is shown")
        return
    for problem in done.problems:
        say(problem)


def _month(text: str | None) -> Month | None:
    from relayq.model.budget import Month

    if text is None:
        return None
    year, _, month = text.partition("-")
    if not (year.isdecimal() and len(year) == 4 and month.isdecimal() and 1 <= int(month) <= 12):
        raise UsageError(f"{text!r} is no month: write 2026-11")
    if not 1971 <= int(year) <= 9998:
        raise UsageError(f"{text!r} is no month that the hub could remember")
    return Month(int(year), int(month))


def _check(args: argparse.Namespace) -> int:
    from relayq.cli.budgetviews import source_words
    from relayq.model.budget import limit_minutes, read_limit

    most = read_limit(args.max) if args.max else None
    stands = _standing(args)
    if stands.verdict is None:
        raise NotFound(
            "nothing is known of this month's minutes: log in with `gh auth login`, then type "
            "`relayq budget refresh`"
        )
    limit = stands.limit if most is None else limit_minutes(most, stands.included)
    used = stands.verdict.used
    is_over = used >= limit or stands.is_blocked
    if args.json:
        print_json({"ok": not is_over, "used": used, "limit": limit, "blocked": stands.is_blocked})
    else:
        word = "blocked by GitHub" if stands.is_blocked else "reached" if is_over else "ok"
        words = f"{word}: {used:.0f} of at most {limit:.0f} minutes used ({stands.included} included)"
        print_lines([f"{words}, {source_words(stands.best, stands)}" if stands.best else words])
    return FAILED if is_over else OK


def _limit(args: argparse.Namespace) -> int:
    from relayq.model.budget import read_limit

    if len(args.values) != 1:
        raise UsageError("write the limit: `relayq budget limit 90%`, `1500` or `off`")
    limit = read_limit(args.values[0])
    with_client(args, lambda client: client.budget.limit(limit))
    print_lines([f"the limit is {args.values[0]}" if limit else "there is no limit now"])
    return OK


def _plan(args: argparse.Namespace) -> int:
    from relayq.cli.budgetplan import Plan, print_plan
    from relayq.github.workflows import read_workflow

    if not args.values:
        raise UsageError("name the planned files: `relayq budget plan .github/workflows/*.yml`")
    planned = [read_workflow(path) for path in _files(args.values)]
    plan = Plan(planned, _standing(args))
    if args.json:
        print_json(plan.to_json())
    else:
        print_plan(plan)
    return OK if plan.fits else FAILED


def _files(values: Sequence[str]) -> list[Path]:
    """The files that were named; of a directory, the workflows in it."""
    found: list[Path] = []
    for value in values:
        path = Path(value)
        inside = sorted([*path.glob("*.yml"), *path.glob("*.yaml")]) if path.is_dir() else [path]
        if not inside:
            raise UsageError(f"there are no workflows in {value}")
        found += inside
    return found


def _advise(args: argparse.Namespace) -> int:
    from relayq.model.advice import Advice, advise

    stands = _standing(args)
    if stands.best is None or not stands.best.by_workflow:
        raise NotFound(
            "no workflow's minutes are known: type `relayq budget refresh` where a GitHub token is"
        )
    found: list[Advice] = advise(stands.best)
    if args.json:
        print_json({"month": str(stands.record.month), "advice": [one.to_json() for one in found]})
    elif not found:
        print_lines(["nothing to save: no cron, no run of several short jobs"])
    else:
        rows: list[list[Any]] = [
            [one.workflow, f"{one.saves:.0f}", f"{one.uses:.0f}", one.sentence] for one in found
        ]
        print_table(("WORKFLOW", "SAVES", "OF", "HOW (minutes a month)"), rows)
    return OK

"""The one command: every row for every peer in one run, then RESULTS.md.

    python -m benchmarks [--quick] [--only ROW,...] [--peers NAME,...] [--stdout]

A full run of all rows takes about a quarter of an hour, a quick one a few minutes.
Peers are measured one after the other, except in the rows that mostly wait. What
fails is named in the report and stops nothing. RESULTS.md is written only by a
run of everything; a part is printed.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from types import ModuleType

from benchmarks import limits, report
from benchmarks.bench import Bench
from benchmarks.measures import MEASURES
from benchmarks.roster import RELAYQ, ROSTER, Entry, chosen, python_for
from benchmarks.rows import ROWS, Row

WHAT = "RelayQ beside its peers and the limits."


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the results."""
    args = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a time limit ends a run as Ctrl-C does
    rows = _rows(args.only)
    entries = chosen(args.peers, quick=args.quick)
    for entry in entries:
        python_for(entry)  # before the clock runs
    run = _measured(entries, rows, quick=args.quick)
    text = report.document(run)
    if args.only or args.peers or args.stdout:
        print(text)
    else:
        report.RESULTS.write_text(text)
        print(f"{report.table(run)}\n\nwritten: {report.RESULTS}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="RelayQ beside its peers and the limits."
    )
    parser.add_argument(
        "--quick", action="store_true", help="small counts, fewer peers: a few minutes, rough figures"
    )
    parser.add_argument(
        "--only", default="", metavar="ROW,...", help=f"rows: {', '.join(row.key for row in ROWS)}"
    )
    parser.add_argument(
        "--peers", default="", metavar="NAME,...", help=", ".join(entry.name for entry in ROSTER)
    )
    parser.add_argument("--stdout", action="store_true", help="print the report, write nothing")
    return parser


def _rows(only: str) -> list[Row]:
    wanted = set(only.split(",")) if only else {row.key for row in ROWS}
    if unknown := wanted - {row.key for row in ROWS}:
        raise SystemExit(f"there is no row {sorted(unknown)[0]!r}: see --help")
    return [row for row in ROWS if row.key in wanted]


def _measured(entries: Sequence[Entry], rows: Sequence[Row], *, quick: bool) -> report.Run:
    begin = time.monotonic()
    wanted = {row.key for row in rows}
    bench, book = Bench(quick=quick), Book()
    try:
        bare = limits.measure(bench)
        for entry in entries:
            if entry.alone and wanted & {"array", "drain_shell"}:
                book.enter(entry, "its own rows", partial(_alone, bench, entry))
        for module in MEASURES:
            if wanted & set(module.KEYS):
                _measure_all(bench, book, module, [entry for entry in entries if not entry.alone])
    finally:
        bench.close()
    seconds = time.monotonic() - begin
    return report.Run(
        entries=entries, figures=book.figures, limits=bare, failures=book.failures, rows=rows, quick=quick,
        seconds=seconds,
    )  # fmt: skip


class Book:
    """The figures as they come, and what failed."""

    def __init__(self) -> None:
        self.figures: dict[str, dict[str, float]] = {}
        self.failures: dict[str, str] = {}

    def enter(self, entry: Entry, what: str, measure) -> None:
        """Measure one thing of one peer and note it; a failure is noted as well."""
        begin = time.monotonic()
        try:
            found = measure()
        except Exception as error:  # whatever a peer does, the others are measured
            found = {}
            self.failures[f"{entry.title}, {what}"] = (
                " ".join(str(error).split())[-300:] or type(error).__name__
            )
        self.figures.setdefault(entry.name, {}).update(found)
        shown = "  ".join(f"{key} {value:.4g}" for key, value in found.items()) or "failed"
        print(f"{time.monotonic() - begin:6.1f} s  {entry.name:10}  {shown}", file=sys.stderr, flush=True)


def _measure_all(bench: Bench, book: Book, module: ModuleType, entries: Sequence[Entry]) -> None:
    what = module.__name__.rpartition(".")[2]
    for group in _groups(entries, module.TOGETHER):
        hands = ThreadPoolExecutor(len(group))
        try:
            wait(
                [
                    hands.submit(book.enter, entry, what, partial(module.measure, bench, entry))
                    for entry in group
                ]
            )
        finally:  # after an interruption nobody waits: what the threads wait for is ended by the bench
            hands.shutdown(wait=False, cancel_futures=True)


def _groups(entries: Sequence[Entry], together: str) -> list[list[Entry]]:
    """Return who is measured at the same time (measures/__init__.py)."""
    if not together:
        return [[entry] for entry in entries]
    own = [entry for entry in entries if entry.name == RELAYQ and together == "peers"]
    return [group for group in (own, [entry for entry in entries if entry not in own]) if group]


def _alone(bench: Bench, entry: Entry) -> dict[str, float]:
    """The rows of a peer that brings its own server."""
    with bench.stage(entry) as stage:
        figures: dict[str, float] = stage.drive("figures", bench.quick)
        return figures

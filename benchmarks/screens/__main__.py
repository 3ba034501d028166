"""The one command: every bar of the terminal UI, then SCREENS.md.

    python -m benchmarks.screens [--quick] [--only MEASURE,...] [--soak MINUTES] [--stdout]

A full run takes about a quarter of an hour with a soak of five minutes. What fails
is named in the report and stops nothing. SCREENS.md is written only by a run of
everything; a part is printed.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Sequence

from benchmarks.screens import report
from benchmarks.screens.measures import MEASURES, Figures
from benchmarks.screens.scene import Scene

SOAK_MIN = 5.0


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the results."""
    args = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    wanted = args.only.split(",") if args.only else list(MEASURES)
    if unknown := set(wanted) - set(MEASURES):
        raise SystemExit(f"there is no measure {min(unknown)!r}: see --help")
    run = _measured(wanted, quick=args.quick, soak_s=args.soak * (6 if args.quick else 60))
    if args.only or args.stdout:
        print(report.document(run))
    else:
        report.RESULTS.write_text(report.document(run))
        print(f"{report.table(run)}\n\nwritten: {report.RESULTS}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.screens", description="The bars of the terminal UI."
    )
    parser.add_argument("--quick", action="store_true", help="small counts, a tenth of the soak")
    parser.add_argument("--only", default="", metavar="MEASURE,...", help=", ".join(MEASURES))
    parser.add_argument(
        "--soak", type=float, default=SOAK_MIN, metavar="MINUTES", help="default: %(default)s"
    )
    parser.add_argument("--stdout", action="store_true", help="print the report, write nothing")
    return parser


def _measured(wanted: Sequence[str], *, quick: bool, soak_s: float) -> report.Run:
    began = time.monotonic()
    own: Figures = {}
    least: Figures = {}
    failures: dict[str, str] = {}
    scene = Scene(quick=quick, soak_s=soak_s)
    try:
        for name in wanted:
            try:
                ours, minimal = MEASURES[name](scene)
            except Exception as error:  # whatever fails, the others are measured
                failures[name] = f"{type(error).__name__}: {error}"
                ours, minimal = {}, {}
            own |= ours
            least |= minimal
            shown = "  ".join(f"{key} {value:.4g}" for key, value in ours.items()) or failures.get(name)
            print(f"{time.monotonic() - began:6.0f} s  {name:8}  {shown}", file=sys.stderr, flush=True)
    finally:
        scene.close()
    return report.Run(
        own=own,
        minimal=least,
        failures=failures,
        quick=quick,
        soak_s=soak_s,
        seconds=time.monotonic() - began,
    )


if __name__ == "__main__":
    raise SystemExit(main())

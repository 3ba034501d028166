"""What a step costs in minutes of GitHub Actions, said where it is spent.

Each job of a run is billed by itself, rounded up to whole minutes, in private
repositories only (GitHub Docs, actions-runner-pricing, read 2026-11-23). GitHub's free
plan includes 2,000 minutes a month.
"""

from __future__ import annotations

from relayq.model.systems import RUNNER_OS, factor_of

FREE_MINUTES = 2_000


def minutes(seconds: float, system: str) -> int:
    """What a job of so many seconds on `Linux`, `Windows` or `macOS` is billed."""
    return max(1, -int(-seconds // 60)) * factor_of(RUNNER_OS.get(system, ""))


def sentence(seconds: float, system: str, *, is_private: bool | None, waited: bool) -> str:
    """The line about it; `is_private` is None where nobody knows."""
    if is_private is False:
        return "This repository is public: its minutes are free."
    billed = minutes(seconds, system)
    unit = "minute" if billed == 1 else "minutes"
    line = f"Billed so far: {billed} {unit} of the month's (2,000 in GitHub's free plan)."
    least = minutes(0, system)
    if not waited or billed == least:
        return line
    return f"{line} {billed - least} of them for waiting: without `wait` it is {least}."


def forecast(cap_s: float, system: str) -> str:
    """What waiting may cost, before it begins."""
    most = minutes(cap_s, system)
    share = 100 * most / FREE_MINUTES
    return (
        f"Waiting costs minutes: up to {most} for this run, {share:.1f} % of GitHub's free 2,000. "
        "Without `wait` the step ends when the job is in, and `notify` tells how it ended."
    )

"""The price tag: what the work that ran here would have cost elsewhere, and costs at home.

Each price stands with its unit, source and date. The seconds are real ones: workers
report how long each attempt ran, and the hub adds them up (`store/lua/meter.lua`).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from relayq.model.budget import DOLLARS_A_MINUTE
from relayq.model.duration import format_duration

HOUR_S = 3600.0


class FargatePrice(NamedTuple):
    """Dollars for an hour of one vCPU and of one GB of memory."""

    vcpu_hour: float
    gb_hour: float


# AWS Fargate, us-east-1, Linux, on demand, read 2026-09; by the second, at least a minute.
# AWS Batch itself is free of charge; logs, images and traffic are left out.
FARGATE = {"x86": FargatePrice(0.04048, 0.004445), "arm": FargatePrice(0.03238, 0.00356)}


class Work(NamedTuple):
    """What ran: seconds, and those weighted by what was asked for.

    `cpu_s` is CPUs x seconds and `gb_s` GiB x seconds as Fargate would bill them: each
    attempt a minute at least, and at least 2 GB for each vCPU, the least it gives.
    `hosted_min` are the minutes that hosted runners of each system would have billed,
    each attempt rounded up. `joules` is what the machines drew for it: the watts of a
    worker are shared out by the CPUs that each job asked for. `unmetered_s` are seconds
    on workers whose watts nobody has told.
    """

    run_s: float
    cpu_s: float
    gb_s: float
    hosted_min: dict[str, int]
    joules: float = 0.0
    unmetered_s: float = 0.0

    def plus(self, other: Work) -> Work:
        """Both together."""
        systems = {*self.hosted_min, *other.hosted_min}
        return Work(
            run_s=self.run_s + other.run_s,
            cpu_s=self.cpu_s + other.cpu_s,
            gb_s=self.gb_s + other.gb_s,
            hosted_min={
                name: self.hosted_min.get(name, 0) + other.hosted_min.get(name, 0) for name in sorted(systems)
            },
            joules=self.joules + other.joules,
            unmetered_s=self.unmetered_s + other.unmetered_s,
        )


NO_WORK = Work(0.0, 0.0, 0.0, {})


class PriceTag(NamedTuple):
    """Dollars elsewhere, and `home` in the currency of the price of a kWh (None: not known).

    `home_is_part` where some of it ran on workers whose watts nobody has told: it was more.
    """

    fargate_x86: float
    fargate_arm: float
    hosted: float
    kwh: float | None
    home: float | None
    home_is_part: bool
    formulas: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {name: round(it, 6) if isinstance(it, float) else it for name, it in self._asdict().items()}


def hosted_system(labels: tuple[str, ...]) -> str:
    """The hosted runner that would take such a job: macOS or Windows where it asks for them, else Linux."""
    if {"mac", "macos", "darwin"} & set(labels):
        return "macos"
    return "windows" if "windows" in labels else "linux"


def tag(work: Work, kwh_price: float | None) -> PriceTag:
    """What it would have cost, and how that was reckoned."""
    cpu_h, gb_h = work.cpu_s / HOUR_S, work.gb_s / HOUR_S
    hosted = sum(minutes * DOLLARS_A_MINUTE[system] for system, minutes in work.hosted_min.items())
    kwh = work.joules / 3.6e6 if work.joules else None
    home = kwh * kwh_price if kwh is not None and kwh_price is not None else None
    formulas = {name: _fargate_words(cpu_h, gb_h, price) for name, price in FARGATE.items()}
    return PriceTag(
        fargate_x86=_fargate(cpu_h, gb_h, FARGATE["x86"]),
        fargate_arm=_fargate(cpu_h, gb_h, FARGATE["arm"]),
        hosted=hosted,
        kwh=kwh,
        home=home,
        home_is_part=home is not None and work.unmetered_s > 0,
        formulas={
            "fargate_x86": formulas["x86"],
            "fargate_arm": formulas["arm"],
            "hosted": _hosted_words(work),
            "home": _home_words(work, kwh, kwh_price),
        },
    )


def _fargate(cpu_h: float, gb_h: float, price: FargatePrice) -> float:
    return cpu_h * price.vcpu_hour + gb_h * price.gb_hour


def _fargate_words(cpu_h: float, gb_h: float, price: FargatePrice) -> str:
    return f"{_short(cpu_h)} vCPU-h x ${price.vcpu_hour:g} + {_short(gb_h)} GB-h x ${price.gb_hour:g}"


def _hosted_words(work: Work) -> str:
    return " + ".join(
        f"{minutes} min {system} x ${DOLLARS_A_MINUTE[system]:g}"
        for system, minutes in work.hosted_min.items()
    )


def _home_words(work: Work, kwh: float | None, kwh_price: float | None) -> str:
    ran = format_duration(math.ceil(work.unmetered_s * 1000))
    unmetered = f"{ran} ran on workers whose watts are not set (worker.watts)" if work.unmetered_s else ""
    if kwh is None:
        return f"not known: {unmetered}" if unmetered else ""
    price = (
        "the price of a kWh, which is not set (budget.kwh_price)" if kwh_price is None else f"{kwh_price:g}"
    )
    return f"{_short(kwh)} kWh x {price}" + (f"; {unmetered}" if unmetered else "")


def _short(number: float) -> str:
    if 0 < number < 0.001:
        return f"{number:.7f}"
    return f"{number:.3g}" if number < 100 else f"{number:.0f}"

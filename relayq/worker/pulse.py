"""Measure how busy the machine is: what only the difference of two looks can tell.

The system counts since it was started; a `Pulse` remembers its last look, so that each
tells how much of the CPU was used, and how much went over the network, since the one
before. The first look tells nothing. Throttling, which a Raspberry Pi and a Mac know of
themselves, is read as it is. On Linux all of it is four small files; on macOS `ps` and
`pmset` are asked, some ten milliseconds each, and the network is left out.
"""

from __future__ import annotations

import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from relayq.worker.reading import ask, read

FIRMWARE = "sys/devices/platform/soc/soc:firmware/get_throttled"
# The bits of a Raspberry Pi's firmware, worst first; from bit 16 on the same since it was switched on.
# Source: the documentation of `vcgencmd get_throttled`, 2024.
TROUBLES = ((0, "under-voltage"), (2, "throttled"), (3, "too hot"), (1, "frequency capped"))
PAST = 16
SHORTEST_S = 1.0  # between two looks that are worth comparing


@dataclass(frozen=True, slots=True)
class Counters:
    """What the system has counted: CPU ticks busy and in all, bytes received and sent."""

    busy: int
    ticks: int
    received: int
    sent: int
    at_s: float


class Pulse:
    """Looks again and again. One for each process: every look is the start of the next."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._last: Counters | None = None
        self._told: dict[str, str] = {}

    def facts(self) -> dict[str, str]:
        """CPU and network since the last look, and whether the machine is throttled."""
        busy = mac_facts() if sys.platform == "darwin" else self._rates(counters(self._root))
        return busy | {"throttled": throttled(self._root)}

    def _rates(self, now: Counters) -> dict[str, str]:
        last = self._last
        if last is None:
            self._last = now
        elif now.at_s - last.at_s >= SHORTEST_S:
            self._last, self._told = now, rates(last, now)
        return self._told


def rates(before: Counters, now: Counters) -> dict[str, str]:
    """What happened between two looks."""
    seconds, ticks = now.at_s - before.at_s, max(1, now.ticks - before.ticks)
    return {
        "cpu_percent": f"{100 * (now.busy - before.busy) / ticks:.0f}",
        "received_bps": f"{max(0, now.received - before.received) / seconds:.0f}",
        "sent_bps": f"{max(0, now.sent - before.sent) / seconds:.0f}",
    }


def counters(root: Path) -> Counters:
    """Look at Linux's own counters."""
    busy, ticks = cpu_ticks(read(root / "proc/stat"))
    received, sent = network_bytes(root)
    return Counters(busy, ticks, received, sent, time.monotonic())


def cpu_ticks(stat: str) -> tuple[int, int]:
    """(busy, in all) from the first line of /proc/stat: user nice system idle iowait irq softirq steal."""
    ticks = [int(word) for word in stat.partition("\n")[0].split()[1:9]]
    return sum(ticks) - sum(ticks[3:5]), sum(ticks)


def network_bytes(root: Path) -> tuple[int, int]:
    """(received, sent) by the network cards; where there is none, as in a container, by all but `lo`."""
    lines = read(root / "proc/net/dev").splitlines()[2:]
    counted = {name.strip(): values.split() for name, _, values in (line.partition(":") for line in lines)}
    counted.pop("lo", None)
    cards = [name for name in counted if (root / "sys/class/net" / name / "device").exists()]
    chosen = [counted[name] for name in cards or counted]
    return sum(int(values[0]) for values in chosen), sum(int(values[8]) for values in chosen)


def mac_facts() -> dict[str, str]:
    """How much of the CPU is used now: the sum over all processes, each in percent of one CPU."""
    return {"cpu_percent": percent} if (percent := percent_of_all(ask("ps", "-A", "-o", "%cpu="))) else {}


def percent_of_all(text: str) -> str:
    """From what `ps` prints: a number a line, with a comma in some countries."""
    each = [float(word.replace(",", ".")) for word in text.split()]
    return f"{min(100.0, sum(each) / (os.cpu_count() or 1)):.0f}" if each else ""


def throttled(root: Path) -> str:
    """Why the machine runs slower than it could: `under-voltage`, `was too hot`, `no`; "" is unknown."""
    if sys.platform == "darwin":
        return throttled_mac(ask("pmset", "-g", "therm"))
    return throttled_pi(read(root / FIRMWARE))


def throttled_pi(text: str) -> str:
    """From the firmware's word, hexadecimal."""
    if not re.fullmatch(r"(0x)?[0-9a-fA-F]+", text):
        return ""
    bits = int(text, 16)
    now = next((word for bit, word in TROUBLES if bits >> bit & 1), "")
    then = next((f"was {word}" for bit, word in TROUBLES if bits >> (bit + PAST) & 1), "")
    return now or then or "no"


def throttled_mac(text: str) -> str:
    """From `pmset -g therm`, which names the speed limit in percent when there is one."""
    limit = re.search(r"CPU_Speed_Limit\s*=\s*(\d+)", text)
    if limit is None:
        return "no" if text else ""
    return "no" if int(limit[1]) >= 100 else "too hot"

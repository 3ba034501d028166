"""Find out what this machine is, what it offers, and how it fares right now.

What does not change (`machine`) is read once. What does (`conditions`, `facts`) is
read from /proc and /sys in well under a millisecond, so that a heartbeat can
afford it; on macOS `pmset`, `ps` and `vm_stat` are asked, some ten milliseconds each.
Nothing is installed for it, and a file that is missing is only a fact less.

The labels a worker gives itself: `linux` or `mac`, the architecture (`arm64`,
`x86_64`, `armv7`), `rpi` with its generation (`rpi4`), `nvidia`, `metal`.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from relayq.model.needs import Offer
from relayq.worker.pulse import Pulse
from relayq.worker.reading import ask, read, subdirectories

if TYPE_CHECKING:
    from relayq.config import WorkerConfig
    from relayq.worker.options import WorkerOptions

ROOT = Path("/")
UP = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # since the machine was switched on
TOOL_MEMORY_S = 60.0  # a tool installed or removed is noticed after so long
ARCHITECTURES = {"aarch64": "arm64", "amd64": "x86_64", "armv7l": "armv7", "armv6l": "armv6"}
CPU_SENSORS = re.compile(r"cpu|soc|x86_pkg|core|k10|zen", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What stays as it is while the worker lives. `model` is what a board or a Mac calls itself."""

    os: str
    arch: str
    host: str
    cpus: float
    memory_bytes: int
    model: str = ""
    gpus: tuple[str, ...] = ()

    def labels(self) -> frozenset[str]:
        """What a job may ask for without the owner having said anything."""
        labels = {"mac" if self.os == "macOS" else "linux", self.arch}
        if generation := re.match(r"Raspberry Pi (\w+)", self.model):
            labels |= {"rpi", f"rpi{generation[1].lower()}"}
        labels |= {"metal" if gpu == "Metal" else "nvidia" for gpu in self.gpus}
        return frozenset(labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """How the machine fares: `load` is the one-minute average per CPU, `temperature` degrees Celsius."""

    on_battery: bool
    load: float
    temperature: float | None


# -- for the worker


def offer(config: WorkerConfig, options: WorkerOptions, *, types: frozenset[str], name: str) -> Offer:
    """What this worker offers: what was typed, else what was configured, else what the machine has."""
    here = machine()
    slots = options.slots or config.slots
    gpus = len(here.gpus) if config.gpus is None else config.gpus
    queues = options.queues or config.queues
    return Offer(
        labels=here.labels() | {*config.labels, *options.labels},
        name=name,
        host=here.host,
        cpus_milli=slots * 1000 if slots else max(1000, round(here.cpus * 1000)),
        memory_bytes=config.max_memory_bytes or here.memory_bytes,
        gpus=gpus,
        counters=tuple(sorted(config.counters.items())),
        types=types,
        queues=frozenset(queues) if queues else None,
    )


def shown(offered: Offer) -> dict[str, Any]:
    """The offer as JSON."""
    plain = {
        name: sorted(value) if isinstance(value, frozenset) else value
        for name, value in offered.to_fields().items()
    }
    return plain | {"counters": dict(offered.counters)}


def conditions(root: Path = ROOT) -> Conditions:
    """How the machine fares now."""
    battery = Battery.read(root)
    return Conditions(
        on_battery=battery is not None and battery.discharging,
        load=os.getloadavg()[0] / machine().cpus,
        temperature=temperature(root),
    )


def facts(directory: Path | str = "~", root: Path = ROOT) -> dict[str, str]:
    """What `relayq workers` shows; disk space is that of the file system of `directory`."""
    here, home = machine(), Path(directory).expanduser()
    battery, degrees = Battery.read(root), temperature(root)
    found = {
        "os": here.os,
        "arch": here.arch,
        "model": here.model,
        "cpus": f"{here.cpus:g}",
        "gpus": ", ".join(here.gpus),
        "memory_bytes": str(here.memory_bytes),
        "memory_free_bytes": str(memory_free_bytes(root)),
        "disk_free_bytes": str(disk_bytes(home).free),
        "disk_bytes": str(disk_bytes(home).total),
        "uptime_s": f"{time.clock_gettime(UP):.0f}",
        "load": f"{os.getloadavg()[0]:.2f}",
        "temperature_c": "" if degrees is None else f"{degrees:.0f}",
        "battery_percent": "" if battery is None else str(battery.percent),
        "power": "" if battery is None else "battery" if battery.discharging else "mains",
        **_pulse(root).facts(),
    }
    return {name: text for name, text in found.items() if text}


@lru_cache(maxsize=8)
def _pulse(root: Path) -> Pulse:
    return Pulse(root)


_tools: dict[str, tuple[float, bool]] = {}


def find_tool(name: str) -> bool:
    """Whether a program of this name is on the PATH; remembered for a minute."""
    asked_at, found = _tools.get(name, (-TOOL_MEMORY_S, False))
    now = time.monotonic()
    if now - asked_at >= TOOL_MEMORY_S:
        found = shutil.which(name) is not None
        _tools[name] = (now, found)
    return found


# -- what stays as it is


@lru_cache(maxsize=1)
def machine(root: Path = ROOT) -> Machine:
    """Look at the machine; a container's limits are its size."""
    arch = platform.machine().lower()
    return Machine(
        os=system_name(root),
        arch=ARCHITECTURES.get(arch, arch),
        host=platform.node().partition(".")[0].lower(),
        cpus=cpu_count(root),
        memory_bytes=memory_bytes(root),
        model=model(root),
        gpus=gpus(),
    )


def system_name(root: Path = ROOT) -> str:
    """`macOS` or what the distribution calls itself."""
    if sys.platform == "darwin":
        return "macOS"
    named = re.search(r'^PRETTY_NAME="?([^"\n]*)', read(root / "etc/os-release"), re.MULTILINE)
    return named[1] if named else "Linux"


def cpu_count(root: Path = ROOT) -> float:
    """The CPUs this process may use: affinity, and the quota of a container (cgroup v2 cpu.max)."""
    allowed = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    quota, _, period = read(root / "sys/fs/cgroup/cpu.max").partition(" ")
    return min(allowed, int(quota) / int(period)) if quota.isdigit() else float(allowed)


def memory_bytes(root: Path = ROOT) -> int:
    """The memory of the machine, or of the container (cgroup v2 memory.max)."""
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = read(root / "sys/fs/cgroup/memory.max")
    return min(physical, int(limit)) if limit.isdigit() else physical


def model(root: Path = ROOT) -> str:
    """The model name of a single-board computer or a Mac; elsewhere it says nothing useful."""
    if sys.platform == "darwin":
        return ask("sysctl", "-n", "hw.model")
    return read(root / "proc/device-tree/model").rstrip("\0")


def gpus() -> tuple[str, ...]:
    """One name for each GPU: those of NVIDIA's driver, or `Metal` on an Apple chip."""
    if sys.platform == "darwin":
        return ("Metal",) if platform.machine() == "arm64" else ()
    if not shutil.which("nvidia-smi"):
        return ()
    listing = ask("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
    return tuple(line.strip() for line in listing.splitlines() if line.strip())


# -- what changes


@dataclass(frozen=True, slots=True)
class Battery:
    """The battery that can run this machine."""

    percent: int
    discharging: bool

    @classmethod
    def read(cls, root: Path = ROOT) -> Battery | None:
        """Look at it; None on a machine without one."""
        return cls.from_pmset(ask("pmset", "-g", "batt")) if sys.platform == "darwin" else cls.from_sys(root)

    @classmethod
    def from_sys(cls, root: Path) -> Battery | None:
        """The first system battery in /sys; that of a mouse (scope Device) is none of ours."""
        for supply in subdirectories(root / "sys/class/power_supply"):
            if read(supply / "type") == "Battery" and read(supply / "scope") != "Device":
                percent = read(supply / "capacity")
                return cls(int(percent) if percent.isdigit() else 0, read(supply / "status") == "Discharging")
        return None

    @classmethod
    def from_pmset(cls, text: str) -> Battery | None:
        """From a line like `-InternalBattery-0 (id=1)	80%; discharging; 3:10 remaining`."""
        told = re.search(r"(\d+)%;", text)
        return cls(int(told[1]), "'Battery Power'" in text) if told else None


def temperature(root: Path = ROOT) -> float | None:
    """Degrees Celsius of the hottest CPU sensor, or None where there is none to read."""
    degrees = [
        int(text) / 1000
        for path in sensors(root)
        if (text := read(path)).isdigit() and 0 < int(text) < 150_000
    ]
    return max(degrees, default=None)


@lru_cache(maxsize=8)
def sensors(root: Path) -> tuple[Path, ...]:
    """The files with a CPU's temperature in thousandths of a degree: thermal zones, else hwmon chips."""
    zones = [
        zone / "temp"
        for zone in subdirectories(root / "sys/class/thermal")
        if CPU_SENSORS.search(read(zone / "type"))
    ]
    chips = (
        sensor
        for chip in subdirectories(root / "sys/class/hwmon")
        if CPU_SENSORS.search(read(chip / "name"))
        for sensor in sorted(chip.glob("temp*_input"))
    )
    return tuple(zones or chips)


def memory_free_bytes(root: Path = ROOT) -> int:
    """Memory that can be had without swapping."""
    if sys.platform == "darwin":
        return free_by_vm_stat(ask("vm_stat"))
    available = re.search(r"^MemAvailable:\s+(\d+) kB", read(root / "proc/meminfo"), re.MULTILINE)
    return int(available[1]) * 1024 if available else 0


def free_by_vm_stat(text: str) -> int:
    """Free and inactive pages from `vm_stat`, in bytes."""
    page = re.search(r"page size of (\d+) bytes", text)
    pages = re.findall(r"^Pages (?:free|inactive|speculative):\s+(\d+)", text, re.MULTILINE)
    return int(page[1]) * sum(map(int, pages)) if page else 0


class DiskBytes(NamedTuple):
    """A file system: its size, and the space left for this user."""

    total: int
    free: int


def disk_bytes(directory: Path) -> DiskBytes:
    """The file system of the directory; zeros when there is none to ask."""
    try:
        usage = shutil.disk_usage(directory)
    except OSError:
        return DiskBytes(0, 0)
    return DiskBytes(usage.total, usage.free)

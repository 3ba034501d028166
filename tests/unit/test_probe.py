"""What a worker finds out about its machine, from the files of machines we do not have."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from relayq.worker import probe, reading
from relayq.worker.options import WorkerOptions
from relayq.worker.probe import Battery, Conditions, Machine


def put(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def a_machine(**facts: Any) -> Machine:
    told: dict[str, Any] = {
        "os": "Linux",
        "arch": "x86_64",
        "host": "box",
        "cpus": 4.0,
        "memory_bytes": 1 << 30,
    }
    return Machine(**(told | facts))


def configured(**values: Any) -> Any:
    defaults = {
        "labels": (),
        "slots": None,
        "queues": None,
        "max_memory_bytes": None,
        "counters": {},
        "gpus": None,
    }
    return SimpleNamespace(**(defaults | values))


def offered(config: Any = None, **options: Any) -> Any:
    wish = WorkerOptions(url="", **options)
    return probe.offer(config or configured(), wish, types=frozenset({"shell"}), name="box")


def test_this_machine_is_described() -> None:
    here = probe.machine()
    assert here.cpus > 0
    assert here.memory_bytes > 1 << 20
    assert here.host
    assert here.labels() & {"linux", "mac"}


def test_a_raspberry_pi_is_known_by_its_model(tmp_path: Path) -> None:
    put(tmp_path, {"proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0"})
    assert probe.model(tmp_path) == "Raspberry Pi 4 Model B Rev 1.4"
    assert a_machine(arch="arm64", model=probe.model(tmp_path)).labels() == {"linux", "arm64", "rpi", "rpi4"}


def test_an_old_board_that_is_no_raspberry_gets_no_such_label() -> None:
    assert a_machine(arch="armv7", model="Hardkernel Odroid XU4").labels() == {"linux", "armv7"}


def test_gpus_are_labels() -> None:
    assert "nvidia" in a_machine(gpus=("NVIDIA RTX A2000", "NVIDIA RTX A2000")).labels()
    assert a_machine(os="macOS", arch="arm64", gpus=("Metal",)).labels() == {"mac", "arm64", "metal"}


def test_nvidia_gpus_are_counted_by_their_own_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA RTX A2000'\necho 'NVIDIA T4'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert probe.gpus() == ("NVIDIA RTX A2000", "NVIDIA T4")


def test_a_broken_gpu_tool_is_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed'\nexit 9\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert probe.gpus() == ()


def test_the_size_of_a_container_is_its_limits(tmp_path: Path) -> None:
    put(tmp_path, {"sys/fs/cgroup/cpu.max": "50000 100000\n", "sys/fs/cgroup/memory.max": "1048576\n"})
    assert probe.cpu_count(tmp_path) == 0.5
    assert probe.memory_bytes(tmp_path) == 1048576


def test_a_container_without_limits_is_as_large_as_its_machine(tmp_path: Path) -> None:
    put(tmp_path, {"sys/fs/cgroup/cpu.max": "max 100000\n", "sys/fs/cgroup/memory.max": "max\n"})
    assert probe.cpu_count(tmp_path) == probe.cpu_count(tmp_path / "empty")
    assert probe.memory_bytes(tmp_path) > 1048576


def test_the_distribution_names_the_system(tmp_path: Path) -> None:
    put(tmp_path, {"etc/os-release": 'NAME="Raspbian"\nPRETTY_NAME="Raspbian GNU/Linux 12 (bookworm)"\n'})
    assert probe.system_name(tmp_path) == "Raspbian GNU/Linux 12 (bookworm)"


@pytest.mark.parametrize(
    ("status", "is_on_battery"), [("Discharging", True), ("Charging", False), ("Full", False)]
)
def test_a_laptop_runs_on_battery_while_it_discharges(
    tmp_path: Path, status: str, is_on_battery: bool
) -> None:
    supply = "sys/class/power_supply/BAT0"
    put(tmp_path, {f"{supply}/type": "Battery\n", f"{supply}/status": status, f"{supply}/capacity": "80\n"})
    assert probe.conditions(tmp_path).on_battery is is_on_battery
    assert Battery.from_sys(tmp_path) == Battery(80, is_on_battery)
    assert probe.facts("/", tmp_path)["battery_percent"] == "80"


def test_the_battery_of_a_mouse_does_not_count(tmp_path: Path) -> None:
    supply = "sys/class/power_supply/hidpp_battery_0"
    put(
        tmp_path,
        {f"{supply}/type": "Battery", f"{supply}/scope": "Device", f"{supply}/status": "Discharging"},
    )
    assert Battery.from_sys(tmp_path) is None


@pytest.mark.parametrize(
    ("text", "battery"),
    [
        (
            "Now drawing from 'Battery Power'\n -InternalBattery-0 (id=1)\t80%; discharging; 3:10 remaining",
            Battery(80, True),
        ),
        ("Now drawing from 'AC Power'\n -InternalBattery-0 (id=1)\t100%; charged; 0:00", Battery(100, False)),
        ("Now drawing from 'AC Power'\n", None),
        ("", None),
    ],
)
def test_a_mac_tells_its_battery_through_pmset(text: str, battery: Battery | None) -> None:
    assert Battery.from_pmset(text) == battery


def test_a_mac_tells_its_free_memory_through_vm_stat() -> None:
    text = "Mach Virtual Memory: (page size of 16384 bytes)\nPages free:   100.\nPages inactive:  50.\n"
    assert probe.free_by_vm_stat(text) == 150 * 16384
    assert probe.free_by_vm_stat("") == 0


def test_the_hottest_cpu_sensor_counts(tmp_path: Path) -> None:
    zones = "sys/class/thermal"
    put(tmp_path, {f"{zones}/thermal_zone0/type": "cpu-thermal", f"{zones}/thermal_zone0/temp": "61500\n"})
    put(tmp_path, {f"{zones}/thermal_zone1/type": "soc-thermal", f"{zones}/thermal_zone1/temp": "58000\n"})
    put(tmp_path, {f"{zones}/thermal_zone2/type": "battery", f"{zones}/thermal_zone2/temp": "99000\n"})
    assert probe.temperature(tmp_path) == 61.5
    assert probe.facts("/", tmp_path)["temperature_c"] == "62"


def test_a_chip_tells_the_temperature_where_there_are_no_zones(tmp_path: Path) -> None:
    chips = "sys/class/hwmon"
    put(tmp_path, {f"{chips}/hwmon0/name": "nvme", f"{chips}/hwmon0/temp1_input": "70000"})
    put(tmp_path, {f"{chips}/hwmon1/name": "k10temp", f"{chips}/hwmon1/temp1_input": "45250"})
    assert probe.temperature(tmp_path) == 45.25


def test_a_machine_without_files_has_fewer_facts_and_no_error(tmp_path: Path) -> None:
    now = probe.conditions(tmp_path)
    assert now == Conditions(on_battery=False, load=now.load, temperature=None)
    assert "temperature_c" not in probe.facts("/no/such/directory", tmp_path)


def test_free_memory_is_what_the_kernel_says(tmp_path: Path) -> None:
    put(tmp_path, {"proc/meminfo": "MemTotal:  100 kB\nMemAvailable:      42 kB\n"})
    assert probe.memory_free_bytes(tmp_path) == 42 * 1024


def test_the_offer_is_the_machine_unless_its_owner_says_otherwise() -> None:
    here = probe.machine()
    plain = offered()
    assert plain.labels == here.labels()
    assert plain.host == here.host
    assert plain.memory_bytes == here.memory_bytes
    assert plain.queues is None
    config = configured(
        labels=("attic",), slots=3, queues=("ci",), max_memory_bytes=5, counters={"b": 1, "a": 2}, gpus=2
    )
    told = offered(config, labels=("heavy",))
    assert {"attic", "heavy"} <= told.labels
    assert (told.cpus_milli, told.memory_bytes, told.gpus) == (3000, 5, 2)
    assert told.counters == (("a", 2), ("b", 1))
    assert told.queues == {"ci"}


def test_what_is_typed_wins_over_what_is_configured() -> None:
    told = offered(configured(slots=3, queues=("ci",)), slots=1, queues=("gpu",))
    assert (told.cpus_milli, told.queues) == (1000, {"gpu"})


def test_the_offer_survives_json() -> None:
    told = json.loads(json.dumps(probe.shown(offered(configured(counters={"a": 1})))))
    assert told["types"] == ["shell"]
    assert told["counters"] == {"a": 1}
    assert told["queues"] is None


def test_a_tool_is_looked_for_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(probe, "_tools", {})
    monkeypatch.setattr(shutil, "which", asked.append)
    assert not probe.find_tool("ffmpeg")
    assert not probe.find_tool("ffmpeg")
    assert asked == ["ffmpeg"]


def test_a_program_that_hangs_or_is_missing_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "ASK_TIMEOUT_S", 0.1)
    assert reading.ask("sleep", "100") == ""
    assert reading.ask("no-such-program") == ""
    assert reading.ask("echo", "yes") == "yes"

"""How busy a machine is, from the files of machines we do not have."""

from __future__ import annotations

from pathlib import Path

import pytest

from relayq.worker import pulse
from relayq.worker.pulse import Counters, Pulse

NET = """Inter-|   Receive  |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes packets
    lo: 9000 9 0 0 0 0 0 0 9000 9 0 0 0 0 0 0
  eth0: 1000 5 0 0 0 0 0 0 200 3 0 0 0 0 0 0
 veth1: 7000 5 0 0 0 0 0 0 700 3 0 0 0 0 0 0
"""


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_busy_is_what_is_neither_idle_nor_waiting_for_a_disk() -> None:
    assert pulse.cpu_ticks("cpu  10 1 5 80 4 0 2 3 0 0\ncpu0 1 1 1 1") == (21, 105)
    assert pulse.cpu_ticks("") == (0, 0)


def test_rates_are_what_happened_between_two_looks() -> None:
    before, now = Counters(10, 100, 1_000, 50, 1.0), Counters(40, 200, 3_000, 50, 3.0)
    assert pulse.rates(before, now) == {"cpu_percent": "30", "received_bps": "1000", "sent_bps": "0"}


def test_a_card_that_was_unplugged_has_sent_nothing() -> None:
    before, now = Counters(0, 0, 9_000, 9_000, 1.0), Counters(0, 0, 0, 0, 2.0)
    assert pulse.rates(before, now) == {"cpu_percent": "0", "received_bps": "0", "sent_bps": "0"}


def test_the_first_look_tells_nothing_and_one_at_once_after_it_neither(tmp_path: Path) -> None:
    put(tmp_path / "proc/stat", "cpu  10 1 5 80 4 0 2 3 0 0\n")
    looks = Pulse(tmp_path)
    assert "cpu_percent" not in looks.facts()
    assert "cpu_percent" not in looks.facts()


def test_only_network_cards_are_counted(tmp_path: Path) -> None:
    put(tmp_path / "proc/net/dev", NET)
    (tmp_path / "sys/class/net/eth0/device").mkdir(parents=True)
    assert pulse.network_bytes(tmp_path) == (1000, 200)


def test_without_a_card_everything_but_the_loopback_is_counted(tmp_path: Path) -> None:
    put(tmp_path / "proc/net/dev", NET)
    assert pulse.network_bytes(tmp_path) == (8000, 900)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("0", "no"),
        ("0x0", "no"),
        ("50005", "under-voltage"),
        ("0xe0008", "too hot"),
        ("50000", "was under-voltage"),
        ("4", "throttled"),
        ("", ""),
        ("not a number", ""),
    ],
)
def test_a_raspberry_pi_says_why_it_is_slow(tmp_path: Path, word: str, said: str) -> None:
    put(tmp_path / pulse.FIRMWARE, word)
    assert pulse.throttled(tmp_path) == said


def test_a_mac_says_how_fast_it_may_run() -> None:
    assert pulse.throttled_mac("CPU_Speed_Limit \t= 60\n") == "too hot"
    assert pulse.throttled_mac("CPU_Speed_Limit = 100\n") == "no"
    assert pulse.throttled_mac("No thermal warning level has been recorded\n") == "no"
    assert pulse.throttled_mac("") == ""


def test_the_share_of_a_mac_is_the_sum_of_its_processes() -> None:
    assert pulse.percent_of_all("") == ""
    assert pulse.percent_of_all(" 0,0\n 0.0\n") == "0"
    assert pulse.percent_of_all("9999.0\n") == "100"

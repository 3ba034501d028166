"""What stands in contrib for other ways to install a hub does what it says."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.arch.tree import ROOT

CLOUD_INIT = ROOT / "contrib" / "oracle" / "cloud-init.yaml"

# A chain that is kept in a file: what iptables is asked to do with it, as far as the script asks.
IPTABLES = """#!/bin/sh
chain="$(dirname "$0")/chain"
case $1 in
    -C) grep -q -- "--dport 7379 -j ACCEPT" "$chain" ;;
    -L) echo "Chain INPUT (policy ACCEPT)"; echo "num  target"; awk '{ print NR, $0 }' "$chain" ;;
    -I) sed -i "$3i ACCEPT --dport $7 -j ACCEPT" "$chain" ;;
    -A) echo "ACCEPT --dport $6 -j ACCEPT" >> "$chain" ;;
esac
"""


def script() -> str:
    """The script that cloud-init writes, as a shell sees it."""
    lines = CLOUD_INIT.read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if line.strip() == "content: |") + 1
    last = next(
        number for number, line in enumerate(lines[first:], first) if line and not line.startswith(" ")
    )
    return "\n".join(line[6:] for line in lines[first:last])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["ACCEPT lo", "ACCEPT ssh", "REJECT all"], ["ACCEPT lo", "ACCEPT ssh", "ours", "REJECT all"]),
        (["ACCEPT lo", "DROP all"], ["ACCEPT lo", "ours", "DROP all"]),
        (["ACCEPT lo"], ["ACCEPT lo", "ours"]),
    ],
)
def test_the_port_is_opened_before_the_rule_that_rejects_everything(
    tmp_path: Path, before: list[str], after: list[str]
) -> None:
    chain = tmp_path / "chain"
    chain.write_text("\n".join(before) + "\n")
    program = tmp_path / "iptables"
    program.write_text(IPTABLES)
    program.chmod(0o755)
    start, _, _ = script().partition("open_port ip6tables")
    for _ in range(2):  # a second time changes nothing
        subprocess.run(
            ["/bin/sh", "-c", start],
            check=True,
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "HUB_ADDRESS": ""},
        )
        rules = ["ours" if "7379" in line else line for line in chain.read_text().splitlines()]
        assert rules == after


def test_the_script_is_one() -> None:
    assert subprocess.run(["/bin/sh", "-n", "-c", script()], check=False).returncode == 0
    assert "relayq hub install --port" in script()

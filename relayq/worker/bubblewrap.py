"""Whether bubblewrap works on this machine: tried with the real profiles, not looked for.

Distributions and containers differ in what they let it do: user namespaces may be
switched off, confined by AppArmor or forbidden by a container's seccomp filter, and /proc may
not be mountable. What counts is that a sandbox stands, hides what it should and is a PID
namespace of its own. A trial costs some 10 ms and its answer is remembered.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

from relayq.worker.account import Account, hand_over, said
from relayq.worker.sandbox import OWNER, STRICT, Hidden, Sandbox

TRIALS = ((OWNER, True), (STRICT, True), (STRICT, False))  # profile, network
# Its own directory is there, the secret is not, and there are only its own processes.
LOOK = '[ ! -e "$1" ] && set -- /proc/[0-9]* && [ $# -lt 9 ] && echo yes > worked'


@cache
def try_bubblewrap(account: Account | None = None) -> tuple[str, str]:
    """The path of a `bwrap` that does here what both profiles promise, or "" and why there is none."""
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        return "", "it is not installed"
    try:
        why = _tried(bwrap, account)
    except OSError as error:  # no room for a trial
        why = f"it cannot be tried: {error}"
    return ("", why) if why else (os.path.realpath(bwrap), "")


def _tried(bwrap: str, account: Account | None) -> str:
    """What goes wrong in the first profile that does not do what it promises, or nothing."""
    with tempfile.TemporaryDirectory(prefix="relayq-try-") as directory:
        root = os.path.realpath(directory)
        Path(root).chmod(0o711)
        Path(root, "secret").touch()
        for profile, network in TRIALS:
            box = Sandbox(
                profile=profile,
                place=f"{root}/{profile}{network:d}",
                hidden=Hidden((root,), ()),
                network=network,
                is_root=os.geteuid() == 0 and not account,
            )
            if why := _trouble(bwrap, box, account):
                return why
    return ""


def _trouble(bwrap: str, box: Sandbox, account: Account | None) -> str:
    """What goes wrong in a sandbox, or nothing."""
    box.prepare()
    if account:
        hand_over(box.place, account)
    secret = f"{os.path.dirname(box.place)}/secret"
    argv = box.argv(bwrap, ["/bin/sh", "-c", LOOK, "sh", secret], "", {})
    complaint = said(argv, cwd="/", env={"PATH": os.defpath}, **(account.popen if account else {}))
    if Path(box.work, "worked").exists():
        return ""
    return complaint or "its sandbox does not hide what it should"

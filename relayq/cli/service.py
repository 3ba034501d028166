"""`relayq service`: have this machine start the worker (or the local hub) by itself."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from relayq.cli.exit_codes import OK
from relayq.cli.output import say
from relayq.errors import UsageError

if TYPE_CHECKING:
    from relayq.services.manager import Wish


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("action", choices=("install", "status", "logs", "uninstall"), help="what to do")
    parser.add_argument(
        "what", nargs="?", choices=("worker", "hub"), default="worker", help="which service (default: worker)"
    )
    scope = parser.add_mutually_exclusive_group()
    scope.add_argument("--user", action="store_true", help="the user's own service (default)")
    scope.add_argument("--system", action="store_true", help="the system's, started before anybody logs in")
    parser.add_argument(
        "--dry-run", action="store_true", help="install, uninstall: show every file and command"
    )


def run(args: argparse.Namespace) -> int:
    """Do it, or show what would be done."""
    from relayq.services import manager
    from relayq.services.plan import carry_out, shown

    wish = manager.Wish(what=args.what, is_system=args.system)
    if args.action in ("status", "logs"):
        if args.dry_run:
            raise UsageError(f"`relayq service {args.action}` changes nothing: leave out --dry-run")
        if args.action == "status":
            _require_manager(wish)
        command = manager.status_command(wish) if args.action == "status" else manager.logs_command(wish)
        return _hand_over(command)
    is_install = args.action == "install"
    steps = manager.install_plan(wish, os.environ) if is_install else manager.uninstall_plan(wish)
    if args.dry_run:
        for line in shown(steps):
            print(line)
        return OK
    _require_manager(wish)
    if wish.is_system and os.geteuid() != 0:
        raise UsageError("a system service needs root: type it with sudo")
    carry_out(steps, say)
    word = "is installed and started" if is_install else "is uninstalled; running jobs are left alone"
    say(f"service {wish.name} {word}; see `relayq service status`")
    return OK


def _hand_over(command: list[str]) -> int:
    """Let the service manager speak for itself; its exit code is ours."""
    if not shutil.which(command[0]):
        raise UsageError(f"this machine has no {command[0]}: no service manager that RelayQ knows runs here")
    return subprocess.run(command, check=False).returncode


def _require_manager(wish: Wish) -> None:
    from relayq.services.manager import unreachable

    if not any(map(shutil.which, ("systemctl", "launchctl"))):
        raise UsageError("this machine runs neither systemd nor launchd: see what to do with --dry-run")
    if why := unreachable(wish, os.environ):
        raise UsageError(why)

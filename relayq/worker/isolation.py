"""How a job is kept from the rest of this machine, decided before it starts.

    none     the keeper ends its whole process tree, as far as it can be found: best effort
    user     it runs as another user of the machine, `worker.user`; the worker must be root for that
    owner    bubblewrap, the file system as it is with RelayQ's own directories hidden
    strict   bubblewrap, the system read-only and nothing else but what the policy names

`worker.isolation` says which one is in force: `none`, `user`, `bwrap` (`owner` for the owner's
jobs, `strict` for all others) or `auto`, where the owner's jobs have `none` and all others
`strict`. That is the default because one's own jobs are trusted with one's own files, and a
sandbox costs each of them more than the queue itself does (3 to 5 ms on an idle x86-64, 2026-11).
Where `worker.user` is set, jobs run as that user at every level.

Where bubblewrap does not work, what the configuration asks for falls back to less and says
so; what a policy demands is refused.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from relayq.model.job import JobSpec
from relayq.model.reading import shown
from relayq.model.signer import MEMBER, THE_OWNER, Signer
from relayq.worker.account import Account, hand_over, try_account
from relayq.worker.bubblewrap import try_bubblewrap
from relayq.worker.patterns import inside
from relayq.worker.policy import LEVELS, NONE, USER, Policy, Rules, merge, refused_by
from relayq.worker.sandbox import OWNER, STRICT, Hidden, Sandbox
from relayq.worker.spawn import NOT_FOUND, NOT_RUNNABLE

if TYPE_CHECKING:
    from relayq.config import Config

BOXED = (OWNER, STRICT)
CWD = "cwd"  # the file with the real path of a strict job's directory
AS_SINCE = 2  # the keeper's version that can start a command as another user


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The conditions of one job: what the policy asks for and what this machine can do.

    `timeout_ms` and `keep_output_bytes` are limits beside those of the spec, 0 is none.
    """

    level: str = NONE
    network: bool = True
    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    timeout_ms: int = 0
    keep_output_bytes: int = 0


FREE = Terms()


class Obstacle(NamedTuple):
    """Why a command cannot start, and the exit code that a shell would give it."""

    exit_code: int
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """What the configuration asks for (`asked`), and what this machine can do.

    `bwrap` is the path of a bubblewrap that works here, `account` the other user; where one is
    missing, `why_no_bwrap` and `why_no_user` say why.
    """

    asked: str = NONE
    bwrap: str = ""
    why_no_bwrap: str = ""
    account: Account | None = None
    why_no_user: str = ""
    hidden: Hidden = field(default=Hidden((), ()))

    @classmethod
    def find(cls, config: Config, place: Path | None = None, *, is_boxing: bool = True) -> Isolation:
        """Try what this machine can do; `place` is where the attempts' directories are made.

        Where nothing asks for a sandbox (`is_boxing`), none is tried.
        """
        name = config.worker.user
        account, why_no_user = (
            try_account(name, str(place or "")) if name else (None, "worker.user is not set")
        )
        bwrap, why_no_bwrap = try_bubblewrap(account) if is_boxing else ("", "nothing asks for it")
        return cls(
            asked=config.worker.isolation,
            bwrap=bwrap,
            why_no_bwrap=why_no_bwrap,
            account=account,
            why_no_user=why_no_user,
            hidden=hidden_of(config),
        )

    def level_for(self, signer: Signer) -> str:
        """What the configuration gives a signer here, when no policy asks for more."""
        wanted = self._wanted(signer)
        if wanted in BOXED and self.bwrap:
            return wanted
        return USER if self.account else NONE

    def settle(self, policy: Policy, spec: JobSpec, signer: Signer) -> Terms:
        """The terms of a job that the policy lets in; Refused when this machine cannot keep them."""
        demands = [rules for _, rules in policy.rules_for(signer)]
        level = self.level_for(signer)
        if not demands and level == NONE:
            return FREE
        merged = merge(demands)
        self._require(merged)
        level = max(level, merged.level or NONE, key=LEVELS.index)
        if merged.network is False and level not in BOXED:
            level = OWNER
        if level == STRICT and spec.cwd:
            _check_seen(spec.cwd, (*(merged.roots or ()), *(merged.writable or ())))
        return Terms(
            level=level,
            network=merged.network is not False,
            readable=(*(merged.roots or ()), *(merged.readable or ())),
            writable=merged.writable or (),
            devices=merged.devices or (),
            timeout_ms=merged.max_runtime_ms or 0,
            keep_output_bytes=merged.max_output_bytes or 0,
        )

    def confine(self, order: dict[str, Any], terms: Terms) -> dict[str, Any]:
        """The keeper's order under these terms, with its directories made and given to whom they belong.

        Only for an attempt that has not begun: what a job has made is not given away by its names.
        """
        box = self._box(order["dir"], terms)
        if self.account:
            account = self.account
            order = order | {
                "as": [account.uid, account.gid, list(account.groups)],
                "env": order["env"] | account.env,
            }
        if box:
            box.prepare()
            cwd = _seen_cwd(order, terms) if terms.level == STRICT else order["cwd"]
            argv = box.argv(self.bwrap, order["argv"], cwd, order["env"])
            order = order | {"argv": argv, "env": box.env(order["env"]), "cwd": "", "boxed": True}
        if self.account:
            hand_over(order["dir"], self.account)
        return order

    def obstacle(self, order: dict[str, Any], terms: Terms, keeper_version: int) -> Obstacle | None:
        """Why the keeper could not start this under these terms, as a shell would say it, or None.

        What runs in a sandbox is started by `bwrap`, whose own exit code tells nothing.
        """
        if self.account and keeper_version < AS_SINCE:
            return Obstacle(
                NOT_RUNNABLE, "the keeper is older than this worker: let its jobs end, then restart it"
            )
        if terms.level not in BOXED:
            return None
        cwd, program = order["cwd"] or f"{order['dir']}/work", order["argv"][0]
        if order["cwd"] and not os.path.isdir(cwd):
            return Obstacle(NOT_RUNNABLE, f"cannot start {program!r}: there is no directory {cwd!r}")
        path = os.path.join(cwd, program) if "/" in program else program
        if shutil.which(path, path=order["env"].get("PATH")):
            return None
        code = NOT_RUNNABLE if os.path.exists(path) else NOT_FOUND
        return Obstacle(
            code, f"cannot start {program!r}: {'not executable' if code == NOT_RUNNABLE else 'not found'}"
        )

    def shown(self) -> str:
        """The level in force, for people: `none`, or `none; strict for others`, and why it is not more."""
        own, others = self.level_for(THE_OWNER), self.level_for(Signer(MEMBER))
        words = own if own == others else f"{own}; {others} for others"
        why = self.shortfall()
        return f"{words} (best effort: {why})" if why else words

    def kill_level(self) -> str:
        """How surely the whole process tree of the owner's jobs is ended here."""
        if self.level_for(THE_OWNER) in BOXED:
            return "PID namespace"
        return "subreaper" if sys.platform == "linux" else "process group"

    def shortfall(self) -> str:
        """Why the level in force is less than what is asked for, or nothing."""
        if self.asked in ("auto", "bwrap") and not self.bwrap:
            return f"bubblewrap does not work here: {self.why_no_bwrap}"
        return self.why_no_user if self.asked == USER and not self.account else ""

    def _wanted(self, signer: Signer) -> str:
        match self.asked:
            case "auto":
                return NONE if signer.is_owner else STRICT
            case "bwrap":
                return OWNER if signer.is_owner else STRICT
        return self.asked

    def _box(self, place: str, terms: Terms) -> Sandbox | None:
        if terms.level not in BOXED:
            return None
        return Sandbox(
            profile=terms.level,
            place=place,
            hidden=self.hidden,
            network=terms.network,
            readable=terms.readable,
            writable=terms.writable,
            devices=terms.devices,
            is_root=os.geteuid() == 0 and not self.account,
        )

    def _require(self, merged: Rules) -> None:
        """Refuse what the policy demands and this machine cannot do."""
        for rule, is_demanded in (("isolation", merged.level in BOXED), ("network", merged.network is False)):
            if is_demanded and not self.bwrap:
                raise refused_by(rule, f"bubblewrap does not work here: {self.why_no_bwrap}")
        if merged.level == USER and not self.account:
            raise refused_by("isolation", f"no other user to run as: {self.why_no_user}")
        if merged.user and (self.account is None or self.account.name != merged.user):
            why = self.why_no_user or "worker.user names another one"
            raise refused_by("user", f"jobs do not run as {merged.user!r} here: {why}")


def hidden_of(config: Config) -> Hidden:
    """RelayQ's own directories, and the owner's key and the policy where they are elsewhere."""
    directories = (config.state_dir, config.data_dir, config.config_dir, config.cache_dir, config.runtime_dir)
    real = {os.path.realpath(path) for path in (*directories, "/etc/relayq")}
    outermost = sorted(one for one in real if not any(inside(one, other) for other in real - {one}))
    files = (config.owner_key_path, config.identity_path, config.policy_path)
    return Hidden(tuple(outermost), tuple(map(os.path.realpath, files)))


def _seen_cwd(order: dict[str, Any], terms: Terms) -> str:
    """Where a strict job works, looked at once more: a link on the way may have been changed since.

    It is written down beside the job's reach, because the worker gathers the outputs there.
    """
    if not order["cwd"]:
        return ""
    real = _check_seen(order["cwd"], (*terms.readable, *terms.writable))
    Path(order["dir"], CWD).write_text(real)
    return real


def _check_seen(cwd: str, seen: tuple[str, ...]) -> str:
    """The real path of a strict job's directory; Refused for one that it does not see."""
    real = os.path.realpath(os.path.join("/", cwd))
    if not any(inside(real, root) for root in seen):
        where = "a strict job works in its own directory or under a root of the policy"
        raise refused_by("isolation", f"{where}, and not in {shown(cwd)}")
    return real

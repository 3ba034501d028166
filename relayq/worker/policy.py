"""What the owner of this machine lets a job do here, beyond whose jobs run at all.

A policy only narrows: the rules at its top hold for every job, those of a section for the
jobs of one kind of signer as well, and a job must pass all that apply. Without a policy
every job of a trusted key may run, and only one rule stands: nobody but the owner may set
a variable that changes what a program loads or runs (`DENIED`).

Everything here is judged before anything starts. A refusal names the rule, so that
the person at the other end knows whom to ask. `policyfile.py` reads the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from os.path import join, realpath

from relayq.errors import Refused
from relayq.model.duration import spell_duration, spell_size
from relayq.model.job import JobSpec
from relayq.model.lifecycle import KEEP_OUTPUT_BYTES
from relayq.model.reading import shown
from relayq.model.signer import MEMBER, Signer
from relayq.worker.patterns import Command, Place, inside, why_none_fits

# Variables that make a program load or run something else than its command says: the dynamic
# loaders of Linux and macOS (ld.so(8), dyld(1)), the shells, and the usual interpreters.
DENIED = (
    *("LD_*", "DYLD_*", "GLIBC_TUNABLES", "GCONV_PATH", "LOCPATH", "NLSPATH", "HOSTALIASES"),
    *("PATH", "HOME", "ENV", "IFS", "PS4", "CDPATH", "GLOBIGNORE", "SHELLOPTS", "PROMPT_COMMAND", "ZDOTDIR"),
    *("BASH_*", "BASHOPTS", "PYTHON*", "GIT_*", "NODE_OPTIONS", "NODE_PATH", "PERL5*", "PERLLIB"),
    *("RUBYOPT", "RUBYLIB", "LUA_*", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS"),
    *("OPENSSL_*", "RELAYQ_*", "AWS_BATCH_*"),
)
TOP = ""
NONE, USER = "none", "user"
LEVELS = (NONE, USER, "owner", "strict")  # of isolation, the weakest first


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """One section of a policy; None is no rule.

    `shell` says whether a line for /bin/sh may run, "owner" the owner's only. Paths are real
    ones. `level` is the least isolation ("user", "owner" or "strict").
    """

    types: tuple[str, ...] | None = None
    queues: tuple[str, ...] | None = None
    shell: bool | str | None = None
    commands: tuple[Command, ...] | None = None
    roots: tuple[str, ...] | None = None
    writable: tuple[str, ...] | None = None
    readable: tuple[str, ...] | None = None
    devices: tuple[str, ...] | None = None
    env: tuple[str, ...] | None = None
    max_runtime_ms: int | None = None
    max_output_bytes: int | None = None
    max_attempts: int | None = None
    level: str | None = None
    network: bool | None = None
    user: str | None = None

    @property
    def places(self) -> tuple[str, ...] | None:
        """Where a job may work; None is everywhere."""
        if self.roots is None and self.writable is None:
            return None
        return (*(self.roots or ()), *(self.writable or ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules by section: TOP for all, then `owner`, `member`, `github`, `keys.NAME`.

    `path` is the file they are from, empty when there is none.
    """

    path: str = ""
    sections: dict[str, Rules] = field(default_factory=dict)

    def rules_for(self, signer: Signer) -> Iterator[tuple[str, Rules]]:
        """The sections that hold for a signer, the most general first."""
        names = [TOP, signer.kind]
        if signer.kind == MEMBER:
            names.append(f"keys.{signer.name}")
        return ((name, self.sections[name]) for name in names if name in self.sections)


def judge(policy: Policy, spec: JobSpec, signer: Signer) -> None:
    """Raise Refused, naming the rule, unless a job of this signer may run here."""
    applying = list(policy.rules_for(signer))
    if not signer.is_owner or any(rules.env is not None for _, rules in applying):
        _require(_denied_variable(spec), "env")
    merged = merge([rules for _, rules in applying])
    for section, rules in applying:
        for name, check in CHECKS.items():
            # The paths of a command lie under the roots, whichever section names these.
            is_borrowing = name == "commands" and rules.places is None
            given = replace(rules, roots=merged.roots, writable=merged.writable) if is_borrowing else rules
            _require(check(given, spec, signer), f"{section}.{name}" if section else name)


def merge(demands: list[Rules]) -> Rules:
    """What several sections leave together: the least of each limit, the paths on which they agree."""
    merged = Rules()
    for rules in demands:
        merged = Rules(
            roots=_meet(merged.roots, rules.roots),
            writable=_meet(merged.writable, rules.writable),
            readable=_meet(merged.readable, rules.readable),
            devices=_meet(merged.devices, rules.devices),
            max_runtime_ms=_least(merged.max_runtime_ms, rules.max_runtime_ms),
            max_output_bytes=_least(merged.max_output_bytes, rules.max_output_bytes),
            level=max(merged.level or NONE, rules.level or NONE, key=LEVELS.index),
            network=False if False in (merged.network, rules.network) else None,
            user=rules.user or merged.user,
        )
    return merged


def place_of(rules: Rules, spec: JobSpec) -> Place:
    """Where the job would work, links followed."""
    return Place(realpath(join("/", spec.cwd)) if spec.cwd else "", rules.places or ())


def is_denied(name: str) -> bool:
    """Is this a variable that nobody but the owner may set?"""
    return any(fnmatchcase(name, pattern) for pattern in DENIED)


def _denied_variable(spec: JobSpec) -> str:
    named = next((name for name, _ in (*spec.env, *spec.secrets) if is_denied(name)), "")
    return named and f"the variable {named} may not be set, because it changes what programs run or load"


def _type(rules: Rules, spec: JobSpec, _: Signer) -> str:
    if rules.types is not None and spec.type not in rules.types:
        return f"jobs of type {shown(spec.type)} do not run here"
    return ""


def _queue(rules: Rules, spec: JobSpec, _: Signer) -> str:
    if rules.queues is None or any(fnmatchcase(spec.queue, queue) for queue in rules.queues):
        return ""
    return f"jobs of queue {shown(spec.queue)} do not run here"


def _shell(rules: Rules, spec: JobSpec, signer: Signer) -> str:
    is_line = spec.type == "shell" and isinstance(spec.command, str)
    allowed = signer.is_owner if rules.shell == "owner" else rules.shell is not False
    if is_line and not allowed:
        return "a line for the shell does not run here: give the program and its arguments one by one"
    return ""


def _command(rules: Rules, spec: JobSpec, signer: Signer) -> str:
    """A list of commands also rules out what it cannot judge: shell lines, and types it does not name."""
    if rules.commands is None:
        return ""
    if spec.type != "shell":
        named = rules.types is not None and spec.type in rules.types
        return "" if named else f"jobs of type {shown(spec.type)} run no command of the list"
    if isinstance(spec.command, str):
        named = rules.shell is True or (rules.shell == "owner" and signer.is_owner)
        return "" if named else "a line for the shell is none of the commands allowed here"
    return why_none_fits(rules.commands, list(spec.command), place_of(rules, spec))


def _cwd(rules: Rules, spec: JobSpec, _: Signer) -> str:
    real = place_of(rules, spec).cwd
    if rules.places is None or not real or any(inside(real, root) for root in rules.places):
        return ""
    where = "" if real == spec.cwd else f" (it is {shown(real)})"
    return f"the directory {shown(spec.cwd)}{where} is under none of the roots"


def _env(rules: Rules, spec: JobSpec, _: Signer) -> str:
    for name, _value in (*spec.env, *spec.secrets):
        if rules.env is not None and not any(fnmatchcase(name, pattern) for pattern in rules.env):
            return f"the variable {name} is not among those a job may set"
    return ""


def _runtime(rules: Rules, spec: JobSpec, _: Signer) -> str:
    most = rules.max_runtime_ms
    if most is not None and spec.timeout_ms > most:
        return f"the job asks for {spell_duration(spec.timeout_ms)}, at most {spell_duration(most)} is given"
    return ""


def _output(rules: Rules, spec: JobSpec, _: Signer) -> str:
    most, asked = rules.max_output_bytes, spec.keep_output_bytes
    if most is not None and most < asked != KEEP_OUTPUT_BYTES:
        return f"the job asks for {spell_size(asked)} of output, at most {spell_size(most)} is kept"
    return ""


def _attempts(rules: Rules, spec: JobSpec, _: Signer) -> str:
    most, asked = rules.max_attempts, spec.retry.attempts
    if most is not None and asked > most:
        return f"the job asks for {asked} attempts, at most {most} are made"
    return ""


CHECKS: dict[str, Callable[[Rules, JobSpec, Signer], str]] = {
    "types": _type,
    "queues": _queue,
    "shell": _shell,
    "roots": _cwd,
    "commands": _command,
    "env": _env,
    "max_runtime": _runtime,
    "max_output": _output,
    "max_attempts": _attempts,
}


def refused_by(rule: str, why: str) -> Refused:
    """The refusal by a rule. Why may hold words of the job, which are not the hub's business."""
    return Refused(f"policy rule {rule}: {why}", told=f"policy rule {rule}")


def _require(trouble: str, rule: str) -> None:
    if trouble:
        raise refused_by(rule, trouble)


def _meet(one: tuple[str, ...] | None, other: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The paths that both lists allow; None sets nothing."""
    if one is None or other is None:
        return one if other is None else other
    below = [path for path in one if any(inside(path, each) for each in other)]
    return tuple(dict.fromkeys(below + [path for path in other if any(inside(path, each) for each in one)]))


def _least(one: int | None, other: int | None) -> int | None:
    return min((each for each in (one, other) if each is not None), default=None)

"""Take the checks of policy and isolation away, one at a time, and see that the suite notices.

`python -m tests.security.policy_mutants [--sample N] [--seed S] [NAME...]` puts each mutant into
a fresh interpreter (tests/security/policy_mutated.py changes the module as it is imported), runs the
test file that should kill it, and prints which survive; it exits with 1 if any does.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from tests.mutation import ROOT, passes, try_out

PLUGIN = "tests.security.policy_mutated"
VARIABLE = "RELAYQ_TEST_POLICY_MUTANT"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One check that is gone: `before` stands once in the module, `after` takes its place."""

    name: str
    module: str
    before: str
    after: str
    suite: str = "security/test_policy.py"

    @property
    def path(self) -> Path:
        """The module's file."""
        return ROOT / "relayq" / "worker" / f"{self.module}.py"

    def apply(self, text: str) -> str:
        """The module without the check."""
        assert text.count(self.before) == 1, f"{self.name}: {text.count(self.before)} places in {self.path}"
        return text.replace(self.before, self.after)


def rule(name: str, function: str) -> Mutant:
    """A rule that is not looked at."""
    return Mutant(f"no rule {name}", "policy", f'    "{name}": {function},\n', "")


BOX, WORKER = "security/test_sandbox.py", "security/test_isolated_worker.py"
ESCAPE, SIGNERS = "security/test_escape.py", "security/test_policy_signers.py"
MUTANTS = (
    rule("types", "_type"),
    rule("queues", "_queue"),
    rule("shell", "_shell"),
    rule("roots", "_cwd"),
    rule("commands", "_command"),
    rule("env", "_env"),
    rule("max_runtime", "_runtime"),
    rule("max_output", "_output"),
    rule("max_attempts", "_attempts"),
    Mutant("denied variables pass", "policy", '_require(_denied_variable(spec), "env")', "pass"),
    Mutant(
        "secrets are no variables", "policy", "in (*spec.env, *spec.secrets) if is", "in (*spec.env,) if is"
    ),
    Mutant(
        "secrets are not listed", "policy", "_value in (*spec.env, *spec.secrets):", "_value in spec.env:"
    ),
    Mutant(
        "the owner's rule is everybody's",
        "policy",
        'signer.is_owner if rules.shell == "owner"',
        'True if rules.shell == "owner"',
    ),
    Mutant(
        "a shell line passes a list",
        "policy",
        'return "" if named else "a line',
        'return "" if True else "a line',
    ),
    Mutant(
        "another type passes a list",
        "policy",
        'return "" if named else f"jobs',
        'return "" if True else f"jobs',
    ),
    Mutant("links in cwd not followed", "policy", "Place(realpath(join(", "Place(str(join("),
    Mutant("top rules forgotten", "policy", "names = [TOP, signer.kind]", "names = [signer.kind]"),
    Mutant("named key forgotten", "policy", 'names.append(f"keys.{signer.name}")', "pass"),
    Mutant(
        "any section widens",
        "policy",
        "if any(inside(path, each) for each in other)]\n    return",
        "]\n    return",
    ),
    Mutant(
        "network of one section forgotten",
        "policy",
        "False if False in (merged.network, rules.network) else None",
        "None",
    ),
    Mutant(
        "option as path", "patterns", 'if word.startswith("-"):\n        return', "if False:\n        return"
    ),
    Mutant("traversal", "patterns", 'if ".." in word.split("/"):', "if False:"),
    Mutant("protocol as path", "patterns", 'or ":" in word.partition("/")[0]', ""),
    Mutant(
        "links in paths not followed",
        "patterns",
        "real = os.path.realpath(os.path.join(place.cwd, word))",
        "real = os.path.join(place.cwd, word)",
    ),
    Mutant(
        "own files pass for the policy's",
        "patterns",
        'if not word.startswith("/") and not place.cwd:',
        "if False:",
    ),
    Mutant("work path anywhere", "patterns", 'if place.cwd or word.startswith("/"):', "if False:"),
    Mutant("one word too many", "patterns", 'number, f"{shown(given)} is one word too many"', '0, ""'),
    Mutant(
        "one word too few", "patterns", 'number, f"it ends before {shown(self.words[number].text)}"', '0, ""'
    ),
    Mutant(
        "expression fits a part", "patterns", "re.fullmatch(self.text, word)", "re.match(self.text, word)"
    ),
    Mutant("glob matches options", "patterns", "return not is_option and", "return"),
    Mutant("glob matches slashes", "patterns", 'parts.append("[^/]*")', 'parts.append(".*")'),
    Mutant("beside is inside", "patterns", 'directory.rstrip("/") + "/"', "directory"),
    Mutant("demand not kept", "isolation", "if is_demanded and not self.bwrap:", "if False:", WORKER),
    Mutant("policy's user forgotten", "isolation", "if merged.user and (", "if False and (", WORKER),
    Mutant(
        "policy lowers the level",
        "isolation",
        "level = max(level, merged.level or NONE, key=LEVELS.index)",
        "level = merged.level or level",
        WORKER,
    ),
    Mutant(
        "strict works anywhere",
        "isolation",
        "if not any(inside(real, root) for root in seen):",
        "if False:",
        WORKER,
    ),
    Mutant(
        "worker's files not hidden",
        "sandbox",
        'yield from ("--tmpfs", path)',
        'yield from ("--dir", path)',
        BOX,
    ),
    Mutant("key elsewhere not hidden", "sandbox", 'yield from ("--ro-bind", "/dev/null", path)', "pass", BOX),
    Mutant("loader obeyed by the sandbox", "sandbox", "if not _is_obeyed(name)}", "}", BOX),
    Mutant("network stays", "sandbox", '["--unshare-net"]', "[]", BOX),
    Mutant("processes visible", "sandbox", '[bwrap, "--unshare-pid",', "[bwrap,", BOX),
    Mutant("root keeps its powers", "sandbox", 'yield from ("--cap-drop", name)', "yield from ()", BOX),
    Mutant(
        "attempt's directory writable",
        "sandbox",
        'for path in (self.work, f"{self.place}/progress"):',
        "for path in (self.place,):",
        BOX,
    ),
    Mutant("home is not private", "sandbox", 'passed["HOME"] = HOME', "pass", BOX),
    Mutant(
        "judge not asked",
        "admission",
        "self._judge.terms(opened.spec, self._signer(opened))",
        "FREE",
        SIGNERS,
    ),
    Mutant(
        "everybody is the owner",
        "admission",
        "THE_OWNER if member is None else Signer(MEMBER, member.name)",
        "THE_OWNER",
        SIGNERS,
    ),
    Mutant(
        "the hub hears why", "admission", "_refusal(claim, error.told)", "_refusal(claim, error.why)", SIGNERS
    ),
    Mutant("TERM ends the sandbox", "care", "({kept.pid} if kept.boxed else set())", "set()", ESCAPE),
    Mutant(
        "leftovers have their time",
        "care",
        "if kept.boxed or not kept.kill_at:",
        "if not kept.kill_at:",
        ESCAPE,
    ),
)


def survives(mutant: Mutant) -> bool:
    """Whether the suite that should notice does not."""
    return passes(mutant.name, plugin=PLUGIN, variable=VARIABLE, suite=[f"tests/{mutant.suite}"])


if __name__ == "__main__":
    sys.exit(try_out(MUTANTS, survives, "policy and isolation"))

"""Take the checks of the trust core away, one at a time, and see that the suite notices.

`python -m tests.security.mutants [--sample N] [--seed S] [NAME...]` copies the tree to a
temporary directory, breaks one line there, runs the tests that should notice, and prints
which mutants survive; it exits with 1 if any does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.mutation import ROOT, try_out

UNIT = "tests/unit/test_trust_"
LIES = "tests/security/test_hub_lies.py"
LATE = "tests/security/test_late_orders.py"
OIDC = "tests/security/test_oidc.py"
RUNS = "tests/security/test_runs.py"
FULL_LOGS = "tests/integration/test_full_logs.py"
FILES = "tests/security/test_sealed_files.py"
GATHERING = "tests/unit/test_gathering.py"
STEERING = "tests/security/test_steering.py"
JOBS = "tests/integration/test_worker_trust.py"
PLAIN, STEP = UNIT + "plain.py", "tests/unit/test_step.py"
ROSTER, SEALING, ENVELOPE = UNIT + "roster.py", UNIT + "sealing.py", UNIT + "envelope.py"


class Mutant(NamedTuple):
    """One check less: `before` stands once in the file, `after` takes its place; `suite` should notice."""

    name: str
    file: str
    before: str
    after: str
    suite: str


MUTANTS = (
    # keys and envelopes
    Mutant(
        "any signature",
        "trust/keys.py",
        "if not provider().is_signature(self.raw, signature, message):",
        "if False:",
        ENVELOPE,
    ),
    Mutant(
        "any position in a batch",
        "trust/envelope.py",
        "if batch.digests[",
        "if False and batch.digests[",
        ENVELOPE,
    ),
    Mutant(
        "any batch record",
        "trust/envelope.py",
        "if name_of(record) != member.digest:",
        "if False:",
        ENVELOPE,
    ),
    Mutant(
        "unknown key",
        "trust/keys.py",
        "key = self._keys.get(kid)",
        "key = self._keys.get(kid) or next(iter(self._keys.values()))",
        ENVELOPE,
    ),
    # the same in plain Python, and the step that has nothing else
    Mutant(
        "any signature, plainly",
        "trust/plain.py",
        "return _packed(found) == signature[:KEY_BYTES]",
        "return True",
        PLAIN,
    ),
    Mutant(
        "a large answer, plainly",
        "trust/plain.py",
        " or answer >= _ORDER:",
        ":",
        PLAIN,
    ),
    Mutant(
        "any tag, plainly",
        "trust/plain.py",
        "or not hmac.compare_digest(",
        "or False and not hmac.compare_digest(",
        PLAIN,
    ),
    Mutant(
        "any point, plainly",
        "trust/plain.py",
        "if not any(secret):",
        "if False:",
        PLAIN,
    ),
    Mutant(
        "output that orders the runner about",
        "step/runner.py",
        'self._out.write(f"::stop-commands::{self._token}\\n")',
        "pass",
        STEP,
    ),
    Mutant(
        "a sentence that orders the runner about",
        "step/runner.py",
        'line.lstrip().startswith("::")',
        "False",
        STEP,
    ),
    Mutant(
        "line ends in an annotation",
        "step/runner.py",
        'text.replace("%", "%25")',
        "text",
        STEP,
    ),
    # the roster
    Mutant(
        "anybody's roster",
        "trust/roster.py",
        "    owner.verify(signature, _STATEMENT + payload)\n",
        "",
        ROSTER,
    ),
    Mutant(
        "older roster",
        "trust/roster.py",
        "if roster.version < at_least_version:",
        "if False:",
        ROSTER,
    ),
    Mutant(
        "other fleet's roster", "trust/roster.py", "if fleet and roster.fleet != fleet:", "if False:", ROSTER
    ),
    Mutant(
        "head unchecked",
        "trust/roster.py",
        "if roster.version != int(header[1]) or",
        "if",
        ROSTER,
    ),
    Mutant(
        "revoked still a member",
        "trust/roster.py",
        "if one.role == role and one.kid not in self.revoked",
        "if one.role == role",
        ROSTER,
    ),
    Mutant(
        "revoked key comes back",
        "trust/roster.py",
        "if member.kid in roster.revoked or",
        "if",
        ROSTER,
    ),
    Mutant(
        "no new epoch",
        "trust/roster.py",
        "revoked=(*roster.revoked, *gone))\n    return _resealed(edited, owner, begin=True)",
        "revoked=(*roster.revoked, *gone))\n    return _resealed(edited, owner, begin=False)",
        ROSTER,
    ),
    Mutant(
        "epoch for everybody",
        "trust/roster.py",
        'for one in roster.of_role("worker"))]',
        "for one in roster.members)]",
        ROSTER,
    ),
    Mutant(
        "no high-water mark",
        "trust/book.py",
        "version_of(here), self.fleet)",
        "0, self.fleet)",
        ROSTER,
    ),
    # seals
    Mutant(
        "seal not bound to its place",
        "trust/sealing.py",
        "cipher.decrypt(_nonce(number), rest, what)",
        'cipher.decrypt(_nonce(number), rest, b"")',
        SEALING,
    ),
    Mutant(
        "head unsigned", "trust/sealing.py", "            _verify_head(head)\n", "            pass\n", SEALING
    ),
    Mutant(
        "number never counts",
        "trust/sealing.py",
        "number = next(self._numbers)",
        "number = (next(self._numbers) * 0)",
        SEALING,
    ),
    Mutant(
        "number shared with a child", "trust/sealing.py", "if self._pid != os.getpid():", "if False:", SEALING
    ),
    # what a worker runs
    Mutant(
        "any fleet",
        "worker/admission.py",
        "opened.fleet == self._fleet,",
        "True,",
        JOBS,
    ),
    Mutant(
        "any lane",
        "worker/admission.py",
        "opened.lane.id == claim.lane,",
        "True,",
        JOBS,
    ),
    Mutant(
        "any id",
        "worker/admission.py",
        "base == opened.id,",
        "True,",
        JOBS,
    ),
    Mutant(
        "replay",
        "worker/admission.py",
        "if past and (report := self._replayed(claim, past)):",
        "if False and (report := None):",
        JOBS,
    ),
    Mutant(
        "sealed part of another signer",
        "worker/admission.py",
        "_require(opened.kid == kid,",
        "_require(True,",
        LIES,
    ),
    Mutant(
        "any queue", "worker/admission.py", "not member.queues or spec.queue in member.queues,", "True,", LIES
    ),
    Mutant(
        "any time",
        "worker/admission.py",
        "_require(member.is_current(now_s),",
        "_require(True,",
        LIES,
    ),
    Mutant(
        "openings outlive the roster",
        "worker/credentials.py",
        "self.ring = Keyring({*roster.submitters(), *self._trusted})",
        "self.ring = Keyring({*self.ring, *roster.submitters(), *self._trusted})",
        LIES,
    ),
    Mutant(
        "a run is the owner",
        "worker/admission.py",
        "if opened.repository:",
        "if False:",
        RUNS,
    ),
    # orders
    Mutant(
        "anybody cancels", "worker/orders.py", "and op.id in mine and is_theirs:", "and op.id in mine:", LIES
    ),
    Mutant(
        "unsigned cancel",
        "worker/orders.py",
        '        self._refuse(f"cancel {job}"',
        '        return True\n        self._refuse(f"cancel {job}"',
        LIES,
    ),
    Mutant("order of an earlier run", "worker/orders.py", "if is_of_this_run and", "if", LATE),
    Mutant(
        "deaf for ever",
        "worker/again.py",
        "min(op.iat, self._spool.high_water_s(int(time.time())))",
        "op.iat",
        LATE,
    ),
    Mutant("anybody's retry", "worker/again.py", "if self._credentials.may_command(kid):", "if True:", LATE),
    Mutant(
        "unsigned command",
        "worker/orders.py",
        '        self._refuse(f"command {word}"',
        '        return True\n        self._refuse(f"command {word}"',
        LIES,
    ),
    Mutant(
        "order for another session",
        "worker/orders.py",
        " and op.id == self._session.id",
        "",
        LIES,
    ),
    # what waits: through an inbox, and in the eyes of whoever looks
    Mutant("anybody's inbox", "worker/wishes.py", "member.name == handful.name,", "True,", STEERING),
    Mutant("orders of an old key", "worker/wishes.py", "member.is_current(now_s),", "True,", STEERING),
    Mutant("another fleet's order", "worker/wishes.py", "op.fleet == self._fleet,", "True,", STEERING),
    Mutant("anybody's job", "worker/wishes.py", "op.id.startswith(handful.mark),", "True,", STEERING),
    Mutant("any order", "worker/wishes.py", "op.op in (HOLD, RELEASE),", "True,", STEERING),
    Mutant("any priority", "worker/wishes.py", "abs(priority) <= MAX_PRIORITY,", "True,", STEERING),
    Mutant(
        "a sender lifts the owner's hold",
        "store/lua/control.lua",
        "if not j[2] or by_sender and j[2] ~= 's' then",
        "if not j[2] then",
        STEERING,
    ),
    Mutant(
        "a lent order",
        "trust/steering.py",
        "if (op.op, op.id, op.fleet) != (word, subject, roster.fleet):",
        "if False:",
        STEERING,
    ),
    Mutant("anybody steers", "trust/steering.py", "if kid != submitter:", "if False:", STEERING),
    Mutant("held by nobody", "store/reader.py", "if steered.held and not is_by_rule:", "if False:", STEERING),
    Mutant(
        "held by a rule that it has not",
        "store/reader.py",
        'steered.held == "l" and spec.get("on_lost") == "hold"',
        'steered.held == "l"',
        STEERING,
    ),
    Mutant(
        "waits for an approval that it needs not",
        "store/reader.py",
        'steered.held == "a" and by.startswith("oidc:")',
        'steered.held == "a"',
        STEERING,
    ),
    Mutant(
        "moved by nobody",
        "store/reader.py",
        'record.priority != spec.get("priority", 0):',
        "False:",
        STEERING,
    ),
    Mutant("paused by nobody", "store/orders.py", "if queue.paused:", "if False:", STEERING),
    Mutant("weighted by nobody", "store/orders.py", "if queue.weight != 1:", "if False:", STEERING),
    Mutant(
        "anybody approves",
        "worker/admission.py",
        "return is_meant and self._credentials.may_command(kid)",
        "return is_meant",
        RUNS,
    ),
    Mutant(
        "any approval",
        "worker/admission.py",
        "is_meant = (op.op, op.id, op.fleet) == (approval_of(envelope), job, self._fleet)",
        "is_meant = True",
        RUNS,
    ),
    # what a reader believes
    Mutant(
        "unsigned success",
        "store/reader.py",
        'raise Refused("no worker has signed how it ended")',
        "return NOTHING",
        LIES,
    ),
    Mutant(
        "any writer",
        "trust/outputs.py",
        "if not opened.writer or not self._is_worker(opened.writer):",
        "if False:",
        LIES,
    ),
    Mutant(
        "the hub's word on the end",
        "store/reader.py",
        "if says is not state or (code or 0) != ended.exit_code:",
        "if False:",
        LIES,
    ),
    Mutant(
        "the hub's word on arrays",
        "store/jobs.py",
        "return reader is not None and await",
        "return True or await",
        LIES,
    ),
    # files
    Mutant(
        "content that somebody with the key made up",
        "trust/files.py",
        "if digest.hexdigest() != sha256:",
        "if False:",
        FILES,
    ),
    Mutant(
        "a file without its end",
        "trust/files.py",
        'return bytes((is_last, 0, 0, 0)) + number.to_bytes(8, "big")',
        'return bytes(4) + number.to_bytes(8, "big")',
        FILES,
    ),
    Mutant(
        "chunks in any order",
        "trust/files.py",
        'return bytes((is_last, 0, 0, 0)) + number.to_bytes(8, "big")',
        "return bytes((is_last, 0, 0, 0)) + bytes(8)",
        FILES,
    ),
    Mutant(
        "one key for two contents",
        "client/files.py",
        'if (sealed.sha256, sealed.size) != (item["sha256"], item["size"]):',
        "if False:",
        FILES,
    ),
    Mutant(
        "what was written of a forged file stays",
        "client/files.py",
        "except (OSError, Refused):",
        "except OSError:",
        FILES,
    ),
    Mutant(
        "as many failures as the hub says",
        "worker/admission.py",
        "failures = max(failed + 1,",
        "failures = max(1,",
        LIES,
    ),
    Mutant(
        "the whole log of another job",
        "trust/outputs.py",
        "fleet, *asked, number",
        "fleet, asked.ticket, number",
        LIES,
    ),
    Mutant(
        "a link on the way to an output",
        "worker/gathering.py",
        "os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr",
        "os.O_DIRECTORY | os.O_CLOEXEC | getattr",
        GATHERING,
    ),
    Mutant("an input that is not sealed", "worker/files.py", "if not blob.key:", "if False:", FILES),
    Mutant(
        "any input",
        "worker/files.py",
        "if not await asyncio.to_thread(_opened_into, target, data, blob):",
        "if await asyncio.to_thread(_opened_into, target, data, blob) is None:",
        FILES,
    ),
    Mutant("files by anybody's word", "client/asyncjob.py", "if record.doubt:", "if False:", FILES),
    # secrets in output
    Mutant(
        "a whole log unmasked by its worker",
        "worker/keptlog.py",
        "self._redactor.whole(pieces) if self._redactor else pieces",
        "pieces",
        FULL_LOGS,
    ),
    Mutant(
        "unknown secrets",
        "worker/masks.py",
        'raise Refused("its secrets are not known here any more, so its output is not shown") from None',
        "return None",
        FULL_LOGS,
    ),
    Mutant(
        "somebody else's log from this disk",
        "client/wholelog.py",
        "has_secrets(place) and not self._secrets",
        "False",
        FULL_LOGS,
    ),
    Mutant(
        "a secret between two pieces",
        "trust/redacting.py",
        "ready = len(held) - self.margin",
        "ready = len(held)",
        FULL_LOGS,
    ),
    # tokens
    Mutant(
        "token unsigned",
        "trust/oidc.py",
        'keys.key(header["kid"]).verify(signature, signed, PKCS1v15(), SHA256())',
        'keys.key(header["kid"])',
        OIDC,
    ),
    Mutant(
        "any audience",
        "trust/oidc.py",
        'if claims.get("aud") != AUDIENCE + digest:',
        "if False:",
        OIDC,
    ),
    Mutant(
        "any issuer",
        "trust/oidc.py",
        'if claims.get("iss") != keys.issuer:',
        "if False:",
        OIDC,
    ),
    Mutant(
        "any algorithm",
        "trust/oidc.py",
        'header.get("alg") != "RS256" or',
        "",
        OIDC,
    ),
    Mutant(
        "keys in the token", "trust/oidc.py", "if not header.keys() <= _HEADER_FIELDS:", "if False:", OIDC
    ),
    Mutant(
        "weak keys",
        "trust/oidc.py",
        "if n.bit_length() < KEY_BITS_MIN or e < 65537:",
        "if False:",
        OIDC,
    ),
    Mutant(
        "any event",
        "trust/oidc.py",
        'if claims["event_name"] not in rule.events:',
        "if False:",
        OIDC,
    ),
    Mutant(
        "any branch",
        "trust/oidc.py",
        'if rule.ref and claims["ref"] != rule.ref:',
        "if False:",
        OIDC,
    ),
    Mutant(
        "any runner",
        "trust/oidc.py",
        'if claims["runner_environment"] != "github-hosted":',
        "if False:",
        OIDC,
    ),
    Mutant(
        "any owner",
        "trust/oidc.py",
        "== (rule.repository_id, rule.owner_id):",
        '== (rule.repository_id, claims["repository_owner_id"]):',
        OIDC,
    ),
    Mutant(
        "stale token",
        "trust/oidc.py",
        "if abs(claims.iat - iat_s) > SKEW_S:",
        "if False:",
        OIDC,
    ),
)


def survives(mutant: Mutant) -> bool:
    """Whether the suite passes with this check removed."""
    with tempfile.TemporaryDirectory(prefix="rqm-") as place:
        tree = Path(place, "tree")
        shutil.copytree(
            ROOT, tree, ignore=shutil.ignore_patterns(".git", ".venv", "__pycache__", "screenshots")
        )
        file = tree / "relayq" / mutant.file
        text = file.read_text()
        assert text.count(mutant.before) == 1, (
            f"{mutant.name}: {text.count(mutant.before)} places in {mutant.file}"
        )
        file.write_text(text.replace(mutant.before, mutant.after))
        environment = os.environ | {"PYTHONPATH": f"{tree}{os.pathsep}{tree}/tui"}
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-n0", "-p", "no:cacheprovider", mutant.suite],
            cwd=tree,
            env=environment,
            capture_output=True,
            check=False,
        )
        return ended.returncode == 0


if __name__ == "__main__":
    sys.exit(try_out(MUTANTS, survives, "the trust core"))

"""What trust costs, beside the same without it: `python -m benchmarks.trust`.

Pure computing in one process, the best of several rounds, so that a busy machine changes
little. A job is the one of the other rows: `true` with a 200-byte argument, in batches of 500.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import time
from collections.abc import Callable

from relayq.model.body import Submitted, halves, hidden_bytes, parse_halves
from relayq.model.job import JobSpec, new_id
from relayq.trust.bodies import Author, open_hidden, part
from relayq.trust.boxes import BoxKey
from relayq.trust.envelope import open_job
from relayq.trust.files import new_key, open_file, seal_file
from relayq.trust.keys import SigningKey
from relayq.trust.members import Member
from relayq.trust.outputs import Ear, Ended, Voice
from relayq.trust.roster import add_member, epoch_keys, new_roster, open_roster, sign_roster
from relayq.trust.sealing import Opener

ROUNDS = 9
BATCH = 500
PIECE = b"x" * 32_768
FILE_BYTES = 16 << 20
OWNER, WORKER = SigningKey.generate(), SigningKey.generate()
MEMBER = Member(role="worker", name="w", sign=WORKER.public, box=BoxKey.of(WORKER).public)
ROSTER = add_member(new_roster(OWNER, "home", 1), OWNER, MEMBER, 1)
SPEC = JobSpec.from_dict({"command": ["true", "x" * 200]})


def best_us(work: Callable[[], object], count: int) -> float:
    """Microseconds for one of `count` in the fastest round."""
    rounds = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        work()
        rounds.append(time.perf_counter() - begun)
    return min(rounds) / count * 1e6


def rows() -> list[tuple[str, float, float]]:
    """(what, microseconds with trust, without)."""
    author, opener = Author(OWNER, ROSTER), Opener(epoch_keys(ROSTER, BoxKey.of(WORKER)))
    ring = ROSTER.submitters()
    named = [(SPEC, new_id()) for _ in range(BATCH)]
    record, envelopes = author.batch(named, 1)
    who = Submitted("home", OWNER.kid)
    clear = [(halves(spec, job, who, 1)) for spec, job in named]
    bodies = [(head, hidden_bytes(hidden)) for head, hidden in clear]
    voice, ear = (
        Voice(WORKER, "home", ROSTER.readers()),
        Ear("home", Opener([BoxKey.of(OWNER)]), ROSTER.is_worker),
    )
    piece = voice.piece("J", 1, (1, 0), PIECE, "")
    signed = sign_roster(OWNER, ROSTER)
    alone = author.job(SPEC, new_id(), 1)

    def opened(envelope: bytes) -> object:
        parted = part(open_job(envelope, ring, lambda _: record).body)
        return parse_halves(parted.head, open_hidden(parted, opener))

    return [
        (
            "seal and sign, in a batch",
            best_us(lambda: author.batch(named, 1), BATCH),
            best_us(
                lambda: [(h, hidden_bytes(s)) for h, s in (halves(x, j, who, 1) for x, j in named)], BATCH
            ),
        ),
        (
            "verify and open, in a batch",
            best_us(lambda: [opened(one) for one in envelopes], BATCH),
            best_us(lambda: [parse_halves(head, hidden) for head, hidden in bodies], BATCH),
        ),
        (
            "seal and sign, one job of a new process",
            best_us(lambda: Author(OWNER, ROSTER).job(SPEC, new_id(), 1), 1),
            0.0,
        ),
        ("verify and open, one job", best_us(lambda: opened(alone), 1), 0.0),
        (
            "read the roster",
            best_us(lambda: open_roster(signed, OWNER.public), 1),
            best_us(lambda: json.loads(signed.partition(b"\n")[2]), 1),
        ),
        (
            "the signed end of an attempt",
            best_us(lambda: [voice.ended("J", 1, Ended("ok", 0), "") for _ in range(BATCH)], BATCH),
            0.0,
        ),
        (
            "seal 32 KiB of output",
            best_us(lambda: [voice.piece("J", 1, (1, 0), PIECE, "") for _ in range(100)], 100),
            best_us(lambda: [bytes(bytearray(PIECE)) for _ in range(100)], 100),
        ),
        (
            "open 32 KiB of output",
            best_us(lambda: [ear.piece("J", 1, (1, 0), piece) for _ in range(100)], 100),
            best_us(lambda: [bytes(bytearray(PIECE)) for _ in range(100)], 100),
        ),
        *file_rows(),
    ]


def file_rows() -> list[tuple[str, float, float]]:
    """A file of FILE_BYTES, beside its SHA-256 alone."""
    key, data = new_key(), os.urandom(FILE_BYTES)
    one = seal_file(io.BytesIO(data).read, key, FILE_BYTES)
    digest = best_us(lambda: hashlib.sha256(data).hexdigest(), 1)
    return [
        (
            "seal a file of 16 MB",
            best_us(lambda: seal_file(io.BytesIO(data).read, key, FILE_BYTES), 1),
            digest,
        ),
        (
            "open a file of 16 MB",
            best_us(lambda: sum(map(len, open_file(one.data, key, one.sha256, one.size))), 1),
            digest,
        ),
    ]


def main() -> None:
    """Print the table."""
    print(f"{'what':<42}{'us':>10}{'without':>10}")
    for what, with_us, without_us in rows():
        print(f"{what:<42}{with_us:>10.2f}{without_us:>10.2f}")


if __name__ == "__main__":
    main()

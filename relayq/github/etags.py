"""What GitHub answered before, by its ETag: an answer that has not changed costs no request.

One file an answer, in the cache directory, readable by its owner alone. The name holds
a digest of the token's, so that nobody is shown what another token may see.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

MOST_FILES = 400


class Kept(NamedTuple):
    """An answer: its ETag, and the JSON of its body."""

    etag: str
    body: Any


class Etags:
    """The answers of one token."""

    def __init__(self, directory: Path, mark: str) -> None:
        self._directory, self._mark = directory, mark

    def get(self, address: str) -> Kept | None:
        """What was answered; None for what is not there or cannot be read."""
        try:
            given = json.loads(self._path(address).read_text(encoding="utf-8"))
            return Kept(str(given["etag"]), given["body"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put(self, address: str, etag: str, body: Any) -> None:
        """Keep an answer; a disk that does not take it is no reason to stop."""
        with suppress(OSError):
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self._path(address)
            draft = path.with_suffix(f".{os.getpid()}")
            draft.touch(mode=0o600)
            draft.write_text(json.dumps({"etag": etag, "body": body}), encoding="utf-8")
            draft.replace(path)
            self._prune()

    def _path(self, address: str) -> Path:
        return self._directory / f"{sha256(f'{self._mark} {address}'.encode()).hexdigest()[:40]}.json"

    def _prune(self) -> None:
        files = list(self._directory.glob("*.json"))
        if len(files) > MOST_FILES:
            files.sort(key=lambda path: path.stat().st_mtime)
            for path in files[: len(files) // 4]:
                path.unlink(missing_ok=True)

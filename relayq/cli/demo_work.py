"""The programs that the demo's jobs run: real work on real files, with the standard library alone.

`compress` takes every n-th source file of Python's standard library, writes one .xz
archive and a manifest of digests; `merge` joins the manifests into one; `verify`
unpacks every archive again and holds each file against the merged manifest. The parts
meet in a directory they share, as local files on owned hardware do.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

PRESET = 0


def sources() -> list[Path]:
    """Every .py file of the running Python's standard library, in order."""
    root = Path(sysconfig.get_path("stdlib"))
    return sorted(path for path in root.rglob("*.py") if "site-packages" not in path.parts)


def compress(shared: Path, part: int, parts: int) -> None:
    """Pack every `parts`-th source file into part-N.xz, and say what is in it in part-N.json."""
    entries, blob = [], bytearray()
    for path in sources()[part::parts]:
        data = path.read_bytes()
        entries.append({"path": str(path), "size": len(data), "sha256": hashlib.sha256(data).hexdigest()})
        blob += data
    packed = lzma.compress(bytes(blob), preset=PRESET)
    (shared / f"part-{part}.xz").write_bytes(packed)
    (shared / f"part-{part}.json").write_text(json.dumps(entries), encoding="utf-8")
    print(f"part {part}: {len(entries)} files, {len(blob)} -> {len(packed)} bytes")


def merge(shared: Path, parts: int) -> None:
    """Join the manifests of all parts and print how many files there are, and one digest over all."""
    entries = [entry for part in range(parts) for entry in _manifest(shared, part)]
    entries.sort(key=lambda entry: str(entry["path"]))
    (shared / "manifest.json").write_text(json.dumps(entries), encoding="utf-8")
    print(json.dumps({"files": len(entries), "digest": digest_of(entries)}))


def verify(shared: Path, parts: int) -> None:
    """Unpack every archive and hold each file against the merged manifest; exit 1 at the first difference."""
    wanted = {
        entry["path"]: entry["sha256"]
        for entry in json.loads((shared / "manifest.json").read_text(encoding="utf-8"))
    }
    checked = 0
    for part in range(parts):
        for path, data in unpacked(shared, part):
            if hashlib.sha256(data).hexdigest() != wanted.get(path):
                sys.exit(f"{path} is not what went in")
            checked += 1
        print(f"::relayq progress={100 * (part + 1) / parts:.0f} message=archive {part}::", flush=True)
    print(json.dumps({"verified": checked}))


def unpacked(shared: Path, part: int) -> Iterator[tuple[str, bytes]]:
    """The (path, content) pairs of one archive, as lzma gives them back."""
    blob = lzma.decompress((shared / f"part-{part}.xz").read_bytes())
    at = 0
    for entry in _manifest(shared, part):
        size = int(str(entry["size"]))
        yield str(entry["path"]), blob[at : at + size]
        at += size


def digest_of(entries: Sequence[Mapping[str, object]]) -> str:
    """One SHA-256 over the paths and digests of all files, in order."""
    total = hashlib.sha256()
    for entry in entries:
        total.update(f"{entry['path']} {entry['sha256']}\n".encode())
    return total.hexdigest()


def _manifest(shared: Path, part: int) -> list[dict[str, object]]:
    entries: list[dict[str, object]] = json.loads((shared / f"part-{part}.json").read_text(encoding="utf-8"))
    return entries


if __name__ == "__main__":
    verb, folder, *numbers = sys.argv[1:]
    programs: dict[str, Callable[..., None]] = {"compress": compress, "merge": merge, "verify": verify}
    programs[verb](Path(folder), *map(int, numbers))

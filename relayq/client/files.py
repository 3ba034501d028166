"""Files on their way to a job and back, through the hub, named by the SHA-256 of their content.

What goes in stands in the signed spec by name and digest, so a worker runs a job on
the bytes its submitter had or not at all. What comes back is written below one
directory and nowhere else, whatever its name says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relayq.errors import Refused, SpecError
from relayq.model.parts import check_file_size

if TYPE_CHECKING:
    from relayq.client.dispatch import Dispatcher

PathText = str | PathLike[str]


def put_files(paths: Iterable[PathText], hub: Dispatcher) -> list[dict[str, Any]]:
    """Store files in the hub; the items of a spec's `inputs`. SpecError for one that cannot be read."""
    return [put_file(Path(path), hub) for path in paths]


def put_file(path: Path, hub: Dispatcher) -> dict[str, Any]:
    """Store one file in the hub; its item of a spec's `inputs`."""
    data = read(path)
    item = item_of(path, data)
    hub.ask(("FCALL", "rq1_put_blob", 1, hub.anchor, json.dumps({"digest": item["sha256"]}), data))
    return item


def item_of(path: Path, data: bytes) -> dict[str, Any]:
    """The item of a spec's `inputs` for a file of this content."""
    return {"name": path.name, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}


def read(path: Path) -> bytes:
    """The content of an input file; SpecError for one that cannot be read or is too large."""
    try:
        check_file_size(path.stat().st_size, str(path))
        return path.read_bytes()
    except OSError as error:
        raise SpecError(f"{path} cannot be read: {error.strerror} (field 'inputs')") from error


def write_below(directory: Path, name: str, data: bytes) -> Path:
    """Write an output file of a job; Refused for a name that leads out of `directory`."""
    target = directory / name
    root = directory.resolve()
    if not name or not target.resolve().is_relative_to(root) or target.resolve() == root:
        raise Refused(f"output file {name[:100]!r} is not written: its name leads out of {directory}")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    return target

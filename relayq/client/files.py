"""Files on their way to a job and back, through the hub, named by the SHA-256 of their content.

What goes in stands in the signed spec by name and digest, so a worker runs a job on
the bytes its submitter had or not at all.

What comes back is written below one directory and nowhere else, whatever the hub
calls it: the hub is believed to carry files, not to choose where they go. A hidden
file (`.profile`, `.ssh/rc`) is written only for whoever asks for it by name.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from relayq.errors import HubFull, Refused, RelayQError, SpecError
from relayq.model.parts import check_file_size

if TYPE_CHECKING:
    from relayq.client.dispatch import Dispatcher

PathText = str | PathLike[str]
ASK_ABOVE_BYTES = 64 << 10


class InputFile(NamedTuple):
    """A file of this machine, and what it is called in the job's work directory."""

    path: Path
    name: str

    @classmethod
    def of(cls, given: PathText) -> InputFile:
        """Read FILE or FILE=NAME; a file whose own name has an `=` is found first."""
        path = Path(given).expanduser()
        head, equals, name = os.fspath(given).rpartition("=")
        if equals and isinstance(given, str) and not path.exists():
            return cls(Path(head).expanduser(), name)
        return cls(path, path.name)

    def read(self) -> bytes:
        """Its content; SpecError when it cannot be read or is too large."""
        try:
            with self.path.open("rb") as file:
                check_file_size(os.fstat(file.fileno()).st_size, str(self.path))
                data = file.read()
        except OSError as error:
            raise SpecError(f"{self.path} cannot be read: {error.strerror} (field 'inputs')") from error
        check_file_size(len(data), str(self.path))
        return data

    def item(self, data: bytes) -> dict[str, Any]:
        """The item of a spec's `inputs` for this content."""
        return {"name": self.name, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}


def items_of(given: Iterable[PathText]) -> list[dict[str, Any]]:
    """The items of a spec's `inputs` for files that are not sent yet."""
    return [file.item(file.read()) for file in map(InputFile.of, given)]


def put_files(given: Iterable[PathText], hub: Dispatcher) -> list[dict[str, Any]]:
    """Store files in the hub; the items of a spec's `inputs`. SpecError for one that cannot be read."""
    return [_put(InputFile.of(one), hub) for one in given]


def _put(file: InputFile, hub: Dispatcher) -> dict[str, Any]:
    """Store one file; a large one that the hub has already does not travel again."""
    data = file.read()
    item = file.item(data)
    call = ("FCALL", "rq1_put_blob", 1, hub.anchor, json.dumps({"digest": item["sha256"]}))
    is_there = len(data) > ASK_ABOVE_BYTES and hub.ask(call) == [b"have"]
    if not is_there and hub.ask((*call, data)) == [b"full"]:
        raise HubFull(f"the hub is full: there is no room for {file.path}, and nothing was queued")
    return item


def target_below(directory: Path, name: str, *, is_named: bool = False, force: bool = False) -> Path:
    """Where an output file goes. Refused for a name that leads out of `directory`, or into a link.

    `is_named` says that a person asked for this very name: only then may it be hidden.
    RelayQError when something is there already, unless `force`.
    """
    parts = name.split("/")
    if not name.isprintable() or not {"", ".", ".."}.isdisjoint(parts):
        raise Refused(f"output file {name[:100]!r} is not written: its name leads out of {directory}")
    if not is_named and any(part.startswith(".") for part in parts):
        raise Refused(f"output file {name[:100]!r} is hidden: name it to have it written into {directory}")
    for depth in range(1, len(parts)):
        if directory.joinpath(*parts[:depth]).is_symlink():
            raise Refused(f"output file {name[:100]!r} is not written: a link leads out of {directory}")
    target = directory / name
    if not force and (target.exists() or target.is_symlink()):
        raise RelayQError(f"{target} is there already: move it away, or overwrite it with --force")
    return target


def write_file(target: Path, data: bytes, *, force: bool = False) -> None:
    """Write a new file whole or not at all; with `force` it takes the place of what is there."""
    fresh = target.with_name(f".{secrets.token_hex(8)}") if force else target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with fresh.open("xb") as file:
            try:
                file.write(data)
                file.flush()
                fresh.replace(target)
            except OSError:
                fresh.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise RelayQError(f"{target} cannot be written: {error.strerror}") from error

"""Files on their way to a job and back, through the hub, which sees them sealed.

What goes in stands in the signed spec by name, digest and key, so a worker runs a job on
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
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from relayq.errors import HubFull, NameTaken, Refused, RelayQError, SpecError
from relayq.model.parts import MAX_FILE_BYTES, Blob, check_file_size, stored_as
from relayq.trust.files import CHUNK_BYTES, content_key, open_file, seal_file

if TYPE_CHECKING:
    from relayq.client.dispatch import Dispatcher
    from relayq.model.job import JobSpec
    from relayq.trust.files import Left
    from relayq.trust.keys import SigningKey

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

    def item(self) -> dict[str, Any]:
        """The item of a spec's `inputs` for its content now; SpecError as from `_opened`."""
        digest, size = hashlib.sha256(), 0
        with self._opened() as file:
            while piece := file.read(CHUNK_BYTES):
                digest.update(piece)
                size += len(piece)
        check_file_size(size, str(self.path))
        return {"name": self.name, "sha256": digest.hexdigest(), "size": size}

    def sealed(self, item: dict[str, Any]) -> bytes:
        """The content that `item` tells of, sealed with its key; SpecError when it is another by now.

        What another content gives under this key goes nowhere: one key never seals two.
        """
        with self._opened() as file:
            sealed = seal_file(file.read, item["key"], MAX_FILE_BYTES)
        if (sealed.sha256, sealed.size) != (item["sha256"], item["size"]):
            raise SpecError(f"{self.path} was changed while it was read: send it again (field 'inputs')")
        return sealed.data

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        """The open file; SpecError when it cannot be read, is too large, or is not there twice.

        It is read twice: a pipe would give nothing the second time, and a device may have no end.
        """
        try:
            mode = self.path.stat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise SpecError(
                    f"{self.path} is no file but a pipe or device: save what it gives first (field 'inputs')"
                )
            with self.path.open("rb") as file:
                check_file_size(os.fstat(file.fileno()).st_size, str(self.path))
                yield file
        except OSError as error:
            raise SpecError(f"{self.path} cannot be read: {error.strerror} (field 'inputs')") from error


def items_of(given: Iterable[PathText]) -> list[dict[str, Any]]:
    """The items of a spec's `inputs` for files that are not sent yet."""
    return [file.item() for file in map(InputFile.of, given)]


def put_files(given: Iterable[PathText], hub: Dispatcher, key: SigningKey) -> list[dict[str, Any]]:
    """Seal files and store them in the hub; the items of a spec's `inputs`, which only `key` may give out.

    SpecError for one that cannot be read.
    """
    secret = key.derive(b"relayq-files-1")
    return [_put(InputFile.of(one), hub, secret) for one in given]


def with_sent(spec: JobSpec, items: Iterable[dict[str, Any]]) -> JobSpec:
    """The spec with its inputs as they are in the hub."""
    return spec.but(inputs=tuple(map(Blob.from_json, items)))


def _put(file: InputFile, hub: Dispatcher, secret: bytes) -> dict[str, Any]:
    """Store one file; a large one that the hub has already does not travel again."""
    item = file.item()
    item["key"] = content_key(secret, hub.fleet, item["sha256"])
    call = ("FCALL", "rq1_put_blob", 1, hub.anchor, json.dumps({"digest": stored_as(item["key"])}))
    is_there = item["size"] > ASK_ABOVE_BYTES and hub.ask(call) == [b"have"]
    if not is_there and hub.ask((*call, file.sealed(item))) == [b"full"]:
        raise HubFull(f"the hub is full: there is no room for {file.path}, and nothing was queued")
    return item


def opened(data: bytes, left: Left) -> Iterator[bytes]:
    """The content of a file that a job has left, chunk by chunk; Refused when it is another."""
    try:
        yield from open_file(data, left.key, left.sha256, left.size)
    except Refused:
        raise Refused(
            f"file {left.name[:100]!r} came out of the hub with other content than its job left"
        ) from None


def target_below(directory: Path, name: str, *, is_named: bool = False, force: bool = False) -> Path:
    """Where an output file goes. Refused for a name that leads out of `directory`, or into a link.

    `is_named` says that a person asked for this very name: only then may it be hidden.
    NameTaken when something is there already, unless `force`.
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
        raise NameTaken(f"{target} is there already: move it away, or overwrite it with --force")
    return target


def write_file(target: Path, pieces: Iterable[bytes], *, force: bool = False) -> None:
    """Write a new file whole or not at all; with `force` it takes the place of what is there."""
    fresh = target.with_name(f".{secrets.token_hex(8)}") if force else target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with fresh.open("xb") as file:
            try:
                file.writelines(pieces)
                file.flush()
                fresh.replace(target)
            except (OSError, Refused):
                fresh.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise RelayQError(f"{target} cannot be written: {error.strerror}") from error

"""Be the parent of every attempt of one worker, and outlive the worker.

    python -S -E -s keeper.py <state directory>

A worker may be restarted, upgraded or killed; its jobs run on, because this
process is their parent, keeps their exit codes on disk (`kept.py`) and waits for a
worker to come back. It goes through its loop in one thread, never blocks, and hardly
ever changes: standard library only, no import of the package, few modules, about 11 MB.
It detaches once it listens, so its starter's wait() says whether it stands. It leaves
when nothing runs and nobody is connected; unreported exits stay in the journal.

The protocol: JSON objects, one a line, over the unix socket `keeper.sock` (0600) in
the state directory. Fields may be added, never changed; `version` counts changes.
On connect the keeper speaks first:

    {"ev": "hello", "version": 4, "pid", "held": [entry]}
        entry: {"key", "pid", "start"}, with "exit" (an exit event) once it has ended;
        pid 0: not spawned yet.

The worker says (nothing is acknowledged, everything may be repeated):

    {"do": "start", "orders": [order]}      a key that is kept is never started again
        order: {"key": "<job>.<attempt>", "argv", "env", "cwd" ("" = <dir>/work), "dir",
                "stdin" (a file or ""), "timeout_ms" (0 = none), "kill_ms" (TERM to KILL),
                "orphan_ms" (how long it may run without a worker; 0 = for ever, -1 = as long
                as it had run when the worker left, at least 1 and at most 10 minutes),
                "limits": {"data_bytes", "fsize_bytes", "nice"},
                "as": [uid, gid, [gid]] (as whom it runs, if not as the keeper's own user; since 2),
                "boxed": whether argv is a sandbox that ends with its command (since 2),
                "ready": a directory as a new attempt's, to be renamed to <dir> (or ""; since 3)}
    {"do": "kill", "key", "reason", "kill_ms" (optional)}
    {"do": "list"}                          answered by {"ev": "held", "held": [entry]}
    {"do": "forget", "keys": [key]}         ended attempts only
    {"do": "bye"}                           closes; the keeper leaves at once if nothing runs

The keeper tells every connection:

    {"ev": "started", "key", "pid", "start"}
    {"ev": "exit", "key", "code", "reason", "run_ms", "note", "ended_at"}
        code: the command's own, 128 + n after signal n, 127 not found, 126 not runnable,
        -1 when nobody saw it. reason: exit, spawn (could not start: `note` says why),
        unwritten (not started, because the disk did not take the order: `note`; since 4),
        timeout, orphan, the reason of a kill, keeper_lost (it ran while no keeper
        watched) or machine_lost (the machine went down). ended_at: seconds of the
        machine's monotonic clock (its boot, for what ended before that), 0 when nobody saw it.
    {"ev": "trouble", "text"}               the disk is full, nothing is started; "" when it is over
    {"ev": "refused", "text"}               a line that made no sense
"""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import signal
import socket
import sys
import time
from math import inf

TYPE_CHECKING = False
if TYPE_CHECKING or __package__:
    from relayq.worker import spawn, tree
    from relayq.worker.care import Care, boot_time_s
    from relayq.worker.kept import Journal
else:  # run as a file: its directory is on the path and the package is not
    import spawn
    import tree
    from care import Care, boot_time_s
    from kept import Journal
if TYPE_CHECKING:
    from typing import Any

VERSION = 4
LINGER_S = 5.0  # how long it waits for a connection before it leaves
SYNC_S = 0.01  # how long an exit may be known before it is made durable
GLANCE_S = 1.0  # how often it looks around while it is alone or the disk is full
LONGEST_LINE = 64 * 1024 * 1024
LONGEST_LOG = 256 * 1024
LONGEST_BACKLOG = 8 * 1024 * 1024
LOCKED_EXIT = 3


def main() -> int:
    """Take the lock, listen, detach, and keep."""
    os.umask(0o077)
    try:
        os.chdir(sys.argv[1])  # the socket's path is relative: an absolute one may be too long
        state = os.getcwd()
        lock = os.open("keeper.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return LOCKED_EXIT
        listener = listen("keeper.sock")
        journal = Journal(f"{state}/keeper.journal")
        log = open_log("keeper.log")
    except OSError as error:
        sys.stderr.write(f"the keeper cannot start in {sys.argv[1]}: {error}\n")
        return 1
    if os.fork():
        os._exit(0)
    os.setsid()
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.chdir("/")
    tree.become_subreaper()
    Keeper(listener, journal).run()
    os.unlink(f"{state}/keeper.sock")
    return 0


def listen(path: str) -> socket.socket:
    """A listening socket that only this user can connect to; the lock makes an old one ours to remove."""
    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    os.chmod(path, 0o600)
    listener.listen(16)
    listener.setblocking(False)
    return listener


def open_log(path: str) -> int:
    """The file for what should never be said: the traceback of the keeper before this one is kept."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    if os.fstat(log).st_size > LONGEST_LOG:
        os.ftruncate(log, 0)
    return log


class Line:
    """One connection: what has arrived but is no whole line yet, and what could not be sent yet."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.inbox = bytearray()
        self.outbox = bytearray()
        self.open = True

    def read(self) -> list[bytes]:
        """The whole lines that have arrived; closes at the end of the stream."""
        try:
            data = self.sock.recv(256 * 1024)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        self.inbox += data
        if not data or len(self.inbox) > LONGEST_LINE:
            self.open = False
        *lines, rest = self.inbox.split(b"\n") if b"\n" in data else (self.inbox,)
        self.inbox = bytearray(rest)
        return [bytes(line) for line in lines]

    def send(self, *messages: dict[str, Any]) -> None:
        """Queue messages and send what the other side takes now."""
        for message in messages:
            self.outbox += json.dumps(message).encode() + b"\n"
        self.flush()
        if len(self.outbox) > LONGEST_BACKLOG:  # a frozen worker; it asks again when it comes back
            self.open = False

    def flush(self) -> None:
        """Send what the other side takes now."""
        try:
            while self.outbox:
                del self.outbox[: self.sock.send(self.outbox)]
        except BlockingIOError:
            return
        except OSError:
            self.open = False


class Keeper:
    """The loop and its connections."""

    def __init__(self, listener: socket.socket, journal: Journal) -> None:
        self.listener = listener
        self.journal = journal
        self.selector = selectors.DefaultSelector()
        self.care = Care(journal, self.selector)
        self.lines: dict[int, Line] = {}
        self.told_trouble = ""
        self.sync_at = inf
        self.leaving = False
        self.selector.register(listener, selectors.EVENT_READ, self.accept)
        self.hear_children()

    def run(self) -> None:
        """Turn until nothing runs and nobody is connected."""
        while not self.may_leave():
            for event, mask in self.selector.select(self.patience_s()):
                event.data(event.fileobj, mask)
            self.care.turn()
            self.publish()

    def patience_s(self) -> float | None:
        """How long to wait for something to happen; a connected keeper whose jobs run wakes for nothing."""
        patience_s = min(self.care.patience_s(), max(0.0, self.sync_at - time.monotonic()))
        if not self.lines or self.journal.trouble:
            return min(patience_s, GLANCE_S)
        return None if patience_s == inf else patience_s

    def may_leave(self) -> bool:
        """Whether nothing needs this process any more: nothing runs, nobody is here, all is written."""
        alone_since = self.care.alone_since
        if self.care.active or alone_since is None or not self.journal.written or self.sync_at < inf:
            return False
        return self.leaving or boot_time_s() - alone_since >= LINGER_S

    def hear_children(self) -> None:
        """Have the death of a child end the select."""
        self.near, self.far = socket.socketpair()
        self.near.setblocking(False)
        self.far.setblocking(False)
        signal.set_wakeup_fd(self.far.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        spawn.ignore_nothing()
        self.selector.register(self.near, selectors.EVENT_READ, lambda *_: self.near.recv(4096))

    def accept(self, *_: object) -> None:
        """Greet a worker with everything that is kept."""
        try:
            sock, _address = self.listener.accept()
        except OSError:
            return
        sock.setblocking(False)
        line = Line(sock)
        self.lines[sock.fileno()] = line
        self.care.alone_since = None
        self.leaving = False
        self.selector.register(sock, selectors.EVENT_READ, lambda _, mask: self.hear(line, mask))
        line.send({"ev": "hello", "version": VERSION, "pid": os.getpid(), "held": self.held()})
        if self.told_trouble:
            line.send({"ev": "trouble", "text": self.told_trouble})

    def hear(self, line: Line, mask: int) -> None:
        """Do what the worker says."""
        if mask & selectors.EVENT_WRITE:
            line.flush()
        if mask & selectors.EVENT_READ:
            for text in line.read():
                try:
                    self.obey(line, json.loads(text))
                except (ValueError, KeyError, TypeError, AttributeError) as error:
                    line.send({"ev": "refused", "text": f"{error!r} in a line of {len(text)} bytes"})

    def obey(self, line: Line, message: dict[str, Any]) -> None:
        """Carry out one message of a worker."""
        match message["do"]:
            case "start":
                for order in message["orders"]:
                    self.care.take(order)
            case "kill":
                self.care.end(message["key"], message["reason"], message.get("kill_ms"))
            case "list":
                line.send({"ev": "held", "held": self.held()})
            case "forget":
                self.care.forget(message["keys"])
            case "bye":
                line.open = False
                self.leaving = True
            case verb:
                raise ValueError(f"no such verb {verb!r}")

    def held(self) -> list[dict[str, Any]]:
        """What hello and list say."""
        return [kept.shown() for kept in self.care.kept.values()]

    def publish(self) -> None:
        """Tell everybody what happened in this turn, and see that exits become durable.

        Who hears of an exit a moment before the disk has it cannot lose it: a power cut would
        take the hearer as well, and one that the hub has already accepted stays accepted.
        """
        news, self.care.news = self.care.news, []
        self.journal.flush()
        if news:
            self.tell(news)
        self.sync(is_owed=any(each["ev"] == "exit" for each in news))
        if self.journal.trouble != self.told_trouble:
            self.told_trouble = self.journal.trouble
            self.tell([{"ev": "trouble", "text": self.told_trouble}])
        for number, line in list(self.lines.items()):
            self.tend(number, line)

    def sync(self, *, is_owed: bool) -> None:
        """One fdatasync for all exits of SYNC_S, or at once when nothing runs: it holds up who has to do."""
        now = time.monotonic()
        if is_owed:
            self.sync_at = min(self.sync_at, now + SYNC_S)
        if self.sync_at < inf and (now >= self.sync_at or not self.care.active):
            self.journal.sync()
            self.sync_at = inf

    def tell(self, news: list[dict[str, Any]]) -> None:
        """Send events to everybody."""
        for line in self.lines.values():
            line.send(*news)

    def tend(self, number: int, line: Line) -> None:
        """Close a connection that has ended, or wait until a full one takes more."""
        if line.open:
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if line.outbox else 0)
            key = self.selector.get_key(number)
            if key.events != wanted:
                self.selector.modify(line.sock, wanted, key.data)
            return
        self.selector.unregister(line.sock)
        line.sock.close()
        del self.lines[number]
        if not self.lines:
            self.care.alone_since = boot_time_s()


if __name__ == "__main__":
    sys.exit(main())

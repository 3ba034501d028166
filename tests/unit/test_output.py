"""Tailing what an attempt writes: pieces, gaps, cuts and progress, in bounded memory."""

from __future__ import annotations

import os
import resource
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayq.worker.output import HEAD_BYTES, Piece, Progress, Tail, parse_progress

MIB = 1024 * 1024


def write(directory: Path, data: bytes, name: str = "out") -> None:
    with (directory / name).open("ab") as file:
        file.write(data)


def drain(tail: Tail) -> list[Piece]:
    pieces = []
    while got := tail.read():
        pieces += got
    return pieces


@pytest.mark.parametrize("keep_bytes", [0, 1, 1000, HEAD_BYTES, HEAD_BYTES + 1])
def test_nothing_waits_once_everything_was_read_however_little_is_kept(
    tmp_path: Path, keep_bytes: int
) -> None:
    (tmp_path / "out").write_bytes(b"0123456789" * 30_000)
    tail = Tail(tmp_path, keep_bytes=keep_bytes)
    while tail.read():
        pass
    assert tail.waiting_bytes() == 0


def test_nothing_written_is_nothing_read(tmp_path: Path) -> None:
    assert Tail(tmp_path).read() == []
    assert Tail(tmp_path).sizes() == (0, 0)


def test_both_streams_come_with_their_offsets(tmp_path: Path) -> None:
    tail = Tail(tmp_path)
    write(tmp_path, b"one\n")
    write(tmp_path, b"oops\n", "err")
    assert tail.read() == [Piece(1, 0, b"one\n"), Piece(2, 0, b"oops\n")]
    write(tmp_path, b"two\n")
    assert tail.waiting_bytes() == 4
    assert tail.read() == [Piece(1, 4, b"two\n")]
    assert tail.sizes() == (8, 5)


def test_a_reader_begins_where_it_is_told(tmp_path: Path) -> None:
    write(tmp_path, b"0123456789")
    assert Tail(tmp_path, (6, 0)).read() == [Piece(1, 6, b"6789")]


def test_a_rewound_reader_reads_again(tmp_path: Path) -> None:
    write(tmp_path, b"0123456789")
    tail = Tail(tmp_path)
    tail.read()
    tail.rewind((4, 0))
    assert tail.read() == [Piece(1, 4, b"456789")]


def test_a_reading_is_never_larger_than_asked(tmp_path: Path) -> None:
    write(tmp_path, b"x" * 100)
    write(tmp_path, b"y" * 100, "err")
    tail = Tail(tmp_path)
    assert tail.read(150) == [Piece(1, 0, b"x" * 100), Piece(2, 0, b"y" * 50)]
    assert tail.read(150) == [Piece(2, 50, b"y" * 50)]


def test_too_much_output_is_its_head_and_its_newest_part(tmp_path: Path) -> None:
    text = bytes(range(256)) * 4096 * 4
    write(tmp_path, text)
    pieces = drain(Tail(tmp_path, keep_bytes=MIB))
    jumps = [piece for piece in pieces if piece.jump]
    sent = b"".join(piece.data for piece in pieces)
    assert [piece.offset for piece in jumps] == [len(text) - (MIB - HEAD_BYTES)]
    assert sent == text[:HEAD_BYTES] + text[-(MIB - HEAD_BYTES) :]


def test_what_the_hub_can_keep_is_sent_without_a_gap(tmp_path: Path) -> None:
    write(tmp_path, b"z" * MIB)
    pieces = drain(Tail(tmp_path, keep_bytes=MIB))
    assert not any(piece.jump for piece in pieces)
    assert sum(len(piece.data) for piece in pieces) == MIB


@given(st.lists(st.binary(max_size=50_000), max_size=12), st.integers(1, 70_000), st.integers(0, 300_000))
def test_pieces_are_true_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, writes: list[bytes], chunk: int, keep: int
) -> None:
    directory = tmp_path_factory.mktemp("attempt")
    tail = Tail(directory, keep_bytes=keep, max_disk_bytes=1_000_000_000)
    text, position = b"", 0
    for data in writes:
        write(directory, data)
        text += data
        for piece in tail.read(chunk):
            assert piece.data == text[piece.offset : piece.offset + len(piece.data)]
            assert piece.offset == position or (piece.jump and piece.offset > position >= HEAD_BYTES)
            position = piece.offset + len(piece.data)


def test_a_file_too_large_for_the_disk_is_cut_while_it_is_written(tmp_path: Path) -> None:
    tail = Tail(tmp_path, keep_bytes=MIB, max_disk_bytes=2 * MIB)
    with (tmp_path / "out").open("ab", buffering=0) as writer:
        writer.write(b"a" * 3 * MIB)
        tail.trim()
        writer.write(b"b" * 10)
    assert (tmp_path / "out").read_bytes() == b"b" * 10
    assert (tmp_path / "out.cut").stat().st_mode & 0o777 == 0o600
    assert tail.sizes() == (3 * MIB + 10, 0)
    tail.rewind((3 * MIB - 5, 0))
    assert drain(tail) == [Piece(1, 3 * MIB - 5, b"a" * 5), Piece(1, 3 * MIB, b"b" * 10)]


def test_offsets_stay_true_over_a_restart_of_the_worker(tmp_path: Path) -> None:
    write(tmp_path, b"a" * 3 * MIB)
    Tail(tmp_path, keep_bytes=MIB, max_disk_bytes=2 * MIB).trim()
    write(tmp_path, b"new")
    tail = Tail(tmp_path, (3 * MIB, 0), keep_bytes=MIB)
    assert tail.read() == [Piece(1, 3 * MIB, b"new")]


def test_output_that_was_cut_off_before_it_was_read_is_a_gap(tmp_path: Path) -> None:
    write(tmp_path, b"a" * 3 * MIB)
    tail = Tail(tmp_path, keep_bytes=MIB, max_disk_bytes=2 * MIB)
    tail.trim()
    pieces = drain(tail)
    assert pieces[0].jump
    assert pieces[0].offset == 3 * MIB - (MIB - HEAD_BYTES)
    assert sum(len(piece.data) for piece in pieces) == MIB - HEAD_BYTES


def test_a_small_file_is_not_cut(tmp_path: Path) -> None:
    write(tmp_path, b"a" * 100)
    Tail(tmp_path).trim()
    assert (tmp_path / "out").read_bytes() == b"a" * 100


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="measures memory through /proc")
def test_two_hundred_megabytes_of_output_cost_no_memory(tmp_path: Path) -> None:
    tail = Tail(tmp_path, max_disk_bytes=16 * MIB)
    before = resident_bytes()
    most, pieces, sent, disk = before, 0, 0, 0
    with (tmp_path / "out").open("ab") as out:
        writer = subprocess.Popen(["head", "-c", str(200 * MIB), "/dev/zero"], stdout=out)
    while (is_written := writer.poll() is not None) is False or tail.waiting_bytes():
        for piece in tail.read():
            pieces, sent = pieces + 1, sent + len(piece.data)
        if not is_written:
            tail.trim()
        disk = max(disk, (tmp_path / "out").stat().st_size)
        most = max(most, resident_bytes())
    assert writer.returncode == 0
    assert most - before < 5 * MIB
    assert pieces > 1
    assert sent <= 200 * MIB
    assert disk < 200 * MIB


@pytest.mark.parametrize(
    ("said", "progress"),
    [
        (b"progress=42 message=encoding", Progress(42, "encoding")),
        (b"progress=42.5% message=two words", Progress(42.5, "two words")),
        (b"progress=100", Progress(100, "")),
        (b"message=warming up", Progress(None, "warming up")),
        (b"42 encoding", Progress(42, "encoding")),
        (b"7%", Progress(7, "")),
        (b"progress=400", Progress(100, "")),
        (b"progress=much", None),
        (b"42nd street", None),
        (b"", None),
        (b"\xff\xfe", None),
    ],
)
def test_progress_is_understood(said: bytes, progress: Progress | None) -> None:
    assert parse_progress(said) == progress


def test_progress_lines_are_heard_and_stay_in_the_log(tmp_path: Path) -> None:
    tail = Tail(tmp_path)
    text = b"start\n::relayq progress=10 message=a::\n::relayq progress=20 message=b::\nmore\n"
    write(tmp_path, text)
    assert tail.read()[0].data == text
    assert tail.progress() == Progress(20, "b")
    assert tail.progress() is None


def test_a_progress_line_may_arrive_in_two_pieces(tmp_path: Path) -> None:
    tail = Tail(tmp_path)
    write(tmp_path, b"::relayq progress=4")
    tail.read()
    assert tail.progress() is None
    write(tmp_path, b"2 message=x::\r\n")
    tail.read()
    assert tail.progress() == Progress(42, "x")


def test_a_progress_line_in_the_middle_of_a_line_is_only_text(tmp_path: Path) -> None:
    tail = Tail(tmp_path)
    write(tmp_path, b"she wrote ::relayq progress=4::\n")
    tail.read()
    assert tail.progress() is None


def test_a_line_without_end_is_not_collected(tmp_path: Path) -> None:
    tail = Tail(tmp_path)
    write(tmp_path, b"x" * 500_000)
    drain(tail)
    write(tmp_path, b"\n::relayq progress=5::\n")
    tail.read()
    assert tail.progress() == Progress(5, "")


def test_the_progress_file_is_heard_when_it_changes(tmp_path: Path) -> None:
    tail = Tail(tmp_path)
    (tmp_path / "progress").write_text("30 first\n")
    assert tail.progress() == Progress(30, "first")
    assert tail.progress() is None
    write(tmp_path, b"progress=60 message=second\n", "progress")
    assert tail.progress() == Progress(60, "second")


@given(st.binary(max_size=300))
def test_no_text_breaks_the_parser(said: bytes) -> None:
    progress = parse_progress(said)
    assert progress is None or progress.percent is None or 0 <= progress.percent <= 100


# -- what a job has put in the place of its files


def test_a_pipe_for_progress_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "progress")
    assert Tail(tmp_path).progress() is None


def test_what_is_no_file_is_no_output(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "something").touch()
    write(tmp_path, b"oops", "err")
    tail = Tail(tmp_path, max_disk_bytes=0)
    tail.trim()
    assert tail.read() == [Piece(2, 0, b"oops")]
    assert tail.waiting_bytes() == 0


def test_what_cannot_be_read_any_more_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, b"a" * 3000)
    tail = Tail(tmp_path, keep_bytes=2048, max_disk_bytes=100)
    tail.trim()
    write(tmp_path, b"b" * 10)
    (tmp_path / "out.cut").unlink()
    assert tail.read() == []
    assert b"".join(piece.data for piece in drain(tail)) == b"b" * 10
    assert tail.waiting_bytes() == 0

"""The benchmark's arithmetic and the table that it writes."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import report, rows, work
from benchmarks.figures import first_start, median, rate, written
from benchmarks.resp import encode
from benchmarks.roster import ROSTER, chosen
from benchmarks.rows import Row

REPOSITORY = Path(__file__).parents[2]


def a_run(row: Row, **figures: float) -> report.Run:
    return report.Run(
        entries=[entry for entry in ROSTER if entry.name in figures],
        figures={name: {row.key: value} for name, value in figures.items()},
        limits={row.key: 0.1},
        rows=[row],
    )


def test_the_median_of_an_even_number_lies_between_the_two_in_the_middle():
    assert median([4, 1, 3, 2]) == 2.5
    assert median([5, 1, 3]) == 3


def test_there_is_no_median_of_nothing():
    with pytest.raises(ValueError, match="nothing"):
        median([])


def test_a_rate_leaves_out_the_first_third_and_what_comes_after_the_last():
    samples = [(0.0, 0), (5.0, 10), (6.0, 40), (8.0, 100), (9.0, 100)]
    assert rate(samples) == 30.0


def test_a_rate_that_no_look_resolves_is_refused():
    with pytest.raises(ValueError, match="between two looks"):
        rate([(0.0, 0), (1.0, 100)])


def test_the_first_start_after_a_moment_is_found_and_its_absence_told():
    marks = [("s", 1, 10.0), ("e", 1, 12.0), ("s", 2, 13.0), ("s", 3, 14.0)]
    assert first_start(marks, 11.0) == 13.0
    assert written(first_start(marks, 15.0)) == "never"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0"),
        (0.021, "0.021"),
        (0.1501, "0.15"),
        (12.34, "12.3"),
        (360123.4, "360,123"),
        (2, "2"),
    ],
)
def test_figures_are_written_with_three_digits(value, text):
    assert written(value) == text


def test_a_bar_beside_the_peers_names_the_best_of_them():
    bar, met = rows.share_of_best(0.5)(60.0, {"rq": 180.0, "arq": 148.0})
    assert (bar, met) == ("≤ 0.5 × arq = 74", True)
    assert rows.quicker_than_best()(5.0, {"saq": 2.1}) == ("< saq = 2.10", False)


def test_a_python_only_bar_does_not_look_at_hyperqueue():
    peers = {"hyperqueue": 9000.0, "huey": 1000.0}
    assert rows.ahead_of_best(python_only=True)(2000.0, peers)[1]
    assert not rows.ahead_of_best()(2000.0, peers)[1]


def test_a_missed_row_is_shown_as_missed():
    row = Row(key="warm", title="warm submit", unit="ms", bar=rows.no_more_than("rq"))
    run = a_run(row, relayq=0.5, rq=0.4)
    assert "| warm submit | ms | 0.50 | ≤ rq = 0.40 | **missed** | 0.10 | 0.40 |" in report.table(run)


def test_a_row_without_a_figure_is_neither_met_nor_missed():
    row = Row(key="warm", title="warm submit", unit="ms", bar=rows.at_most(1))
    assert report.verdict(a_run(row, rq=0.4), row) == ("", "")


def test_every_row_of_the_table_is_measured_by_one_module():
    from benchmarks.measures import MEASURES

    measured = [key for module in MEASURES for key in module.KEYS]
    assert sorted(measured) == sorted(row.key for row in rows.ROWS)


def test_an_unknown_peer_is_refused_with_the_known_ones():
    with pytest.raises(SystemExit, match=r"'resque'.*dramatiq"):
        chosen("rq,resque")


def test_an_argument_has_200_bytes_and_says_its_number():
    text = work.argument(17, 1.5)
    assert len(text) == work.ARGUMENT_BYTES
    assert work.number_of(text) == 17


def test_commands_are_encoded_as_the_server_reads_them():
    assert encode("GET", b"\x00", 7) == b"*3\r\n$3\r\nGET\r\n$1\r\n\x00\r\n$1\r\n7\r\n"


async def test_the_link_delays_by_its_round_trip_and_counts_packets_and_trips():
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    upstream = await asyncio.start_server(echo, "127.0.0.1", 0)
    proxy = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.proxy", str(upstream.sockets[0].getsockname()[1]), "40",
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY,
    )  # fmt: skip
    assert proxy.stdin and proxy.stdout
    reader, writer = await asyncio.open_connection("127.0.0.1", int(await proxy.stdout.readline()))
    begin = asyncio.get_running_loop().time()
    for word in (b"one", b"two"):
        writer.write(word)
        assert await reader.readexactly(3) == word
    taken_s = asyncio.get_running_loop().time() - begin
    proxy.stdin.write(b"\n")
    counts = json.loads(await proxy.stdout.readline())
    writer.close()
    proxy.stdin.close()
    await proxy.wait()
    upstream.close()
    assert taken_s >= 0.08
    assert counts == {"packets": 2, "trips": 2, "bytes_up": 6, "bytes_down": 6}

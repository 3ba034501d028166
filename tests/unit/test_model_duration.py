"""Durations, sizes and moments: what is spelled reads back, what is wrong is refused by name."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayq.errors import SpecError
from relayq.model.duration import (
    MAX_DURATION_MS,
    MAX_MOMENT_MS,
    MAX_SIZE_BYTES,
    format_duration,
    format_size,
    parse_duration_ms,
    parse_moment_ms,
    parse_size,
    spell_duration,
    spell_moment,
    spell_size,
)


@given(st.integers(0, MAX_DURATION_MS))
def test_a_spelled_duration_reads_back(ms):
    assert parse_duration_ms(spell_duration(ms)) == ms


@given(st.integers(0, MAX_SIZE_BYTES))
def test_a_spelled_size_reads_back(size):
    assert parse_size(spell_size(size)) == size


@given(st.integers(1, MAX_MOMENT_MS))
def test_a_spelled_moment_reads_back(ms):
    assert parse_moment_ms(spell_moment(ms)) == ms


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("90s", 90_000),
        ("15m", 900_000),
        ("1h30m", 5_400_000),
        ("2h", 7_200_000),
        ("3d", 259_200_000),
        ("250ms", 250),
        ("1m1ms", 60_001),
        ("1.5h", 5_400_000),
        ("0.1s", 100),
        (" 5s ", 5_000),
        ("90", 90_000),
        ("0", 0),
        (90, 90_000),
        (0.25, 250),
        (timedelta(minutes=2), 120_000),
    ],
)
def test_durations_are_read(text, ms):
    assert parse_duration_ms(text) == ms


@pytest.mark.parametrize(
    "text",
    [
        *("", "s", "5 s", "5x", "-5s", "1m1h", "1s1s", "1e3s", "5S", "٣s", "9" * 50, "3661d", "0.0001s"),
        *(-1, 0.0001, 1e300, 10**400, float("nan"), float("inf"), True, None, [], {}, b"5s"),
    ],
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(SpecError, match=r"\(field 'timeout'\)"):
        parse_duration_ms(text, "timeout")


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0.0s"),
        (400, "0.4s"),
        (9_999, "9.9s"),
        (12_000, "12s"),
        (161_000, "2m41s"),
        (3_600_000, "1h00m"),
        (7_500_000, "2h05m"),
        (273_600_000, "3d04h"),
        (-161_000, "-2m41s"),
    ],
)
def test_durations_are_shown_in_two_units(ms, text):
    assert format_duration(ms) == text


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512M", 512 << 20),
        ("2G", 2 << 30),
        ("1.5G", 3 << 29),
        ("2GiB", 2 << 30),
        ("2gb", 2 << 30),
        ("1 K", 1024),
        ("17", 17),
        ("17B", 17),
        (17, 17),
    ],
)
def test_sizes_are_read(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "M", "-1", "1Q", "1e3", "2  G", "9" * 39, -1, 1.5, True, None, [], "1025P"]
)
def test_what_is_no_size_is_refused(text):
    with pytest.raises(SpecError, match=r"\(field 'memory'\)"):
        parse_size(text, "memory")


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0B"),
        (17, "17B"),
        (999, "999B"),
        (1024, "1.0K"),
        (1_153_434, "1.1M"),
        (512 << 20, "512M"),
        (5 << 60, "5120P"),
    ],
)
def test_sizes_are_shown_short(size, text):
    assert format_size(size) == text


@given(st.integers(0, MAX_SIZE_BYTES))
def test_a_shown_size_has_at_most_five_characters(size):
    assert len(format_size(size)) <= 5


@given(st.datetimes(min_value=datetime(1971, 1, 1), timezones=st.just(UTC)))
def test_a_moment_with_its_zone_is_read(moment):
    assert parse_moment_ms(moment.isoformat()) == round(moment.timestamp() * 1000)


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "2026-11-24T03:00:00", "1969-01-01T00:00:00Z", 0, -1, 1e300, None, True]
)
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(SpecError, match=r"\(field 'at'\)"):
        parse_moment_ms(text)

"""Secrets that a job prints by accident do not leave the machine, however they are cut."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayq.trust.redacting import Redactor

SECRET = "hunter2/geheim+ü"
RAW = SECRET.encode()


def redacted(data: bytes, *values: str, pieces: int = 1) -> bytes:
    redactor = Redactor(values)
    step = max(1, len(data) // pieces)
    shown = b"".join(redactor.feed(data[at : at + step]) for at in range(0, len(data), step))
    return shown + redactor.close()


@pytest.mark.parametrize(
    "shape",
    [
        RAW,
        quote(SECRET, safe="").encode(),
        RAW.hex().encode(),
        RAW.hex().upper().encode(),
        base64.b64encode(RAW),
        base64.b64encode(b"x" + RAW),
        base64.b64encode(b"xy" + RAW + b"z"),
        base64.urlsafe_b64encode(b"user:" + RAW + b"@host"),
    ],
)
@pytest.mark.parametrize("pieces", [1, 3, 1000])
def test_every_shape_is_hidden_however_it_is_cut(shape: bytes, pieces: int) -> None:
    shown = redacted(b"before " + shape + b" after", SECRET, pieces=pieces)
    assert b"***" in shown and shape not in shown
    assert shown.startswith(b"before ") and shown.endswith(b" after")


def test_each_line_of_a_key_is_hidden() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEFA\n-----END KEY-----"
    assert b"MIIEvQ" not in redacted(b"> MIIEvQIBADANBg\n> kqhkiG9w0BAQEFA\n", key)


def test_short_values_are_left_alone() -> None:
    assert redacted(b"1 and 12 and abc", "1", "12", "abc") == b"1 and 12 and abc"


def test_without_secrets_nothing_waits() -> None:
    assert Redactor([]).feed(b"hello") == b"hello"


def test_a_mask_keeps_every_place() -> None:
    redactor = Redactor(["hunter2"])
    assert redactor.masked(b"", b"say hunter2!", b"") == b"say *******!"
    assert redactor.masked(b"say hun", b"ter2!", b"") == b"****!"
    assert redactor.masked(b"", b"say hun", b"ter2!") == b"say ***"


@given(st.lists(st.binary(max_size=40), max_size=12))
def test_what_is_no_secret_passes_unchanged(pieces: list[bytes]) -> None:
    redactor = Redactor(["a-secret-that-is-never-there"])
    shown = b"".join(map(redactor.feed, pieces)) + redactor.close()
    assert shown == b"".join(pieces)


@given(st.text("abc", min_size=4, max_size=8), st.binary(max_size=60), st.integers(1, 7))
def test_the_value_never_gets_through(value: str, noise: bytes, step: int) -> None:
    data = noise + value.encode() + noise
    redactor = Redactor([value])
    shown = b"".join(redactor.feed(data[at : at + step]) for at in range(0, len(data), step))
    assert value.encode() not in (shown + redactor.close()).replace(b"***", b"\0")

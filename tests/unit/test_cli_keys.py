"""`relayq keys`: the key that other machines have to be told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from relayq.cli.main import main
from relayq.config import load
from relayq.trust.keys import SigningKey, owner_key
from relayq.trust.words import WORDS, four_words


def test_the_own_key_is_made_and_shown(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["key"] == owner_key(load().owner_key_path).public


def test_trusted_keys_are_shown_with_their_source(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    friend = SigningKey.generate()
    monkeypatch.setenv("RELAYQ_TRUST_KEYS", friend.public)
    assert main(["keys"]) == 0
    line = capsys.readouterr().out.splitlines()[2]
    expected = [friend.public, friend.kid, "trusted", "by", "RELAYQ_TRUST_KEYS", four_words(friend.public)]
    assert line.split() == expected


def test_four_words_stand_for_forty_bits() -> None:
    assert len(set(WORDS)) == 1024
    assert list(WORDS) == sorted(WORDS)
    assert four_words(SigningKey(bytes(32)).public).count("-") == 3
    assert four_words(SigningKey(bytes(32)).public) != four_words(SigningKey(bytes([1] * 32)).public)

"""`relayq keys`: the key that other machines have to be told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from relayq.cli.main import main
from relayq.config import load
from relayq.trust.keys import SigningKey, owner_key


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
    assert line.split() == [friend.public, friend.kid, "trusted", "by", "RELAYQ_TRUST_KEYS"]

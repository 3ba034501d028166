"""Facts about keys: who may read them, and what their ring believes."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayq.errors import ConfigError, Refused
from relayq.trust.keys import (
    Keyring,
    PublicKey,
    SigningKey,
    decode,
    encode,
    fingerprint,
    kid_of,
    owner_key,
)

SEED = bytes(range(32))


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_owner_key_is_made_on_first_use_and_is_the_same_ever_after(tmp_path: Path) -> None:
    path = tmp_path / "data" / "owner.key"
    assert owner_key(path).public == owner_key(path).public


def test_a_new_key_file_and_its_directory_are_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "owner.key"
    before = os.umask(0)
    try:
        owner_key(path)
    finally:
        os.umask(before)
    assert (mode_of(path), mode_of(path.parent), mode_of(path.parent.parent)) == (0o600, 0o700, 0o700)


def test_making_a_key_leaves_nothing_beside_it(tmp_path: Path) -> None:
    owner_key(tmp_path / "owner.key")
    assert [file.name for file in tmp_path.iterdir()] == ["owner.key"]


def test_processes_that_make_the_key_at_the_same_time_get_the_same_one(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from relayq.trust.keys import owner_key\n"
    code += "print('ready', flush=True); sys.stdin.readline(); print(owner_key(Path(sys.argv[1])).public)"
    argv = [sys.executable, "-c", code, str(tmp_path / "owner.key")]
    racers = [
        subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    assert all(racer.stdout and racer.stdout.readline() == "ready\n" for racer in racers)
    for racer in racers:
        assert racer.stdin
        racer.stdin.write("go\n")
        racer.stdin.flush()
    publics = {racer.communicate()[0] for racer in racers}
    assert len(publics) == 1
    assert publics != {""}


def test_saving_over_a_key_keeps_the_key_that_is_there(tmp_path: Path) -> None:
    path = tmp_path / "owner.key"
    first = owner_key(path)
    assert not SigningKey.generate().save(path)
    assert owner_key(path).public == first.public


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_can_read_is_refused_with_the_command_to_type(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "owner.key"
    owner_key(path)
    path.chmod(mode)
    with pytest.raises(ConfigError, match=f"chmod 600 {path}"):
        owner_key(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_key_that_belongs_to_another_user_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "owner.key"
    owner_key(path)
    os.chown(path, 12345, 12345)
    with pytest.raises(ConfigError, match="belongs to another user"):
        owner_key(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"relayq-ed25519-private",
        b"relayq-ed25519-private abc",
        b"other-word " + encode(SEED).encode(),
        b"relayq-ed25519-private " + encode(SEED).encode() + b" more",
        b"relayq-ed25519-private " + encode(SEED + b"x").encode(),
        b"\xff\xfe" * 100,
    ],
)
def test_a_damaged_key_file_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "owner.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="is damaged"):
        owner_key(path)


def test_a_directory_a_pipe_and_a_dangling_link_are_no_key_files(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir(mode=0o700)
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    for name in ("directory", "pipe", "link"):
        with pytest.raises(ConfigError, match=f"key file .*{name}"):
            owner_key(tmp_path / name)


def test_a_key_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be"):
        owner_key(tmp_path / "file" / "owner.key")


def test_a_private_key_does_not_show_in_its_representation() -> None:
    key = SigningKey(SEED)
    assert encode(SEED) not in repr(key)
    assert SEED.hex() not in repr(key)


def test_a_kid_is_the_first_eight_hex_digits_of_the_sha256_of_the_public_key() -> None:
    # RFC 8032, 7.1, test 1
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    key = SigningKey(seed)
    assert (key.public, key.kid) == (encode(public), kid_of(public))
    assert key.sign(b"").hex().startswith("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974")


def test_the_ring_finds_a_key_by_its_kid() -> None:
    key = SigningKey(SEED)
    ring = Keyring([key.public, SigningKey.generate().public])
    assert ring.get(key.kid).public == key.public
    assert key.kid in ring
    assert len(ring) == 2


def test_the_ring_refuses_a_key_it_does_not_hold() -> None:
    with pytest.raises(Refused, match="deadbeef is not trusted here"):
        Keyring([]).get("deadbeef")


@pytest.mark.parametrize("public", ["", "abc", encode(SEED) + "=", encode(SEED)[:-1] + "9", "é" * 43])
def test_a_ring_of_something_else_than_keys_is_a_config_error(public: str) -> None:
    with pytest.raises(ConfigError, match="is not a public key"):
        Keyring([public])


def test_two_keys_of_one_kid_are_a_config_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relayq.trust.keys.kid_of", lambda raw: "00000000")
    with pytest.raises(ConfigError, match="share the id 00000000"):
        Keyring([SigningKey.generate().public, SigningKey.generate().public])


def test_the_same_key_twice_is_one_key() -> None:
    public = SigningKey(SEED).public
    assert len(Keyring([public, public])) == 1


def test_a_signature_holds_for_its_message_and_key_only() -> None:
    key, other = SigningKey.generate(), SigningKey.generate()
    signature = key.sign(b"message")
    PublicKey(key.public).verify(signature, b"message")
    for public, content, proof in (
        (key.public, b"massage", signature),
        (other.public, b"message", signature),
        (key.public, b"message", signature[:-1]),
        (key.public, b"message", b""),
    ):
        with pytest.raises(Refused):
            PublicKey(public).verify(proof, content)


def test_a_fingerprint_is_four_groups_of_four() -> None:
    words = fingerprint(SigningKey(SEED).public).split()
    assert [len(word) for word in words] == [4, 4, 4, 4]


@given(st.binary(max_size=80))
def test_base64url_reads_back_what_was_written(raw: bytes) -> None:
    assert decode(encode(raw), len(raw)) == raw
    assert decode(encode(raw), len(raw) + 1) is None


@given(st.text(max_size=60))
def test_a_value_has_one_spelling(text: str) -> None:
    for size in range(46):
        raw = decode(text, size)
        assert raw is None or encode(raw) == text

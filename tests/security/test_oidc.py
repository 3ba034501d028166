"""A run of GitHub Actions submits what its token names, and nobody else does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PSS
from cryptography.hazmat.primitives.hashes import SHA256

from relayq.errors import ConfigError, Refused
from relayq.trust.keys import encode
from relayq.trust.members import GithubRule
from relayq.trust.oidc import AUDIENCE, KeyStore, check_moment, checked_issuer, verify_token
from tests.security.issuer import Issuer, public_of, rsa_key, running, token_of

DIGEST = "a" * 64
RULE = GithubRule(repository="me/site", repository_id="12", owner_id="34")


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with running() as issuer:
        yield issuer


@pytest.fixture
def keys(issuer: Issuer, tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "keys.json", issuer.url)


def now() -> int:
    return int(time.time())


def refusal(token: str, keys: KeyStore, *rules: GithubRule) -> str:
    with pytest.raises(Refused) as refused:
        verify_token(token, DIGEST, keys, rules or (RULE,))
    return str(refused.value)


def test_a_token_for_these_bytes_from_a_run_that_a_rule_lets_in_is_accepted(
    issuer: Issuer, keys: KeyStore
) -> None:
    claims = verify_token(issuer.token(AUDIENCE + DIGEST, now()), DIGEST, keys, (RULE,))
    assert (claims.signer, claims.rule) == ("oidc:12", RULE)


@pytest.mark.parametrize(
    "audience", ["sts.amazonaws.com", AUDIENCE + "b" * 64, [AUDIENCE + DIGEST], AUDIENCE, None, 7]
)
def test_a_token_for_anything_else_is_refused(issuer: Issuer, keys: KeyStore, audience: object) -> None:
    assert "other content" in refusal(issuer.token(audience, now()), keys)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"event_name": "pull_request"}, "event 'pull_request'"),
        ({"event_name": "pull_request_target"}, "event"),
        ({"event_name": "issue_comment"}, "event"),
        ({"event_name": "workflow_run"}, "event"),
        ({"ref": "refs/heads/other"}, "ref"),
        ({"ref": "refs/pull/1/merge"}, "ref"),
        ({"ref": "main"}, "ref"),
        ({"repository_id": "13"}, "no rule"),
        ({"repository_owner_id": "35"}, "no rule"),
        ({"repository_id": 12}, "repository_id"),
        ({"repository_id": None}, "repository_id"),
        ({"runner_environment": "self-hosted"}, "runner"),
        ({"runner_environment": None}, "runner_environment"),
        ({"iss": "https://token.example.com"}, "another issuer"),
        ({"iss": None}, "another issuer"),
        ({"iat": None}, "when it was made"),
        ({"iat": "1"}, "when it was made"),
        ({"iat": True}, "when it was made"),
    ],
)
def test_a_run_that_no_rule_lets_in_is_refused(
    issuer: Issuer, keys: KeyStore, changes: dict[str, Any], why: str
) -> None:
    fields = {"iat_s": now(), **changes}
    token = issuer.token(AUDIENCE + DIGEST, fields.pop("iat_s"), **fields)
    assert why in refusal(token, keys)


def test_the_same_name_under_another_number_is_refused(issuer: Issuer, keys: KeyStore) -> None:
    token = issuer.token(AUDIENCE + DIGEST, now(), repository="me/site", repository_id="99")
    assert "no rule" in refusal(token, keys)


def test_an_environment_and_a_workflow_are_matched_when_they_are_named(
    issuer: Issuer, keys: KeyStore
) -> None:
    rule = RULE.but(ref="", environment="prod", workflow="me/site/.github/workflows/ci.yml@refs/heads/main")
    good = issuer.token(AUDIENCE + DIGEST, now(), environment="prod", ref="refs/heads/any")
    assert verify_token(good, DIGEST, keys, (rule,)).rule == rule
    assert "environment" in refusal(issuer.token(AUDIENCE + DIGEST, now()), keys, rule)
    other = issuer.token(AUDIENCE + DIGEST, now(), environment="prod", job_workflow_ref="x")
    assert "workflow" in refusal(other, keys, rule)


def test_an_event_that_is_named_is_let_in(issuer: Issuer, keys: KeyStore) -> None:
    rule = RULE.but(events=("pull_request",), ref="refs/pull/1/merge")
    token = issuer.token(AUDIENCE + DIGEST, now(), event_name="pull_request", ref="refs/pull/1/merge")
    assert verify_token(token, DIGEST, keys, (rule,)).rule == rule


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "PS256"},
        {"alg": "RS512"},
        {"alg": "rs256"},
        {"alg": None},
        {"jku": "http://127.0.0.1/keys"},
        {"jwk": {"kty": "RSA"}},
        {"x5u": "http://127.0.0.1/cert"},
        {"x5c": ["AAAA"]},
        {"crit": ["exp"]},
        {"kid": 7},
        {"kid": "unheard-of"},
        {"zip": "DEF"},
    ],
)
def test_a_header_of_another_kind_is_refused(issuer: Issuer, keys: KeyStore, header: dict[str, Any]) -> None:
    assert refusal(issuer.token(AUDIENCE + DIGEST, now(), header=header), keys)


def test_a_signature_of_another_kind_or_by_another_key_is_refused(issuer: Issuer, keys: KeyStore) -> None:
    good = issuer.token(AUDIENCE + DIGEST, now())
    signed = good.rpartition(".")[0]
    pss = rsa_key("one").sign(signed.encode(), PSS(mgf=_mgf(), salt_length=32), SHA256())
    assert "not its issuer's" in refusal(f"{signed}.{encode(pss)}", keys)
    forged = token_of({"alg": "RS256", "kid": "one"}, {"iss": issuer.url}, rsa_key("two"))
    assert "not its issuer's" in refusal(forged, keys)
    assert refusal(f"{signed}.", keys)
    assert refusal(signed, keys)


def _mgf() -> Any:
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1

    return MGF1(SHA256())


def test_a_weak_key_is_no_key(issuer: Issuer, keys: KeyStore) -> None:
    issuer.keys = [public_of("weak", 1024), {**public_of("one"), "kid": "small", "e": "Aw"}]
    weak = token_of({"alg": "RS256", "kid": "weak"}, {"iss": issuer.url}, rsa_key("weak", 1024))
    assert "does not have" in refusal(weak, keys)
    assert "does not have" in refusal(issuer.token(AUDIENCE + DIGEST, now(), key="small"), keys)


def test_a_rotated_key_is_fetched_when_it_is_first_seen_and_not_more_than_once_a_minute(
    issuer: Issuer, tmp_path: Path
) -> None:
    clock = [1000.0]
    keys = KeyStore(tmp_path / "keys.json", issuer.url, now=lambda: clock[0])
    verify_token(issuer.token(AUDIENCE + DIGEST, now()), DIGEST, keys, (RULE,))
    issuer.keys = [public_of("two")]
    token = issuer.token(AUDIENCE + DIGEST, now(), key="two")
    assert "does not have" in refusal(token, keys)
    assert issuer.asked == 1
    clock[0] += 61
    verify_token(token, DIGEST, keys, (RULE,))
    assert issuer.asked == 2
    assert "does not have" in refusal(issuer.token(AUDIENCE + DIGEST, now()), keys)


def test_keys_are_asked_for_again_after_an_hour(issuer: Issuer, tmp_path: Path) -> None:
    clock = [1000.0]
    keys = KeyStore(tmp_path / "keys.json", issuer.url, now=lambda: clock[0])
    token = issuer.token(AUDIENCE + DIGEST, now())
    for after_s in (0, 1800, 1801):
        clock[0] += after_s
        verify_token(token, DIGEST, keys, (RULE,))
    assert issuer.asked == 2


def test_while_the_issuer_is_away_the_keys_on_disk_are_used(tmp_path: Path) -> None:
    with running() as issuer:
        token = issuer.token(AUDIENCE + DIGEST, now())
        verify_token(token, DIGEST, KeyStore(tmp_path / "keys.json", issuer.url), (RULE,))
    again = KeyStore(tmp_path / "keys.json", issuer.url, now=lambda: time.time() + 7200)
    assert verify_token(token, DIGEST, again, (RULE,)).rule == RULE
    assert "does not have" in refusal(token, KeyStore(tmp_path / "none.json", issuer.url))


def test_the_keys_of_another_issuer_on_disk_count_for_nothing(issuer: Issuer, tmp_path: Path) -> None:
    with running() as other:
        keys = KeyStore(tmp_path / "keys.json", other.url)
        verify_token(other.token(AUDIENCE + DIGEST, now()), DIGEST, keys, (RULE,))
    issuer.keys = []
    token = issuer.token(AUDIENCE + DIGEST, now())
    assert "does not have" in refusal(token, KeyStore(tmp_path / "keys.json", issuer.url))


def test_a_token_of_another_time_than_the_job_is_refused(issuer: Issuer, keys: KeyStore) -> None:
    claims = verify_token(issuer.token(AUDIENCE + DIGEST, 1_000_000), DIGEST, keys, (RULE,))
    check_moment(claims, 1_000_120)
    for iat_s in (1_000_121, 999_879):
        with pytest.raises(Refused, match="121 s apart"):
            check_moment(claims, iat_s)


@pytest.mark.parametrize(
    "issuer", ["http://example.com", "ftp://127.0.0.1", "https://", "token", "file:///x"]
)
def test_an_issuer_is_asked_over_tls_or_on_this_machine(issuer: str) -> None:
    with pytest.raises(ConfigError, match="https"):
        checked_issuer(issuer)

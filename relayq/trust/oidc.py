"""GitHub Actions without a secret: an identity token that names the job is its signature.

A run asks GitHub for a token whose audience is `relayq:sha256:<digest of what is signed>`.
Whoever holds that token can submit exactly these bytes and nothing else. What is checked,
all of it, in this order: the form of the token, RS256 by a key of the issuer (of 2048 bits
or more, fetched over TLS, kept on disk), issuer, audience, and the claims against the
owner's rules. A token says for five minutes when it was made; here it must have been made
within two of the body's own time, and the body's expiry governs from then on.

Rules match the numbers of repository and owner, the ref or the environment, the event and
the kind of runner, and where one is named the workflow. `sub` is never read: its format can
be changed by whoever owns the repository, and GitHub changed it itself in July 2026.
(Claims: docs.github.com, "OpenID Connect reference", read 2026-11.)
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from relayq.errors import ConfigError, Refused
from relayq.trust.audience import AUDIENCE, signer_of
from relayq.trust.keys import decode_any
from relayq.trust.members import REPOSITORY, GithubRule

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

ISSUER = "https://token.actions.githubusercontent.com"
SKEW_S = 120
KEY_BITS_MIN = 2048
REFRESH_S = 3600
ASK_AGAIN_S = 60
FETCH_S = 10
KEYS_BYTES_MAX = 256 << 10
TOKEN_CHARS_MAX = 16_384
_HEADER_FIELDS = frozenset(("alg", "kid", "typ", "x5t"))
_NEEDED = ("repository_id", "repository_owner_id", "ref", "event_name", "runner_environment")


class Claims(NamedTuple):
    """What a verified token says: who ran, when the token was made, and the rule that lets it in."""

    repository_id: str
    iat: int
    rule: GithubRule

    @property
    def signer(self) -> str:
        """The name that the signed body has for this signer."""
        return signer_of(self.repository_id)


class KeyStore:
    """The issuer's keys, on disk; fetched when they are an hour old, or when one is not among them."""

    def __init__(self, path: Path, issuer: str, now: Callable[[], float] = time.time) -> None:
        self.issuer = checked_issuer(issuer)
        self._path, self._now = path, now
        self._lock = threading.Lock()
        self._asked_s = float("-inf")
        self._keys: dict[str, RSAPublicKey] = {}
        self._read_s = float("-inf")

    def key(self, kid: str) -> RSAPublicKey:
        """The key of this id; Refused when the issuer has none."""
        with self._lock:
            if not self._keys:
                self._load()
            is_old = self._now() - self._read_s > REFRESH_S
            if (is_old or kid not in self._keys) and self._now() - self._asked_s > ASK_AGAIN_S:
                self._refresh()
            if kid not in self._keys:
                raise Refused(f"the token is signed by key {kid[:40]!a}, which its issuer does not have")
            return self._keys[kid]

    def _load(self) -> None:
        with suppress(OSError, ValueError, KeyError, TypeError):
            kept = json.loads(self._path.read_bytes())
            if kept["issuer"] == self.issuer:
                self._keys, self._read_s = _keys_of(kept["keys"]), float(kept["read_s"])

    def _refresh(self) -> None:
        """Ask the issuer; what is known stays when it does not answer."""
        self._asked_s = self._now()
        with suppress(OSError, ValueError, KeyError, TypeError):
            document = json.loads(_fetched(self.issuer + "/.well-known/jwks"))
            keys = _keys_of(document["keys"])
            if keys:
                self._keys, self._read_s = keys, self._now()
                self._keep(document["keys"])

    def _keep(self, keys: object) -> None:
        fresh = self._path.with_suffix(".new")
        self._path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "w") as opened:
            json.dump({"issuer": self.issuer, "read_s": self._read_s, "keys": keys}, opened)
        fresh.replace(self._path)


class RunJudge:
    """Judges the tokens of runs by the issuer's keys, which this machine keeps in `directory`."""

    def __init__(self, directory: Path, issuer: str) -> None:
        self._directory, self._issuer = directory, issuer
        self._keys: KeyStore | None = None

    def by(self, rules: Sequence[GithubRule]) -> Callable[[str, str], Claims]:
        """What `open_job` takes: judges by these rules. May ask the issuer, so not on an event loop."""

        def judge(token: str, digest: str) -> Claims:
            if self._keys is None:
                self._keys = KeyStore(self._directory / "oidc-keys.json", self._issuer)
            return verify_token(token, digest, self._keys, rules)

        return judge


def verify_token(token: str, digest: str, keys: KeyStore, rules: Sequence[GithubRule]) -> Claims:
    """Judge a token that is to sign what has this SHA-256; Refused for any reason at all."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    head, payload, signature = _parts(token)
    header = _object(head, "the head of the token")
    if not header.keys() <= _HEADER_FIELDS:
        raise Refused("the token brings a key or an extension of its own: neither is accepted")
    if header.get("alg") != "RS256" or not isinstance(header.get("kid"), str):
        raise Refused("the token is not signed with RS256 by a key that it names")
    signed = token.rpartition(".")[0].encode()
    try:
        keys.key(header["kid"]).verify(signature, signed, PKCS1v15(), SHA256())
    except InvalidSignature:
        raise Refused("the token's signature is not its issuer's") from None
    claims = _object(payload, "the token")
    if claims.get("iss") != keys.issuer:
        raise Refused("the token is from another issuer")
    if claims.get("aud") != AUDIENCE + digest:
        raise Refused("the token was made for other content")
    if type(claims.get("iat")) is not int:
        raise Refused("the token does not say when it was made")
    rule = rule_for(claims, rules)
    return Claims(rule.repository_id, claims["iat"], rule)


def rule_for(claims: Mapping[str, Any], rules: Sequence[GithubRule]) -> GithubRule:
    """The first rule that lets a run with these claims in; Refused when there is none."""
    missing = [name for name in _NEEDED if not isinstance(claims.get(name), str)]
    if missing:
        raise Refused(f"the token does not say its {missing[0]}")
    why = _unknown(claims)
    for rule in rules:
        if (claims["repository_id"], claims["repository_owner_id"]) == (rule.repository_id, rule.owner_id):
            why = _objection(claims, rule)
            if not why:
                return rule
    raise Refused(f"the run is not let in: {why}")


def _unknown(claims: Mapping[str, Any]) -> str:
    """What to say to a repository that nobody trusts; its name and number are what the token says."""
    name, number = claims.get("repository"), claims["repository_id"]
    if not isinstance(name, str) or not re.fullmatch(REPOSITORY, name) or not number.isdecimal():
        return "no rule of the roster is for its repository"
    return (
        f"no rule of the roster is for repository {name} (number {number[:20]}): "
        f"the owner of the fleet makes one with `relayq trust github {name}`"
    )


def check_moment(claims: Claims, iat_s: int) -> None:
    """Refused unless the token was made within two minutes of the body that it signs."""
    if abs(claims.iat - iat_s) > SKEW_S:
        raise Refused(f"the token and the job are {abs(claims.iat - iat_s)} s apart: at most {SKEW_S}")


def checked_issuer(issuer: str) -> str:
    """The issuer's address; ConfigError unless it is https, or http on this very machine."""
    parts = urlsplit(issuer)
    is_local = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
    if not is_local and (parts.scheme != "https" or not parts.hostname):
        raise ConfigError(f"{issuer[:80]!r} is not an https:// address (trust.oidc_issuer)")
    return issuer.rstrip("/")


def _objection(claims: Mapping[str, Any], rule: GithubRule) -> str:
    """Why this rule, which is for its repository, does not let a run in; empty when it does."""
    if claims["event_name"] not in rule.events:
        return f"event {claims['event_name'][:40]!a} is not one of {', '.join(rule.events)}"
    if rule.ref and claims["ref"] != rule.ref:
        return f"ref {claims['ref'][:80]!a} is not {rule.ref}"
    if rule.environment and claims.get("environment") != rule.environment:
        return f"it does not run in environment {rule.environment}"
    if rule.workflow and claims.get("job_workflow_ref") != rule.workflow:
        return f"its workflow is not {rule.workflow}"
    if claims["runner_environment"] != "github-hosted":
        return "its runner is not one of GitHub's own"
    return ""


def _parts(token: str) -> tuple[bytes, bytes, bytes]:
    parts = token.split(".") if len(token) <= TOKEN_CHARS_MAX else []
    raw = [decode_any(part) for part in parts] if token.isascii() else []
    if len(raw) != 3 or not all(raw):
        raise Refused("the token is not three parts in base64url")
    head, payload, signature = raw
    assert head and payload and signature
    return head, payload, signature


def _object(data: bytes, what: str) -> dict[str, Any]:
    try:
        fields = json.loads(data, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise Refused(f"{what} is not JSON") from None
    if not isinstance(fields, dict):
        raise Refused(f"{what} is not an object")
    return fields


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field is given twice")
    return fields


def _keys_of(items: Sequence[Mapping[str, Any]]) -> dict[str, RSAPublicKey]:
    """The usable keys of a key set: RSA, for signing, strong enough."""
    found = {}
    for item in items:
        key = _rsa(item) if item.get("kty") == "RSA" and item.get("use", "sig") == "sig" else None
        if key is not None and isinstance(item.get("kid"), str):
            found[item["kid"]] = key
    return found


def _rsa(item: Mapping[str, Any]) -> RSAPublicKey | None:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

    modulus, exponent = decode_any(str(item.get("n"))), decode_any(str(item.get("e")))
    if not modulus or not exponent or item.get("alg", "RS256") != "RS256":
        return None
    n, e = int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")
    if n.bit_length() < KEY_BITS_MIN or e < 65537:
        return None
    return RSAPublicNumbers(e, n).public_key()


def _fetched(url: str) -> bytes:
    """Read over TLS that this system's authorities vouch for, and no redirection."""
    from urllib.request import HTTPRedirectHandler, build_opener

    class Stay(HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            return None

    with build_opener(Stay()).open(url, timeout=FETCH_S) as reply:
        data: bytes = reply.read(KEYS_BYTES_MAX + 1)
    if len(data) > KEYS_BYTES_MAX:
        raise ValueError("the issuer's key set is too large")
    return data

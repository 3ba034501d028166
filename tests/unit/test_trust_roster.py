"""Only the owner says who is in the fleet, and what was said is not unsaid."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from relayq.errors import Refused, UnknownName
from relayq.trust.book import Book
from relayq.trust.boxes import BoxKey
from relayq.trust.keys import SigningKey, encode
from relayq.trust.members import GithubRule, Member
from relayq.trust.roster import (
    EPOCHS_MAX,
    Roster,
    add_github_rule,
    add_member,
    epoch_keys,
    new_roster,
    open_roster,
    remove_github_rules,
    revoke,
    rotate,
    sign_roster,
    version_of,
)
from relayq.trust.sealing import READERS_MAX, Opener, Sealer

OWNER = SigningKey.generate()
STRANGER = SigningKey.generate()
NOW_S = 1_800_000_000
RULE = GithubRule(repository="me/site", repository_id="12", owner_id="34")


def member(role: str, name: str, key: SigningKey | None = None) -> Member:
    key = key or SigningKey.generate()
    return Member(role=role, name=name, sign=key.public, box=BoxKey.of(key).public)


def first() -> Roster:
    return new_roster(OWNER, "home", NOW_S)


def signed_again(roster: Roster, **changed: object) -> bytes:
    """What the owner would have signed with these fields changed."""
    data = sign_roster(OWNER, roster)
    fields = json.loads(data.partition(b"\n")[2]) | changed
    payload = json.dumps(fields).encode()
    signature = encode(OWNER.sign(b"relayq-roster-1\n" + payload))
    return f"roster {fields['version']} ed25519 {OWNER.kid} {signature}\n".encode() + payload


def test_a_roster_travels_unchanged() -> None:
    roster = add_github_rule(add_member(first(), OWNER, member("worker", "pi"), NOW_S), RULE, NOW_S)
    data = sign_roster(OWNER, roster)
    assert open_roster(data, OWNER.public, fleet="home") == roster
    assert version_of(data) == roster.version == 3


def test_a_strangers_roster_is_refused() -> None:
    theirs = sign_roster(STRANGER, new_roster(STRANGER, "home", NOW_S))
    with pytest.raises(Refused, match="not by the owner's"):
        open_roster(theirs, OWNER.public)


def test_a_roster_signed_by_a_stranger_in_the_owners_name_is_refused() -> None:
    data = sign_roster(OWNER, first())
    head, _, payload = data.partition(b"\n")
    forged = encode(STRANGER.sign(b"relayq-roster-1\n" + payload)).encode()
    with pytest.raises(Refused, match="signature"):
        open_roster(b" ".join([*head.split()[:4], forged]) + b"\n" + payload, OWNER.public)


def test_an_older_roster_is_refused() -> None:
    with pytest.raises(Refused, match="brings back an old one"):
        open_roster(sign_roster(OWNER, first()), OWNER.public, at_least_version=2)


def test_another_fleets_roster_is_refused() -> None:
    with pytest.raises(Refused, match="of fleet 'home'"):
        open_roster(sign_roster(OWNER, first()), OWNER.public, fleet="other")


def test_a_head_that_names_another_version_is_refused() -> None:
    data = sign_roster(OWNER, first()).replace(b"roster 1 ", b"roster 9 ")
    with pytest.raises(Refused, match="head"):
        open_roster(data, OWNER.public)


@pytest.mark.parametrize(
    "changed",
    [
        {"version": 0},
        {"version": True},
        {"iat": "now"},
        {"fleet": "a\nb"},
        {"members": [{"role": "worker"}]},
        {"members": [{**member("worker", "pi").to_json(), "role": "god"}]},
        {"members": [{**member("worker", "pi").to_json(), "sudo": True}]},
        {"members": [{**member("worker", "pi").to_json(), "box": "A" * 42}]},
        {"members": [member("worker", "a", OWNER).to_json()]},
        {"epochs": []},
        {"epochs": [[1, "A", "B", "C"]]},
        {"github": [{**RULE.to_json(), "ref": "", "environment": ""}]},
        {"github": [{**RULE.to_json(), "events": []}]},
        {"github": [{**RULE.to_json(), "repository_id": "0x1"}]},
        {"github": [{**RULE.to_json(), "approve": 1}]},
        {"revoked": "all"},
        {"extra": 1},
    ],
)
def test_a_roster_of_another_form_is_refused_even_from_the_owner(
    changed: dict[str, object],
) -> None:
    with pytest.raises(Refused):
        open_roster(signed_again(first(), **changed), OWNER.public)


def test_every_worker_and_the_owner_may_open_the_epoch_and_nobody_else() -> None:
    pi, laptop, phone = (SigningKey.generate() for _ in range(3))
    roster = add_member(first(), OWNER, member("worker", "pi", pi), NOW_S)
    roster = add_member(roster, OWNER, member("submit", "laptop", laptop), NOW_S)
    roster = add_member(roster, OWNER, member("viewer", "phone", phone), NOW_S)
    for key in (pi, OWNER):
        assert [one.public for one in epoch_keys(roster, BoxKey.of(key))] == [roster.epoch.public]
    for key in (laptop, phone, STRANGER):
        assert epoch_keys(roster, BoxKey.of(key)) == []


def test_whoever_is_revoked_opens_no_later_epoch_while_the_others_open_both() -> None:
    pi, mac = SigningKey.generate(), SigningKey.generate()
    before = add_member(first(), OWNER, member("worker", "pi", pi), NOW_S)
    before = add_member(before, OWNER, member("worker", "mac", mac), NOW_S)
    after = revoke(before, OWNER, "pi", NOW_S)
    assert after.epoch.number == before.epoch.number + 1
    assert epoch_keys(after, BoxKey.of(pi)) == []
    assert len(epoch_keys(after, BoxKey.of(mac))) == 2
    assert after.revoked == (pi.kid,) and not after.is_worker(pi.public) and after.is_worker(mac.public)


def test_a_revoked_key_does_not_come_back() -> None:
    pi = SigningKey.generate()
    gone = revoke(add_member(first(), OWNER, member("worker", "pi", pi), NOW_S), OWNER, pi.kid, NOW_S)
    with pytest.raises(Refused, match="was revoked"):
        add_member(gone, OWNER, member("worker", "pi2", pi), NOW_S)


def test_a_name_that_is_given_again_shuts_out_its_old_key() -> None:
    old, new = SigningKey.generate(), SigningKey.generate()
    roster = add_member(first(), OWNER, member("worker", "pi", old), NOW_S)
    roster = add_member(roster, OWNER, member("worker", "pi", new), NOW_S)
    assert (roster.is_worker(old.public), roster.is_worker(new.public)) == (False, True)
    assert len(epoch_keys(roster, BoxKey.of(new))) == 2 and roster.revoked == (old.kid,)


def test_a_revoked_key_counts_for_nothing_even_where_it_is_still_listed() -> None:
    pi = member("worker", "pi")
    roster = first().but(members=(pi,), revoked=(pi.kid,))
    assert not roster.is_worker(pi.sign) and roster.of_role("worker") == ()


def test_revoking_nobody_is_refused() -> None:
    with pytest.raises(UnknownName, match="nobody"):
        revoke(first(), OWNER, "pi", NOW_S)


def test_a_schedule_opens_for_three_years_of_monthly_rotations_and_the_largest_fleet_can_have_them() -> None:
    roster, pi = first(), SigningKey.generate()
    sealed = Sealer([roster.epoch.public]).seal(b"nightly", b"schedule")
    for _ in range(34):
        roster = rotate(roster, OWNER, NOW_S)
    others = tuple(member("worker", f"w{number}") for number in range(READERS_MAX - 3))
    roster = rotate(roster.but(members=(member("worker", "pi", pi), *others)), OWNER, NOW_S)
    known = open_roster(sign_roster(OWNER, roster), OWNER.public)
    assert Opener(epoch_keys(known, BoxKey.of(pi))).open(sealed, b"schedule").data == b"nightly"


def test_only_so_many_epochs_are_kept() -> None:
    roster = first()
    for _ in range(EPOCHS_MAX + 3):
        roster = rotate(roster, OWNER, NOW_S)
    assert len(roster.epochs) == EPOCHS_MAX and roster.epoch.number == EPOCHS_MAX + 4


def test_submitters_are_the_owner_and_those_with_the_role() -> None:
    laptop, pi = SigningKey.generate(), SigningKey.generate()
    roster = add_member(first(), OWNER, member("submit", "laptop", laptop), NOW_S)
    roster = add_member(roster, OWNER, member("worker", "pi", pi), NOW_S)
    ring = roster.submitters()
    assert (OWNER.kid in ring, laptop.kid in ring, pi.kid in ring) == (True, True, False)


def test_a_rule_is_replaced_by_one_for_the_same_branch_and_removed_by_name() -> None:
    roster = add_github_rule(add_github_rule(first(), RULE, NOW_S), RULE.but(approve=True), NOW_S)
    assert [one.approve for one in roster.github] == [True]
    assert remove_github_rules(roster, "Me/Site", NOW_S).github == ()


def test_an_old_roster_is_warned_about() -> None:
    assert first().warning(NOW_S + 30 * 86_400) == ""
    assert "31 days old" in first().warning(NOW_S + 31 * 86_400)


def test_another_owner_cannot_sign_this_roster() -> None:
    with pytest.raises(Refused, match="another owner"):
        sign_roster(STRANGER, first())


# -- on disk


def test_the_book_refuses_what_is_older_than_it_has_seen(tmp_path: Path) -> None:
    book = Book(tmp_path, "home", OWNER.public)
    assert book.load() is None
    old, new = first(), rotate(first(), OWNER, NOW_S)
    book.accept(sign_roster(OWNER, new))
    with pytest.raises(Refused, match="old one"):
        Book(tmp_path, "home", OWNER.public).accept(sign_roster(OWNER, old))
    assert Book(tmp_path, "home", OWNER.public).load() == new


def test_two_rosters_of_one_version_are_noticed(tmp_path: Path) -> None:
    book = Book(tmp_path, "home", OWNER.public)
    book.accept(sign_roster(OWNER, first()))
    with pytest.raises(Refused, match="two rosters of version 1"):
        book.accept(sign_roster(OWNER, first()))


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    book = Book(tmp_path, "home", OWNER.public)
    book.accept(sign_roster(OWNER, first()))
    [path] = (tmp_path / "rosters").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(path.read_bytes().replace(b'"fleet":"home"', b'"fleet":"hole"'))
    with pytest.raises(Refused, match="signature"):
        book.load()

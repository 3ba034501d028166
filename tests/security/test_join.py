"""One string to belong to a fleet; one command to be shut out of it."""

from __future__ import annotations

import json
import random
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from relayq.errors import Refused
from relayq.hub.acl import OWNER, SUBMITTER, VIEWER, WORKER, User, new_mark
from relayq.hub.certificates import make_authority, make_client
from relayq.store.wire import Wire, WireError
from relayq.trust.keys import SigningKey
from relayq.trust.ticket import Ticket, read_ticket
from tests.security.site_support import InstalledHub, Person
from tests.support import eventually_sync


@pytest.fixture(scope="module")
def site() -> Iterator[InstalledHub]:
    site = InstalledHub().start()
    yield site
    site.close()


@pytest.fixture(scope="module")
def owner(site: InstalledHub) -> Person:
    return site.owner()


def ticket_of(role: str = WORKER) -> Ticket:
    """A ticket of a hub that is not there."""
    authority = make_authority()
    client = make_client(authority, "x")
    is_owner = role == OWNER
    return Ticket(
        role=role,
        name=OWNER if is_owner else "mini",
        fleet="home",
        address="127.0.0.1:1",
        secret=bytes(16),
        authority=authority.certificate,
        certificate=client.certificate,
        key=client.key,
        owner="" if is_owner else SigningKey.generate().public,
        seed=b"" if is_owner else bytes(32),
        mark=new_mark() if role == SUBMITTER else "",
        authority_key=authority.key if is_owner else b"",
    )


@pytest.mark.parametrize("role", [OWNER, WORKER, SUBMITTER, VIEWER])
def test_a_join_string_says_what_went_into_it(role: str) -> None:
    ticket = ticket_of(role)
    assert read_ticket(ticket.encode()) == ticket
    assert read_ticket(f"  {ticket.encode()[:700]}\n {ticket.encode()[700:]}\n") == ticket
    assert len(ticket.encode()) < 1600


def test_a_join_string_is_not_shown_by_its_object() -> None:
    ticket = ticket_of()._replace(secret=b"0123456789abcdef")
    assert repr(ticket) == "Ticket(worker mini of fleet home at 127.0.0.1:1)"


def test_damaged_join_strings_are_refused_and_nothing_else_happens() -> None:
    """10,000 of them: cut, mistyped, swapped, lengthened, and well-formed ones with other content."""
    chance = random.Random(4)
    strings = [ticket_of(role).encode() for role in (OWNER, WORKER, SUBMITTER, VIEWER)]
    survivors = 0
    for _ in range(10_000):
        text = damaged(chance.choice(strings), chance)
        try:
            read_ticket(text)
        except Refused as error:
            assert len(text) < 100 or text[20:60] not in str(error)
            continue
        survivors += text.strip() not in strings
    assert survivors == 0


def damaged(text: str, chance: random.Random) -> str:
    """The string with something done to it."""
    at, width = chance.randrange(len(text)), chance.randrange(1, 40)
    match chance.randrange(6):
        case 0:
            return text[:at]
        case 1:
            return text[:at] + chance.choice("AZaz09-_=+/ \0é") + text[at + 1 :]
        case 2:
            return text[:at] + text[at + width :]
        case 3:
            return text + text[at : at + width] + "A"
        case 4:
            return "rq1" + "".join(chance.choices("ABCxyz019-_", k=width * 9))
    return chance.choice(("", "rq1", "rq2" + text[3:], text[::-1], text.upper(), text * 9))


@pytest.mark.parametrize(
    "change",
    [
        {"role": "king"}, {"name": "../x"}, {"fleet": "a b"}, {"address": "vm"}, {"address": "vm:99999"},
        {"address": "vm:7379/x@y:1"}, {"secret": b"short"}, {"seed": b""}, {"owner": ""}, {"mark": "ABCDEF"},
        {"authority_key": b"x"},
    ],
)  # fmt: skip
def test_a_well_formed_string_with_nonsense_in_it_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(Refused):
        read_ticket(ticket_of()._replace(**change).encode())


def test_a_string_whose_certificates_do_not_belong_together_is_refused(site: InstalledHub) -> None:
    mixed = ticket_of()._replace(authority=make_authority().certificate)
    stranger = site.person("mixed")
    assert "do not belong together" in stranger.refused("join", "-", stdin=mixed.encode())
    assert not (stranger.config / "joined.toml").exists()


def test_a_hub_that_is_not_there_changes_nothing(site: InstalledHub) -> None:
    stranger = site.person("early")
    said = stranger.refused("join", "-", stdin=ticket_of().encode())
    assert "nothing was changed" in said
    assert not (stranger.config / "joined.toml").exists()
    assert list(stranger.config.iterdir()) == []


def test_every_way_to_hand_over_the_string_works_and_none_shows_it(site: InstalledHub, owner: Person) -> None:
    string = owner.relayq("hub", "invite", "viewer", "anna").strip()
    file = site.directory / "anna.join"
    file.write_text(string + "\n")
    for number, (word, stdin) in enumerate([(string, ""), ("-", string), (f"@{file}", "")]):
        one = site.person(f"anna{number}")
        ended = one.ended("join", word, stdin=stdin)
        assert ended.returncode == 0, ended.stderr
        assert string not in ended.stdout + ended.stderr
        assert read_ticket(string).password not in ended.stdout + ended.stderr
        assert "viewer" in json.loads(one.relayq("keys", "--json").splitlines()[0])["whose"]


def test_a_mistyped_command_does_not_show_the_string(site: InstalledHub) -> None:
    string = ticket_of().encode()
    stranger = site.person("clumsy")
    for argv in (["joim", string], [string], ["join", string, string], ["join", "--adress", string]):
        assert string[:40] not in stranger.refused(*argv)


def test_a_place_that_cannot_be_written_to_is_named_without_the_string(
    site: InstalledHub, owner: Person
) -> None:
    string = owner.relayq("hub", "invite", "viewer", "stuck").strip()
    one = site.person("stuck")
    (one.home / ".config").write_text("a file")
    said = one.refused("join", "-", stdin=string)
    assert ".config" in said
    assert string[:40] not in said
    assert read_ticket(string).password not in said


def test_everything_that_was_written_is_ours_alone(site: InstalledHub, owner: Person) -> None:
    mini = site.person("modes")
    mini.relayq("join", "-", stdin=owner.relayq("hub", "invite", "worker", "modes"))
    for person in (owner, mini):
        for path in [person.config, *person.config.rglob("*")]:
            wanted = 0o700 if path.is_dir() else 0o600
            assert stat.S_IMODE(path.stat().st_mode) == wanted, path
    for path in (site.place.ticket, site.place.settings / "server.pem", site.place.data / "users.acl"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE(site.place.data.stat().st_mode) == 0o700


def test_the_password_is_not_shown_by_config(site: InstalledHub, owner: Person) -> None:
    password = read_ticket(site.owner_string).password
    assert password not in owner.relayq("config", "show")
    assert password not in owner.relayq("hub", "status")


def test_a_second_hub_wants_a_second_word(site: InstalledHub, owner: Person) -> None:
    string = owner.relayq("hub", "invite", "viewer", "twice")
    one = site.person("twice")
    one.relayq("join", "-", stdin=string)
    assert "add --replace" in one.refused("join", "-", stdin=string)
    one.relayq("join", "--replace", "-", stdin=string)
    one.relayq("join", "--leave")
    assert not (one.config / "joined.toml").exists()
    assert not (one.config / "hub").exists()
    assert one.ended("join", "--leave").returncode == 1


def test_what_was_in_the_private_hub_is_not_left_behind_in_silence(site: InstalledHub, owner: Person) -> None:
    one = site.person("mover")
    job = one.relayq("submit", "--delay", "1h", "--", "true").strip()
    joined = one.ended("join", "-", stdin=owner.relayq("hub", "invite", "viewer", "mover"))
    assert "stay in this machine's private hub" in joined.stderr
    assert "`relayq join --leave` goes back" in joined.stderr
    assert "`relayq down` ends them" in joined.stderr
    assert job not in one.relayq("jobs", "--json")
    one.relayq("down")
    left = one.ended("join", "--leave").stderr
    assert "its private hub again, which has kept its jobs" in left
    assert job in one.relayq("jobs", "--json")
    one.relayq("down")
    fresh = site.person("fresh")
    joined = fresh.ended("join", "-", stdin=owner.relayq("hub", "invite", "viewer", "fresh"))
    assert "private" not in joined.stderr
    assert "private" not in fresh.ended("join", "--leave").stderr


def test_a_name_that_is_taken_is_not_invited_again(owner: Person) -> None:
    owner.relayq("hub", "invite", "worker", "pi4")
    assert "relayq revoke pi4" in owner.refused("hub", "invite", "submit", "pi4")


def test_who_is_not_the_owner_invites_nobody(site: InstalledHub, owner: Person) -> None:
    one = site.person("proud")
    one.relayq("join", "-", stdin=owner.relayq("hub", "invite", "worker", "proud"))
    assert "owner's key" in one.refused("hub", "invite", "worker", "friend")
    assert "installed hub" in site.person("nobody").refused("hub", "invite", "worker", "friend")


@pytest.mark.parametrize("role", ["worker", "viewer"])
def test_a_machine_that_nobody_listens_to_says_so_before_it_submits(
    site: InstalledHub, owner: Person, role: str, tmp_path: Path
) -> None:
    one = site.person(f"silent-{role}")
    one.relayq("join", "-", stdin=owner.relayq("hub", "invite", role, f"silent-{role}"))
    file = tmp_path / "words"
    file.write_text("words")
    commands: tuple[tuple[str, ...], ...] = (
        ("submit", "--", "true"),
        ("submit", "--in", str(file), "--", "true"),
        ("run", "--", "true"),
        ("schedule", "add", f"of-{role}", "--every", "1h", "--", "true"),
    )
    for words in commands:
        said = one.refused(*words)
        assert f"this machine has joined as a {role}" in said
        assert "hub invite submit" in said
    assert f"joined as a {role}" in one.refused("submit", "-", stdin='{"command": "true"}')
    assert owner.relayq("jobs", "--json") == ""


def test_a_key_of_its_own_lets_a_workers_machine_submit(site: InstalledHub, owner: Person) -> None:
    one = site.person("speaker")
    one.relayq("join", "-", stdin=owner.relayq("hub", "invite", "worker", "speaker"))
    SigningKey.generate().save(one.home / "own.key")
    (one.config / "config.toml").write_text(f'[paths]\nidentity = "{one.home}/own.key"\n')
    assert "joined as a worker" in one.refused("submit", "--", "true")
    own = json.loads(one.relayq("keys", "--json").splitlines()[0])
    owner.relayq("trust", "key", "speaker-submits", own["key"], own["box"])
    owner.relayq("cancel", one.relayq("submit", "--", "true").strip())


def test_revoking_cuts_the_live_connection_at_once(site: InstalledHub, owner: Person) -> None:
    string = owner.relayq("hub", "invite", "viewer", "gone")
    one = site.person("gone")
    one.relayq("join", "-", stdin=string)
    wire = Wire(joined_url(one))
    assert wire.call("PING") == b"PONG"
    owner.relayq("revoke", "gone")
    with pytest.raises(WireError):
        wire.call("PING")
    for words in (("jobs",), ("hub", "status"), ("worker", "--once")):
        said = one.refused(*words)
        assert "refused the user or password of this machine: most likely its owner has revoked it" in said
    checks = [json.loads(line) for line in one.ended("doctor", "--json").stdout.splitlines()]
    [found] = [check["found"] for check in checks if check["name"] == "hub"]
    assert "most likely its owner has revoked it; ask for another join string" in found
    assert "may have been revoked" in site.person("gone2").refused("join", "-", stdin=string)
    assert "nobody" in owner.refused("revoke", "gone")
    whose = [json.loads(line)["whose"] for line in owner.relayq("keys", "--json").splitlines()]
    assert "viewer gone" not in whose


def test_what_a_role_may_not_do_is_told_by_the_role(site: InstalledHub, owner: Person) -> None:
    one = site.person("narrow")
    one.relayq("join", "-", stdin=owner.relayq("hub", "invite", "submit", "narrow"))
    said = one.refused("worker", "--once")
    assert "is not enrolled in fleet" in said
    assert "`relayq hub invite worker NAME`, and `relayq join` with it" in said
    for words in (("jobs",), ("workers",), ("queues",)):
        said = one.refused(*words)
        assert "joined as a submit-only user, who may submit and see its own jobs" in said
        assert "fcall" not in said


def test_revoking_begins_a_new_epoch_and_rotate_another(owner: Person) -> None:
    owner.relayq("hub", "invite", "worker", "brief")
    owner.relayq("revoke", "brief")
    first = owner.ended("rotate").stderr
    second = owner.ended("hub", "rotate").stderr
    numbers = [int(text.partition("epoch ")[2].split()[0]) for text in (first, second)]
    assert numbers[1] == numbers[0] + 1
    what = [json.loads(line)["what"] for line in owner.relayq("trust", "log", "--json").splitlines()]
    assert what[-2:] == ["rotated", "rotated"]
    assert "revoked brief" in what


def test_an_invitation_that_expired_opens_no_door(site: InstalledHub, owner: Person) -> None:
    string = owner.relayq("hub", "invite", "viewer", "late", "--expires", "2s").strip()
    ends = time.monotonic() + 2.1
    guest = site.person("guest")
    guest.relayq("join", "-", stdin=string)
    eventually_sync(lambda: time.monotonic() > ends, "its seconds are over")
    assert "certificate" in guest.refused("jobs")
    [found] = [line for line in guest.ended("doctor").stdout.splitlines() if "certificate " in line[:20]]
    assert found.startswith("bad") and "it expired on" in found
    # Nobody listens at that port: the sentence comes from the certificate alone.
    late = site.person("late")
    said = late.refused("join", "-", "--address", "127.0.0.1:1", stdin=string)
    assert "this invitation expired on 20" in said
    assert "ask the owner for another join string; nothing was changed" in said
    assert not (late.config / "hub").exists()


def test_the_address_of_a_string_can_be_another_from_here(site: InstalledHub, owner: Person) -> None:
    string = owner.relayq("hub", "invite", "viewer", "far", "--address", "vm.example").strip()
    assert read_ticket(string).address == "vm.example:7379"
    one = site.person("far")
    one.relayq("join", "-", "--address", f"127.0.0.1:{site.port}", stdin=string)
    assert "ok" in one.relayq("doctor")


def test_upgrading_keeps_users_and_gives_them_their_commands(site: InstalledHub, owner: Person) -> None:
    one = site.person("kept")
    one.relayq("join", "-", stdin=owner.relayq("hub", "invite", "viewer", "kept"))
    asker = Wire(joined_url(owner))
    asker.call("ACL", "SETUSER", "v-kept", "-hgetall", "-fcall_ro")
    asker.call("ACL", "SETUSER", "owner", "-mget")
    assert "does not allow" in one.refused("jobs")
    assert "revision" in owner.ended("hub", "upgrade").stderr
    one.relayq("jobs")
    assert asker.call("MGET", "{rq:home}:x") == [None]
    mark = asker.call("HGET", "{rq:home}:cfg", "code")
    asker.call("HSET", "{rq:home}:cfg", "code", "999 of-tomorrow")
    assert "upgrade RelayQ here first" in owner.refused("hub", "upgrade")
    asker.call("HSET", "{rq:home}:cfg", "code", mark)
    asker.close()


def test_a_home_may_have_any_name(site: InstalledHub, owner: Person) -> None:
    one = site.person("caf\u00e9 \U0001f600")
    one.relayq("join", "-", stdin=owner.relayq("hub", "invite", "viewer", "smiling"))
    assert "viewer smiling" in one.relayq("keys")


def test_a_repository_and_a_key_are_trusted_by_name_and_number(site: InstalledHub, owner: Person) -> None:
    numbers = ["--repository-id", "123", "--owner-id", "45"]
    owner.relayq("trust", "github", "anna/films", "--branch", "main", *numbers)
    assert "not by both" in owner.refused(
        "trust", "github", "a/b", "--branch", "x", "--environment", "y", *numbers
    )
    friend = json.loads(site.person("friend").relayq("keys", "--json").splitlines()[0])
    said = owner.ended("trust", "key", "friend", friend["key"], friend["box"]).stderr
    assert friend["words"] in said
    listed = owner.relayq("keys")
    assert "submit friend" in listed
    owner.relayq("trust", "github", "anna/films", "--remove")
    assert "no rule" in owner.refused("trust", "github", "anna/films", "--remove")
    assert "is not a public key" in owner.refused("trust", "key", "foe", "x", "y")


def test_what_is_no_repository_is_said_before_github_is_asked(owner: Person) -> None:
    for word in ("bad", "me/site/more", "me/"):
        assert f"'{word}' is not a repository: OWNER/NAME" in owner.refused("trust", "github", word)


def test_a_hub_that_was_killed_knows_its_members_again(site: InstalledHub, owner: Person) -> None:
    one = site.person("steady")
    one.relayq("join", "-", stdin=owner.relayq("hub", "invite", "viewer", "steady"))
    owner.ended("submit", "--name", "kept", "--", "true")
    asker = Wire(joined_url(owner))
    eventually_sync(
        lambda: b"aof_pending_bio_fsync:0" in asker.call("INFO", "persistence"), "no fsync is under way"
    )
    asker.close()
    site.restart()
    assert "kept" in one.relayq("jobs")
    assert "viewer steady" in owner.relayq("keys")
    string = owner.relayq("hub", "invite", "viewer", "later")
    assert owner.ended("hub", "backup", str(site.directory / "backup")).returncode == 0
    site.person("later").relayq("join", "-", stdin=string)


def joined_url(person: Person) -> str:
    """The address that this person's machine has written down."""
    import tomllib

    return str(tomllib.loads((person.config / "joined.toml").read_text())["hub"]["url"])


def test_a_user_is_called_by_its_role() -> None:
    logins = [User(role, "x", "home").login for role in (OWNER, WORKER, SUBMITTER, VIEWER)]
    assert logins == ["owner", "w-x", "s-x", "v-x"]


def test_the_string_is_not_in_the_hubs_files(site: InstalledHub, owner: Person) -> None:
    string = owner.relayq("hub", "invite", "worker", "quiet").strip()
    needles = [string.encode(), read_ticket(string).password.encode(), read_ticket(string).seed]
    for path in Path(site.place.data).rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [needle for needle in needles if needle in content], path

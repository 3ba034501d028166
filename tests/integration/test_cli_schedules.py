"""`relayq schedule` as people type it: what it says, and what it says of what makes no sense."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from relayq.cli.main import main
from tests.support import eventually_sync

SHA = "acme/relayq/.github/actions/submit@" + "0123456789" * 4
Typed = Callable[[str], tuple[int, str, str]]


@pytest.fixture
def typed(
    hub_url: str, fleet: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Typed:  # fmt: skip
    """Type a command line in an empty directory; (exit code, stdout, stderr)."""
    monkeypatch.setenv("RELAYQ_URL", hub_url)
    monkeypatch.setenv("RELAYQ_FLEET", fleet)
    monkeypatch.setenv("TZ", "Europe/Berlin")
    monkeypatch.chdir(tmp_path)

    def type_(line: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(shlex.split(line))
        return code, *capsys.readouterr()

    return type_


def test_a_schedule_is_added_shown_listed_changed_and_removed(typed: Typed) -> None:
    code, out, err = typed("schedule add nightly --cron '30 2 * * *' --attempts 3 -- restic backup /home")
    assert code == 0
    assert re.search(r"schedule nightly is kept: it fires next \w{3} .* 02:30:00 CES?T, in ", out)
    assert "no scheduler runs, so nothing fires" in err

    _, out, _ = typed("schedule list")
    assert re.search(r"nightly +hub +30 2 \* \* \* .* never +- +- +0 +0", out)
    _, out, _ = typed("schedule show nightly")
    for fact in ("zone          Europe/Berlin", "command       restic backup /home", "missed slots  once"):
        assert fact in out

    code, out, _ = typed("schedule edit nightly --every 6h --misfire all:3 --attempts 2")
    assert (code, "nightly is changed" in out) == (0, True)
    _, out, _ = typed("schedule list --json")
    told = json.loads(out)
    assert (told["rule"], told["misfire"], told["spec"]["attempts"]) == ({"every": "6h"}, "all:3", 2)
    assert told["spec"]["command"] == ["restic", "backup", "/home"]
    assert len(told["next"]) == 5

    assert typed("schedule remove nightly")[1] == "schedule nightly is removed; jobs it has made go on\n"
    assert "there is no schedule yet" in typed("schedule list")[2]


def test_the_list_tells_each_rule_by_the_clock_that_it_means(typed: Typed) -> None:
    typed("schedule add far --cron '0 4 * * *' --zone Asia/Tokyo -- true")
    typed("schedule add here --cron '0 4 * * *' -- true")
    typed("schedule add often --every 24h -- true")
    _, out, _ = typed("schedule list")
    assert re.search(r"far .* 04:00:00 JST in ", out)
    assert re.search(r"here .* 04:00:00 CES?T in ", out)
    assert re.search(r"often .* \d\d:\d\d:00 \S+ in ", out)


def test_it_is_paused_resumed_and_run_by_hand(typed: Typed) -> None:
    typed("schedule add tick --every 1h -- 'true'")
    assert typed("schedule pause tick")[1] == "schedule tick is paused\n"
    assert "paused" in typed("schedule list")[1]
    code, out, err = typed("schedule resume tick nobody")
    assert (code, out) == (2, "schedule tick fires again, from its next slot on\n")
    assert "there is no schedule 'nobody'" in err
    job = typed("schedule run tick")[1].strip()
    assert json.loads(typed(f"show --json {job}")[1])["labels"] == {"schedule": "tick"}
    assert re.search(r"hand +by-hand +" + job[-6:], typed("schedule show tick")[1])


def test_a_slot_is_fired_from_elsewhere_once(typed: Typed) -> None:
    typed("schedule add tick --every 1s --overlap allow -- 'true'")
    fire = "schedule fire tick --by cron"
    said = eventually_sync(lambda: re.sub(r".* decided before\n", "", typed(fire)[1]), "a slot has come")
    assert re.fullmatch(r"slot \S+ is fired: job \w{16}\n", said)
    assert json.loads(typed("schedule show --json tick")[1])["last"]["by"] == "cron"


def test_the_next_firings_are_told_of_a_rule_that_is_only_thought_of(typed: Typed) -> None:
    code, out, _ = typed("schedule next --cron '30 2 * * *' --zone America/New_York -n 3")
    assert code == 0
    assert len(re.findall(r"02:30:00 E[DS]T  in ", out)) == 3
    typed("schedule add tick --every 1h --jitter 10m -- 'true'")
    assert len(typed("schedule next tick --json")[1].splitlines()) == 5


def test_a_date_is_by_the_clock_of_the_zone_and_said_when_that_clock_is_moved(typed: Typed) -> None:
    said = typed("schedule add gap --at 2037-03-29T02:30 -- 'true'")[2]
    assert (
        "2037-03-29T02:30 does not exist in Europe/Berlin, where the clock is moved: 03:00 is meant" in said
    )
    said = typed("schedule add twice --at 2037-10-25T02:30 --zone Europe/Berlin -- 'true'")[2]
    assert "exists twice in Europe/Berlin, where the clock is moved: the first is meant" in said
    shown = json.loads(typed("schedule show --json twice")[1])
    assert shown["next"] == ["2037-10-25T00:30:00.000Z"]


def test_a_secret_is_not_shown(typed: Typed) -> None:
    typed("schedule add s --every 1h --secret TOKEN=hunter2 -- 'true'")
    assert "hunter2" not in typed("schedule show --json s")[1] + typed("schedule list --json")[1]


def test_a_twin_is_written_into_the_repository_and_listed_with_its_cost(typed: Typed, tmp_path: Path) -> None:
    add = "schedule add nightly --cron '30 2 * * *' --github"
    code, _, err = typed(f"{add} --uses {SHA} -- 'true'")
    assert (code, "its twin is still to be written" in err) == (0, True)
    (tmp_path / ".git").mkdir()
    assert "name one with --uses" in typed("schedule edit nightly --github")[2]
    literal = typed("schedule edit nightly --github --uses OWNER/relayq/.github/actions/submit@SHA")
    assert (literal[0], "a commit's 40 digits, as `git rev-parse HEAD` prints" in literal[2]) == (2, True)
    assert (
        "wrote .github/workflows/relayq-nightly.yml"
        in typed(f"schedule edit nightly --github --uses {SHA}")[2]
    )
    twin = tmp_path / ".github" / "workflows" / "relayq-nightly.yml"
    assert "'37 2 * * *'" in twin.read_text()
    (twin.parent / "links.yml").write_text("on: {schedule: [{cron: '*/30 * * * *'}]}\njobs: {a: {}}\n")
    (twin.parent / "bad.yml").write_text("on: {schedule: [{cron: '61 * * * *'}]}\n")
    code, out, err = typed("schedule list")
    assert re.search(r"nightly +hub\+github .* 30\n", out)
    assert re.search(r"links.yml +github +\*/30 \* \* \* \* .* 1440\n", out)
    assert "relayq-nightly.yml" not in out
    assert "bad.yml has the cron '61 * * * *'" in err
    typed("schedule edit nightly --cron '0 4 * * *'")
    assert "'7 4 * * *'" in twin.read_text()
    assert "its twin is no longer wanted" in typed("schedule edit nightly --no-github")[2]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("add x --cron '61 * * * *' -- true", "the nearest valid one is '59 * * * *'"),
        ("add x --cron '* * * *' -- true", "the nearest valid one is '* * * * *'"),
        ("add x --cron '0 9 * * *' --zone Europe/Berln -- true", "did you mean Europe/Berlin?"),
        ("add x --every 5ms -- true", "is too often"),
        ("add x --every soon -- true", "is not a duration"),
        ("add x --at yesterday -- true", "is not a time"),
        ("add x --at 2020-01-01T00:00 -- true", "would never fire: its last time has passed"),
        ("add x --every 1h --cron '* * * * *' -- true", "exclude each other"),
        ("add x --every 1h --zone UTC -- true", "an interval knows no zone"),
        ("add x -- true", "say when"),
        ("add x --every 1h", "say what"),
        ("add -- true", "takes the name of one schedule"),
        ("add a b --every 1h -- true", "takes the name of one schedule"),
        ("add 'a b' --every 1h -- true", "is not a name"),
        ("add x --every 1h --after 0123456789ABCDEF -- true", "wait for no job"),
        ("add x --every 1h --in /etc/hosts -- true", "carries no input files"),
        ("add x --every 1h --misfire never -- true", "is not one of once, skip, all"),
        ("add x --every 1h --misfire all:0 -- true", "too small"),
        ("add x --every 1h --misfire once:2 -- true", "is no misfire policy"),
        ("add x --every 1h --overlap maybe -- true", "is not one of skip, allow, queue, cancel"),
        ("add x --every 1h --jitter 1h -- true", "is too large"),
        ("add x --every 1h --start 2037-01-02T00:00 --end 2037-01-01T00:00 -- true", "ends before it starts"),
        ("add x --every 1h --github -- true", "GitHub fires cron rules only"),
        ("add x --cron '*/2 * * * *' --github -- true", "at most every 5 min"),
        ("add x --every 1h --attempts 99 -- true", "attempts"),
        ("edit x --every 1h", "there is no schedule 'x'"),
        ("show x", "there is no schedule 'x'"),
        ("run x", "there is no schedule 'x'"),
        ("fire x", "there is no schedule 'x'"),
        ("pause x --every 1h", "has no use for --every"),
        ("show x --queue y", "has no use for --queue"),
        ("list x", "takes no name"),
        ("next", "takes the name of a schedule, or a rule"),
        ("next --every 1h -n 0", "1 to 1000"),
        ("frob", "relayq: 'frob' is none of"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_one_sentence(typed: Typed, line: str, said: str) -> None:
    code, _, err = typed(f"schedule {line}")
    assert code in (2, 125)
    assert said in err
    assert len(err.splitlines()) == 1


def test_a_name_is_taken_only_once(typed: Typed) -> None:
    typed("schedule add x --every 1h -- true")
    code, _, err = typed("schedule add x --every 1h -- true")
    assert (code, "there is a schedule 'x' already" in err) == (2, True)
    assert "did you mean 'x'" not in err
    assert "did you mean 'x'" in typed("schedule show xx")[2]


def test_a_schedule_that_the_hub_has_changed_is_never_signed_again(
    typed: Typed, hub_url: str, fleet: str
) -> None:
    from relayq.store.wire import Wire

    typed("schedule add x --every 1h -- 'echo good'")
    wire = Wire(hub_url)
    key = f"{{rq:{fleet}}}:sc"
    signed = wire.call("HGET", key, "x")
    assert b"echo good" not in signed
    wire.call("HSET", key, "x", signed.replace(b'"every":"1h"', b'"every":"2h"'))
    wire.close()
    for line in ("run x", "edit x --every 2h", "fire x"):
        code, _, err = typed(f"schedule {line}")
        assert (code, "is not believed" in err) == (125, True)
    assert "not believed" in typed("schedule list")[1]
    assert "not believed" in typed("schedule show x")[1]
    assert json.loads(typed("schedule list --json")[1])["refused"]


def test_the_local_hubs_worker_fires_schedules_when_it_is_asked_to(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["up", "--scheduler"]) == 0
    try:
        assert main(["schedule", "add", "tick", "--every", "1s", "--", f"echo x >> {home}/ran"]) == 0
        eventually_sync((home / "ran").exists, "a slot has run", timeout_s=30)
        capsys.readouterr()
        assert main(["up", "--scheduler"]) == 0
        assert "was decided when it was started" in capsys.readouterr().err
    finally:
        assert main(["down"]) == 0

"""Facts about the configuration: where a value comes from, and what is said about a bad one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayq import config as subject
from relayq.config import Config, env_name, load
from relayq.errors import ConfigError
from relayq.settings import SETTINGS


@pytest.fixture(autouse=True)
def system_file(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An /etc/relayq/config.toml of this test, which does not exist yet; HOME is empty."""
    path = tmp_path / "system.toml"
    monkeypatch.setattr(subject, "SYSTEM_FILE", str(path))
    return path


@pytest.fixture
def user_file(home: Path) -> Path:
    path = home / ".config" / "relayq" / "config.toml"
    path.parent.mkdir(parents=True)
    return path


def test_without_a_file_or_variable_everything_is_a_default() -> None:
    config = load()
    assert (config.url, config.fleet, config.trust_keys) == (None, "home", ())
    assert set(config.sources.values()) == {"default"}
    assert config.sources.keys() == config.values.keys() == SETTINGS.keys()


def test_the_worker_has_defaults_that_leave_a_desktop_usable() -> None:
    worker = load().worker
    assert (worker.nice, worker.slots, worker.queues, worker.gpus, worker.labels) == (
        10,
        None,
        None,
        None,
        (),
    )
    assert (worker.max_memory_bytes, worker.stop_deadline_ms, worker.keep_workdir_ms) == (
        None,
        60_000,
        86_400_000,
    )
    assert (worker.counters, worker.take_when.on_battery, worker.take_when.hours) == ({}, True, ())


def test_each_layer_overrides_the_one_below_and_the_source_names_it(
    system_file: Path, user_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seen(overrides: dict[str, object] | None = None) -> tuple[str, str]:
        config = load(overrides)
        return config.fleet, config.sources["hub.fleet"]

    assert seen() == ("home", "default")
    system_file.write_text('[hub]\nfleet = "a"\n')
    assert seen() == ("a", str(system_file))
    user_file.write_text('[hub]\nfleet = "b"\n')
    assert seen() == ("b", str(user_file))
    monkeypatch.setenv("RELAYQ_FLEET", "c")
    assert seen() == ("c", "RELAYQ_FLEET")
    assert seen({"hub.fleet": "d"}) == ("d", "flag")
    assert seen({"hub.fleet": None}) == ("c", "RELAYQ_FLEET")


def test_a_file_holds_every_section(user_file: Path) -> None:
    user_file.write_text(
        """
        [hub]
        url = "rediss://worker:secret@hub.example:6380"
        [worker]
        name = "macmini"
        labels = ["mac", "room=attic"]
        slots = 3
        queues = ["default", "heavy"]
        max_memory = "2G"
        nice = 0
        stop_deadline = "2m"
        keep_workdir = 0
        counters = { license = 2 }
        gpus = 0
        [worker.take_when]
        on_battery = false
        max_load = 1.5
        max_temperature = 75
        hours = "22:00-06:00, 12:00-13:30"
        [trust]
        keys = ["abc"]
        """
    )
    config = load()
    worker, when = config.worker, config.worker.take_when
    assert config.url == "rediss://worker:secret@hub.example:6380"
    assert (worker.name, worker.labels, worker.slots) == ("macmini", ("mac", "room=attic"), 3)
    assert (worker.queues, worker.max_memory_bytes, worker.nice) == (("default", "heavy"), 2 << 30, 0)
    assert (worker.stop_deadline_ms, worker.keep_workdir_ms) == (120_000, 0)
    assert (worker.counters, worker.gpus, config.trust_keys) == ({"license": 2}, 0, ("abc",))
    assert (when.on_battery, when.max_load, when.max_temperature) == (False, 1.5, 75.0)
    assert when.hours == ((1320, 360), (720, 810))


def test_a_variable_is_read_like_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "RELAYQ_URL": "redis://hub",
        "RELAYQ_WORKER_SLOTS": "2",
        "RELAYQ_WORKER_LABELS": "mac, heavy",
        "RELAYQ_WORKER_COUNTERS": "license=1,dongle=2",
        "RELAYQ_WORKER_STOP_DEADLINE": "90s",
        "RELAYQ_WORKER_TAKE_WHEN_ON_BATTERY": "no",
        "RELAYQ_TRUST_KEYS": "a,b",
    }.items():
        monkeypatch.setenv(name, value)
    config = load()
    assert (config.url, config.trust_keys, config.worker.slots) == ("redis://hub", ("a", "b"), 2)
    assert config.worker.labels == ("mac", "heavy")
    assert config.worker.counters == {"license": 1, "dongle": 2}
    assert config.worker.stop_deadline_ms == 90_000
    assert not config.worker.take_when.on_battery


def test_every_setting_has_a_variable_of_its_own() -> None:
    names = {key: env_name(key) for key in SETTINGS}
    assert len(set(names.values())) == len(names)
    assert names["hub.url"] == "RELAYQ_URL"
    assert names["paths.state_dir"] == "RELAYQ_STATE_DIR"
    assert names["worker.take_when.max_load"] == "RELAYQ_WORKER_TAKE_WHEN_MAX_LOAD"


def test_an_empty_variable_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAYQ_FLEET", "")
    assert load().fleet == "home"


def test_the_variables_of_a_running_job_are_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RELAYQ_JOB_ID", "RELAYQ_WORKER", "RELAYQ_WORKDIR", "RELAYQ_QUEUE"):
        monkeypatch.setenv(name, "x")
    assert set(load().sources.values()) == {"default"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[worker]\nslot = 3", r"there is no setting 'worker\.slot' .*did you mean worker\.slots\?"),
        ("[hub]\nurls = 'x'", r"'hub\.urls' .*did you mean hub\.url\?"),
        ("[qqqqq]\nzzzzz = 1", r"'qqqqq\.zzzzz' .*see `relayq config show`"),
        ("worker = 3", r"there is no setting 'worker'"),
        ("[worker.take_when]\nbattery = true", r"did you mean worker\.take_when\.on_battery"),
        ("[paths]\nconfig_dir = '/x'", "set RELAYQ_CONFIG_DIR instead"),
        ("[hub", "is not valid TOML"),
        ("paths = 3", "there is no setting 'paths'"),
    ],
)
def test_a_file_that_says_something_else_is_one_sentence(user_file: Path, text: str, complaint: str) -> None:
    user_file.write_text(text)
    with pytest.raises(ConfigError, match=complaint) as caught:
        load()
    assert str(user_file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_text_is_one_sentence(user_file: Path) -> None:
    user_file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not valid TOML"):
        load()


def test_a_file_that_cannot_be_read_is_one_sentence(user_file: Path) -> None:
    user_file.mkdir()
    with pytest.raises(ConfigError, match=f"config file {user_file} cannot be read: Is a directory"):
        load()


def test_an_unknown_variable_in_one_of_our_sections_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAYQ_WORKER_SLOT", "2")
    with pytest.raises(
        ConfigError, match=r"RELAYQ_WORKER_SLOT sets nothing: did you mean RELAYQ_WORKER_SLOTS\?"
    ):
        load()


def test_an_unknown_override_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match=r"'url' \(flag\)"):
        load({"url": "redis://x"})


BAD = {
    "hub.fleet": ["", "a b", "{x}", "x" * 64, 3],
    "hub.url": [5, "", "redis://a\nb"],
    "worker.name": ["a#b", "ä"],
    "worker.labels": [3, ["a", 1]],
    "worker.slots": [0, -1, 1.5, True, "two", "9" * 30, "9" * 5000, "²", "٣"],
    "worker.queues": [["a b"], 7],
    "worker.max_memory": ["lots", -1],
    "worker.nice": [20, "-5"],
    "worker.stop_deadline": ["soon", -1],
    "worker.counters": [{"a": -1}, {"a b": 1}, "license", 3],
    "worker.gpus": ["x"],
    "worker.take_when.on_battery": ["maybe", 2],
    "worker.take_when.max_load": [0, -1, "inf", "nan", True, "x"],
    "worker.take_when.hours": [
        "22-06",
        "22:00",
        "24:00-06:00",
        "1:60-2:00",
        "-1:00-2:00",
        "²:00-3:00",
        "1:5-2:00",
        "001:00-2:00",
        "x:00-2:00",
        "٣:00-4:00",
    ],
    "paths.state_dir": [3, ""],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in BAD.items() for value in values])
def test_a_bad_value_names_the_setting_and_what_was_expected(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"^{key} = .* \(flag\) is not (a |true or false|hours such as)"):
        load({key: value})


@given(key=st.sampled_from(sorted(SETTINGS)), value=st.text(max_size=30))
def test_any_text_is_a_value_or_a_config_error(key: str, value: str) -> None:
    try:
        load({key: value})
    except ConfigError as error:
        assert key in str(error)


def test_a_setting_may_be_given_as_tables_too() -> None:
    assert load({"worker": {"take_when": {"max_load": 2}, "counters": {"a": 1}}}).worker.counters == {"a": 1}


def test_what_is_shown_reads_back_as_the_same_value() -> None:
    typed = {
        "worker.labels": ["a", "b"],
        "worker.counters": {"license": 2},
        "worker.stop_deadline": "1h30m",
        "worker.take_when.hours": "22:00-06:00,7:30-8:00",
        "worker.take_when.on_battery": False,
    }
    config = load(typed)
    again = load({key: text for key, text, source in config.shown() if source == "flag"})
    assert again.values == config.values


def test_a_password_is_neither_shown_nor_in_a_representation_nor_in_an_error() -> None:
    config = load({"hub.url": "rediss://worker:s3cret@hub.example"})
    assert ("hub.url", "rediss://worker:***@hub.example", "flag") in list(config.shown())
    assert ("hub.url", "redis://hub", "flag") in list(load({"hub.url": "redis://hub"}).shown())
    assert "s3cret" not in repr(config)
    with pytest.raises(ConfigError) as caught:
        load({"hub.url": "rediss://worker:s3cret@hub.example\n"})
    assert "s3cret" not in str(caught.value)


def test_a_config_is_frozen() -> None:
    config = load()
    for record in (config, config.worker, config.worker.take_when):
        with pytest.raises(AttributeError, match="is frozen"):
            record.name = "x"  # type: ignore[union-attr]  # which is the point


@pytest.mark.parametrize(
    ("hours", "inside", "outside"),
    [
        ("", (0, 720, 1439), ()),
        ("22:00-06:00", (1320, 1439, 0, 359), (360, 1319)),
        ("09:00-17:30", (540, 1049), (539, 1050, 0)),
        ("1:00-2:00,3:00-4:00", (60, 180), (120, 240)),
    ],
)
def test_hours_may_span_midnight(hours: str, inside: tuple[int, ...], outside: tuple[int, ...]) -> None:
    when = load({"worker.take_when.hours": hours}).worker.take_when
    assert [minute for minute in (*inside, *outside) if when.within_hours(minute)] == list(inside)


def test_the_worker_is_named_after_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    from relayq.settings import _host_name

    class Machine:
        nodename = "My Pi_3!.local"

    monkeypatch.setattr(os, "uname", lambda: Machine)
    assert _host_name() == "my-pi_3"
    Machine.nodename = "!!!"
    assert _host_name() == "worker"


def places(config: Config) -> dict[str, str]:
    return {kind: str(getattr(config, f"{kind}_dir")) for kind in ("config", "state", "data", "cache")}


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s", "XDG_DATA_HOME": "/d", "XDG_CACHE_HOME": "/x"},
        {"XDG_STATE_HOME": "relative", "XDG_DATA_HOME": ""},
    ],
)
def test_the_directories_are_those_of_platformdirs(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    theirs = platformdirs.PlatformDirs("relayq", appauthor=False)
    assert places(load()) == {
        kind: getattr(theirs, f"user_{kind}_dir") for kind in ("config", "state", "data", "cache")
    }


def test_elsewhere_platformdirs_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = places(load())
    monkeypatch.setattr(sys, "platform", "another")
    assert places(load()) == ours


def test_a_variable_moves_a_directory_and_what_depends_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELAYQ_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("RELAYQ_STATE_DIR", "/s")
    monkeypatch.setenv("RELAYQ_DATA_DIR", "~/d")
    (tmp_path / "config.toml").write_text("[hub]\nfleet = 'moved'")
    config = load()
    assert (config.fleet, config.config_dir) == ("moved", tmp_path)
    assert (str(config.state_dir), str(config.runtime_dir)) == ("/s", "/s/run")
    assert config.owner_key_path == Path.home() / "d" / "owner.key"


def test_the_owner_key_may_lie_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAYQ_OWNER_KEY", "/stick/owner.key")
    assert str(load().owner_key_path) == "/stick/owner.key"


def test_the_runtime_directory_is_short_enough_for_a_socket(tmp_path: Path) -> None:
    for key in ("paths.runtime_dir", "paths.state_dir"):
        long = load({key: f"{tmp_path}/{'x' * 80}"}).runtime_dir
        other = load({key: f"{tmp_path}/{'y' * 80}"}).runtime_dir
        assert str(long).startswith(f"/tmp/relayq-{os.getuid()}-")
        assert len(os.fsencode(long)) <= 60
        assert long != other


def test_reading_the_configuration_makes_nothing(home: Path) -> None:
    before = sorted(home.rglob("*"))
    load()
    assert sorted(home.rglob("*")) == before


CHEAP = """
import sys, json
import relayq
before = set(sys.modules)
from relayq.config import load
load()
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_reading_the_configuration_imports_next_to_nothing() -> None:
    """A bound on time would fail on a busy machine; what costs time is what is imported."""
    found = subprocess.run([sys.executable, "-c", CHEAP], capture_output=True, check=True, text=True)
    ours = {"relayq.config", "relayq.errors", "relayq.places", "relayq.settings"}
    assert set(json.loads(found.stdout)) == ours

from pathlib import Path
from typing import Any

import pytest

from roompulse.errors import StartupError
from roompulse.settings import Settings, load_settings, unknown_names

DEFAULTS = {
    "host": "127.0.0.1",
    "port": 8180,
    "data": Path("./data"),
    "database_url": None,
    "synchronous": "FULL",
    "stale_after": 15,
    "leave_after": 60,
    "push_interval": 0.25,
    "snapshot_interval": 10,
    "event_hold": 10,
    "sample_retention": 86400,
    "snapshot_retention": 2592000,
    "max_body": 1048576,
    "max_report_users": 5000,
    "max_report_streams": 10000,
    "max_rooms": 20000,
    "max_room_users": 20000,
    "max_reported_users": 100,
    "max_user_streams": 64,
    "max_queue": 10000,
    "reader_rate": 50,
    "max_reads": 16,
    "max_viewers": 5000,
    "max_address_viewers": 1000,
    "max_views": 1_000,
    "max_address_views": 200,
    "sender_rate": 200,
    "sender_streams": 10_000,
    "sender_rooms": 1000,
    "sender_users": 30_000,
    "body_timeout": 20,
    "send_timeout": 20,
    "commit_timeout": 10,
    "open": False,
    "behind_proxy": False,
    "trusted_proxies": Settings().trusted_proxies,
    "proxy_user_header": None,
    "root_path": "",
    "allowed_hosts": frozenset(),
    "public_url": None,
    "max_rules": 200,
    "max_alerts": 5000,
    "alert_private_targets": False,
    "embed_origins": Settings().embed_origins,
    "smtp_url": None,
    "smtp_from": "roompulse@localhost",
    "session_idle": 43200,
    "session_lifetime": 604800,
    "log_format": "text",
    "log_requests": False,
    "demo": False,
}
SECONDS = ["stale_after", "leave_after", "snapshot_interval", "sample_retention", "snapshot_retention"]
COUNTS = [name for name in DEFAULTS if name.startswith("max_")]


def from_environment(name: str, value: str) -> Any:
    return getattr(load_settings({f"ROOMPULSE_{name.upper()}": value}, {}), name)


def test_the_defaults_are_those_of_the_contract_and_the_demo_is_off() -> None:
    settings = load_settings({}, {})
    assert {name: getattr(settings, name) for name in Settings.__struct_fields__} == DEFAULTS
    assert settings == Settings()


@pytest.mark.parametrize(
    ("name", "value", "setting"),
    [
        ("host", "::", "::"),
        ("port", "0", 0),
        ("port", "65535", 65535),
        ("data", "/srv/pulse", Path("/srv/pulse")),
        ("database_url", "sqlite:///x.db", "sqlite:///x.db"),
        ("push_interval", "0", 0),
        ("push_interval", "60", 60),
        *((rate, value, float(value)) for rate in ("sender_rate", "reader_rate") for value in ("0", "0.5")),
        ("synchronous", "NORMAL", "NORMAL"),
        ("log_format", "json", "json"),
        ("open", "true", True),
        ("proxy_user_header", "X-Forwarded-User", "X-Forwarded-User"),
        *(("root_path", text, "/pulse") for text in ("/pulse", "/pulse/")),
        ("root_path", "/", ""),
        ("allowed_hosts", "Pulse.example.com, b.example,,", {"pulse.example.com", "b.example"}),
        *((name, "2.5", 2.5) for name in SECONDS),
        *((name, "1", 1) for name in COUNTS),
    ],
)
def test_each_is_read_from_the_environment(name: str, value: str, setting: Any) -> None:
    assert from_environment(name, value) == setting


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("host", ""),
        *(("port", value) for value in ("", "http", "-1", "65536", "80.5", "0x50", " 80", "true")),
        *(("push_interval", value) for value in ("", "-0.1", "60.1", "nan", "inf", "250ms")),
        *(
            (rate, value)
            for rate in ("sender_rate", "reader_rate")
            for value in ("", "-1", "nan", "inf", "1e999", "many")
        ),
        *(("synchronous", value) for value in ("", "OFF", "full")),
        *(("log_format", value) for value in ("", "xml")),
        *(("trusted_proxies", value) for value in ("proxy", "10.0.0.0/33", "10.0.0.1/8", "1.2.3")),
        ("behind_proxy", "perhaps"),
        *(("root_path", value) for value in ("pulse", "//evil.example", "/a/../b", "/a b", "/a?b", "/" + 200 * "a")),
        *((name, value) for name in SECONDS for value in ("", "0", "-1", "nan", "inf", "1h", "1000000001")),
        *((name, value) for name in COUNTS for value in ("", "0", "-1", "1.5", "nan", "lots", "1000000001")),
    ],
)
def test_a_wrong_value_is_named_in_one_line(name: str, value: str) -> None:
    with pytest.raises(StartupError) as refused:
        from_environment(name, value)
    message = str(refused.value)
    assert message.startswith(f"ROOMPULSE_{name.upper()}: ")
    assert message.endswith(f", not {value!r}")
    assert "\n" not in message


def test_networks_hold_addresses_whatever_their_version() -> None:
    networks = from_environment("trusted_proxies", "10.0.0.0/8, ::1, fd00::/8,")
    assert all(address in networks for address in ("10.1.2.3", "::ffff:10.1.2.3", "::1", "fd12::1"))
    assert not any(address in networks for address in ("11.0.0.1", "::2", "", "localhost", "10.0.0"))


def test_the_message_says_what_is_expected() -> None:
    with pytest.raises(StartupError, match=r"\AROOMPULSE_PORT: must be at most 65535, not '70000'\Z"):
        from_environment("port", "70000")
    with pytest.raises(StartupError, match=r"\AROOMPULSE_STALE_AFTER: must be a number, not 'soon'\Z"):
        from_environment("stale_after", "soon")


def test_a_flag_beats_the_environment() -> None:
    environment = {"ROOMPULSE_PORT": "1", "ROOMPULSE_HOST": "::1"}
    settings = load_settings(environment, {"port": "2", "host": None, "data": None})
    assert (settings.port, settings.host, settings.data) == (2, "::1", Path("data"))
    assert load_settings(environment, {"port": 0}).port == 0


def test_a_flag_hides_a_wrong_value_in_the_environment() -> None:
    assert load_settings({"ROOMPULSE_PORT": "wrong"}, {"port": "2"}).port == 2


def test_a_wrong_flag_is_named_as_a_flag() -> None:
    with pytest.raises(StartupError, match=r"\A--port: must be a whole number, not 'http'\Z"):
        load_settings({"ROOMPULSE_PORT": "1"}, {"port": "http"})


def test_other_names_are_none_of_its_business() -> None:
    assert load_settings({"PORT": "1", "roompulse_port": "2", "XROOMPULSE_PORT": "3"}, {}) == Settings()


def test_names_that_look_like_settings_and_are_none_are_told() -> None:
    environment = {"ROOMPULSE_PROT": "1", "ROOMPULSE_PORT": "1", "HOME": "/", "ROOMPULSE_": "", "ROOMPULSE_port": "1"}
    assert unknown_names(environment) == ["ROOMPULSE_", "ROOMPULSE_PROT", "ROOMPULSE_port"]
    assert unknown_names({f"ROOMPULSE_{name.upper()}": "" for name in DEFAULTS}) == []
    assert unknown_names({"ROOMPULSE_KEY": "of roompulse simulate"}) == []


def test_settings_do_not_change() -> None:
    with pytest.raises(AttributeError):
        Settings().port = 1  # type: ignore[misc]

"""The configuration: what it says, and that a typo opens no door."""

from __future__ import annotations

import copy
import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from leadglass.app.config import Config, ListenerConfig, parse_config, read_config
from leadglass.app.home import Home
from leadglass.app.making import Plan, make_archive
from leadglass.core.errors import ErrorCode, LeadglassError

WHOLE: dict[str, Any] = {
    "archive": {"ae_titles": ["LEADGLASS", "PACS"], "demo": False},
    "keys": {"source": "file", "value": "/etc/leadglass/key"},
    "listener": [
        {"host": "0.0.0.0", "port": 2762, "client_certificates": "optional"},
        {"host": "127.0.0.1", "port": 104, "tls": False},
    ],
    "networks": {"internal": ["100.64.3.0/24", "fd00::/64"]},
    "override": [{"risk": "plain-retrieve", "reason": "old station", "until": dt.date(2026, 5, 1), "device": "ws"}],
}
TODAY = dt.date(2026, 4, 1)


def test_everything_it_says_is_read() -> None:
    config = parse_config(WHOLE)
    assert config.ae_titles == ("LEADGLASS", "PACS")
    assert (config.key_source.kind, config.key_source.value) == ("file", "/etc/leadglass/key")
    assert config.listeners == (
        ListenerConfig("0.0.0.0", 2762, True, "optional"),
        ListenerConfig("127.0.0.1", 104, False),
    )
    assert config.internal_networks == ("100.64.3.0/24", "fd00::/64")
    assert config.overridden("plain-retrieve", TODAY, "ws") is not None


def test_what_is_left_out_is_the_careful_choice() -> None:
    config = parse_config(
        {"archive": {"ae_titles": ["A"]}, "keys": {"source": "passphrase"}, "listener": [{"host": "::1"}]}
    )
    (listener,) = config.listeners
    assert (listener.tls, listener.client_certificates) == (True, "require")
    assert (config.demo, config.overrides, config.internal_networks) == (False, (), ())


def changed(path: str, value: object) -> dict[str, Any]:
    """WHOLE with one key set, or without it (None); `listener.0.port` names a place in a list."""
    raw = copy.deepcopy(WHOLE)
    *way, last = path.split(".")
    place: Any = raw
    for step in way:
        place = place[int(step)] if step.isdigit() else place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return raw


WRONG: list[tuple[str, object]] = [
    ("surprise", {}),
    ("archive.surprise", 1),
    ("keys.surprise", 1),
    ("networks.surprise", []),
    ("listener.0.surprise", 1),
    ("listener.1.TLS", True),
    ("override.0.surprise", 1),
    ("archive", None),
    ("archive.ae_titles", None),
    ("archive.ae_titles", []),
    ("archive.ae_titles", "LEADGLASS"),
    ("archive.ae_titles", [1]),
    ("archive.demo", "false"),
    ("keys", None),
    ("keys.source", None),
    ("keys.source", "environment"),
    ("keys.value", 7),
    ("listener", {"host": "::1", "port": 1}),
    ("listener", ["::1"]),
    ("listener.0.host", None),
    ("listener.0.host", "localhost"),
    ("listener.0.port", 65536),
    ("listener.0.port", -1),
    ("listener.0.port", "104"),
    ("listener.0.port", True),
    ("listener.0.tls", "no"),
    ("listener.0.client_certificates", "none"),
    ("networks", []),
    ("networks.internal", "10.0.0.0/8"),
    ("networks.internal", ["10.0.0.1/8"]),
    ("networks.internal", ["everything"]),
    ("override", {}),
    ("override.0.until", None),
    ("override.0.until", "2026-05-01"),
    ("override.0.until", dt.datetime(2026, 5, 1, tzinfo=dt.UTC)),
    ("override.0.reason", None),
    ("override.0.reason", "  "),
    ("override.0.risk", None),
    ("override.0.device", 7),
]


@pytest.mark.parametrize(("path", "value"), WRONG, ids=[f"{path}={value!r}"[:60] for path, value in WRONG])
def test_a_wrong_or_unknown_key_is_refused(path: str, value: object) -> None:
    with pytest.raises(LeadglassError) as refused:
        parse_config(changed(path, value))
    assert refused.value.code is ErrorCode.USAGE
    assert refused.value.comment.startswith("leadglass.toml: ")


def test_an_override_is_in_force_until_its_last_day_and_for_its_device() -> None:
    config = parse_config(WHOLE)
    assert config.overridden("plain-retrieve", dt.date(2026, 5, 1), "ws")
    assert config.overridden("plain-retrieve", dt.date(2026, 5, 2), "ws") is None
    assert config.overridden("plain-retrieve", TODAY, "other") is None
    assert config.overridden("core-dumps", TODAY, "ws") is None


def test_an_override_without_device_is_for_all() -> None:
    config = parse_config(changed("override.0.device", None))
    assert config.overridden("plain-retrieve", TODAY, "any")


@pytest.mark.parametrize("content", [b"[archive", b"\xff\xfe", b'a = "\n"'])
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "leadglass.toml"
    path.write_bytes(content)
    with pytest.raises(LeadglassError) as refused:
        read_config(path)
    assert refused.value.code is ErrorCode.USAGE


def test_a_folder_without_archive_is_told(tmp_path: Path) -> None:
    with pytest.raises(LeadglassError) as refused:
        read_config(tmp_path / "leadglass.toml")
    assert refused.value.code is ErrorCode.USAGE
    assert "no archive" in refused.value.comment


def made(folder: Path, **changes: Any) -> Config:
    home = Home(folder / "archive")
    make_archive(home, Plan(folder / "key", **changes))
    return read_config(home.config)


def test_the_configuration_of_a_new_archive_is_read_back(tmp_path: Path) -> None:
    config = made(
        tmp_path, ae_title='ODD"\\TITLE', port=104, tls_port=2762, overrides=(("core-dumps", 'a "reason"', ""),)
    )
    assert config.ae_titles == ('ODD"\\TITLE',)
    assert config.listeners == (ListenerConfig("127.0.0.1", 104, False), ListenerConfig("127.0.0.1", 2762, True))
    assert config.key_source.value == str(tmp_path / "key")
    (override,) = config.overrides
    assert (override.risk, override.reason, override.device) == ("core-dumps", 'a "reason"', "")


def test_uploads_have_bounds_that_can_be_set() -> None:
    assert parse_config(WHOLE).uploads.request > parse_config(WHOLE).uploads.instance > 10 * 1024**3
    config = parse_config({**WHOLE, "uploads": {"request_mib": 10, "instance_mib": 1}})
    assert (config.uploads.request, config.uploads.instance) == (10 * 1024**2, 1024**2)


@pytest.mark.parametrize("value", [0, -1, "10", True, 1.5])
def test_a_bound_of_uploads_that_is_none_is_refused(value: Any) -> None:
    with pytest.raises(LeadglassError) as refused:
        parse_config({**WHOLE, "uploads": {"request_mib": value}})
    assert "uploads.request_mib" in refused.value.comment

"""`[[web]]`: what is refused before anything listens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leadglass.app.config import parse_config, read_config
from leadglass.app.home import Home
from leadglass.app.making import Plan, make_archive
from leadglass.app.web_config import WebListener
from leadglass.core.errors import LeadglassError

TLS = {"host": "10.0.0.2", "port": 8443}
PLAIN = {"host": "127.0.0.1", "port": 8080, "tls": False}
FILES = {"certificate": "/c.pem", "key": "/c.key"}


def read(**table: object) -> WebListener:
    raw: dict[str, Any] = {"archive": {"ae_titles": ["A"]}, "keys": {"source": "file"}, "web": [table]}
    (item,) = parse_config(raw).web
    return item


@pytest.mark.parametrize(
    "table",
    [
        TLS,
        TLS | FILES,
        TLS | {"serves": "viewer"},
        {"unix": "/run/web.sock", "serves": "viewer", "public": "https://viewer.example.org"},
        TLS | {"client_ca": "/ca.pem", "trusted_proxy": True, "names": ["PACS.example.org"]},
        PLAIN,
        {"unix": "/run/web.sock", "trusted_proxy": True, "names": ["pacs.example.org"]},
        {"host": "10.0.0.2", "port": 80, "tls": False, "names": ["pacs"]},  # a risk that safety judges
    ],
)
def test_a_listener_that_means_something(table: dict[str, object]) -> None:
    assert read(**table).names in ((), ("pacs.example.org",), ("pacs",))


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ({"host": "pacs.example.org", "port": 8443}, "web.host"),
        ({"host": "10.0.0.2"}, "web.port"),
        (TLS | {"certificate": "/c.pem"}, "web"),
        (PLAIN | FILES, "web.certificate"),
        (PLAIN | {"client_ca": "/ca.pem"}, "web.client_ca"),
        (PLAIN | {"trusted_proxy": True}, "web.trusted_proxy"),
        (TLS | {"trusted_proxy": True}, "web.trusted_proxy"),  # anybody could pass for the proxy
        (PLAIN | {"names": ["pacs.example.org"]}, "web.names"),  # a tunnel asks for that
        (TLS | {"serves": "everything"}, "web.serves"),
        (TLS | {"serves": "shares", "origins": ["https://viewer.example.org"]}, "web.origins"),
        (TLS | {"serves": "viewer", "public": "https://viewer.example.org/ohif"}, "web.public"),
        (TLS | {"serves": "viewer", "public": "http://viewer.example.org"}, "web.public"),
        ({"unix": "/run/web.sock", "serves": "viewer"}, "web.public"),
        ({"unix": "web.sock"}, "web.unix"),
        ({"unix": "/run/web.sock", "port": 80}, "web.unix"),
        ({"unix": "/run/web.sock", "tls": True}, "web.unix"),
    ],
)
def test_a_listener_that_is_half_done_or_would_open_a_way_in(table: dict[str, object], key: str) -> None:
    with pytest.raises(LeadglassError, match=key.replace(".", r"\.")):
        read(**table)


@pytest.mark.parametrize("origin", ["https://viewer.example.org", "https://10.0.0.2:8443", "http://localhost:3000"])
def test_an_origin_is_written_as_a_browser_writes_it(origin: str) -> None:
    assert read(**TLS, origins=[origin]).origins == (origin,)


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "",
        "https://*.example.org",
        "http://viewer.example.org",
        "https://viewer.example.org/",
        "https://Viewer.org",
    ],
)
def test_there_is_no_origin_for_everybody(origin: str) -> None:
    with pytest.raises(LeadglassError, match=r"web\.origins"):
        read(**TLS, origins=[origin])


def test_a_new_archive_has_its_viewer_beside_its_pages(tmp_path: Path) -> None:
    home = Home(tmp_path / "archive")
    make_archive(home, Plan(tmp_path / "key" / "master.key", web_port=8443, viewer_port=8444))
    pages, viewer = read_config(home.config).web
    assert (pages.serves, pages.port, pages.tls) == ("archive", 8443, True)
    assert (viewer.serves, viewer.port, viewer.tls) == ("viewer", 8444, True)
    bare = Home(tmp_path / "bare")
    make_archive(bare, Plan(tmp_path / "key" / "other.key", viewer_port=8444))
    assert read_config(bare.config).web == ()  # nobody could open anything in it

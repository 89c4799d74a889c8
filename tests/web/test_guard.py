"""Plain HTTP is for this machine; a proxy that was not named is refused, however it shows."""

from __future__ import annotations

import pytest

from leadglass.web.guard import FORWARDED, ListenerRules, address_of, origin_of, refused

PLAIN = ListenerRules(tls=False, names=frozenset({"127.0.0.1"}))
TLS = ListenerRules(tls=True, names=frozenset({"pacs.example.org", "10.1.2.3"}))
BEHIND = ListenerRules(tls=False, names=frozenset({"pacs.example.org"}), trusted_proxy=True)


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8042", "LOCALHOST:1", "127.0.0.1", "127.9.9.9:80", "[::1]:8042"]
)
def test_plain_http_answers_to_loopback_names(host: str) -> None:
    assert refused(PLAIN, [(b"host", host.encode())]) is None


@pytest.mark.parametrize(
    "host",
    ["pacs.example.org", "192.0.2.1", "10.1.2.3:80", "localhost.evil.example", "127.0.0.1.evil.example", "", ":80",
     "localhost:x", "[::1", "[::1]x", "[::2]", "localhost@evil.example", "0x7f.0.0.1"],
)  # fmt: skip
def test_a_tunnel_that_asks_for_an_outer_name_is_refused(host: str) -> None:
    assert refused(PLAIN, [(b"host", host.encode())]) is not None


def test_a_request_names_one_host() -> None:
    assert refused(PLAIN, []) is not None
    assert refused(PLAIN, [(b"host", b"localhost"), (b"host", b"localhost")]) is not None


@pytest.mark.parametrize("name", sorted(FORWARDED))
def test_headers_of_a_proxy_are_refused_unless_it_is_trusted(name: bytes) -> None:
    host = (b"host", b"localhost")
    assert refused(PLAIN, [host, (name, b"1.2.3.4")]) is not None
    assert refused(BEHIND, [(b"host", b"pacs.example.org"), (name, b"1.2.3.4")]) is None


def test_a_tls_listener_answers_to_its_own_names_only() -> None:
    assert refused(TLS, [(b"host", b"PACS.example.org:8443")]) is None
    assert refused(TLS, [(b"host", b"10.1.2.3:8443")]) is None
    assert refused(TLS, [(b"host", b"rebound.example")]) is not None


def test_the_address_behind_a_trusted_proxy_is_the_last_that_it_added() -> None:
    headers = [(b"x-forwarded-for", b"6.6.6.6, 192.0.2.7"), (b"x-forwarded-for", b"9.9.9.9, 192.0.2.8")]
    assert address_of(BEHIND, "127.0.0.1", headers) == "192.0.2.8"
    assert address_of(PLAIN, "127.0.0.1", headers) == "127.0.0.1"
    assert address_of(BEHIND, "127.0.0.1", [(b"x-forwarded-for", b"<script>")]) == "127.0.0.1"


@pytest.mark.parametrize(
    ("rules", "host", "port", "origin"),
    [
        (PLAIN, "127.0.0.1:8042", 8042, "http://127.0.0.1:8042"),
        (PLAIN, "127.0.0.1", 8042, "http://127.0.0.1:8042"),
        (PLAIN, "[::1]", 8042, "http://[::1]:8042"),
        (PLAIN, "localhost", 80, "http://localhost"),
        (PLAIN, "localhost", None, "http://localhost"),
        (TLS, "pacs.example.org", 443, "https://pacs.example.org"),
        (TLS, "pacs.example.org", 8443, "https://pacs.example.org:8443"),
        (TLS, "pacs.example.org:443", 8443, "https://pacs.example.org:443"),
        (BEHIND, "pacs.example.org", 8042, "http://pacs.example.org"),
    ],
)
def test_urls_in_answers_lead_back_to_the_listener(
    rules: ListenerRules, host: str, port: int | None, origin: str
) -> None:
    assert origin_of(rules, [(b"host", host.encode())], port) == origin


@pytest.mark.parametrize(("rules", "taken"), [(PLAIN, False), (TLS, True), (BEHIND, True)])
def test_http_1_0_by_which_a_proxy_shows_is_for_tls_and_named_proxies(rules: ListenerRules, taken: bool) -> None:
    host = [(b"host", b"localhost" if rules is PLAIN else b"pacs.example.org")]
    assert refused(rules, host) is None
    for version in ("1", "1.0"):
        assert (refused(rules, host, version) is None) is taken

"""Requests by HTTP: bounded whatever a server does, over one connection as long as it lasts, with the right Host."""

import asyncio
import itertools
from dataclasses import replace

import pytest
import web_fakes
from hypothesis import given
from hypothesis import strategies as st
from web_fakes import Reply, Script, WebFake, listening

from leadglass.exposure.http import MAX_BODY, HttpLine, http
from leadglass.exposure.http_answer import HttpAnswer
from leadglass.exposure.redirects import page, within
from leadglass.exposure.site import MAX_ANSWER
from leadglass.exposure.streams import Reason, Unreachable

BOMB = b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n"


async def ask(serve, path="/", **pace):
    async with listening(serve, **pace) as site, http(site, tls=False) as asking:
        return await asking.ask(path)


async def ends(serve, **pace) -> Reason:
    with pytest.raises(Unreachable) as ended:
        await ask(serve, **pace)
    return ended.value.reason


def says(*pieces: bytes, forever: bytes = b""):
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
        while forever:
            writer.write(forever)
            await writer.drain()

    return serve


async def test_several_requests_go_over_one_connection():
    fake = WebFake({"/a": Reply(body=b"first"), "/b": Reply(204)})
    async with listening(fake.serve) as site, http(site, tls=False) as asking:
        answers = [await asking.ask("/a"), await asking.ask("/b"), await asking.ask("/c")]
    assert [(answer.status, answer.body) for answer in answers] == [(200, b"first"), (204, b""), (404, b"")]
    assert fake.connections == 1
    assert not {"cookie", "authorization"} & set(fake.asked[0].headers)
    assert fake.asked[0].headers["accept-encoding"] == "identity"


async def test_a_server_that_closes_is_connected_to_again_but_not_for_ever():
    fake = WebFake({"/": Reply(closes=True)})
    async with listening(fake.serve) as site, http(site, tls=False, connections=3) as asking:
        assert [(await asking.ask("/")).status for _ in range(3)] == [200] * 3
        with pytest.raises(Unreachable):
            await asking.ask("/")
    assert fake.connections == 3


async def test_a_request_that_met_an_ended_connection_is_sent_again():
    fake = WebFake({"/": Reply()}, then_drops=2)
    async with listening(fake.serve) as site, http(site, tls=False) as asking:
        assert [(await asking.ask("/")).status for _ in range(4)] == [200] * 4
    assert (fake.connections, len(fake.asked)) == (2, 4)


async def test_a_first_request_that_is_not_answered_is_not_sent_again():
    fake = WebFake()
    connections = itertools.count(1)

    async def serve(reader, writer):
        next(connections)
        await fake._head(reader)

    assert await ends(serve) is Reason.RESET
    assert next(connections) == 2


async def test_a_body_is_kept_up_to_its_bound_and_the_rest_is_not_read():
    answer = await ask(says(BOMB, forever=b"10000\r\n" + bytes(0x10000) + b"\r\n"))
    assert (len(answer.body), answer.truncated) == (MAX_BODY, True)


@pytest.mark.parametrize(
    "serve",
    [
        says(b"HTTP/1.1 200 x\r\n", forever=b"X-Endless: " + b"x" * 1000 + b"\r\n"),
        says(forever=b"\0" * 4096),
        says(b"SSH-2.0-OpenSSH_9.6\r\n"),
        says(b"HTTP/1.1 200 x\r\nContent-Length: 10\r\n\r\nshort"),
        says(b"HTTP/1.1 200 x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
        says(BOMB + b"zz\r\n"),
        says(BOMB, forever=b"1;" + b"x" * 4000),
        says(),
        says(b"HTTP/2 200\r\n\r\n"),
    ],
    ids=["headers", "zeros", "ssh", "short", "two-lengths", "no-chunk", "chunk-extension", "nothing", "other-version"],
)
async def test_what_is_no_http_ends_at_once(serve):
    assert await ends(serve) is Reason.RESET


async def test_an_answer_that_drips_ends_at_the_deadline():
    async def drip(reader, writer):
        writer.write(b"HTTP/1.1 200 x\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    assert await ends(drip, probe_timeout=1.0) is Reason.TIMEOUT


class SlowDialer:
    """Each connection takes a fifth of a second, and is closed after one answer."""

    async def connect(self, service, *, deadline, bound):
        if asyncio.get_running_loop().time() >= deadline:
            raise Unreachable(Reason.TIMEOUT)
        await asyncio.sleep(0.2)
        return Script([Reply(closes=True).encoded()])


async def test_a_server_that_is_slow_to_connect_cannot_draw_a_probe_out_without_end():
    """Turns of a host are not its own time, but they do not add up for ever."""
    site = replace(web_fakes.site_at(1, probe_timeout=0.5), dialer=SlowDialer())
    async with http(site, tls=False, connections=1000) as asking:
        with pytest.raises(Unreachable) as ended:
            for _ in range(1000):
                await asking.ask("/")
    assert ended.value.reason is Reason.TIMEOUT


async def test_waiting_for_turns_is_no_time_of_the_server():
    """Three turns of a second each, and a probe may take two and a half."""
    fake = WebFake({"/": Reply(closes=True)})
    async with (
        listening(fake.serve, probe_timeout=2.5, per_host=1.0) as site,
        http(site, tls=False, connections=4) as asking,
    ):
        assert [(await asking.ask("/")).status for _ in range(4)] == [200] * 4


async def test_interim_answers_without_end_cost_no_more_than_the_bound():
    assert await ends(says(forever=b"HTTP/1.1 103 Early\r\n\r\n" * 200)) is Reason.TOO_MUCH
    assert MAX_ANSWER > MAX_BODY


@pytest.mark.parametrize(
    ("host", "name", "expected"),
    [
        ("127.0.0.1", "", "127.0.0.1:{port}"),
        ("::1", "", "[::1]:{port}"),
        ("127.0.0.1", "pacs.example.org", "pacs.example.org:{port}"),
    ],
)
async def test_the_host_is_the_name_that_the_scope_lists(host, name, expected):
    fake = WebFake()
    async with listening(fake.serve, host=host, name=name) as site, http(site, tls=False) as asking:
        await asking.ask("/")
    assert fake.asked[0].headers["host"] == expected.format(port=site.service.port)


async def test_several_archives_behind_one_address_are_told_apart_by_their_names():
    def by_host(asked):
        return Reply(body=asked.headers["host"].partition(":")[0].encode())

    fake = WebFake({"/": by_host})
    async with listening(fake.serve, name="one.example.org") as site, http(site, tls=False) as asking:
        assert (await asking.ask("/")).body == b"one.example.org"
        other = web_fakes.site_at(site.service.port, name="two.example.org")
        async with http(other, tls=False) as again:
            assert (await again.ask("/")).body == b"two.example.org"


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("app/explorer.html", "/app/explorer.html"),
        ("/ui/app/?a=b", "/ui/app/?a=b"),
        ("http://pacs.example.org:8042/x", "/x"),
        ("//pacs.example.org:8042/x", "/x"),
        ("https://pacs.example.org:8042/x", None),
        ("http://pacs.example.org/x", None),
        ("http://elsewhere.example.org:8042/x", None),
        ("http://pacs.example.org:8042@elsewhere.example.org/", None),
        ("http://user@pacs.example.org:8042/", None),
        ("//elsewhere.example.org/", None),
        ("/x y", None),
        ("/x\r\nHost: y", None),
        ("javascript:alert(1)", None),
        ("http://[::1", None),
        ("http://pacs.example.org:99999/", None),
        ("/" + "a" * 300, None),
    ],
)
def test_a_redirect_is_followed_within_the_service_only(location, target):
    assert within("http://pacs.example.org:8042", "/", location) == target


@given(st.text(max_size=80))
def test_no_location_makes_a_request_that_cannot_be_sent(location):
    target = within("http://127.0.0.1:80", "/a/b", location)
    assert target is None or (target.startswith("/") and target.isascii() and " " not in target)


async def test_a_redirect_in_a_circle_ends():
    fake = WebFake({"/": Reply(302, headers={"Location": "/a"}), "/a": Reply(302, headers={"Location": "/"})})
    async with listening(fake.serve) as site, http(site, tls=False) as asking:
        assert (await page(site, asking, "/")).status == 302
    assert fake.paths == ["/", "/a", "/"]


async def test_a_redirect_to_another_port_contacts_nobody():
    other = WebFake()
    async with listening(other.serve) as elsewhere:
        fake = WebFake({"/": Reply(302, headers={"Location": f"http://127.0.0.1:{elsewhere.service.port}/"})})
        async with listening(fake.serve) as site, http(site, tls=False) as asking:
            assert (await page(site, asking, "/")).status == 302
    assert (fake.paths, other.connections) == (["/"], 0)


@given(st.lists(st.binary(max_size=400), max_size=6), st.booleans())
def test_whatever_bytes_come_it_is_an_answer_or_an_end(pieces, begins_well):
    stream = Script([b"HTTP/1.1 200 x\r\n", *pieces] if begins_well else pieces)

    async def once():
        try:
            return await HttpLine(stream, "127.0.0.1").ask("/", "GET", {})
        except Unreachable as ended:
            return ended.reason

    found = asyncio.run(once())
    assert isinstance(found, HttpAnswer) or found is Reason.RESET


@pytest.mark.parametrize("body", [b"[" * 900_000, b"1" * 900_000, b'{"a":', b"\xff\xfe", b"NaN,"], ids=len)
def test_hostile_json_is_no_json(body):
    assert HttpAnswer(200, {}, body, truncated=False).json() is None

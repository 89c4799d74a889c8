"""Resolvers of the scope: their answers are read strictly, and nobody else is asked."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import struct
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from web_fakes import site_at

from leadglass.exposure.dialer import ScopedDialer
from leadglass.exposure.dns import Kind, NoAnswer, answers, question
from leadglass.exposure.facts import Answer, Fact
from leadglass.exposure.names import names_of, resolve
from leadglass.exposure.probes import reverse
from leadglass.exposure.service import Service
from leadglass.exposure.streams import Reason, Unreachable
from leadglass.exposure.targets import Named

NAME = "pacs.invented.example"


def encoded(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"


def record(owner, kind, data):
    return owner + struct.pack(">HHIH", kind, 1, 60, len(data)) + data


def reply(asked, *records, flags=0x8180, questions=1):
    return asked[:2] + struct.pack(">5H", flags, questions, len(records), 0, 0) + asked[12:] + b"".join(records)


HERE = b"\xc0\x0c"  # the name that was asked for, where it stands in every message
ASKED = question(7, NAME, Kind.A)
FOUR = record(HERE, Kind.A, bytes([192, 0, 2, 5]))


def test_a_question_is_as_rfc_1035_has_it():
    wanted = b"\0\x07\x01\0\0\x01\0\0\0\0\0\0\x04pacs\x08invented\x07example\0\0\x01\0\x01"
    assert question(7, NAME, Kind.A) == wanted
    for name in ("", "a..b", "x" * 64, ".".join(["x" * 63] * 4)):
        with pytest.raises(ValueError, match="label"):
            question(1, name, Kind.A)


@pytest.mark.parametrize(
    ("records", "found"),
    [
        ((), ()),
        ((FOUR, FOUR), ("192.0.2.5",)),
        ((record(encoded("other.example"), Kind.A, b"\1\2\3\4"),), ()),  # of another name
        ((record(HERE, Kind.AAAA, bytes(16)),), ()),  # of another kind
        (
            (record(HERE, Kind.CNAME, encoded("real.example")), record(encoded("real.example"), Kind.A, b"\1\2\3\4")),
            ("1.2.3.4",),
        ),
    ],
)
def test_addresses_of_a_name(records, found):
    assert answers(reply(ASKED, *records), 7, NAME.upper(), Kind.A) == found


def test_addresses_of_version_six_and_names_of_an_address():
    asked = question(1, NAME, Kind.AAAA)
    six = record(HERE, Kind.AAAA, ipaddress.ip_address("2001:db8::5").packed)
    assert answers(reply(asked, six), 1, NAME, Kind.AAAA) == ("2001:db8::5",)
    back = question(2, "5.2.0.192.in-addr.arpa", Kind.PTR)
    told = record(HERE, Kind.PTR, b"\x03Mri\x08invented" + b"\xc0" + bytes([back.index(b"\x04arpa")]))
    assert answers(reply(back, told), 2, "5.2.0.192.in-addr.arpa", Kind.PTR) == ("mri.invented.arpa",)


@pytest.mark.parametrize(
    "message",
    [
        reply(question(8, NAME, Kind.A), FOUR),  # of another number
        reply(question(7, "other.example", Kind.A), FOUR),
        reply(question(7, NAME, Kind.PTR), FOUR),
        reply(ASKED, FOUR, flags=0x0180),  # a question itself
        reply(ASKED, FOUR, flags=0x8380),  # cut short
        reply(ASKED, flags=0x8182),  # SERVFAIL
        reply(ASKED, flags=0x8185),  # REFUSED
        reply(ASKED, FOUR, questions=2),
        reply(ASKED, record(HERE, Kind.A, b"\1\2\3")),
        reply(ASKED, FOUR)[:-1],
        reply(ASKED, record(HERE, Kind.CNAME, HERE)),  # an alias of itself
        reply(ASKED, record(b"\xc0\xff", Kind.A, b"\1\2\3\4")),  # a name that stands behind
        reply(ASKED, record(b"\xc0" + bytes([len(ASKED)]), Kind.A, b"\1\2\3\4")),  # and one within itself
        reply(ASKED, record(b"\x03a.b\0", Kind.A, b"\1\2\3\4")),
        reply(ASKED, record(b"\x80x\0", Kind.A, b"\1\2\3\4")),
        b"",
    ],
)
def test_what_is_no_answer_to_the_question_is_none(message):
    with pytest.raises(NoAnswer):
        answers(message, 7, NAME, Kind.A)


def test_a_name_that_there_is_not_is_an_answer():
    assert answers(reply(ASKED, flags=0x8183), 7, NAME, Kind.A) == ()


@given(st.binary(max_size=300))
def test_any_bytes_are_an_answer_or_none(data):
    for message in (data, reply(ASKED, data)):
        with contextlib.suppress(NoAnswer):
            assert all(isinstance(item, str) for item in answers(message, 7, NAME, Kind.A))


@contextlib.asynccontextmanager
async def resolver(told):
    """Answers by a table of (name, kind) to data; others there are not. Gives where it is and what it was asked."""
    asked = []

    async def serve(reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                message = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
                labels, kind = message[12:-4], message[-3]
                name = next(name for name, _ in told if encoded(name) == labels)
                asked.append((name, Kind(kind)))
                data = told.get((name, Kind(kind)), [])
                answer = data if isinstance(data, bytes) else reply(message, *(record(HERE, kind, one) for one in data))
                writer.write(len(answer).to_bytes(2) + answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield Service("127.0.0.1", server.sockets[0].getsockname()[1]), asked


def scoped(*resolvers, **more):
    scope = replace(site_at(9).scope, names=(NAME,), resolvers=resolvers, **more)
    return scope, ScopedDialer(scope, now=time.time)


TABLE = {(NAME, Kind.A): [bytes([127, 0, 0, 5]), bytes([8, 8, 8, 8])], (NAME, Kind.AAAA): [bytes(15) + b"\1"]}


async def test_names_are_asked_of_the_scopes_resolvers_and_addresses_outside_are_left():
    async with resolver(TABLE) as (where, asked):
        found, nowhere = await resolve(*scoped(where))
    assert found == [Named("127.0.0.5", NAME), Named("::1", NAME)]
    assert nowhere == []
    assert asked == [(NAME, Kind.A), (NAME, Kind.AAAA)]


async def test_one_that_does_not_answer_is_passed_over():
    dead = Service("127.0.0.1", 1)
    async with resolver({(NAME, Kind.A): b"nonsense"}) as (wrong, _), resolver(TABLE) as (right, _):
        found, _ = await resolve(*scoped(dead, wrong, right))
        assert len(found) == 2
        assert (await resolve(*scoped(dead, wrong)))[1] == [NAME]


async def test_the_dialer_asks_no_resolver_that_the_scope_does_not_name():
    async with resolver(TABLE) as (where, asked):
        _, dialer = scoped()
        with pytest.raises(Unreachable) as refused:
            await dialer.connect_resolver(where, deadline=asyncio.get_running_loop().time() + 5, bound=100)
    assert refused.value.reason is Reason.OUT_OF_SCOPE
    assert asked == []


async def test_nor_one_after_the_end_of_the_permission():
    async with resolver(TABLE) as (where, asked):
        scope, dialer = scoped(where, valid_until=1.0)
        assert await resolve(scope, dialer) == ([], [NAME])
    assert asked == []


async def test_names_that_an_address_leads_back_to():
    back = "5.0.0.127.in-addr.arpa"
    async with resolver({(back, Kind.PTR): [encoded("ct1.invented.example")]}) as (where, _):
        assert await names_of(*scoped(where), "127.0.0.5") == ("ct1.invented.example",)


async def test_the_names_of_a_service_are_asked_only_where_the_scope_allows_it():
    back = "1.0.0.127.in-addr.arpa"
    async with resolver({(back, Kind.PTR): [encoded("ct1.invented.example")]}) as (where, asked):
        scope, dialer = scoped(where)
        site = replace(site_at(9), scope=scope, dialer=dialer)
        assert list(await reverse.PROBE.run(site)) == []
        assert asked == []
        allowed, dialer = scoped(where, reverse_names=True)
        site = replace(site, scope=allowed, dialer=dialer)
        site.facts.add([Fact("M02", Answer.YES, "", {"names": ("pacs.example",)})])
        (fact,) = await reverse.PROBE.run(site)
    assert dict(fact.values) == {"names": ("pacs.example",), "reverse": ("ct1.invented.example",)}


async def test_without_an_answer_the_names_are_not_known():
    scope, dialer = scoped(Service("127.0.0.1", 1), reverse_names=True)
    (fact,) = await reverse.PROBE.run(replace(site_at(9), scope=scope, dialer=dialer))
    assert fact.answer is Answer.UNKNOWN

"""User identities that nobody issued (D14), and signs of ISCL on its port (D21)."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from web_fakes import site_at

from leadglass.exposure.facts import Answer, Fact, Facts
from leadglass.exposure.probes import identity, iscl
from leadglass.exposure.probes.identity import JWT, SAML, USERNAME, made_up
from leadglass.wire.ul.codec import decode, encode
from leadglass.wire.ul.pdu import Abort, AssociateAC, AssociateRJ, ContextResult, PduType, ReleaseRP, UserInformation

REFUSED = AssociateRJ(1, 1, 1)


@contextlib.asynccontextmanager
async def archive(answers):
    """Answers a user identity by its type; gives its port and the types that it was shown."""
    shown = []

    async def serve(reader, writer):
        head = await reader.readexactly(6)
        asked = decode(PduType.ASSOCIATE_RQ, memoryview(await reader.readexactly(int.from_bytes(head[2:]))))
        shown.append(asked.user.identity.type)
        answer = answers[asked.user.identity.type]
        if answer == "accept":
            results = tuple(ContextResult(one.id, 0, one.transfer_syntaxes[0]) for one in asked.contexts)
            user = UserInformation(16384, "1.2.3", "X")
            writer.write(encode(AssociateAC(asked.called_ae, asked.calling_ae, results, user)))
            await reader.read(10)
            writer.write(encode(ReleaseRP()))
        else:
            writer.write(encode(answer))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], shown


@pytest.mark.parametrize(
    ("answers", "answer", "shown", "values"),
    [
        ({USERNAME: "accept"}, Answer.YES, [1], {"types": (1,), "refused": ()}),
        ({USERNAME: REFUSED, SAML: "accept"}, Answer.YES, [1, 4], {"types": (4,), "refused": (1,)}),
        ({USERNAME: REFUSED, SAML: REFUSED, JWT: "accept"}, Answer.YES, [1, 4, 5], {"types": (5,), "refused": (1, 4)}),
        ({USERNAME: REFUSED, SAML: REFUSED, JWT: REFUSED}, Answer.NO, [1, 4, 5], {"refused": (1, 4, 5)}),
        ({USERNAME: REFUSED, SAML: Abort(2, 0)}, Answer.UNKNOWN, [1, 4], {}),
    ],
)
async def test_kinds_are_shown_one_after_the_other_while_they_are_refused(answers, answer, shown, values):
    async with archive(answers) as (port, seen):
        (fact,) = await identity.PROBE.run(site_at(port))
    assert fact.answer is answer
    assert seen == shown
    assert dict(fact.values) == values


def test_what_is_shown_is_well_formed_long_over_and_no_login():
    shown = {kind: made_up(kind, "lg0123456789ab", b"k" * 32) for kind in (USERNAME, SAML, JWT)}
    assert shown[USERNAME].primary == b"lg0123456789ab"
    assert not any(one.secondary for one in shown.values())  # no passcode
    assertion = ElementTree.fromstring(shown[SAML].primary)
    assert assertion.tag == "{urn:oasis:names:tc:SAML:2.0:assertion}Assertion"
    assert "signature" not in shown[SAML].primary.decode().lower()
    head, claims, signature = (
        base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)) for part in shown[JWT].primary.split(b".")
    )
    assert json.loads(head) == {"alg": "HS256", "typ": "JWT"}
    assert json.loads(claims)["exp"] < 1600000000
    assert len(signature) == 32


@contextlib.asynccontextmanager
async def speaks_first(data):
    async def serve(reader, writer):
        with contextlib.suppress(OSError):
            writer.write(data)
            assert await reader.read() == b""  # nothing is said to it
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"\x01\x00\x00\x40\x00\x01\x00\x00", Answer.YES),
        (b"", Answer.NO),
        (b"SSH-2.0-invented\r\n", Answer.NO),
        (b"\x15\x03\x01\x00\x02\x02\x28", Answer.NO),
        (b"\x00\xff" * 4096, Answer.NO),
    ],
    ids=["short and binary", "silent", "a greeting", "an alert of TLS", "without end"],
)
async def test_who_speaks_first_on_the_port_of_iscl(monkeypatch, said, answer):
    monkeypatch.setattr(iscl, "_PATIENCE", 0.5)
    async with speaks_first(said) as port:
        monkeypatch.setattr(iscl, "PORT", port)
        (fact,) = await iscl.PROBE.run(site_at(port))
    assert fact.answer is answer
    assert not fact.values  # no byte of it is kept


async def test_nobody_is_asked_on_another_port():
    assert not list(await iscl.PROBE.run(site_at(9)))


def test_it_is_asked_only_where_nothing_better_is_known():
    yes = Answer.YES
    assert iscl.PROBE.wanted(Facts([Fact("T01", yes), Fact("D01", Answer.UNKNOWN), Fact("D19", Answer.NO)]))
    for known in (Fact("D01", yes), Fact("W00", yes), Fact("D19", Answer.NO, "", {"key": "RSA 2048"})):
        assert not iscl.PROBE.wanted(Facts([known]))


@given(st.binary(max_size=64))
def test_any_bytes_are_text_or_not(data):
    assert iscl._is_text(data) in (True, False)

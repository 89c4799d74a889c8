"""TLS of a service: versions and suites that BCP 195 forbids, the certificate, whether a client needs one (D17 to D20).

At most seven connections, one after the other: one whole handshake, and hellos of versions and suites.
"""

from __future__ import annotations

from collections.abc import Iterable

from leadglass.exposure.asking import line
from leadglass.exposure.certificates import look_at
from leadglass.exposure.facts import Answer, Fact, Facts, Value
from leadglass.exposure.site import Probe, Site
from leadglass.exposure.streams import Reason, Unreachable
from leadglass.exposure.tls_hello import (
    ALL_SUITES,
    STATIC_RSA_SUITES,
    TLS_1_0,
    TLS_1_1,
    TLS_1_2,
    WEAK_SUITES,
    ServerHello,
    say_hello,
)
from leadglass.exposure.tls_stream import TlsSession, any_server, wrap

_CHECKS = ("D17", "D18", "D19", "D20", "M02")
_OF_TLS = ("D18", "D19", "D20")
_TLS_PORT = 2762
_PAUSE = 1.5  # seconds in which a server that wants a certificate says so
_BOUND = 256 * 1024  # bytes of one answer
_VERSIONS = {TLS_1_0: "TLSv1", TLS_1_1: "TLSv1.1", TLS_1_2: "TLSv1.2"}


async def _run(site: Site) -> Iterable[Fact]:
    facts = Facts([_plain_on_tls_port(site)])
    try:
        session, asks = await _whole(site)
    except Unreachable as ended:
        if ended.reason is Reason.STOPPED:
            raise
        facts.add(Fact(check, Answer.NO, "TLS is not spoken here.") for check in _OF_TLS)
        return facts
    facts.add(_certificate(site, session))
    facts.add([_client_certificate(site, asks=asks)])
    facts.add([await _weak(site, session)])
    return facts


def _plain_on_tls_port(site: Site) -> Fact:
    plain = site.service.port == _TLS_PORT and site.facts.value("D01", "tls") is False
    return Fact("D17", Answer.YES if plain else Answer.NO)


async def _whole(site: Site) -> tuple[TlsSession, bool]:
    """A whole handshake without a certificate of ours, and whether the server ends it for want of one."""
    stream = await site.connect(site.deadline(), _BOUND)
    try:
        secured = await wrap(stream, any_server(), site.service.name)
    except BaseException:
        stream.close()
        raise
    session = secured.session
    secured.close()
    if _spoken(site):
        return session, False
    stream = await site.connect(site.deadline(_PAUSE), _BOUND)
    try:
        # In TLS 1.3 the refusal comes after the handshake (RFC 8446 4.4.2.4), as an alert or as an end: who would take
        # us waits for a request.
        secured = await wrap(stream, any_server(), site.service.name)
        ended = not await secured.read()
    except Unreachable as broken:
        return session, broken.reason in (Reason.TLS, Reason.RESET)
    finally:
        stream.close()
    return session, ended


def _spoken(site: Site) -> bool:
    """Whether something was said within TLS, without a certificate of ours."""
    return any(site.facts.yes(check) and site.facts.value(check, "tls") is True for check in ("D01", "W00"))


def _client_certificate(site: Site, *, asks: bool) -> Fact:
    if _spoken(site):
        return Fact("D20", Answer.YES)
    if asks:
        return Fact("D20", Answer.NO, "A client without certificate is not kept.")
    return Fact("D20", Answer.UNKNOWN, "Nothing was said within TLS.")


def _certificate(site: Site, session: TlsSession) -> list[Fact]:
    looked = look_at(session.certificate, site.service.name, site.now())
    if looked is None:
        return [Fact("D19", Answer.UNKNOWN, "The certificate could not be read.")]
    values: dict[str, Value] = {
        "problems": looked.problems,
        "not_after": looked.not_after,
        "key": looked.key,
        "names": looked.names,
    }
    sound = Fact("D19", Answer.YES if looked.problems else Answer.NO, "", values)
    owner = Fact("M02", Answer.YES if looked.names else Answer.NO, "", {"names": looked.names})
    return [sound, owner]


async def _weak(site: Site, session: TlsSession) -> Fact:
    accepted = [session.version]
    suites: list[str] = []
    for version in (TLS_1_0, TLS_1_1, TLS_1_2):
        if await _hello(site, version, ALL_SUITES) is not None:
            accepted.append(_VERSIONS[version])
    for group in (WEAK_SUITES, STATIC_RSA_SUITES):
        chosen = await _hello(site, TLS_1_2, tuple(group))
        if chosen is not None and chosen.suite in group:
            suites.append(group[chosen.suite])
    versions = tuple(name for name in ("TLSv1", "TLSv1.1") if name in accepted)
    values = {"versions": versions, "suites": tuple(suites), "accepted": tuple(sorted(set(accepted)))}
    return Fact("D18", Answer.YES if versions or suites else Answer.NO, "", values)


async def _hello(site: Site, version: int, suites: tuple[int, ...]) -> ServerHello | None:
    """What the server chose, None if it did not take this version."""
    async with line(site, site.deadline(), tls=False, bound=_BOUND) as stream:
        answer = await say_hello(stream, version, suites, site.service.name)
    return answer if isinstance(answer, ServerHello) and answer.version == version else None


def _wanted(facts: Facts) -> bool:
    """Where TLS was found, where it might be in the way, and on the port that is for it."""
    silent = not facts.yes("D01") and not facts.yes("W00")
    return silent or any(facts.value(check, "tls") is True for check in ("D01", "W00"))


PROBE = Probe("tls", _CHECKS, _wanted, _run)

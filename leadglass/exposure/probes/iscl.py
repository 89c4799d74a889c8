"""Signs of ISCL on its port, 2761 (D21). One connection, on which nothing is said.

The Integrated Secure Communication Layer (MEDIS-DC, version 1.00; PS3.15 annex B.2, retired) is older than DICOM over
TLS. In it who was called speaks first: a short line connection request. What comes is not looked into, and no proof.
"""

from __future__ import annotations

from collections.abc import Iterable

from leadglass.exposure.facts import Answer, Fact, Facts
from leadglass.exposure.site import Probe, Site
from leadglass.exposure.streams import Reason, Stream, Unreachable

PORT = 2761
_PATIENCE = 3.0  # seconds in which who speaks first has spoken
_LONGEST = 1024  # bytes of a request that names a version and the size of a packet
_TLS_RECORDS = range(20, 25)  # RFC 8446 5.1


async def _run(site: Site) -> Iterable[Fact]:
    if site.service.port != PORT:
        return ()
    stream = await site.connect(site.deadline(_PATIENCE), _LONGEST)
    try:
        first = await _first(stream)
    finally:
        stream.close()
    if first is None:
        return [Fact("D21", Answer.NO, "It sends more than a line connection request has.")]
    if not first:
        return [Fact("D21", Answer.NO, "It does not speak first.")]
    if _is_text(first) or first[0] in _TLS_RECORDS:
        return [Fact("D21", Answer.NO, "It speaks first, in another protocol.")]
    return [Fact("D21", Answer.YES, "It is likely, not certain: on ISCL's port it speaks first, as ISCL does.")]


async def _first(stream: Stream) -> bytes | None:
    """What is said unasked until it is quiet, b"" if nothing, None if that does not end."""
    heard = b""
    try:
        while data := await stream.read():
            heard += data
    except Unreachable as ended:
        if ended.reason is Reason.STOPPED:
            raise
        return None if ended.reason is Reason.TOO_MUCH else heard
    return heard


def _is_text(data: bytes) -> bool:
    """A greeting of one of the protocols of the internet."""
    return all(32 <= byte < 127 or byte in b"\t\r\n" for byte in data)


def _wanted(facts: Facts) -> bool:
    """Where nothing better is known: not DICOM, no web, no TLS."""
    return not any(facts.yes(check) for check in ("D01", "W00")) and facts.value("D19", "key") is None


PROBE = Probe("iscl", ("D21",), _wanted, _run)

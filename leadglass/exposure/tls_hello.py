"""ClientHellos made by hand, to learn which versions and suites a server takes that our own library no longer speaks.

RFC 5246 7.4.1 (ClientHello, ServerHello), RFC 8446 4.1. Only the server's first answer is read; no handshake is ended.
"""

from __future__ import annotations

import secrets
import struct
from dataclasses import dataclass
from enum import Enum

from leadglass.exposure.streams import Reason, Stream, Unreachable

TLS_1_0, TLS_1_1, TLS_1_2 = 0x0301, 0x0302, 0x0303
_HANDSHAKE, _ALERT, _SERVER_HELLO = 22, 21, 2
_MAX_RECORD = 18432  # RFC 5246 6.2.3

# IANA's registry; what BCP 195 (RFC 9325 4.1) forbids comes first.
WEAK_SUITES = {
    0x0001: "RSA_WITH_NULL_MD5",
    0x0002: "RSA_WITH_NULL_SHA",
    0x003B: "RSA_WITH_NULL_SHA256",
    0x0003: "RSA_EXPORT_WITH_RC4_40_MD5",
    0x0004: "RSA_WITH_RC4_128_MD5",
    0x0005: "RSA_WITH_RC4_128_SHA",
    0x0006: "RSA_EXPORT_WITH_RC2_CBC_40_MD5",
    0x0008: "RSA_EXPORT_WITH_DES40_CBC_SHA",
    0x0009: "RSA_WITH_DES_CBC_SHA",
    0x000A: "RSA_WITH_3DES_EDE_CBC_SHA",
    0x0014: "DHE_RSA_EXPORT_WITH_DES40_CBC_SHA",
    0x0015: "DHE_RSA_WITH_DES_CBC_SHA",
    0x0016: "DHE_RSA_WITH_3DES_EDE_CBC_SHA",
    0x0018: "DH_anon_WITH_RC4_128_MD5",
    0x001B: "DH_anon_WITH_3DES_EDE_CBC_SHA",
    0x0034: "DH_anon_WITH_AES_128_CBC_SHA",
    0x003A: "DH_anon_WITH_AES_256_CBC_SHA",
    0x0046: "DH_anon_WITH_CAMELLIA_128_CBC_SHA",
    0x0089: "DH_anon_WITH_CAMELLIA_256_CBC_SHA",
    0x006C: "DH_anon_WITH_AES_128_CBC_SHA256",
    0x006D: "DH_anon_WITH_AES_256_CBC_SHA256",
    0x00A6: "DH_anon_WITH_AES_128_GCM_SHA256",
    0x00A7: "DH_anon_WITH_AES_256_GCM_SHA384",
    0xC006: "ECDHE_ECDSA_WITH_NULL_SHA",
    0xC007: "ECDHE_ECDSA_WITH_RC4_128_SHA",
    0xC008: "ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA",
    0xC010: "ECDHE_RSA_WITH_NULL_SHA",
    0xC011: "ECDHE_RSA_WITH_RC4_128_SHA",
    0xC012: "ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
    0xC015: "ECDH_anon_WITH_NULL_SHA",
    0xC016: "ECDH_anon_WITH_RC4_128_SHA",
    0xC017: "ECDH_anon_WITH_3DES_EDE_CBC_SHA",
    0xC018: "ECDH_anon_WITH_AES_128_CBC_SHA",
    0xC019: "ECDH_anon_WITH_AES_256_CBC_SHA",
}
STATIC_RSA_SUITES = {
    0x0007: "RSA_WITH_IDEA_CBC_SHA",
    0x002F: "RSA_WITH_AES_128_CBC_SHA",
    0x0035: "RSA_WITH_AES_256_CBC_SHA",
    0x003C: "RSA_WITH_AES_128_CBC_SHA256",
    0x003D: "RSA_WITH_AES_256_CBC_SHA256",
    0x0041: "RSA_WITH_CAMELLIA_128_CBC_SHA",
    0x0084: "RSA_WITH_CAMELLIA_256_CBC_SHA",
    0x0096: "RSA_WITH_SEED_CBC_SHA",
    0x009C: "RSA_WITH_AES_128_GCM_SHA256",
    0x009D: "RSA_WITH_AES_256_GCM_SHA384",
    0x00BA: "RSA_WITH_CAMELLIA_128_CBC_SHA256",
    0x00C0: "RSA_WITH_CAMELLIA_256_CBC_SHA256",
    0xC050: "RSA_WITH_ARIA_128_GCM_SHA256",
    0xC051: "RSA_WITH_ARIA_256_GCM_SHA384",
    0xC09C: "RSA_WITH_AES_128_CCM",
    0xC09D: "RSA_WITH_AES_256_CCM",
    0xC0A0: "RSA_WITH_AES_128_CCM_8",
    0xC0A1: "RSA_WITH_AES_256_CCM_8",
}
# Ephemeral keys: ECDHE with ECDSA and RSA, then DHE. Enough that every server of 1.0 to 1.2 has one of them all.
_GOOD = (
    *(0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC023, 0xC027, 0xC024, 0xC028, 0xC009, 0xC00A, 0xC013, 0xC014),
    *(0x009E, 0x009F, 0xCCAA, 0x0067, 0x006B, 0x0033, 0x0039, 0x0032, 0x0038, 0x0045, 0x0088),
)
ALL_SUITES = (*_GOOD, *STATIC_RSA_SUITES, *WEAK_SUITES)


class Refusal(Enum):
    """Why there is no ServerHello."""

    ALERT = "alert"
    CLOSED = "closed"
    NOT_TLS = "not-tls"


@dataclass(frozen=True, slots=True)
class ServerHello:
    """What the server chose: protocol version and cipher suite, as numbers of the registry."""

    version: int
    suite: int


def client_hello(version: int, suites: tuple[int, ...], server_name: str) -> bytes:
    """A record with one ClientHello that offers at most `version` (1.2 and before)."""
    extensions = b"".join(
        (
            _server_name(server_name) if server_name else b"",
            _extension(10, _vector(struct.pack(">4H", 29, 23, 24, 25))),  # supported groups
            _extension(11, b"\x01\x00"),  # uncompressed points
            _extension(13, _vector(struct.pack(">8H", 0x0403, 0x0804, 0x0401, 0x0503, 0x0501, 0x0601, 0x0203, 0x0201))),
        )
    )
    body = b"".join(
        (
            struct.pack(">H", version),
            secrets.token_bytes(32),
            b"\x00",  # no session
            _vector(struct.pack(f">{len(suites)}H", *suites)),
            b"\x01\x00",  # no compression
            _vector(extensions),
        )
    )
    message = b"\x01" + len(body).to_bytes(3) + body
    return struct.pack(">BHH", _HANDSHAKE, TLS_1_0, len(message)) + message


async def say_hello(stream: Stream, version: int, suites: tuple[int, ...], server_name: str) -> ServerHello | Refusal:
    """Send one and read the first answer. Raises Unreachable TIMEOUT, STOPPED or TOO_MUCH."""
    await stream.write(client_hello(version, suites, server_name))
    try:
        kind, _, length = struct.unpack(">BHH", await stream.read_exactly(5))
        if kind == _ALERT:
            return Refusal.ALERT
        if kind != _HANDSHAKE or not 4 <= length <= _MAX_RECORD:
            return Refusal.NOT_TLS
        return parse_server_hello(await stream.read_exactly(length))
    except Unreachable as ended:
        if ended.reason is Reason.RESET:
            return Refusal.CLOSED
        raise


def parse_server_hello(message: bytes) -> ServerHello | Refusal:
    """The ServerHello at the start of a handshake record."""
    if len(message) < 4 or message[0] != _SERVER_HELLO:
        return Refusal.NOT_TLS
    body = message[4 : 4 + int.from_bytes(message[1:4])]
    if len(body) < 35:
        return Refusal.NOT_TLS
    after = 35 + body[34]
    if len(body) < after + 2:
        return Refusal.NOT_TLS
    return ServerHello(int.from_bytes(body[:2]), int.from_bytes(body[after : after + 2]))


def _extension(kind: int, data: bytes) -> bytes:
    return struct.pack(">HH", kind, len(data)) + data


def _vector(data: bytes) -> bytes:
    return struct.pack(">H", len(data)) + data


def _server_name(name: str) -> bytes:
    host = name.encode("ascii")
    return _extension(0, _vector(b"\x00" + _vector(host)))

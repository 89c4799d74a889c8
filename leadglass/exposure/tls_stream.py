"""TLS over a `Stream`, by the standard library's ssl over memory. Nothing is verified: facts are judged later."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from leadglass.exposure.streams import Reason, Stream, Unreachable

_RECORD = 16384 + 256  # bytes: one TLS record is read at a time, so little is decrypted before it is asked for


@dataclass(frozen=True, slots=True)
class TlsSession:
    """What was agreed on. `certificate` is the server's, DER, b"" if it showed none."""

    version: str  # "TLSv1.2", ...
    suite: str  # OpenSSL's name
    certificate: bytes
    protocol: str  # by ALPN, "" if none


def any_server() -> ssl.SSLContext:
    """A context that takes every server and every version that the library still speaks, and shows no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


class TlsStream:
    """A TLS session over a stream, a `Stream` itself. Closing it closes the one below."""

    def __init__(self, stream: Stream, context: ssl.SSLContext, server_name: str) -> None:
        self._stream = stream
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=server_name or None)
        self._buffer = bytearray()

    @property
    def session(self) -> TlsSession:
        """What was agreed on."""
        suite = self._tls.cipher()
        return TlsSession(
            self._tls.version() or "",
            suite[0] if suite else "",
            self._tls.getpeercert(binary_form=True) or b"",
            self._tls.selected_alpn_protocol() or "",
        )

    async def handshake(self) -> None:
        """Agree on a session. Raises Unreachable, TLS if the peer speaks none or none that we do."""
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._more()
            except (ssl.SSLError, ValueError) as error:
                raise Unreachable(Reason.TLS) from error
        await self._flush()

    async def read(self, limit: int = 65536) -> bytes:
        """See `Stream.read`."""
        if not self._buffer:
            self._buffer += await self._decrypted()
        taken = bytes(self._buffer[:limit])
        del self._buffer[:limit]
        return taken

    async def read_exactly(self, count: int) -> bytes:
        """See `Stream.read_exactly`."""
        while len(self._buffer) < count:
            piece = await self._decrypted()
            if not piece:
                raise Unreachable(Reason.RESET)
            self._buffer += piece
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    async def write(self, data: bytes) -> None:
        """See `Stream.write`."""
        try:
            self._tls.write(data)
        except ssl.SSLError as error:
            raise Unreachable(Reason.TLS) from error
        await self._flush()

    def close(self) -> None:
        """See `Stream.close`."""
        self._stream.close()

    async def _decrypted(self) -> bytes:
        while True:
            try:
                return self._tls.read(_RECORD)
            except ssl.SSLWantReadError:
                if not await self._more():
                    return b""
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLError as error:
                raise Unreachable(Reason.TLS) from error

    async def _more(self) -> bool:
        """Exchange what is to be said for what the peer says; False at its end."""
        await self._flush()
        data = await self._stream.read(_RECORD)
        if data:
            self._in.write(data)
        elif self._in.eof:
            return False
        else:
            self._in.write_eof()
        return bool(data)

    async def _flush(self) -> None:
        data = self._out.read()
        if data:
            await self._stream.write(data)


async def wrap(stream: Stream, context: ssl.SSLContext, server_name: str) -> TlsStream:
    """A TLS session over `stream`; `server_name` is sent as SNI unless it is empty. Raises Unreachable."""
    secured = TlsStream(stream, context, server_name)
    await secured.handshake()
    return secured

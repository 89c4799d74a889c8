"""A peer that is called over DICOM, and calling enrolled devices as this archive."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from dataclasses import dataclass

from leadglass.app.certificates import Certificates
from leadglass.app.config import Config
from leadglass.core.device import Device, Endpoint
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.ports import State
from leadglass.dicom.uids import VERIFICATION
from leadglass.net.dialer import DialOptions
from leadglass.net.proposals import NATIVE_SYNTAXES, association_request, propose_one
from leadglass.net.requestor import Requestor, dial
from leadglass.wire.ul.pdu import ProposedContext

# PS3.8 table 9-21: result/source/reason
_REJECTIONS = {
    "1/1/1": "it gives no reason",
    "1/1/3": "it does not know our AE title, or not from this address",
    "1/1/7": "it is not called by that AE title",
    "2/3/1": "it is busy, try again",
    "2/3/2": "it has too many associations, try again",
}


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody to call, and who we say we are. `tls` is None for plain DICOM."""

    endpoint: Endpoint
    own_title: str
    tls: ssl.SSLContext | None = None

    def __str__(self) -> str:
        return f"{self.endpoint.ae_title}@{self.endpoint.host}:{self.endpoint.port}"

    async def dial(self, contexts: tuple[ProposedContext, ...], receives: Iterable[str] = ()) -> Requestor:
        """Open an association. Raises what `net.dialer.open_association` raises."""
        request = association_request(self.endpoint.ae_title, self.own_title, contexts, receives=receives)
        try:
            return await dial(self.endpoint.host, self.endpoint.port, request, DialOptions(ssl_context=self.tls))
        except LeadglassError as error:
            meaning = _REJECTIONS.get(error.comment.rsplit(" ", 1)[-1])
            if error.code is ErrorCode.NOT_AUTHORISED and meaning:
                raise LeadglassError(error.code, f"{error.comment} ({meaning}).") from error
            raise


class DeviceCalls:
    """core.ports.DeviceCaller: with the certificates of this archive."""

    def __init__(self, state: State, ca_key: bytes, config: Config) -> None:
        self._certificates = Certificates(state, ca_key, config)
        self._own_title = config.ae_titles[0]

    async def echo(self, device: Device) -> int:
        """C-ECHO (core.ports)."""
        if device.listens is None:
            raise LeadglassError(ErrorCode.USAGE, "The device has no address to call.")
        dialing = self._certificates.for_dialing
        tls = await asyncio.to_thread(dialing, device) if device.listens.tls else None
        peer = await Peer(device.listens, self._own_title, tls).dial(propose_one([(VERIFICATION, NATIVE_SYNTAXES)]))
        code = await peer.echo()
        await peer.release()
        return code

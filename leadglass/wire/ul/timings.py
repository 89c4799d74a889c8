"""How long a peer may take. Defaults are the bounds of core.limits; tests shorten them."""

from __future__ import annotations

from dataclasses import dataclass

from leadglass.core import limits


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds, except `minimum_rate` (bytes per second)."""

    artim: float = limits.ARTIM_SECONDS  # for the request to arrive, and for the peer to close (PS3.8 9.1.5)
    pdu: float = limits.PDU_DEADLINE_SECONDS  # from a PDU's first byte to its last
    message_grace: float = limits.MESSAGE_GRACE_SECONDS
    minimum_rate: float = limits.MESSAGE_MINIMUM_RATE
    idle: float = limits.IDLE_TIMEOUT_SECONDS
    reply: float = 60.0  # for the answer to our request or release: a server may look its caller up
    stall: float = 120.0  # for a peer to take anything of what waits to be written

    @property
    def shortest(self) -> float:
        """Seconds from now before which no deadline can lie that begins now."""
        return min(self.artim, self.pdu, self.message_grace, self.idle, self.reply, self.stall)

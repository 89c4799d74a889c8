"""Socket options and addresses, as the connection, the listener and the dialer need them."""

from __future__ import annotations

import socket
from ipaddress import ip_address

_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux only


def prepare(sock: socket.socket) -> None:
    """Non-blocking, and every answer leaves at once."""
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def acknowledge_now(sock: socket.socket) -> None:
    """Send the pending ACK and delay none until the kernel falls back: a sender that leaves Nagle on waits for it."""
    if _QUICKACK is not None:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        except OSError:  # the connection went away meanwhile; its end is told elsewhere
            return


def peer_of(sockname: object) -> tuple[str, int]:
    """Address and port of a peer as text: IPv4 seen through IPv6 as IPv4, without zone. Empty if unknown."""
    if not isinstance(sockname, tuple) or len(sockname) < 2:
        return "", 0
    host = str(sockname[0]).partition("%")[0]
    try:
        address = ip_address(host)
    except ValueError:
        return host, int(sockname[1])
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address), int(sockname[1])

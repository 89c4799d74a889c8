"""Run in a network namespace of its own: serves an archive there and knocks from addresses of many kinds.

Prints JSON: what each caller of the plain port got ("" if the connection was cut without a byte), and the journal.
"""

from __future__ import annotations

import fcntl
import json
import socket
import struct
import sys
from dataclasses import replace
from pathlib import Path

import archives
from enrolling import leadglass

from leadglass.dicom import uids
from leadglass.net.proposals import NATIVE_SYNTAXES, association_request, propose_one
from leadglass.wire.ul.codec import encode

SIOCSIFADDR, SIOCSIFFLAGS, IFF_UP = 0x8916, 0x8914, 0x1  # netdevice(7)
ALLOWED = ("127.0.0.1", "10.0.0.7", "172.16.0.9", "192.168.3.4", "203.0.113.7")  # the last is declared internal
DROPPED = ("8.8.8.8", "100.64.0.9", "169.254.1.2", "198.51.100.1")


def main(folder: Path) -> None:
    for number, address in enumerate(("127.0.0.1", *ALLOWED[1:], *DROPPED)):
        _take(f"lo:{number}" if number else "lo", address)
    device = replace(archives.device("ct"), networks=tuple(f"{address}/32" for address in ALLOWED))
    home = archives.make(folder, [])
    text = home.config.read_text()
    text = text.replace('host = "127.0.0.1"', 'host = "0.0.0.0"')
    text = text.replace("internal = []", 'internal = ["203.0.113.0/24"]')
    end = text.split("until = ")[1].split("\n")[0]
    for risk in ("plain-listener-global", "plain-outside"):  # taken by name, and dropped all the same
        text += f'\n[[override]]\nrisk = "{risk}"\nreason = "test"\nuntil = {end}\n'
    home.config.write_text(text)
    with archives.opened(home) as archive:
        archive.devices.enrol(archives.operator(), device)
        everywhere = tuple(f"{address}/32" for address in DROPPED)  # as if somebody had enrolled them: no matter
        archive.state.put_device(replace(device, name="outside", networks=everywhere))
    with archives.served(home) as server:
        told = {address: _knock(address, server.port) for address in (*ALLOWED, *DROPPED)}
    journal = leadglass(home, "journal", "show", "--json").stdout
    sys.stdout.write(json.dumps({"told": told, "journal": json.loads(journal)}))


def _take(interface: str, address: str) -> None:
    request = struct.pack("16sHH4s", interface.encode(), socket.AF_INET, 0, socket.inet_aton(address)) + bytes(16)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        fcntl.ioctl(door.fileno(), SIOCSIFADDR, request)
        fcntl.ioctl(door.fileno(), SIOCSIFFLAGS, struct.pack("16sH", interface.encode(), IFF_UP) + bytes(22))


def _knock(address: str, port: int) -> str:
    """The first byte of the answer to an association request in good order."""
    contexts = propose_one([(uids.VERIFICATION, NATIVE_SYNTAXES)])
    try:
        with socket.create_connection((address, port), 20, source_address=(address, 0)) as peer:
            peer.sendall(encode(association_request("LEADGLASS", "CT", contexts)))
            return peer.recv(1).hex()
    except ConnectionError:
        return ""


if __name__ == "__main__":
    main(Path(sys.argv[1]))

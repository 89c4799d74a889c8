"""What other scanners found, as targets: nmap's XML, masscan's JSON and list, naabu's and zmap's lines, CSV.

Nothing in such a file widens the scope: what lies outside is counted and left.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from leadglass.exposure.scope import Scope
from leadglass.exposure.service import Service

MAX_INPUT = 512 * 1024 * 1024  # bytes of a file
_NMAP_HOST = re.compile(r"<host[ >].*?</host>", re.S)
_NMAP_ADDRESS = re.compile(r'<address addr="([0-9a-fA-F:.]{2,45})" addrtype="ipv[46]"')
_NMAP_PORT = re.compile(r'<port protocol="tcp" portid="(\d{1,5})"><state state="open"')
_LIST = re.compile(r"open tcp (\d{1,5}) (\S{2,45})")
_COLON = re.compile(r"(?:\[([0-9a-fA-F:.]{2,45})\]|([0-9.]{7,15})):(\d{1,5})")  # a bare IPv6 address has no port


class Given(NamedTuple):
    """Services of a file that the scope allows, and how many it does not."""

    services: tuple[Service, ...]
    outside: int


def read_targets(data: bytes, scope: Scope) -> Given:
    """Whatever form it is in. ValueError if nothing in it is understood."""
    if len(data) > MAX_INPUT:
        raise ValueError("the file is too long")
    text = data.decode("utf-8", "replace")
    pairs = dict.fromkeys(_pairs(text))
    if not pairs:
        raise ValueError("there is no open port in it")
    services: list[Service] = []
    outside = 0
    for address, port in pairs:
        for number in (port,) if port else scope.ports:
            service = Service(address, number)
            if scope.permits(service):
                services.append(service)
            else:
                outside += 1
    return Given(tuple(services), outside)


def _pairs(text: str) -> Iterator[tuple[str, int]]:
    start = text.lstrip()[:200]
    if "<nmaprun" in text[:2000] or start.startswith("<?xml"):
        found = _of_nmap(text)
    elif start.startswith("[") and not start.startswith("[:") and '"ip"' in text[:4000]:
        found = _of_masscan(text)
    else:
        found = _of_lines(text)
    for address, port in found:
        try:
            yield str(ipaddress.ip_address(address)), _port(port)
        except ValueError:
            continue


def _port(port: int) -> int:
    if not 0 <= port < 65536:
        raise ValueError("no port")
    return port


def _of_nmap(text: str) -> Iterable[tuple[str, int]]:
    """By patterns, not by an XML parser: the file is a stranger's, and nothing else of it is wanted."""
    for host in _NMAP_HOST.finditer(text):
        address = _NMAP_ADDRESS.search(host.group(0))
        if address:
            for port in _NMAP_PORT.finditer(host.group(0)):
                yield address.group(1), int(port.group(1))


def _of_masscan(text: str) -> Iterable[tuple[str, int]]:
    for line in text.splitlines():
        piece = line.strip().rstrip(",")
        try:
            entry = json.loads(piece if piece.startswith("{") else "null")
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict) and isinstance(entry.get("ip"), str) and isinstance(entry.get("ports"), list):
            for port in entry["ports"]:
                number = port.get("port") if isinstance(port, dict) and port.get("status") == "open" else None
                if isinstance(number, int):
                    yield entry["ip"], number


def _of_lines(text: str) -> Iterable[tuple[str, int]]:
    """One target a line: masscan's list, `address:port`, `address,port`, or an address alone (port 0: the scope's)."""
    for line in text.splitlines():
        words = line.strip()
        listed = _LIST.match(words)
        colon = _COLON.fullmatch(words)
        cells = [cell.strip().strip('"') for cell in words.split(",")]
        if listed:
            yield listed.group(2), int(listed.group(1))
        elif len(cells) > 1 and cells[1].isascii() and cells[1].isdigit() and len(cells[1]) < 6:
            yield cells[0], int(cells[1])
        elif colon:
            yield colon.group(1) or colon.group(2), int(colon.group(3))
        else:
            yield cells[0], 0

"""Host names to addresses, by the system's resolver. Asked once, at the start."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

from leadglass.exposure.scope import Scope
from leadglass.exposure.targets import Named

_PATIENCE = 10.0  # seconds for one name


async def resolve(scope: Scope) -> tuple[list[Named], list[str]]:
    """The scope's names with those of their addresses that it allows, and the names that led nowhere."""
    found: list[Named] = []
    nowhere: list[str] = []
    for name in scope.names:
        if name in scope.excluded_names:
            continue
        addresses = [text for text in await _addresses(name) if scope.allows(ipaddress.ip_address(text))]
        found += [Named(address, name) for address in addresses]
        if not addresses:
            nowhere.append(name)
    return found, nowhere


async def _addresses(name: str) -> list[str]:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_PATIENCE):
            told = await loop.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError):
        return []
    texts = [str(address[0]).partition("%")[0] for *_, address in told]
    return list(dict.fromkeys(str(ipaddress.ip_address(text)) for text in texts))

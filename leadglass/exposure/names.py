"""Host names to addresses, and addresses to names: by the scope's resolvers if it names some, else by the system's.

The scope's are asked over TCP (RFC 7766), through the dialer as everything is; one that does not answer is passed over.
"""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import socket

from leadglass.exposure.dns import MAX_MESSAGE, Kind, NoAnswer, answers, question
from leadglass.exposure.facts import technical
from leadglass.exposure.scope import Scope
from leadglass.exposure.service import Service
from leadglass.exposure.streams import Dialer, Reason, Stream, Unreachable
from leadglass.exposure.targets import Named

_PATIENCE = 10.0  # seconds for one name
_MAX_NAMES = 8  # of one address


async def resolve(scope: Scope, dialer: Dialer) -> tuple[list[Named], list[str]]:
    """The scope's names with those of their addresses that it allows, and the names that led nowhere."""
    found: list[Named] = []
    nowhere: list[str] = []
    for name in scope.names:
        if name in scope.excluded_names:
            continue
        addresses = [text for text in await _addresses(scope, dialer, name) if scope.allows(ipaddress.ip_address(text))]
        found += [Named(address, name) for address in addresses]
        if not addresses:
            nowhere.append(name)
    return found, nowhere


async def names_of(scope: Scope, dialer: Dialer, address: str) -> tuple[str, ...]:
    """The names that an address leads back to (RFC 1035 3.5). Raises Unreachable if no resolver answers."""
    if scope.resolvers:
        (told,) = await _asked(scope, dialer, ipaddress.ip_address(address).reverse_pointer, (Kind.PTR,))
    else:
        told = await _by_system(address)
    return tuple(technical(name) for name in told[:_MAX_NAMES])


async def _addresses(scope: Scope, dialer: Dialer, name: str) -> list[str]:
    if not scope.resolvers:
        return await _addresses_by_system(name)
    try:
        found = await _asked(scope, dialer, name, (Kind.A, Kind.AAAA))
    except Unreachable:
        return []
    return [text for told in found for text in told]


# --- by the scope's resolvers ----------------------------------------------------------------------------------------


async def _asked(scope: Scope, dialer: Dialer, name: str, kinds: tuple[Kind, ...]) -> list[tuple[str, ...]]:
    """What the first resolver that answers tells, for each kind."""
    for resolver in scope.resolvers:
        try:
            return await _ask(dialer, resolver, name, kinds)
        except NoAnswer:
            continue
        except Unreachable as ended:
            if ended.reason is Reason.STOPPED:
                raise
    raise Unreachable(Reason.TIMEOUT)


async def _ask(dialer: Dialer, resolver: Service, name: str, kinds: tuple[Kind, ...]) -> list[tuple[str, ...]]:
    deadline = asyncio.get_running_loop().time() + _PATIENCE
    stream = await dialer.connect_resolver(resolver, deadline=deadline, bound=len(kinds) * (MAX_MESSAGE + 2))
    try:
        return [await _one(stream, name, kind) for kind in kinds]
    finally:
        stream.close()


async def _one(stream: Stream, name: str, kind: Kind) -> tuple[str, ...]:
    number = secrets.randbelow(65536)
    message = question(number, name, kind)
    await stream.write(len(message).to_bytes(2) + message)
    length = int.from_bytes(await stream.read_exactly(2))
    return answers(await stream.read_exactly(length), number, name, kind)


# --- by the system's -------------------------------------------------------------------------------------------------


async def _addresses_by_system(name: str) -> list[str]:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_PATIENCE):
            told = await loop.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError):
        return []
    texts = [str(address[0]).partition("%")[0] for *_, address in told]
    return list(dict.fromkeys(str(ipaddress.ip_address(text)) for text in texts))


async def _by_system(address: str) -> tuple[str, ...]:
    try:
        async with asyncio.timeout(_PATIENCE):
            name, _ = await asyncio.get_running_loop().getnameinfo((address, 0), socket.NI_NAMEREQD)
    except (OSError, UnicodeError):
        return ()
    except TimeoutError:
        raise Unreachable(Reason.TIMEOUT) from None
    return (name.rstrip(".").lower(),)

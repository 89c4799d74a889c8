"""Addresses of one-time links, for who prints them: on the first web listener where they are safe to open."""

from __future__ import annotations

import ipaddress
from typing import Final

from leadglass.app.config import Config
from leadglass.app.web_config import WebListener
from leadglass.core.sessions import Purpose
from leadglass.services.one_time_codes import PATHS

THIS_MACHINE: Final = "localhost"
SERVED: Final = "archive"  # where the pages are


def link(config: Config, purpose: Purpose, code: str) -> str:
    """The address that opens with `code`; its path alone where no listener is on loopback or has TLS."""
    base = next((_base(item) for item in config.web if item.serves == SERVED and _is_safe(item)), "")
    return f"{base}{PATHS[purpose]}{code}"


def _is_safe(item: WebListener) -> bool:
    """Nobody on the way reads the link: TLS, or this machine alone. Of a proxy in front we know what is said of it."""
    if item.public or item.unix:
        return item.public.startswith("https:") or bool(item.names)
    return item.tls or ipaddress.ip_address(item.host).is_loopback


def _base(item: WebListener) -> str:
    """How a browser names the listener."""
    if item.public:
        return item.public
    if item.unix:
        return f"https://{item.names[0]}"
    scheme, usual = ("https", 443) if item.tls else ("http", 80)
    address = ipaddress.ip_address(item.host)
    if item.names:
        host = item.names[0]
    elif address.is_unspecified:
        host = THIS_MACHINE
    else:
        host = f"[{address}]" if address.version == 6 else str(address)
    return f"{scheme}://{host}" if item.port == usual else f"{scheme}://{host}:{item.port}"

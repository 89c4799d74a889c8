"""Where a redirect leads: to the same service, or elsewhere, which is another target and is not followed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

from leadglass.exposure.http import Http, host_of
from leadglass.exposure.http_answer import HttpAnswer
from leadglass.exposure.site import Site

MAX_HOPS = 2
_MOVED = (301, 302, 303, 307, 308)
_PATH = re.compile(r"/[A-Za-z0-9/._~%!$&'()*+,;=:@?-]{0,199}")  # RFC 3986 3.3 and 3.4; no longer than a fact's text


def within(base: str, path: str, location: str) -> str | None:
    """The path to ask at the same service, None if `location` leads elsewhere or is no path that may be asked.

    `base` is the service's `scheme://host:port` as it was asked, `path` the one that redirects.
    """
    try:
        wanted, here = urlsplit(urljoin(base + path, location.strip())), urlsplit(base)
        same = (wanted.scheme, wanted.hostname, _port(wanted.scheme, wanted.port)) == (
            here.scheme,
            here.hostname,
            _port(here.scheme, here.port),
        )
    except ValueError:
        return None
    target = (wanted.path or "/") + (f"?{wanted.query}" if wanted.query else "")
    return target if same and not wanted.username and _PATH.fullmatch(target) else None


def _port(scheme: str, port: int | None) -> int | None:
    return port or {"http": 80, "https": 443}.get(scheme)


async def page(site: Site, asking: Http, path: str) -> HttpAnswer:
    """The answer for `path`, after at most two redirects within the service. Raises Unreachable."""
    return await behind(site, asking, path, await asking.ask(path))


async def behind(
    site: Site, asking: Http, path: str, answer: HttpAnswer, headers: Mapping[str, str] | None = None
) -> HttpAnswer:
    """What `answer`, to a request for `path`, redirects to; itself if it does not. Raises Unreachable."""
    base = f"{'https' if asking.tls else 'http'}://{host_of(site, tls=asking.tls)}"
    for _ in range(MAX_HOPS):
        target = within(base, path, answer.headers.get("location", "")) if answer.status in _MOVED else None
        if target is None or target == path:
            break
        path = target
        answer = await asking.ask(path, headers=headers)
    return answer

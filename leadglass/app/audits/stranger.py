"""What a stranger does at the archive's own listeners: looks, and calls by an enrolled title from a wrong address."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterable
from dataclasses import dataclass

from leadglass.exposure.asking import line
from leadglass.exposure.audit import Result
from leadglass.exposure.dialer import ScopedDialer
from leadglass.exposure.facts import Answer, Fact, Observation
from leadglass.exposure.observing import observe
from leadglass.exposure.proposal import LITTLE
from leadglass.exposure.registry import PROBES
from leadglass.exposure.rules.judge import judge
from leadglass.exposure.scope import Pace, Scope
from leadglass.exposure.service import Service
from leadglass.exposure.site import Site
from leadglass.exposure.streams import Unreachable
from leadglass.exposure.upper_layer import Talk, associate, request

_PACE = Pace(per_host=1000, total=1000, concurrent=16, connect_timeout=5, probe_timeout=10)


@dataclass(frozen=True, slots=True)
class Impostor:
    """An enrolled title called from an address that is not its own. `let_in` None: it could not be tried."""

    device: str
    service: Service
    source: str
    let_in: bool | None


def own_scope(services: Iterable[Service]) -> Scope:
    """The archive's own listeners and nothing else."""
    listed = list(services)
    now = time.time()
    networks = tuple(ipaddress.ip_network(address) for address in sorted({service.address for service in listed}))
    ports = tuple(sorted({service.port for service in listed}))
    return Scope("the archive itself", "", now - 1, now + 3600, networks, ports=ports, pace=_PACE)


async def look_at(service: Service, scope: Scope, dialer: ScopedDialer, secret: bytes) -> Result:
    """All that a stranger sees of it; on the lowest rung if it does not answer."""
    try:
        await dialer.knock(service)
    except Unreachable:
        now = time.time()
        seen = Observation(service, now, now, (Fact("T01", Answer.NO, "The listener does not answer."),))
    else:
        seen = await observe(service, scope, dialer, probes=PROBES, now=time.time, secret=secret)
    return Result(seen, judge(seen))


async def is_let_in(service: Service, scope: Scope, dialer: ScopedDialer, called: str, title: str) -> bool:
    """Whether an association by this calling title is accepted, in plain text or in TLS without a certificate."""
    site = Site(service, scope, dialer, time.time)
    for tls in (False, True):
        try:
            async with line(site, site.deadline(), tls=tls) as stream:
                answer = await associate(stream, request(called, title, LITTLE))
                if isinstance(answer, Talk):
                    await answer.abort()
                    return True
        except Unreachable:
            continue
    return False

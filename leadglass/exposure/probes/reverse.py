"""The names that a service's address leads back to (M02), where the scope allows the question. No connection to it."""

from __future__ import annotations

from collections.abc import Iterable

from leadglass.exposure.facts import Answer, Fact
from leadglass.exposure.names import names_of
from leadglass.exposure.site import Probe, Site
from leadglass.exposure.streams import Reason, Unreachable


async def _run(site: Site) -> Iterable[Fact]:
    if not site.scope.reverse_names:
        return ()
    known = site.facts.value("M02", "names")
    names = known if isinstance(known, tuple) else ()
    try:
        found = await names_of(site.scope, site.dialer, site.service.address)
    except Unreachable as ended:
        if ended.reason is Reason.STOPPED:
            raise
        return () if names else (Fact("M02", Answer.UNKNOWN, "No resolver answered."),)
    values = {"names": names, "reverse": found}
    return (Fact("M02", Answer.YES if names or found else Answer.NO, "", values),)


PROBE = Probe("reverse", ("M02",), lambda facts: facts.yes("T01"), _run)

"""Asks one service everything that the registry has, one probe after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from leadglass.exposure.facts import Answer, Fact, Observation
from leadglass.exposure.scope import Scope
from leadglass.exposure.service import Service
from leadglass.exposure.site import Probe, Site
from leadglass.exposure.streams import Dialer, Reason, Unreachable

_WHYS = {
    Reason.REFUSED: "The connection was refused.",
    Reason.TIMEOUT: "There was no answer in time.",
    Reason.NO_ROUTE: "The network does not lead there.",
    Reason.RESET: "The connection was broken off.",
    Reason.TLS: "No TLS session came about.",
    Reason.TOO_MUCH: "More was sent than an answer may have.",
    Reason.OUT_OF_SCOPE: "The scope does not allow it.",
    Reason.STOPPED: "The audit was stopped.",
}


class Stopped(Exception):  # noqa: N818 - the audit ends; nothing went wrong
    """The audit ends. `observation` is what was seen until then: not the whole."""

    def __init__(self, observation: Observation) -> None:
        super().__init__("stopped")
        self.observation = observation


async def observe(
    service: Service,
    scope: Scope,
    dialer: Dialer,
    *,
    probes: Sequence[Probe],
    now: Callable[[], float],
    secret: bytes,
) -> Observation:
    """What every probe found. Raises Stopped if the kill switch was thrown or the permission ended meanwhile."""
    started = now()
    site = Site(service, scope, dialer, now, secret)
    site.facts.add([Fact("T01", Answer.YES)])
    for probe in probes:
        if not probe.wanted(site.facts):
            continue
        try:
            site.facts.add(await probe.run(site))
        except Unreachable as ended:
            why = _WHYS[ended.reason]
            missing = [check for check in probe.checks if check not in site.facts]
            site.facts.add(Fact(check, Answer.UNKNOWN, why) for check in missing)
            if ended.reason is Reason.STOPPED:
                raise Stopped(Observation(service, started, now(), tuple(site.facts))) from None
    return Observation(service, started, now(), tuple(site.facts))

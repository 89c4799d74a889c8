"""Whether a user identity that nobody issued is refused (D14; PS3.7 D.3.3.7). One connection.

A user's name without any passcode, made up for this service: no login is tried.
"""

from __future__ import annotations

from collections.abc import Iterable

from leadglass.exposure.asking import line, unknown_title
from leadglass.exposure.facts import Answer, Fact
from leadglass.exposure.proposal import LITTLE
from leadglass.exposure.site import Probe, Site
from leadglass.exposure.upper_layer import Talk, associate, request
from leadglass.wire.ul.pdu import AssociateRJ, UserIdentity

_USERNAME = 1  # user identity type (PS3.7 table D.3-14)


async def _run(site: Site) -> Iterable[Fact]:
    title = unknown_title(site)
    identity = UserIdentity(_USERNAME, response_requested=True, primary=title.lower().encode())
    async with line(site, site.deadline()) as stream:
        answer = await associate(stream, request(title, site.scope.calling_title, LITTLE, identity))
        if isinstance(answer, Talk):
            await answer.release()
            return [Fact("D14", Answer.YES, "", {"types": (_USERNAME,)})]
    if isinstance(answer, AssociateRJ):
        return [Fact("D14", Answer.NO, "It was refused.")]
    return [Fact("D14", Answer.UNKNOWN, "The association was neither accepted nor refused.")]


PROBE = Probe("identity", ("D14",), lambda facts: facts.yes("D02"), _run)

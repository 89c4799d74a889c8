"""Whether a called AE title that stands in a product's manual lets a stranger in (D05). Only if the scope allows it.

One connection for each title, and only where a made-up title was refused; the first that is accepted ends it.
"""

from __future__ import annotations

from collections.abc import Iterable

from leadglass.exposure.asking import line
from leadglass.exposure.facts import Answer, Fact, Facts
from leadglass.exposure.proposal import LITTLE
from leadglass.exposure.site import Probe, Site
from leadglass.exposure.upper_layer import Talk, associate, request

# From the products' own documents and default settings.
TITLES = ("ORTHANC", "DCM4CHEE", "DCMQRSCP", "COMMON", "STORESCP", "CONQUESTSRV1", "ANY-SCP", "OSIRIX", "HOROS", "PACS")


async def _run(site: Site) -> Iterable[Fact]:
    if not site.scope.default_titles:
        return [Fact("D05", Answer.SKIPPED, "The scope does not allow products' default titles to be tried.")]
    for title in TITLES:
        asked = request(title, site.scope.calling_title, LITTLE)
        async with line(site, site.deadline()) as stream:
            answer = await associate(stream, asked)
            if isinstance(answer, Talk):
                await answer.release()
                return [Fact("D05", Answer.YES, "", {"titles": (title,)})]
    return [Fact("D05", Answer.NO)]


def _wanted(facts: Facts) -> bool:
    return facts.yes("D01") and not facts.yes("D02")


PROBE = Probe("titles", ("D05",), _wanted, _run)

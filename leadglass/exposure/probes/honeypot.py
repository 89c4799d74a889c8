"""Signs of a honeypot (M04), from what others found: no connection of its own. Always "likely", never "is".

dicompot (nsmfoo/dicompot, `contextmanager.go`) accepts whatever is proposed, takes PDUs of 4 MiB and names no
implementation, which PS3.7 D.3.3.2 demands. DICOMHawk (honeynet/DICOMHawk, `vendor_personas.py`) plays scanners under
names that it made up for them.
"""

from __future__ import annotations

from collections.abc import Iterable

from leadglass.exposure.facts import Answer, Fact, Facts
from leadglass.exposure.proposal import EVERYTHING
from leadglass.exposure.site import Probe, Site

_ENOUGH = 2  # signs that a real server may each have alone
_DICOMPOT_PDU = 4 * 1024 * 1024
_DICOMHAWK = (
    ("1.2.840.113619.6.96", "GE_PACS_REV_24"),
    ("1.3.12.2.1107.5.2", "syngo CT VA48A"),
    ("1.3.46.670589.11", "PHILIPS_MR_56.1"),
)


def signs(facts: Facts) -> tuple[str, ...]:
    """The signs that there are, in words that reports may show."""
    found = []
    if facts.value("D02", "contexts") == len(EVERYTHING):
        found.append("accepts-every-context")
    if facts.value("D02", "max_pdu") == _DICOMPOT_PDU:
        found.append("max-pdu-of-dicompot")
    if facts.value("M01", "implementation_class") == "":
        found.append("names-no-implementation")
    if (facts.value("M01", "implementation_class"), facts.value("M01", "implementation_version")) in _DICOMHAWK:
        found.append("identity-of-dicomhawk")
    return tuple(found)


async def _run(site: Site) -> Iterable[Fact]:
    found = signs(site.facts)
    likely = len(found) >= _ENOUGH or "identity-of-dicomhawk" in found
    why = "It is likely, not certain." if likely else ""
    return [Fact("M04", Answer.YES if likely else Answer.NO, why, {"signs": found})]


PROBE = Probe("honeypot", ("M04",), lambda facts: facts.yes("D02"), _run)

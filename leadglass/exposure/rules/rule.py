"""What a rule is, and the CVSS v4.0 vectors that rules use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from leadglass.exposure.facts import Facts
from leadglass.exposure.findings import Rung, Severity

_SUBSEQUENT = "SC:N/SI:N/SA:N"


def _vector(attack: str, impact: str) -> str:
    return f"CVSS:4.0/{attack}/{impact}/{_SUBSEQUENT}"


_NETWORK = "AV:N/AC:L/AT:N/PR:N/UI:N"
_ON_THE_WAY = "AV:N/AC:L/AT:P/PR:N/UI:N"  # somebody who can read or change what is on the line
_NEAR = "AV:A/AC:L/AT:P/PR:N/UI:N"
_LURED = "AV:N/AC:L/AT:N/PR:N/UI:A"  # a user has to open a page

READ = _vector(_NETWORK, "VC:H/VI:N/VA:N")
WRITE = _vector(_NETWORK, "VC:N/VI:H/VA:N")
TAKE_OVER = _vector(_NETWORK, "VC:H/VI:H/VA:H")
HINT = _vector(_NETWORK, "VC:L/VI:N/VA:N")
DISTURB = _vector(_NETWORK, "VC:N/VI:L/VA:N")
OVERHEAR = _vector(_ON_THE_WAY, "VC:H/VI:H/VA:N")
OVERHEAR_NEAR = _vector(_NEAR, "VC:H/VI:H/VA:N")
OVERHEAR_HARD = "CVSS:4.0/AV:N/AC:H/AT:P/PR:N/UI:N/VC:L/VI:L/VA:N/SC:N/SI:N/SA:N"
LURE = _vector(_LURED, "VC:H/VI:N/VA:N")
NOTHING = ""

# Base scores by the calculator of the specification (FIRST, CVSS v4.0); only these vectors are used.
SCORES: Mapping[str, float] = MappingProxyType(
    {
        READ: 8.7,
        WRITE: 8.7,
        TAKE_OVER: 9.3,
        HINT: 6.9,
        DISTURB: 6.9,
        OVERHEAR: 9.1,
        OVERHEAR_NEAR: 7.6,
        OVERHEAR_HARD: 6.3,
        LURE: 6.9,
        NOTHING: 0.0,
    }
)


def severity_of(score: float) -> Severity:
    """The qualitative rating (CVSS v4.0 section 6)."""
    for least, severity in (
        (9.0, Severity.CRITICAL),
        (7.0, Severity.HIGH),
        (4.0, Severity.MEDIUM),
        (0.1, Severity.LOW),
    ):
        if score >= least:
            return severity
    return Severity.NONE


@dataclass(frozen=True, slots=True)
class Rule:
    """One judgement. `fires` looks at facts that were answered, never at what could not be tested.

    `could` says what a stranger could do. How to close it is in `remedies`, by this id and the product.
    """

    id: str
    title: str
    rung: Rung
    vector: str
    checks: tuple[str, ...]
    fires: Callable[[Facts], bool]
    could: str
    references: tuple[str, ...] = ()


PS3_15 = "https://dicom.nema.org/medical/dicom/current/output/html/part15.html"
BCP_195 = "https://www.rfc-editor.org/info/bcp195"
CISA_PACS = "https://www.nccoe.nist.gov/publication/1800-24/index.html"
CWE_306 = "https://cwe.mitre.org/data/definitions/306.html"
CWE_319 = "https://cwe.mitre.org/data/definitions/319.html"

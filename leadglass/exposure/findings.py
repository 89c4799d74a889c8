"""Findings: what facts mean, for whom, and how to close it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from leadglass.exposure.service import Service


class Rung(IntEnum):
    """How far a stranger got: the ladder of evidence. A finding names its rung.

    An accepted association does not mean that a stranger can read: some archives accept association and query contexts
    from anyone and refuse the query itself.
    """

    CLOSED = 0  # nothing accepted a connection
    PORT_OPEN = 1
    PDU_ANSWERED = 2
    ASSOCIATION_ACCEPTED = 3
    ECHO_ANSWERED = 4
    QUERY_CONTEXT_ACCEPTED = 5
    QUERY_ANSWERED = 6  # C-FIND or QIDO-RS
    COUNTED = 7  # and there is something to see


class Severity(StrEnum):
    """As CVSS v4.0 has it (section 6: qualitative severity rating scale)."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Finding:
    """A judgement over the facts of one service.

    `id` is the rule's, stable over audits ("read-exposure", ...). `could` says what a stranger could do, `close`
    how to close it for this product, with exact settings. `vector` is a CVSS v4.0 vector ("" where none fits) and
    `score` its base score. `checks` are the facts it stands on.
    """

    id: str
    title: str
    rung: Rung
    severity: Severity
    vector: str
    score: float
    could: str
    close: str
    references: tuple[str, ...]
    checks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Assessment:
    """What was judged of one service. `untested` names the checks without an answer: they are never "safe"."""

    service: Service
    rung: Rung
    findings: tuple[Finding, ...]
    untested: tuple[str, ...]

    @property
    def severity(self) -> Severity:
        """The worst of its findings."""
        order = list(Severity)
        return max((finding.severity for finding in self.findings), key=order.index, default=Severity.NONE)

"""What reports say of a service, in words that they share."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from leadglass.exposure.audit import Audit, Result
from leadglass.exposure.changes import is_open
from leadglass.exposure.facts import Facts
from leadglass.exposure.findings import Finding, Rung
from leadglass.exposure.rules.remedies import product_of

RUNGS: Mapping[Rung, str] = MappingProxyType(
    {
        Rung.CLOSED: "closed",
        Rung.PORT_OPEN: "port open",
        Rung.PDU_ANSWERED: "DICOM answers",
        Rung.ASSOCIATION_ACCEPTED: "association accepted",
        Rung.ECHO_ANSWERED: "echo answered",
        Rung.QUERY_CONTEXT_ACCEPTED: "query offered",
        Rung.QUERY_ANSWERED: "query answered",
        Rung.COUNTED: "data exposed",
    }
)

_TODO = 5
_NAMED = 8


def product_and_version(facts: Facts) -> str:
    """`Orthanc 1.12.3`, as the service says itself, "" if it does not."""
    product = product_of(facts)
    version = facts.value("W04", "version") if product == "Orthanc" else None
    if product == facts.value("M01", "product"):
        version = facts.value("M01", "version")
    return " ".join(str(part) for part in (product, version) if part)


def exposed(facts: Facts) -> str:
    """`1,204 studies, 230,000 images (exact)`, "" if nothing was counted."""
    parts = []
    for name, one, many in (
        ("patients", "patient", "patients"),
        ("studies", "study", "studies"),
        ("instances", "image", "images"),
    ):
        number = facts.value("P01", name)
        if isinstance(number, int):
            parts.append(f"{number:,} {one if number == 1 else many}")
    if not parts:
        return ""
    how = "exact" if facts.value("P01", "exactness") == "exact" else "at least"
    return f"{', '.join(parts)} ({how})"


def number_of(facts: Facts, name: str) -> int:
    """A count of P01, 0 if there is none."""
    number = facts.value("P01", name)
    return number if isinstance(number, int) else 0


def first_to_do(audit: Audit) -> list[tuple[str, str]]:
    """The services to close first, the worst and largest before the others, with what closes them."""
    ranked = sorted(
        (result for result in audit.results if is_open(result)),
        key=lambda result: (
            -result.assessment.rung,
            -number_of(Facts(result.observation.facts), "instances"),
            result.assessment.service,
        ),
    )
    by_remedy: dict[str, list[str]] = {}
    for result in ranked:
        by_remedy.setdefault(worst_of(result).close, []).append(result.assessment.service.label)
    return [(_several(labels), close) for close, labels in list(by_remedy.items())[:_TODO]]


def _several(labels: list[str]) -> str:
    more = len(labels) - _NAMED
    return ", ".join(labels[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def worst_of(result: Result) -> Finding:
    """The worst finding that is open to everybody, of a service that has one."""
    return next(finding for finding in result.assessment.findings if "/AT:N/" in finding.vector)

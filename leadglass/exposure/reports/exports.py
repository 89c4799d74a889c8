"""Findings in the forms that other programs read: CSV, DefectDojo's Generic Findings Import, SARIF 2.1.0."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from leadglass import __version__
from leadglass.exposure.audit import Audit, Result
from leadglass.exposure.facts import Facts
from leadglass.exposure.findings import Finding, Severity
from leadglass.exposure.owners import Owners
from leadglass.exposure.reports.plain import json_lines
from leadglass.exposure.reports.words import RUNGS, number_of, product_and_version
from leadglass.exposure.rules.judge import RULES

# As Shadowserver's reports have them, and what is ours behind.
_COLUMNS = (
    "timestamp", "severity", "ip", "protocol", "port", "hostname", "tag", "geo", "organisation", "product", "rung",
    "studies", "images", "patients", "exactness", "score", "cvss", "title",
)  # fmt: skip
_LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.NONE: "note",
}
_DOJO = {severity: severity.value.capitalize() for severity in Severity} | {Severity.NONE: "Info"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_text(audit: Audit, owners: Owners) -> str:
    """One line for each finding. A cell that a spreadsheet would take for a formula begins with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for result, finding in _findings(audit):
        writer.writerow([_safe(cell) for cell in _cells(result, finding, owners)])
    return out.getvalue()


def defectdojo(audit: Audit, owners: Owners) -> str:
    """Generic Findings Import, JSON: only keys that it knows, others make it refuse the file."""
    findings = [_dojo(audit, result, finding) for result, finding in _findings(audit)]
    return json.dumps({"name": audit.title, "type": "Leadglass audit", "findings": findings}, indent=2) + "\n"


def sarif(audit: Audit, owners: Owners) -> str:
    """SARIF 2.1.0 (OASIS): rules of the auditor, a result for each finding, its service as logical location."""
    used = sorted({finding.id for _, finding in _findings(audit)})
    index = {name: number for number, name in enumerate(used)}
    run = {
        "tool": {
            "driver": {
                "name": "Leadglass auditor",
                "version": __version__,
                "semanticVersion": __version__,
                "rules": [
                    {
                        "id": name,
                        "name": "".join(word.capitalize() for word in name.split("-")),
                        "shortDescription": {"text": RULES[name].title},
                        "fullDescription": {"text": RULES[name].could},
                    }
                    for name in used
                ],
            }
        },
        "invocations": [
            {
                "executionSuccessful": audit.complete,
                "startTimeUtc": _moment(audit.started),
                "endTimeUtc": _moment(audit.ended),
            }
        ],
        "automationDetails": {"id": f"leadglass/{audit.id}"},
        "results": [_sarif(result, finding, index) for result, finding in _findings(audit)],
    }
    document = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=2) + "\n"


FORMS: Mapping[str, Callable[[Audit, Owners], str]] = MappingProxyType(
    {"jsonl": lambda audit, owners: json_lines(audit), "csv": csv_text, "defectdojo": defectdojo, "sarif": sarif}
)


def _findings(audit: Audit) -> Iterator[tuple[Result, Finding]]:
    for result in audit.results:
        for finding in result.assessment.findings:
            yield result, finding


def _cells(result: Result, finding: Finding, owners: Owners) -> list[object]:
    service, facts = result.assessment.service, Facts(result.observation.facts)
    owner = owners.of(service.address, facts)
    return [
        _moment(result.observation.started),
        finding.severity.value,
        service.address,
        "tcp",
        service.port,
        service.name or _reverse(facts),
        finding.id,
        owner.country,
        owner.organisation,
        product_and_version(facts),
        RUNGS[finding.rung],
        number_of(facts, "studies") or "",
        number_of(facts, "instances") or "",
        number_of(facts, "patients") or "",
        facts.value("P01", "exactness") or "",
        finding.score,
        finding.vector,
        finding.title,
    ]


def _reverse(facts: Facts) -> str:
    names = facts.value("M02", "reverse")
    return str(names[0]) if isinstance(names, tuple) and names else ""


def _safe(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _dojo(audit: Audit, result: Result, finding: Finding) -> dict[str, Any]:
    service = result.assessment.service
    entry: dict[str, Any] = {
        "title": f"{finding.title} ({service.label})",
        "severity": _DOJO[finding.severity],
        "description": finding.could,
        "mitigation": finding.close,
        "references": "\n".join(finding.references),
        "date": _moment(result.observation.started)[:10],
        "active": True,
        "verified": True,
        "static_finding": False,
        "dynamic_finding": True,
        "unique_id_from_tool": f"{finding.id}:{service.address}:{service.port}:{service.name}",
        "vuln_id_from_tool": finding.id,
        "endpoints": [f"tcp://{_host(result)}:{service.port}"],
    }
    return entry | ({"cvssv4": finding.vector, "cvssv4_score": finding.score} if finding.vector else {})


def _host(result: Result) -> str:
    service = result.assessment.service
    return service.name or (f"[{service.address}]" if ":" in service.address else service.address)


def _sarif(result: Result, finding: Finding, index: Mapping[str, int]) -> dict[str, Any]:
    service = result.assessment.service
    return {
        "ruleId": finding.id,
        "ruleIndex": index[finding.id],
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{service.label}: {finding.could} To close it: {finding.close}"},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": f"tcp://{_host(result)}:{service.port}"}},
                "logicalLocations": [{"name": service.label, "kind": "resource"}],
            }
        ],
        "partialFingerprints": {"service/v1": f"{finding.id}:{service.address}:{service.port}:{service.name}"},
        "properties": {"cvss": finding.vector, "score": finding.score, "rung": RUNGS[finding.rung]},
    }


def _moment(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

"""An audit as plain values: JSON for programs, one line for a service or all in one document."""

from __future__ import annotations

import json
from typing import Any

from leadglass.exposure.audit import Audit, Result
from leadglass.exposure.facts import to_plain


def audit_to_plain(audit: Audit) -> dict[str, Any]:
    """The whole audit, for one JSON document."""
    return {**head_to_plain(audit), "services": [result_to_plain(result) for result in audit.results]}


def head_to_plain(audit: Audit) -> dict[str, Any]:
    """The audit without its services."""
    return {
        "audit": audit.id,
        "title": audit.title,
        "started": audit.started,
        "ended": audit.ended,
        "scope": audit.scope,
        "authorised_by": audit.authorised_by,
        "contact": audit.contact,
        "addresses": audit.addresses,
        "ports": list(audit.ports),
        "contacted": audit.contacted,
        "unanswered": audit.unanswered,
        "complete": audit.complete,
        "shard": list(audit.shard),
    }


def result_to_plain(result: Result) -> dict[str, Any]:
    """One service: facts and findings."""
    assessment = result.assessment
    return {
        **to_plain(result.observation),
        "rung": assessment.rung.name.lower().replace("_", "-"),
        "severity": assessment.severity.value,
        "untested": list(assessment.untested),
        "findings": [
            {
                "id": finding.id,
                "title": finding.title,
                "rung": finding.rung.name.lower().replace("_", "-"),
                "severity": finding.severity.value,
                "cvss": finding.vector,
                "score": finding.score,
                "could": finding.could,
                "close": finding.close,
                "references": list(finding.references),
                "checks": list(finding.checks),
            }
            for finding in assessment.findings
        ],
    }


def json_lines(audit: Audit) -> str:
    """The audit's head, then one line for each service."""
    lines = [head_to_plain(audit), *(result_to_plain(result) for result in audit.results)]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)

"""What every check asks and every finding means, as a page for people: made from the tables themselves."""

from __future__ import annotations

from leadglass.exposure.checks import CHECKS
from leadglass.exposure.reports.words import RUNGS
from leadglass.exposure.rules.judge import RULES
from leadglass.exposure.rules.rule import SCORES, severity_of

_HEAD = """# Findings of the auditor

Made from the auditor's own tables by `tools/findings-page`; a test proves that it is up to date.

Facts answer the checks below with yes, no, could not test, or not tested. Rules judge them: a finding stands only on
facts that were answered. Its rung is how far a stranger got:
{rungs}.
"""


def findings_page() -> str:
    """Markdown."""
    rows = []
    for rule in sorted(RULES.values(), key=lambda rule: (-SCORES[rule.vector], rule.id)):
        score = SCORES[rule.vector]
        vector = f"`{rule.vector}` {score}" if rule.vector else "none"
        rows.append(
            f"### {rule.id}\n\n{rule.title}. **{severity_of(score).value}**, {vector}; rung: {RUNGS[rule.rung]}; "
            f"checks: {', '.join(rule.checks)}.\n\n{rule.could}\n"
        )
    checks = "\n".join(f"| {check.id} | {check.name} | {check.asks} |" for check in CHECKS.values())
    head = _HEAD.format(rungs=" < ".join(RUNGS.values()))
    return (
        f"{head}\n## Findings\n\n" + "\n".join(rows) + f"\n## Checks\n\n| id | name | asks |\n|---|---|---|\n{checks}\n"
    )

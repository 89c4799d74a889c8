"""What became of a notice: drafted, sent, answered, fixed or silent. The next audit says by itself what was fixed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from leadglass.exposure.audit import Audit
from leadglass.exposure.changes import is_open
from leadglass.exposure.ledger import Notice

DRAFTED, SENT, ANSWERED, FIXED, SILENT = "drafted", "sent", "answered", "fixed", "silent"
REMINDER_DAYS = 14
_DAY = 86400.0

_NEXT: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        DRAFTED: frozenset({SENT, FIXED}),
        SENT: frozenset({ANSWERED, FIXED, SILENT, SENT}),
        ANSWERED: frozenset({FIXED, SENT, ANSWERED}),
        SILENT: frozenset({SENT, ANSWERED, FIXED}),
        FIXED: frozenset({DRAFTED}),
    }
)


def moved(notice: Notice, state: str, now: float) -> Notice:
    """The notice in another state. ValueError if it cannot come to that from where it is."""
    if state not in _NEXT.get(notice.state, frozenset()):
        raise ValueError(f"a notice that is {notice.state} cannot become {state}")
    return replace_state(notice, state, now)


def replace_state(notice: Notice, state: str, now: float) -> Notice:
    """The notice in this state since now."""
    return notice._replace(state=state, changed=now)


def after_audit(notices: Sequence[Notice], audit: Audit) -> list[Notice]:
    """Notices that this audit changes: fixed where all of an owner's services were looked at and are closed.

    One that was fixed and has something open again becomes drafted: it has to be told anew.
    """
    if not audit.complete:
        return []
    opened = {result.assessment.service.label for result in audit.results if is_open(result)}
    blind = {
        result.assessment.service.label for result in audit.results if {"D01", "D02"} & set(result.assessment.untested)
    }
    changed = []
    for notice in notices:
        services = set(notice.services)
        if notice.state != FIXED and not services & (opened | blind):
            changed.append(replace_state(notice, FIXED, audit.ended))
        elif notice.state == FIXED and services & opened:
            changed.append(replace_state(notice, DRAFTED, audit.ended))
    return changed


def due(notices: Sequence[Notice], now: float) -> list[Notice]:
    """Notices to remind of: sent two weeks ago or more, and neither answered nor fixed."""
    return [notice for notice in notices if notice.state == SENT and now - notice.changed >= REMINDER_DAYS * _DAY]

"""Reach <-> plain JSON values, as state and `--json` output keep it. Unknown keys are refused: a restriction that is
dropped unread would widen a reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.reach import Reach

_LISTS = ("studies", "institutions", "referring")


def reach_to_dict(reach: Reach) -> dict[str, Any]:
    """`reach` as values that `json.dumps` takes. ValueError for a narrowed one: it lasts as long as a session."""
    if reach.is_narrowed:
        raise ValueError("a narrowed reach is not kept")
    plain: dict[str, Any] = {"everything": reach.everything}
    plain |= {name: sorted(getattr(reach, name)) for name in _LISTS}
    plain["patients"] = sorted([issuer, patient_id] for issuer, patient_id in reach.patients)
    return plain


def reach_from_dict(plain: Mapping[str, Any]) -> Reach:
    """The reach that `reach_to_dict` wrote. LeadglassError DAMAGED on anything that is not one."""
    try:
        if plain.keys() != {"everything", "patients", *_LISTS} or not isinstance(plain["everything"], bool):
            raise ValueError
        patients = frozenset((_text(issuer), _text(patient_id)) for issuer, patient_id in plain["patients"])
        lists = {name: frozenset(_text(item) for item in plain[name]) for name in _LISTS}
    except (AttributeError, TypeError, ValueError):
        raise LeadglassError(ErrorCode.DAMAGED, "A stored reach cannot be read.") from None
    return Reach(plain["everything"], patients=patients, **lists)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value

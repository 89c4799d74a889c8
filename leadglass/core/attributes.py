"""A small neutral form of DICOM attributes, for queries, answers and derived metadata. Text is Unicode here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

Value: TypeAlias = "str | bytes | AttributeSet"


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: VR and values without padding.

    Text and numbers are `str` (numbers in decimal, AT as eight hex digits), bulk VRs `bytes`, sequence items
    `AttributeSet`. No values means zero length.
    """

    vr: str
    values: tuple[Value, ...] = ()


AttributeSet: TypeAlias = Mapping[int, Attribute]  # tag (group << 16 | element) -> attribute, ascending

"""Which kinds of personal data values are, by attribute and shape. A value is looked at and not kept."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from leadglass.privacy.national_numbers import looks_national

_PLACEHOLDERS = frozenset(
    {"", "UNKNOWN", "ANONYMOUS", "ANON", "NONE", "NA", "N/A", "TEST", "REMOVED", "XXX", "PATIENT"}
)
_FREE_TEXT = 12  # characters from which a description may say something about a person


def is_name(text: str) -> bool:
    """A person's name: letters, and not one of the words that stand for none."""
    plain = text.replace("^", " ").replace("=", " ").strip().upper()
    return plain not in _PLACEHOLDERS and sum(char.isalpha() for char in plain) >= 3


def is_birth_date(text: str) -> bool:
    """A date with a day, and not the first of January that anonymisers write."""
    digits = text.strip()
    return len(digits) == 8 and digits.isascii() and digits.isdigit() and digits[4:] != "0101" and digits >= "18700101"


def is_address(text: str) -> bool:
    """A postal address: letters and a number."""
    return any(char.isdigit() for char in text) and sum(char.isalpha() for char in text) >= 4


def is_free_text(text: str) -> bool:
    """Words enough to tell something."""
    return len(text.strip()) >= _FREE_TEXT and " " in text.strip()


def is_any(text: str) -> bool:
    """Anything that does not stand for nothing."""
    return text.strip().upper() not in _PLACEHOLDERS


# attribute -> kinds that its values may be (PS3.15 table E.1-1 names the attributes)
KINDS: Mapping[int, tuple[str, ...]] = MappingProxyType(
    {
        0x00100010: ("name",),
        0x00100020: ("patient-id", "national-number"),
        0x00100030: ("birth-date",),
        0x00101000: ("national-number",),  # Other Patient IDs
        0x00101040: ("address",),
        0x00102154: ("telephone",),
        0x00104000: ("free-text",),  # Patient Comments
        0x00081030: ("free-text",),  # Study Description
        0x00080090: ("physician",),
        0x00080050: ("accession-number",),
    }
)

_LOOKS = MappingProxyType(
    {
        "name": is_name,
        "patient-id": is_any,
        "national-number": looks_national,
        "birth-date": is_birth_date,
        "address": is_address,
        "telephone": is_any,
        "free-text": is_free_text,
        "physician": is_name,
        "accession-number": is_any,
    }
)
NAMES = tuple(_LOOKS)


def kinds_of(values: Mapping[int, str]) -> frozenset[str]:
    """The kinds of personal data among the values of one answer, by tag."""
    return frozenset(
        kind for tag, text in values.items() for kind in KINDS.get(tag, ()) if text.strip() and _LOOKS[kind](text)
    )

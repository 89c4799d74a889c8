"""The data dictionary (PS3.6 chapter 6) by tag and keyword, read from pydicom's tables once."""

from __future__ import annotations

from typing import Final

from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary

# VR that PS3.6 leaves open ("US or SS", "OB or OW"): what an implicit VR reader may take without looking further.
_AMBIGUOUS: Final = {"US or SS": "US", "OB or OW": "OW", "US or OW": "OW", "US or SS or OW": "OW", "NONE": "UN"}

STANDARD_VR: Final[dict[int, str]] = {tag: _AMBIGUOUS.get(entry[0], entry[0]) for tag, entry in DicomDictionary.items()}
AMBIGUOUS_TAGS: Final[frozenset[int]] = frozenset(tag for tag, e in DicomDictionary.items() if e[0] in _AMBIGUOUS)
_KEYWORDS: Final[dict[int, str]] = {tag: entry[4] for tag, entry in DicomDictionary.items() if entry[4]}
_TAGS: Final[dict[str, int]] = {keyword: tag for tag, keyword in _KEYWORDS.items()}


def _masks() -> list[tuple[int, int, str, str]]:
    """Repeating groups (60xx,0010) as (mask, value, VR, keyword)."""
    rows = []
    for pattern, entry in RepeatersDictionary.items():
        mask = int("".join("0" if c == "x" else "f" for c in pattern), 16)
        rows.append((mask, int(pattern.replace("x", "0"), 16), _AMBIGUOUS.get(entry[0], entry[0]), entry[4]))
    return rows


_REPEATING: Final = _masks()


def _repeating(tag: int) -> tuple[str, str] | None:
    for mask, value, vr, keyword in _REPEATING:
        if tag & mask == value:
            return vr, keyword
    return None


def vr_of(tag: int) -> str:
    """The VR of `tag` in the standard's dictionary.

    Group lengths are UL, private creators LO, everything unknown or private UN (PS3.5 6.2.2, 7.8.1). Where the
    dictionary leaves a choice the word form is given: US for "US or SS", OW where OW is among the choices.
    """
    vr = STANDARD_VR.get(tag)
    if vr is not None:
        return vr
    element = tag & 0xFFFF
    if element == 0:
        return "UL"
    if tag & 0x10000:
        return "LO" if 0x10 <= element <= 0xFF else "UN"
    found = _repeating(tag)
    return found[0] if found else "UN"


def keyword_of(tag: int) -> str:
    """The keyword of `tag`, or an empty text if the standard has none."""
    keyword = _KEYWORDS.get(tag)
    if keyword is not None:
        return keyword
    found = None if tag & 0x10000 else _repeating(tag)
    return found[1] if found else ""


def tag_of(keyword: str) -> int:
    """The tag of `keyword`. Raises KeyError if the standard has no such keyword."""
    return _TAGS[keyword]

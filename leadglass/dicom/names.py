"""Names and texts in a form for comparison: without regard to case, accents and width (PS3.4 C.2.2.2.1)."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# Letters that Unicode does not take apart though a reader sees a letter with an addition.
_LETTERS: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
)
_DELIMITERS: Final = frozenset("*?^=\\")  # wildcards and separators mean something in a query; look-alikes do not
_SPACES: Final = re.compile(r"\s+")
_BETWEEN_WORDS: Final = re.compile(r"[\s^,;.*?]+")


def _is_accent(character: str) -> bool:
    """Accents of Latin, Greek, Cyrillic (combining classes 200..240, overlays 1) and the points of Hebrew, Arabic and
    Syriac (10..36). Vowel signs of Thai and Indic scripts and the voicing of kana are letters, not accents.
    """
    kind = unicodedata.combining(character)
    return kind == 1 or 10 <= kind <= 36 or 200 <= kind <= 240


def _folded(character: str) -> str:
    apart = unicodedata.normalize("NFKD", character)
    return character if apart != character and any(c in _DELIMITERS for c in apart) else apart


def _fold(text: str) -> str:
    if text.isascii():
        return text.lower()
    apart = "".join(map(_folded, text.casefold()))
    letters = "".join(c for c in unicodedata.normalize("NFD", apart) if not _is_accent(c))
    folded = unicodedata.normalize("NFC", letters.casefold()).translate(_LETTERS)
    return folded.replace("ς", "σ")


def normalise_text(text: str) -> str:
    """`text` for comparison: case, accents and width folded, runs of blanks made one, outer blanks removed.

    Deterministic, and the same when applied again. Wildcards stay, so that patterns can be normalised too.
    """
    return _SPACES.sub(" ", _fold(text.replace("\0", " "))).strip()


def name_groups(text: str) -> tuple[str, ...]:
    """The component groups of a person name (alphabetic, ideographic, phonetic: PS3.5 6.2.1), each normalised.

    Empty components at the end of a group and empty groups at the end of the name are left out.
    """
    groups = []
    for group in _fold(text.replace("\0", " ")).split("="):
        components = [_SPACES.sub(" ", component).strip() for component in group.split("^")]
        groups.append("^".join(components).rstrip("^"))
    while groups and not groups[-1]:
        groups.pop()
    return tuple(groups)


def name_words(text: str) -> frozenset[str]:
    """The words of all component groups of a person name, each normalised; wildcards are left out."""
    return frozenset(word for group in name_groups(text) for word in _BETWEEN_WORDS.split(group) if word)


def normalise_name(text: str) -> str:
    """A person name for comparison: `name_groups` joined again with "="."""
    return "=".join(name_groups(text))

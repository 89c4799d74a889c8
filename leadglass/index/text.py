"""What of text the index compares: patterns, names, and text that a database can hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from leadglass.dicom.names import name_groups

MAX_MATCHED_TEXT = 10_240  # characters of a value that a pattern looks at: the longest LT (PS3.5 6.2)


def storable(text: str) -> str:
    """`text` without half surrogates, which UTF-8 cannot carry."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def has_wildcard(text: str) -> bool:
    """Whether `text` holds * or ? (PS3.4 C.2.2.2.4)."""
    return "*" in text or "?" in text


def literal_prefix(pattern: str) -> str:
    """What every match of `pattern` begins with."""
    return re.split(r"[*?]", pattern, maxsplit=1)[0]


def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """A matcher for a pattern of * (any text) and ? (any one character).

    The pieces between stars are looked for one after the other, each at the first place where it fits: that is exact,
    and its cost grows with the product of the lengths at worst, never beyond, whatever the pattern.
    """
    pieces = [piece for piece in pattern.split("*") if piece]
    shortest = sum(map(len, pieces))
    if shortest > MAX_MATCHED_TEXT:
        return _never
    if "*" not in pattern:
        only = _Piece(pattern)
        return lambda text: len(text) == shortest and only.match(text) is not None
    first = _Piece(pieces.pop(0)) if pieces and not pattern.startswith("*") else None
    last = _Piece(pieces.pop()) if pieces and not pattern.endswith("*") else None
    middle = [_Piece(piece) for piece in pieces]
    last_length = len(last.pattern_text) if last else 0

    def matches(text: str) -> bool:
        text = text[:MAX_MATCHED_TEXT]
        if len(text) < shortest:
            return False
        end = len(text) - last_length
        if last is not None and last.match(text, end) is None:
            return False
        position = 0
        if first is not None:
            if first.match(text, 0, end) is None:
                return False
            position = len(first.pattern_text)
        for piece in middle:
            position = piece.search(text, position, end)
            if position < 0:
                return False
        return True

    return matches


class _Piece:
    """Literal characters and question marks, without a star."""

    def __init__(self, text: str) -> None:
        self.pattern_text = text
        self._literal = "?" not in text
        self._expression = re.compile("".join("." if c == "?" else re.escape(c) for c in text), re.DOTALL)

    def match(self, text: str, position: int = 0, end: int = MAX_MATCHED_TEXT) -> re.Match[str] | None:
        return self._expression.match(text, position, end)

    def search(self, text: str, position: int, end: int) -> int:
        """The place behind the first fit in text[position:end], or -1."""
        if self._literal:
            found = text.find(self.pattern_text, position, end)
        else:
            fit = self._expression.search(text, position, end)
            found = fit.start() if fit else -1
        return -1 if found < 0 else found + len(self.pattern_text)


def _never(_text: str) -> bool:
    return False


def compile_name(query: str) -> Callable[[Sequence[str]], bool]:
    """A matcher for the `dicom.names.name_groups` of a name, whatever its case and accents.

    Each group of the query must fit some group of the name: as a pattern over the whole group, or component by
    component, where one that is empty or left out fits anything ("Rossi" finds "Rossi^Maria", "^Maria" too).
    """
    wanted = [_compile_group(group) for group in name_groups(query) if group]
    return lambda groups: all(any(fits(group) for group in groups if group) for fits in wanted)


def name_prefix(query: str) -> str:
    """What some normalised group of every name that fits `query` begins with; empty if nothing can be said."""
    groups = [group for group in name_groups(query) if group]
    return max((literal_prefix(group.partition("^")[0]) for group in groups), key=len, default="")


def _compile_group(query: str) -> Callable[[str], bool]:
    whole = compile_pattern(query)
    parts = [compile_pattern(part) if part else None for part in query.split("^")]

    def fits(group: str) -> bool:
        if whole(group):
            return True
        components = group.split("^")
        components += [""] * (len(parts) - len(components))
        return all(part is None or part(component) for part, component in zip(parts, components, strict=False))

    return fits

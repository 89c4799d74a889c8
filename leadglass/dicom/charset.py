"""Text in the character sets of PS3.3 C.12.1.1.2 and PS3.5 6.1.2: read with tolerance, written strictly."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Final

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.dicom.charset_tables import ASCII, BY_ESCAPE, ONLY_EXTENSIONS, SETS, STAND_ALONE, CodeSet

DEFAULT_REPERTOIRE: Final = "ISO_IR 6"
UTF_8: Final = "ISO_IR 192"

# VRs whose text the Specific Character Set governs (PS3.5 6.1.2.3); others are ASCII.
TEXT_VRS: Final = frozenset({"SH", "LO", "ST", "LT", "UC", "UT", "PN"})
_SINGLE_VALUED: Final = frozenset({"ST", "LT", "UT"})

_TERM: Final = re.compile(r"ISO[ _-]?(2022)?[ _-]?(?:IR)?[ _-]?(\d+)")
_ALIASES: Final = {"UTF-8": UTF_8, "UTF8": UTF_8, "ISO_IR192": UTF_8, "ISO 2022 GBK": "GBK", "LATIN1": "ISO_IR 100"}
_ESCAPE: Final = re.compile(b"\x1b(?:\\$[()]?.|[()-].)", re.DOTALL)
_WIDE_RUN: Final = re.compile(b"[\x21-\x7e]+")
_HIGH_RUN: Final = re.compile(b"[\x80-\xff]+")
_REMEMBERED_LENGTH: Final = 128
_LINE_ENDS: Final = b"\t\n\x0c\r"


def _term(text: str) -> str | None:
    """The defined term that `text` means, in the form ISO_IR n; None if none is known."""
    text = text.strip(" \0").upper()
    if not text:
        return DEFAULT_REPERTOIRE
    text = _ALIASES.get(text, text)
    if text in STAND_ALONE:
        return text
    match = _TERM.fullmatch(text)
    if match is None or match[2] not in SETS:
        return UTF_8 if match is not None and match[2] == "192" else None
    extension = match[1] is not None or match[2] in ONLY_EXTENSIONS
    return f"ISO 2022 IR {match[2]}" if extension else f"ISO_IR {match[2]}"


def parse_specific_character_set(raw: bytes | None, assumed: str) -> tuple[tuple[str, ...], str | None]:
    """The defined terms of a (0008,0005) value, and a warning if it is not what the standard asks for.

    `raw` is None or empty where the attribute is missing: then `assumed` (a value of the attribute, such as
    "ISO_IR 100") is taken without a warning. Common misspellings are understood.
    """
    if raw is not None and len(raw) > _REMEMBERED_LENGTH:
        return _parse(raw, assumed)
    return _parse_remembered(raw, assumed)


def _parse(raw: bytes | None, assumed: str) -> tuple[tuple[str, ...], str | None]:
    text = (raw or b"").decode("ascii", "replace").strip(" \0")
    if not text:
        given, warning = assumed, None
    else:
        given, warning = text, None
    terms: list[str] = []
    for number, part in enumerate(given.split("\\")):
        term = _term(part)
        if term is None:
            warning = "A character set is not known"
            if number == 0:
                return (_term(assumed) or DEFAULT_REPERTOIRE,), warning
            continue
        if term != part.strip(" \0") and part.strip(" \0"):
            warning = warning or "A character set is misspelt"
        if term in STAND_ALONE and (number or "\\" in given):
            warning = "A character set without code extensions stands among others"
            if number:
                continue
        terms.append(term)
        if term in STAND_ALONE:
            break
    return tuple(terms), warning


# Every object of a device says the same; what is longer than any sane value is not kept.
_parse_remembered = functools.lru_cache(maxsize=256)(_parse)


def _pair(term: str) -> tuple[CodeSet, CodeSet | None]:
    number = term.rpartition(" ")[2]
    g0, g1 = SETS.get(number, SETS["6"])
    return (ASCII, g1) if number in ONLY_EXTENSIONS else (g0, g1)


def _resets(vr: str) -> bytes:
    """Characters after which the first character set is active again (PS3.5 6.1.2.5.3)."""
    if vr in _SINGLE_VALUED:
        return _LINE_ENDS
    return _LINE_ENDS + (b"\\^=" if vr == "PN" else b"\\")


def decode_checked(raw: bytes, vr: str, character_sets: Sequence[str]) -> tuple[str, bool]:
    """`raw` as text, and whether it was all as declared. Never raises; what has no meaning becomes U+FFFD."""
    if raw.isascii() and b"\x1b" not in raw:
        return raw.decode("ascii"), True
    if vr not in TEXT_VRS:
        return raw.decode("latin_1"), False
    first = character_sets[0] if character_sets else DEFAULT_REPERTOIRE
    codec = STAND_ALONE.get(first)
    if codec is not None:
        text = raw.decode(codec, "replace")
        return text, "�" not in text
    return _decode_extended(raw, _resets(vr), character_sets or (first,))


def decode_text(raw: bytes, vr: str, character_sets: Sequence[str]) -> str:
    """`raw` as text. Never raises; what has no meaning becomes U+FFFD. Padding and delimiters stay."""
    return decode_checked(raw, vr, character_sets)[0]


def _decode_extended(raw: bytes, resets: bytes, character_sets: Sequence[str]) -> tuple[str, bool]:
    """Decode with code extensions (ISO 2022). Each turn takes at least one byte."""
    start = _pair(character_sets[0])
    declared = {code_set for term in character_sets for code_set in SETS.get(term.rpartition(" ")[2], ())}
    plain_run = re.compile(b"[^\x1b\x80-\xff" + re.escape(resets) + b"]*[" + re.escape(resets) + b"]?")
    low, high = start
    out: list[str] = []
    clean = True
    at = 0
    while at < len(raw):
        code = raw[at]
        if code == 0x1B:
            match = _ESCAPE.match(raw, at)
            code_set = BY_ESCAPE.get(match[0]) if match else None
            if match is None or code_set is None:
                out.append("�")
                clean = False
                at += 1
                continue
            clean = clean and (code_set in declared or code_set is ASCII)
            low, high = (low, code_set) if code_set.high else (code_set, high)
            at = match.end()
        elif code >= 0x80:
            run = _HIGH_RUN.match(raw, at)
            assert run is not None
            if high is None:  # nothing was declared for these bytes: rather readable than lost
                clean = False
            out.append(high.decode(run[0]) if high is not None else run[0].decode("latin_1"))
            at = run.end()
        elif low.wide and 0x21 <= code <= 0x7E:
            run = _WIDE_RUN.match(raw, at)
            assert run is not None
            out.append(low.decode(run[0]))
            at = run.end()
        else:
            run = plain_run.match(raw, at)
            end = max(run.end() if run else at, at + 1)
            if low.wide:  # only controls and space get here
                end = at + 1
            out.append(raw[at:end].decode("ascii", "replace"))
            if raw[end - 1] in resets:
                low, high = start
            at = end
    text = "".join(out)
    return text, clean and "�" not in text


def encode_text(text: str, vr: str, character_sets: Sequence[str]) -> bytes:
    """`text` in `character_sets`, with escapes where code extensions are declared (more than one set).

    Raises LeadglassError CANNOT_CONVERT if a character is in none of them, or is beyond ASCII in a VR that the
    Specific Character Set does not govern.
    """
    if text.isascii() and "\x1b" not in text:
        return text.encode("ascii")
    codec = STAND_ALONE.get(character_sets[0]) if character_sets else None
    if vr in TEXT_VRS and "\x1b" not in text:
        if codec is None:
            return _encode_extended(text, _resets(vr).decode(), character_sets or (DEFAULT_REPERTOIRE,))
        try:
            return text.encode(codec)
        except UnicodeEncodeError:
            pass
    raise _cannot_carry()


def can_encode(text: str, character_sets: Sequence[str], vr: str = "LO") -> bool:
    """Whether `encode_text` can carry `text`."""
    try:
        encode_text(text, vr, character_sets)
    except LeadglassError:
        return False
    return True


def _cannot_carry() -> LeadglassError:
    return LeadglassError(ErrorCode.CANNOT_CONVERT, "The character set cannot carry a text")


def _encode_extended(text: str, resets: str, character_sets: Sequence[str]) -> bytes:
    start = low, high = _pair(character_sets[0])
    choices = [code_set for code_set in start if code_set is not None]
    if len(character_sets) > 1:
        pairs = [SETS[term.rpartition(" ")[2]] for term in character_sets[1:] if term.rpartition(" ")[2] in SETS]
        choices += [code_set for pair in pairs for code_set in pair if code_set is not None]
    out = bytearray()
    for character in text:
        found = next(((c, code) for c in choices if (code := c.encode(character)) is not None), None)
        if found is None:
            raise _cannot_carry()
        code_set, code = found
        if not code_set.high and code_set is not low:
            out += code_set.escape
            low = code_set
        elif code_set.high and code_set is not high:
            out += code_set.escape
            high = code_set
        out += code
        if character in resets:
            low, high = start
    if low is not start[0]:  # the first set is active at the end of a value (PS3.5 6.1.2.5.3)
        out += start[0].escape
    return bytes(out)

"""The character sets of PS3.3 C.12.1.1.2: their defined terms, codes and escape sequences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class CodeSet:
    """One set that code extensions can switch to. `high`: it lies in G1 (bytes 0xA0..0xFF), else in G0.

    `decode` never raises: what has no meaning becomes U+FFFD. `encode` gives None for a character it does not have.
    """

    escape: bytes
    high: bool
    wide: bool  # two bytes a character
    decode: Callable[[bytes], str]
    encode: Callable[[str], bytes | None]


def _tried(character: str, codec: str) -> bytes:
    try:
        return character.encode(codec)
    except UnicodeEncodeError:
        return b""


def _single(escape: bytes, codec: str) -> CodeSet:
    def encode(character: str) -> bytes | None:
        code = _tried(character, codec)
        return code if code >= b"\xa0" else None

    return CodeSet(escape, True, False, lambda raw: raw.decode(codec, "replace"), encode)


def _double(escape: bytes, codec: str) -> CodeSet:
    """A set of two high bytes a character (PS3.3 table C.12-4: Korean, Simplified Chinese)."""

    def encode(character: str) -> bytes | None:
        code = _tried(character, codec)
        return code if len(code) == 2 and code[0] > 0xA0 else None

    return CodeSet(escape, True, True, lambda raw: raw.decode(codec, "replace"), encode)


def _katakana_decode(raw: bytes) -> str:
    return "".join(chr(0xFEC0 + code) if 0xA1 <= code <= 0xDF else "�" for code in raw)


def _katakana_encode(character: str) -> bytes | None:
    return bytes((ord(character) - 0xFEC0,)) if "｡" <= character <= "ﾟ" else None


def _kanji_decode(raw: bytes) -> str:
    return bytes(code | 0x80 for code in raw).decode("euc_jp", "replace")


def _kanji_encode(character: str) -> bytes | None:
    code = _tried(character, "euc_jp")
    return bytes(c & 0x7F for c in code) if len(code) == 2 and code[0] > 0xA0 else None


def _supplementary_decode(raw: bytes) -> str:
    pairs = (raw[at : at + 2] for at in range(0, len(raw), 2))
    return "".join(bytes((0x8F, *(c | 0x80 for c in pair))).decode("euc_jp", "replace") for pair in pairs)


def _supplementary_encode(character: str) -> bytes | None:
    code = _tried(character, "euc_jp")
    return bytes(c & 0x7F for c in code[1:]) if len(code) == 3 else None


def _plain_decode(raw: bytes) -> str:
    return raw.decode("ascii", "replace")


def _plain_encode(character: str) -> bytes | None:
    return character.encode() if character.isascii() and character != "\x1b" else None


ASCII: Final = CodeSet(b"\x1b(B", False, False, _plain_decode, _plain_encode)
# Romaji differs from ASCII in the yen sign and overline; files use them as backslash and tilde, so they stay that.
ROMAJI: Final = CodeSet(b"\x1b(J", False, False, _plain_decode, _plain_encode)
KANJI: Final = CodeSet(b"\x1b$B", False, True, _kanji_decode, _kanji_encode)
SUPPLEMENTARY_KANJI: Final = CodeSet(b"\x1b$(D", False, True, _supplementary_decode, _supplementary_encode)
KATAKANA: Final = CodeSet(b"\x1b)I", True, False, _katakana_decode, _katakana_encode)

# Number in the defined term -> what it puts into G0 and G1 (PS3.3 tables C.12-2 to C.12-4).
SETS: Final[dict[str, tuple[CodeSet, CodeSet | None]]] = {
    "6": (ASCII, None),
    "13": (ROMAJI, KATAKANA),
    "58": (ASCII, _double(b"\x1b$)A", "gb2312")),
    "87": (KANJI, None),
    "100": (ASCII, _single(b"\x1b-A", "latin_1")),
    "101": (ASCII, _single(b"\x1b-B", "iso8859_2")),
    "109": (ASCII, _single(b"\x1b-C", "iso8859_3")),
    "110": (ASCII, _single(b"\x1b-D", "iso8859_4")),
    "126": (ASCII, _single(b"\x1b-F", "iso8859_7")),
    "127": (ASCII, _single(b"\x1b-G", "iso8859_6")),
    "138": (ASCII, _single(b"\x1b-H", "iso8859_8")),
    "144": (ASCII, _single(b"\x1b-L", "iso8859_5")),
    "148": (ASCII, _single(b"\x1b-M", "iso8859_9")),
    "149": (ASCII, _double(b"\x1b$)C", "euc_kr")),
    "159": (SUPPLEMENTARY_KANJI, None),
    "166": (ASCII, _single(b"\x1b-T", "tis_620")),
    "203": (ASCII, _single(b"\x1b-b", "iso8859_15")),
}
ONLY_EXTENSIONS: Final = frozenset({"58", "87", "149", "159"})  # have no ISO_IR term; never the first value

BY_ESCAPE: Final[dict[bytes, CodeSet]] = {
    code_set.escape: code_set for pair in SETS.values() for code_set in pair if code_set is not None
}

# Without code extensions (PS3.3 table C.12-5).
STAND_ALONE: Final = {"ISO_IR 192": "utf-8", "GB18030": "gb18030", "GBK": "gbk"}

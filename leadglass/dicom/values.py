"""Between data set bytes and the neutral form of core.attributes: query identifiers, answers, catalogued values."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Final

from leadglass.core.attributes import Attribute, AttributeSet
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MAX_IDENTIFIER_LENGTH, MAX_INFLATED_HEADER, MAX_NESTING
from leadglass.core.records import HeaderValue
from leadglass.dicom.charset import TEXT_VRS, UTF_8, decode_text, encode_text, parse_specific_character_set
from leadglass.dicom.dictionary import vr_of
from leadglass.dicom.elements import ElementReader
from leadglass.dicom.index_keys import SPECIFIC_CHARACTER_SET
from leadglass.dicom.inflate import BoundedInflater
from leadglass.dicom.numbers import NUMBER_VRS, read_numbers, write_numbers
from leadglass.dicom.scan_encoding import (
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    LONG_VRS,
    SHORT_VRS,
    Encoding,
    to_little_endian,
)
from leadglass.dicom.transfer_syntaxes import lookup

BYTES_VRS: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_SINGLE_VALUED: Final = frozenset({"ST", "LT", "UT", "UR"})
_KEEP_LEADING: Final = frozenset({"ST", "LT", "UT", "UC", "UR"})  # where leading spaces mean something
_NUL_PADDED: Final = BYTES_VRS | {"UI"}
_KNOWN_VRS: Final = frozenset(SHORT_VRS + LONG_VRS)


def decode_raw(vr: str, raw: bytes, character_sets: Sequence[str]) -> Attribute:
    """One value that is not a sequence, little endian, in the neutral form. Never raises."""
    if vr in NUMBER_VRS:
        return Attribute(vr, read_numbers(vr, raw))
    if vr in BYTES_VRS:
        return Attribute(vr, (raw,) if raw else ())
    text = decode_text(raw, vr, character_sets)
    if not text.strip(" \0"):
        return Attribute(vr)
    parts = [text] if vr in _SINGLE_VALUED else text.split("\\")
    strip = str.rstrip if vr in _KEEP_LEADING else str.strip
    return Attribute(vr, tuple(strip(part, " \0") for part in parts))


class _Builder:
    """Gathers what an ElementReader tells (an ElementSink). Text waits raw: (0008,0005) may yet come."""

    def __init__(self, character_sets: Sequence[str]) -> None:
        self.root: dict[int, Attribute] = {}
        self._scopes: list[tuple[dict[int, Attribute], Sequence[str]]] = [(self.root, character_sets)]
        self._sequences: list[tuple[int, list[AttributeSet]]] = []
        self._tag = 0
        self._vr = ""
        self._little = True
        self._raw = bytearray()

    def element(self, tag: int, vr: str, length: int, little: bool) -> None:
        """An element begins."""
        self._tag, self._little = tag, little
        if vr == "UN" and vr_of(tag) not in ("SQ", "UN"):  # its bytes are as in Implicit VR LE (PS3.5 6.2.2)
            vr, self._little = vr_of(tag), True
        self._vr = vr
        self._raw.clear()

    def value(self, piece: memoryview) -> None:
        """Its next bytes."""
        self._raw += piece

    def end_element(self) -> None:
        """It is whole."""
        target, character_sets = self._scopes[-1]
        if self._tag & 0xFFFF == 0 or self._tag in target:  # group lengths say nothing; of repeated ones the first
            return
        raw = bytes(self._raw) if self._little else to_little_endian(self._vr, bytes(self._raw))
        if self._tag == SPECIFIC_CHARACTER_SET and raw.strip(b" \0"):
            assumed = "\\".join(character_sets)
            self._scopes[-1] = (target, parse_specific_character_set(raw, assumed)[0])
        target[self._tag] = decode_raw(self._vr, raw, self._scopes[-1][1])

    def begin_sequence(self, tag: int, empty: bool) -> None:
        """A sequence begins."""
        self._sequences.append((tag, []))

    def end_sequence(self) -> None:
        """The innermost sequence ends."""
        tag, items = self._sequences.pop()
        self._scopes[-1][0].setdefault(tag, Attribute("SQ", tuple(items)))

    def begin_item(self, empty: bool) -> None:
        """An item begins; it inherits the character sets around it (PS3.5 7.5.3)."""
        self._scopes.append(({}, self._scopes[-1][1]))

    def end_item(self) -> None:
        """The innermost item ends."""
        attributes, _ = self._scopes.pop()
        self._sequences[-1][1].append(dict(sorted(attributes.items())))

    def encapsulated(self, tag: int) -> None:
        """Fragments do not belong into what is read here."""
        raise LeadglassError(ErrorCode.UNPARSABLE, "Compressed pixels stand where attributes are read", tags=(tag,))


def _inflated(data: bytes) -> bytes:
    inflater = BoundedInflater()
    out = bytearray()
    for piece in inflater.feed(data):
        out += piece
        if len(out) > MAX_INFLATED_HEADER:
            raise LeadglassError(ErrorCode.UNPARSABLE, "The data set inflates beyond its limit")
    inflater.finish()
    return bytes(out)


def _read(data: bytes, encoding: Encoding, character_sets: Sequence[str]) -> dict[int, Attribute]:
    builder = _Builder(character_sets)
    reader = ElementReader(builder, implicit=not encoding.explicit, little=encoding.little)
    try:
        reader.feed(data)
        reader.finish()
    except LeadglassError as error:
        raise LeadglassError(ErrorCode.UNPARSABLE, error.comment, tags=error.tags) from None
    return dict(sorted(builder.root.items()))


def _encoding_of(transfer_syntax_uid: str) -> tuple[Encoding, bool]:
    """The encoding of a transfer syntax, and whether it is deflated."""
    syntax = lookup(transfer_syntax_uid)
    if syntax is None:
        raise LeadglassError(ErrorCode.UNPARSABLE, "The transfer syntax is not known")
    if not syntax.explicit_vr:
        return IMPLICIT_LE, False
    return (EXPLICIT_LE if syntax.little_endian else EXPLICIT_BE), syntax.deflated


def read_attributes(
    data: bytes, transfer_syntax_uid: str, assumed_character_set: str = "ISO_IR 100"
) -> dict[int, Attribute]:
    """All attributes of a data set held in memory, in the neutral form, ascending by tag.

    `assumed_character_set` is a (0008,0005) value that counts where the data set has none. Of repeated attributes the
    first is kept; group lengths are left out. Raises LeadglassError UNPARSABLE beyond core.limits
    (MAX_IDENTIFIER_LENGTH among them), on a broken structure, and on encapsulated pixel data.
    """
    if len(data) > MAX_IDENTIFIER_LENGTH:
        raise LeadglassError(ErrorCode.UNPARSABLE, "The data set is longer than its limit")
    encoding, deflated = _encoding_of(transfer_syntax_uid)
    character_sets, _ = parse_specific_character_set(None, assumed_character_set)
    return _read(_inflated(data) if deflated else data, encoding, character_sets)


def decode_value(value: HeaderValue, character_sets: Sequence[str]) -> Attribute:
    """A catalogued value in the neutral form. `character_sets` are those of its data set (charset.parse_...).

    A VR that the standard has not is UN: nobody could read an answer that repeats it.
    Raises LeadglassError UNPARSABLE only for a sequence that is broken.
    """
    if value.vr != "SQ":
        return decode_raw(value.vr if value.vr in _KNOWN_VRS else "UN", value.raw, character_sets)
    head = b"\x08\x00\x40\x11SQ\x00\x00" + len(value.raw).to_bytes(4, "little")
    return Attribute("SQ", _read(head + value.raw, EXPLICIT_LE, character_sets)[0x00081140].values)


# --- writing -----------------------------------------------------------------------------------------------------


def needs_character_set(attributes: AttributeSet) -> bool:
    """Whether a text goes beyond ASCII."""
    for attribute in attributes.values():
        for value in attribute.values:
            if isinstance(value, Mapping):
                if needs_character_set(value):
                    return True
            elif attribute.vr in TEXT_VRS and isinstance(value, str) and not value.isascii():
                return True
    return False


def _encode(attribute: Attribute, character_sets: Sequence[str]) -> bytes:
    """One value that is not a sequence: little endian, padded to even length."""
    vr, values = attribute.vr, attribute.values
    if vr in BYTES_VRS or (values and isinstance(values[0], bytes)):
        raw = b"".join(value for value in values if isinstance(value, bytes))
    elif vr in NUMBER_VRS:
        raw = write_numbers(vr, [str(value) for value in values])
    else:
        raw = b"\\".join(encode_text(str(value), vr, character_sets) for value in values)
    return raw + padding(vr, len(raw))


def padding(vr: str, length: int) -> bytes:
    """What makes a value of `length` bytes even (PS3.5 6.2)."""
    return (b"\0" if vr in _NUL_PADDED else b" ") * (length & 1)


def _header(encoding: Encoding, tag: int, vr: str, length: int) -> bytes:
    group, element = tag >> 16, tag & 0xFFFF
    if not encoding.explicit:
        return encoding.words.pack(group, element, length)
    if vr in SHORT_VRS:
        if length <= 0xFFFE:
            return encoding.words.pack(group, element, 0)[:4] + vr.encode() + encoding.wide.pack(length)[_low(encoding)]
        vr = "UN"  # too long for 16 bits (PS3.5 6.2.2)
    return encoding.words.pack(group, element, 0)[:4] + vr.encode() + b"\0\0" + encoding.wide.pack(length)


def _low(encoding: Encoding) -> slice:
    """Where the low 16 bits of a 32-bit number lie."""
    return slice(0, 2) if encoding.little else slice(2, 4)


def _write(attributes: AttributeSet, encoding: Encoding, character_sets: Sequence[str], depth: int) -> bytes:
    if depth > MAX_NESTING:
        raise LeadglassError(ErrorCode.CANNOT_CONVERT, "Sequences are nested too deep")
    out = bytearray()
    for tag in sorted(attributes):
        attribute = attributes[tag]
        if attribute.vr == "SQ":
            raw = b"".join(
                encoding.words.pack(0xFFFE, 0xE000, len(item)) + item
                for value in attribute.values
                if isinstance(value, Mapping)
                for item in (_write(value, encoding, character_sets, depth + 1),)
            )
        else:
            raw = _encode(attribute, character_sets)
            if not encoding.little and (attribute.vr not in SHORT_VRS or len(raw) <= 0xFFFE):
                raw = to_little_endian(attribute.vr, raw)  # turning round works both ways
        out += _header(encoding, tag, attribute.vr, len(raw)) + raw
    return bytes(out)


def write_explicit_le(attributes: AttributeSet) -> bytes:
    """`attributes` as they are, in Explicit VR Little Endian and UTF-8. Raises as `write_attributes`."""
    return _write(attributes, EXPLICIT_LE, (UTF_8,), 0)


def explicit_le_header(tag: int, vr: str, length: int) -> bytes:
    """The header of one element in Explicit VR Little Endian."""
    return _header(EXPLICIT_LE, tag, vr, length)


def write_attributes(attributes: AttributeSet, transfer_syntax_uid: str, character_set: str) -> bytes:
    """`attributes` as a data set. `character_set` is a (0008,0005) value, several terms separated by backslashes.

    (0008,0005) is written where a text needs it, and where `attributes` has it; its value is always `character_set`.
    Raises LeadglassError CANNOT_CONVERT if the character set cannot carry a text or a number does not fit.
    """
    encoding, deflated = _encoding_of(transfer_syntax_uid)
    character_sets, _ = parse_specific_character_set(None, character_set)
    attributes = dict(attributes)
    if SPECIFIC_CHARACTER_SET in attributes or needs_character_set(attributes):
        attributes[SPECIFIC_CHARACTER_SET] = Attribute("CS", tuple(character_set.split("\\")))
    data = _write(attributes, encoding, character_sets, 0)
    if not deflated:
        return data
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = packer.compress(data) + packer.flush()
    return packed + b"\0" * (len(packed) & 1)

"""Makes a text model (DICOM JSON, Native XML) of a stored data set, and its layout in the same pass.

Strategy: most elements of a series are the same, byte for byte, from instance to instance. A maker remembers the text
of short elements and sequences by their raw bytes, header included; `run` is the loop that goes from one remembered
element to the next. All others are taken one by one and decoded. What an element means beyond its bytes (encoding,
character sets, Pixel Representation, private creator) decides which table it is remembered in, or that it is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from leadglass.core.attributes import Attribute
from leadglass.core.limits import KIB, MAX_INLINE_VALUE
from leadglass.dicom.charset import UTF_8, parse_specific_character_set
from leadglass.dicom.dictionary import AMBIGUOUS_TAGS, vr_of
from leadglass.dicom.frames import ReadAt
from leadglass.dicom.index_keys import SPECIFIC_CHARACTER_SET
from leadglass.dicom.layout import (
    DESCRIBING,
    MAX_DESCRIBING,
    OFFSET_TABLES,
    PIXEL_TAGS,
    InstanceLayout,
    PixelPlace,
    layout_of,
)
from leadglass.dicom.pixels import PIXEL_REPRESENTATION
from leadglass.dicom.private_blocks import PrivateBlocks, is_private
from leadglass.dicom.scan_encoding import Encoding, to_little_endian
from leadglass.dicom.transfer_syntaxes import lookup
from leadglass.dicom.values import BYTES_VRS, decode_raw
from leadglass.dicom.walk import ElementWalk, Level, unparsable

BULK_ABOVE: Final = KIB  # bytes of a binary value that still stands inline

_LONGEST_KEY: Final = KIB  # bytes of an element or sequence that is remembered
_MAX_REMEMBERED: Final = 8192  # elements in all: those of a series that repeat are some hundreds
_MAX_TABLES: Final = 16  # combinations of encoding, character sets and sign: a series has one or two
_NEVER_REMEMBERED: Final = frozenset({SPECIFIC_CHARACTER_SET, PIXEL_REPRESENTATION})  # they choose the table
_NOTHING: Final[frozenset[int]] = frozenset()
_LEFT_OUT_GROUPS: Final = frozenset({0x0000, 0x0002})  # command and file meta elements are no part of a data set
_UTF_8_ATTRIBUTE: Final = Attribute("CS", (UTF_8,))


class Form(Protocol):
    """How a model is written. Texts are without trailing separators."""

    names_private_creators: bool  # private elements need the name of their creator

    def attribute(self, tag: int, attribute: Attribute, creator: str) -> str:
        """One attribute; `creator` is the private creator's name or empty."""
        ...

    def bulk(self, tag: int, vr: str, uri: str, creator: str) -> str:
        """An attribute whose value stands elsewhere."""
        ...

    def sequence(self, tag: int, items: Sequence[str], creator: str) -> str:
        """A sequence of items written by `data_set`."""
        ...

    def data_set(self, attributes: Iterable[str]) -> str:
        """The attributes of one item or data set, ascending by tag."""
        ...

    def document(self, attributes: Iterable[str]) -> str:
        """The attributes of the outermost data set as a document."""
        ...


@dataclass(frozen=True, slots=True)
class InstanceModel:
    """The model of one instance, in UTF-8, and its layout."""

    document: bytes
    layout: InstanceLayout


class _Memory:
    """Texts of elements by raw bytes, in tables; bounded."""

    def __init__(self) -> None:
        self._tables: dict[tuple[bool, bool, tuple[str, ...], bool], dict[bytes, str]] = {}
        self._room = _MAX_REMEMBERED

    def table(self, encoding: Encoding, character_sets: tuple[str, ...], signed: bool) -> dict[bytes, str]:
        key = (encoding.explicit, encoding.little, character_sets, signed)
        table = self._tables.get(key)
        if table is None:
            table = {}
            if len(self._tables) < _MAX_TABLES:
                self._tables[key] = table
        return table

    def remember(self, table: dict[bytes, str], raw: bytes, text: str) -> None:
        if self._room > 0:
            self._room -= 1
            table[raw] = text


class _Scope:
    """What is written of one open data set or item, and what its elements decide about later ones."""

    __slots__ = ("character_sets", "known", "ordered", "previous", "private", "signed", "tags", "texts")

    def __init__(self, character_sets: tuple[str, ...], signed: bool, known: dict[bytes, str]) -> None:
        self.character_sets = character_sets
        self.signed = signed
        self.known = known
        self.tags: list[int] = []
        self.texts: list[str] = []
        self.previous = -1  # the highest tag
        self.ordered = True
        self.private = PrivateBlocks()

    def put(self, tag: int, text: str) -> None:
        if tag > self.previous:
            self.previous = tag
        else:
            self.ordered = False
        self.tags.append(tag)
        self.texts.append(text)

    def sorted_texts(self) -> list[str]:
        """The texts by tag; of repeated attributes the first."""
        if self.ordered:
            return self.texts
        first: dict[int, str] = {}
        for tag, text in zip(self.tags, self.texts, strict=True):
            first.setdefault(tag, text)
        return [first[tag] for tag in sorted(first)]


class ModelMaker:
    """Makes models in one form. Keep one for the instances of a series, and no longer: it remembers their values.

    Binary values above `bulk_above` bytes, all values above core.limits.MAX_INLINE_VALUE, and pixel data always are
    bulk data: they appear as a reference to the given prefix followed by the value's path (see dicom.bulk).
    """

    def __init__(self, form: Form, bulk_above: int = BULK_ABOVE) -> None:
        self.form = form
        self.bulk_above = min(bulk_above, MAX_INLINE_VALUE)
        self.memory = _Memory()

    def make(
        self,
        read: ReadAt,
        transfer_syntax_uid: str,
        bulk_prefix: str,
        *,
        assumed_character_set: str = "ISO_IR 100",
        length: int | None = None,
    ) -> InstanceModel:
        """The model of the data set that `read` gives; `length` is its length, where known (it saves a read).

        `assumed_character_set` counts where the data set has none. Group lengths, groups 0000 and 0002 and extended
        offset tables are left out, (0008,0005) says UTF-8. Of repeated attributes the first is kept. Raises
        LeadglassError UNPARSABLE where the data set cannot be followed or is beyond core.limits.
        """
        walk = _ModelWalk(self, read, transfer_syntax_uid, bulk_prefix, assumed_character_set, length)
        walk.walk_all()
        return walk.result()


class _ModelWalk(ElementWalk):
    """One pass over one data set."""

    def __init__(  # noqa: PLR0917 - made in one place
        self, maker: ModelMaker, read: ReadAt, syntax: str, bulk_prefix: str, assumed: str, length: int | None
    ) -> None:
        super().__init__(read, syntax, length)
        self._syntax = syntax
        self._form = maker.form
        self._bulk_above = maker.bulk_above
        self._memory = maker.memory
        self._bulk_prefix = bulk_prefix
        self._assumed = assumed
        self._bulk_values = 0
        self._place = PixelPlace()
        self._describing: dict[int, bytes] = {}
        self._gathered: list[str] = []  # items of the innermost open sequence
        character_sets, _ = parse_specific_character_set(None, assumed)
        self._root_scope = self._scope = _Scope(
            character_sets, False, self._memory.table(self._encoding, character_sets, False)
        )

    def result(self) -> InstanceModel:
        """What the walk made."""
        scope, form = self._root_scope, self._form
        document = form.document(scope.sorted_texts())
        if not document.isascii() and SPECIFIC_CHARACTER_SET not in scope.tags:
            scope.put(SPECIFIC_CHARACTER_SET, form.attribute(SPECIFIC_CHARACTER_SET, _UTF_8_ATTRIBUTE, ""))
            document = form.document(scope.sorted_texts())
        syntax = lookup(self._syntax)
        layout = layout_of(
            self._syntax,
            self._describing,
            self._place,
            little=self._encoding.little,
            deflated=syntax is not None and syntax.deflated,
        )
        return InstanceModel(document.encode("utf-8", "replace"), layout)

    def run(self, at: int, level: Level) -> int:
        """Go over elements that are remembered. Made for speed: locals, no calls it can avoid."""
        scope = self._scope
        known = scope.known
        window, base = self.window, self.base
        encoding = level.encoding
        explicit, unpack, unpack_wide = encoding.explicit, encoding.header.unpack_from, encoding.wide.unpack_from
        short = encoding.short
        tags, texts, watched = scope.tags, scope.texts, _NOTHING if level.depth else DESCRIBING
        previous, position = scope.previous, at - base
        limit = min(len(window), level.end - base)
        last = limit - 12
        while 0 <= position <= last:
            if explicit:
                group, element, code, length = unpack(window, position)
                if code in short:
                    start = position + 8
                else:
                    (length,) = unpack_wide(window, position + 8)
                    start = position + 12
            else:
                group, element, length = unpack(window, position)
                start = position + 8
            stop = start + length
            if length > _LONGEST_KEY or stop > limit:
                break
            text = known.get(window[position:stop])
            tag = group << 16 | element
            if text is None or tag <= previous:
                break
            if tag in watched:
                self._describing[tag] = window[start:stop]
            tags.append(tag)
            texts.append(text)
            previous = tag
            position = stop
        scope.previous = previous
        return position + base

    def value(self, tag: int, vr: str, at: int, start: int, length: int, level: Level) -> None:  # noqa: PLR0917
        """See ElementWalk."""
        scope = self._scope
        if level.depth == 0:
            self._note(tag, vr, at, start, length)
        if tag & 0xFFFF == 0 or tag >> 16 in _LEFT_OUT_GROUPS or tag in OFFSET_TABLES:
            return
        vr, little = _meant(tag, vr, level.encoding, scope.signed)
        if length and (tag in PIXEL_TAGS or length > self._longest_inline(vr)):
            self._bulk_values += 1
            uri = f"{self._bulk_prefix}{level.path}{tag:08X}"
            scope.put(tag, self._form.bulk(tag, vr, uri, scope.private.creator_of(tag)))
            return
        raw = self.bytes_at(start, length)
        if len(raw) < length:
            raise unparsable("The data set is cut short")
        if not little:
            raw = to_little_endian(vr, raw)
        attribute = self._choose(tag, vr, raw, level)
        if is_private(tag):
            scope.private.note(tag, attribute)
        scope.put(tag, self._form.attribute(tag, attribute, scope.private.creator_of(tag)))
        self._remember(tag, at, start + length, scope)

    def _longest_inline(self, vr: str) -> int:
        return self._bulk_above if vr in BYTES_VRS else MAX_INLINE_VALUE

    def _choose(self, tag: int, vr: str, raw: bytes, level: Level) -> Attribute:
        """The attribute, after what it decides about the others was noted."""
        scope = self._scope
        if tag == SPECIFIC_CHARACTER_SET:
            if raw.strip(b" \0"):
                scope.character_sets, _ = parse_specific_character_set(raw, self._assumed)
                scope.known = self._memory.table(level.encoding, scope.character_sets, scope.signed)
            return _UTF_8_ATTRIBUTE
        if tag == PIXEL_REPRESENTATION:
            scope.signed = raw[:2] == b"\1\0"
            scope.known = self._memory.table(level.encoding, scope.character_sets, scope.signed)
        return decode_raw(vr, raw, scope.character_sets)

    def sequence(  # noqa: PLR0917 - as there
        self, tag: int, at: int, start: int, end: int, level: Level, encoding: Encoding, delimited: bool
    ) -> int:
        """See ElementWalk."""
        scope, gathered, bulk_values = self._scope, self._gathered, self._bulk_values
        self._gathered = []
        try:
            after = self.walk_items(tag, start, end, level, encoding, delimited)
            items = self._gathered
        finally:
            self._scope, self._gathered = scope, gathered
        scope.put(tag, self._form.sequence(tag, items, scope.private.creator_of(tag)))
        if bulk_values == self._bulk_values and not delimited:
            self._remember(tag, at, after, scope)
        return after

    def item(self, at: int, level: Level) -> int:
        """See ElementWalk."""
        outer = self._scope
        known = self._memory.table(level.encoding, outer.character_sets, outer.signed)
        scope = self._scope = _Scope(outer.character_sets, outer.signed, known)
        after = self.walk(at, level)
        self._scope = outer
        self._gathered.append(self._form.data_set(scope.sorted_texts()))
        return after

    def _remember(self, tag: int, at: int, stop: int, scope: _Scope) -> None:
        """Remember what was just written, if it says all about itself and is still in the window."""
        start = at - self.base
        short = stop - at <= _LONGEST_KEY and start >= 0
        apart = tag in _NEVER_REMEMBERED or (self._form.names_private_creators and is_private(tag))
        if short and not apart:
            self._memory.remember(scope.known, self.window[start : stop - self.base], scope.texts[-1])

    def _note(self, tag: int, vr: str, at: int, start: int, length: int) -> None:
        """Keep what the layout says, where it is met first."""
        if tag in DESCRIBING and length <= MAX_DESCRIBING:
            self._describing.setdefault(tag, self.bytes_at(start, length))
        else:
            self._place.note(tag, vr, at, start, length)


def _meant(tag: int, vr: str, encoding: Encoding, signed: bool) -> tuple[str, bool]:
    """The VR that is written for an element, and whether its value is little endian."""
    guessed = not encoding.explicit
    little = encoding.little
    if vr == "UN":
        known = vr_of(tag)
        if known not in ("SQ", "UN"):  # its bytes are as in Implicit VR Little Endian (PS3.5 6.2.2)
            vr, little, guessed = known, True, True
    if guessed and signed and vr == "US" and tag in AMBIGUOUS_TAGS:
        vr = "SS"
    return vr, little

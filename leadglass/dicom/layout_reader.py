"""Reads the layout of a stored data set, and nothing else: sequences are passed over, pixel data end it."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from leadglass.dicom.frames import ReadAt
from leadglass.dicom.layout import DESCRIBING, MAX_DESCRIBING, PIXEL_TAGS, InstanceLayout, PixelPlace, layout_of
from leadglass.dicom.scan_encoding import Encoding
from leadglass.dicom.transfer_syntaxes import lookup
from leadglass.dicom.walk import ElementWalk, Level

_WATCHED_GROUPS: Final = frozenset({0x0028, 0x7FE0})


class _Ended(Exception):  # noqa: N818 - ends the walk, no error
    """The pixel data stand here."""


class _LayoutWalk(ElementWalk):
    """A walk over the outermost level."""

    def __init__(self, read: ReadAt, syntax: str, length: int | None) -> None:
        super().__init__(read, syntax, length)
        self._syntax = syntax
        self._place = PixelPlace()
        self._values: dict[int, bytes] = {}

    def layout(self) -> InstanceLayout:
        """What was found."""
        syntax = lookup(self._syntax)
        return layout_of(
            self._syntax,
            self._values,
            self._place,
            little=self._encoding.little,
            deflated=syntax is not None and syntax.deflated,
        )

    def run(self, at: int, level: Level) -> int:
        """Pass over plain elements that say nothing of pixels."""
        encoding = level.encoding
        explicit, unpack, unpack_wide = encoding.explicit, encoding.header.unpack_from, encoding.wide.unpack_from
        short, known = encoding.short, encoding.long
        window, base = self.window, self.base
        position, limit = at - base, min(len(window), level.end - base)
        while 0 <= position <= limit - 12:
            if explicit:
                group, _, code, length = unpack(window, position)
                if code in short:
                    stop = position + 8 + length
                elif code in known:
                    stop = position + 12 + unpack_wide(window, position + 8)[0]
                else:
                    break
            else:
                break
            if group in _WATCHED_GROUPS or group >= 0xFFFE or stop > limit:
                break
            position = stop
        return position + base

    def value(self, tag: int, vr: str, at: int, start: int, length: int, level: Level) -> None:  # noqa: PLR0917
        """See ElementWalk."""
        if level.depth:
            return
        if tag in DESCRIBING and length <= MAX_DESCRIBING:
            self._values.setdefault(tag, self.bytes_at(start, length))
            return
        self._place.note(tag, vr, at, start, length)
        if tag in PIXEL_TAGS:
            raise _Ended

    def sequence(  # noqa: PLR0917 - as there
        self, tag: int, at: int, start: int, end: int, level: Level, encoding: Encoding, delimited: bool
    ) -> int:
        """See ElementWalk."""
        return self.walk_items(tag, start, end, level, encoding, delimited) if delimited else end

    def item(self, at: int, level: Level) -> int:
        """See ElementWalk."""
        return self.walk(at, level) if level.delimited else level.end


def read_layout(read: ReadAt, transfer_syntax_uid: str, length: int | None = None) -> InstanceLayout:
    """The layout of the data set that `read` gives; `length` is that of the data set, where known.

    Raises LeadglassError UNPARSABLE where the data set cannot be followed up to its pixel data.
    """
    walk = _LayoutWalk(read, transfer_syntax_uid, length)
    with suppress(_Ended):
        walk.walk_all()
    return walk.layout()

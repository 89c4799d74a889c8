"""Finds a value of a stored data set again by its path: what a bulk data reference of a model names."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MAX_ITEMS, MAX_NESTING
from leadglass.dicom.frames import ReadAt
from leadglass.dicom.scan_encoding import UNDEFINED, Encoding
from leadglass.dicom.walk import ElementWalk, Level

_STEP: Final = re.compile(r"([0-9A-F]{8})/([1-9][0-9]{0,6})/")
_TAG: Final = re.compile(r"[0-9A-F]{8}")


@dataclass(frozen=True, slots=True)
class BulkPlace:
    """Where a value lies in the (for deflated ones: inflated) data set, and its VR as declared.

    `encapsulated`: fragments, from the Basic Offset Table item to the delimiter, both included. Big endian numbers are
    to be turned round (scan_encoding.to_little_endian) unless `little`.
    """

    tag: int
    vr: str
    offset: int
    length: int
    little: bool
    encapsulated: bool


class _Found(Exception):  # noqa: N818 - ends the walk, no error
    """The value stands here."""


class _Search(ElementWalk):
    """A walk that opens only the items that lead to the value."""

    def __init__(self, read: ReadAt, syntax: str, length: int | None, path: str) -> None:
        super().__init__(read, syntax, length)
        self._path = path
        self._open_all = False
        self.found: BulkPlace | None = None

    def value(self, tag: int, vr: str, at: int, start: int, length: int, level: Level) -> None:  # noqa: PLR0917
        """See ElementWalk."""
        if self._path != f"{level.path}{tag:08X}":
            return
        encapsulated = length == UNDEFINED
        if encapsulated:
            length = self.end_of_fragments(start, level) - start
        little = level.encoding.little
        self.found = BulkPlace(tag, vr, start, length, little, encapsulated)
        raise _Found

    def sequence(  # noqa: PLR0917 - as there
        self, tag: int, at: int, start: int, end: int, level: Level, encoding: Encoding, delimited: bool
    ) -> int:
        """See ElementWalk."""
        here = f"{level.path}{tag:08X}"
        if self._path == here:  # a value if its items cannot be read: then walking them fails
            return self._try_items(tag, start, end, level, encoding, delimited)
        if not (delimited or self._open_all or self._path.startswith(here + "/")):
            return end
        return self.walk_items(tag, start, end, level, encoding, delimited)

    def _try_items(  # noqa: PLR0917 - as there
        self, tag: int, start: int, end: int, level: Level, encoding: Encoding, delimited: bool
    ) -> int:
        opened, self._open_all = self._open_all, True
        try:
            return self.walk_items(tag, start, end, level, encoding, delimited)
        finally:
            self._open_all = opened

    def item(self, at: int, level: Level) -> int:
        """See ElementWalk."""
        if level.delimited or self._open_all or self._path.startswith(level.path):
            return self.walk(at, level)
        return level.end


def find_bulk(read: ReadAt, transfer_syntax_uid: str, path: str, length: int | None = None) -> BulkPlace:
    """Where the value lies that `path` names: tags of sequences with item numbers from 1, then the value's tag, such
    as "7FE00010" or "00081140/1/00091001", as the model makers write it behind their prefix.

    Raises LeadglassError NOT_FOUND if there is none or `path` is no path; UNPARSABLE where the data set cannot be
    followed.
    """
    _check(path)
    search = _Search(read, transfer_syntax_uid, length, path)
    with suppress(_Found):
        search.walk_all()
    if search.found is None:
        raise _absent()
    return search.found


def _check(path: str) -> None:
    at, steps = 0, 0
    while (step := _STEP.match(path, at)) is not None:
        at, steps = step.end(), steps + 1
        if steps > MAX_NESTING or int(step[2]) > MAX_ITEMS:
            raise _absent()
    if _TAG.fullmatch(path, at) is None:
        raise _absent()


def _absent() -> LeadglassError:
    return LeadglassError(ErrorCode.NOT_FOUND, "There is no such value")

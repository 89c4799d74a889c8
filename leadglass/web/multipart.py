"""A streaming reader of multipart/related bodies without I/O (RFC 2046 5.1, RFC 2387, PS3.18 8.6.1): bytes in, events
out. What waits between two calls is a part's header, or as many bytes as a delimiter may have.

A delimiter is `--boundary` at the start of a line. Lines end with CRLF; a bare LF is understood too, as some clients
write it. Where the first delimiter's line ends with LF alone, a CR before a later delimiter belongs to the content.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MAX_BOUNDARY, MAX_PART_HEADER, MAX_PARTS, MAX_PREAMBLE

_PADDING: Final = 16  # blanks behind a boundary (RFC 2046 5.1.1): nobody is known to send any
_REST_OF_LINE: Final = re.compile(rb"[ \t]{0,%d}(\r?\n)" % _PADDING)
_MAYBE_LINE: Final = re.compile(rb"[ \t]{0,%d}\r?\Z" % _PADDING)
_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,./:=? -]*[0-9A-Za-z'()+_,./:=?-]")


@dataclass(frozen=True, slots=True)
class PartBegin:
    """A part begins. `headers` by lower-case name; of repeated ones the first."""

    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PartData:
    """The next bytes of the part's content, never empty; the buffer is not reused."""

    data: memoryview


@dataclass(frozen=True, slots=True)
class PartEnd:
    """The part is whole."""


Event: TypeAlias = "PartBegin | PartData | PartEnd"


class _State(Enum):
    PREAMBLE = "preamble"
    HEADERS = "headers"
    CONTENT = "content"
    EPILOGUE = "epilogue"


class MultipartReader:
    """Reads one body. Raises LeadglassError USAGE on what is no multipart body or is beyond its bounds."""

    def __init__(self, boundary: str) -> None:
        """`boundary` as the Content-Type has it, without quotes. USAGE if it is none."""
        if not 0 < len(boundary) <= MAX_BOUNDARY or _BOUNDARY.fullmatch(boundary) is None:
            raise _wrong("The boundary is missing, too long, or has characters that are not allowed")
        self._delimiter = b"\n--" + boundary.encode("ascii")
        self._state = _State.PREAMBLE
        self._waiting = b"\n"  # as if a line ended before the body: a delimiter may stand at its very start
        self._opening = True  # the first byte that waits is that line end, and no content
        self._strict = False  # the first delimiter's line ended with LF alone
        self._parts = 0
        self._skipped = 0
        self.ended = False

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events of the next bytes of the body. To be read to its end."""
        view = self._waiting + data if self._waiting else data
        self._waiting = b""
        at = 0
        while self._state is not _State.EPILOGUE:
            if self._state is _State.HEADERS:
                event, end = self._headers(view, at)
                if event is None:
                    break
                at = end
                yield event
                continue
            start, end, last = self._find(view, at)
            yield from self._between(view, at, start)
            at = start
            if end < 0:
                break
            if self._state is _State.CONTENT:
                yield PartEnd()
            at = end
            self._state = _State.EPILOGUE if last else _State.HEADERS
            self.ended = last
        if self._state is not _State.EPILOGUE:
            self._waiting = view[at:]

    def finish(self) -> None:
        """The body has ended. USAGE if it ends inside a part."""
        if not self.ended:
            raise _wrong("The multipart body ends before its last boundary")

    def _between(self, view: bytes, at: int, end: int) -> Iterator[Event]:
        """What stands before a delimiter, or before what may become one."""
        if end > at and self._opening:
            self._opening = False
            at += 1
        if end <= at:
            return
        if self._state is _State.CONTENT:
            yield PartData(memoryview(view)[at:end])
            return
        self._skipped += end - at
        if self._skipped > MAX_PREAMBLE:
            raise _wrong("The multipart body does not begin with its boundary")

    def _find(self, view: bytes, at: int) -> tuple[int, int, bool]:
        """(where the content before the next delimiter ends, where the delimiter ends or -1, whether it is the last).

        Without a delimiter the content ends before what may be the start of one.
        """
        search = at
        while (found := view.find(self._delimiter, search)) >= 0:
            behind = found + len(self._delimiter)
            start = found - 1 if not self._strict and found > at and view[found - 1] == 0x0D else found
            if view.startswith(b"--", behind):
                return start, behind + 2, True
            line = _REST_OF_LINE.match(view, behind)
            if line is not None:
                if self._state is _State.PREAMBLE:
                    self._strict = line[1] == b"\n"
                return start, line.end(), False
            if _MAYBE_LINE.match(view, behind) or view[behind:] == b"-":
                return start, -1, False
            search = behind
        return self._safe(view, max(at, search)), -1, False

    def _safe(self, view: bytes, at: int) -> int:
        """How far `view` from `at` on cannot be part of a delimiter that is not whole yet."""
        start = max(at, len(view) - len(self._delimiter) + 1)
        line = view.find(b"\n", start)
        while line >= 0 and not self._delimiter.startswith(view[line:]):
            line = view.find(b"\n", line + 1)
        end = len(view) if line < 0 else line
        return end - 1 if end > at and view[end - 1] == 0x0D else end

    def _headers(self, view: bytes, at: int) -> tuple[PartBegin | None, int]:
        """The header of a part, if all of it is there, and where it ends."""
        end = line = at
        while (found := view.find(b"\n", line)) >= 0:
            end = found + 1
            if end - at > MAX_PART_HEADER:
                raise _wrong("The header of a part is too long")
            if view[line:found] in (b"", b"\r"):
                break
            line = end
        else:
            if len(view) - at > MAX_PART_HEADER:
                raise _wrong("The header of a part is too long")
            return None, at
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise _wrong("The body has too many parts")
        self._state = _State.CONTENT
        self._opening = True  # the line end that closes the header may be that of the delimiter of an empty part
        return PartBegin(parse_header(view[at:line])), found


def parse_header(raw: bytes) -> dict[str, str]:
    """The fields of a part's header (RFC 2045 3). Folded lines are joined; what is no field is left out."""
    fields: dict[str, str] = {}
    for line in re.sub(rb"\r?\n[ \t]+", b" ", raw).splitlines():
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            fields.setdefault(name.strip().lower(), value.strip())
    return fields


def _wrong(comment: str) -> LeadglassError:
    return LeadglassError(ErrorCode.USAGE, f"{comment}.")

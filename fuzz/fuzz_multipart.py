"""Fuzz the multipart reader: how the bytes are cut does not matter, and content is never lost, invented or held back.

Input: one byte for the size of the pieces, then a body whose boundary is "b".
"""

from __future__ import annotations

from collections.abc import Iterator

from harness import pieces

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.web.multipart import MultipartReader, PartData

HELD = 64  # bytes that a reader may hold back of a part's content: a delimiter and its blanks


def read(data: bytes, size: int) -> list[object]:
    """The events, content joined; at the end the refusal if there was one."""
    reader = MultipartReader("b")
    found: list[object] = []
    try:
        for piece in pieces(data, size):
            for event in reader.feed(piece):
                if not isinstance(event, PartData):
                    found.append(event)
                elif found and isinstance(found[-1], bytes):
                    found[-1] += bytes(event.data)
                else:
                    found.append(bytes(event.data))
        reader.finish()
    except LeadglassError as error:
        assert error.code is ErrorCode.USAGE
        found.append(error.comment)
    return found


def check(data: bytes) -> None:
    """Run one input."""
    if not data:
        return
    size, body = data[0] + 1, data[1:]
    whole = read(body, len(body) or 1)
    assert read(body, size) == whole, "pieces matter"
    assert all(content in body for content in whole if isinstance(content, bytes)), "content that was not sent"
    inside = b"--b\n\n" + body
    begun = read(inside, len(inside))
    assert len(begun) > 1, "a part was not seen"


def seeds() -> Iterator[bytes]:
    """Bodies of two parts, with either line end."""
    for end in (b"\r\n", b"\n"):
        part = b"--b" + end + b"Content-Type: application/dicom" + end + end + b"\0\1\2" + end
        for size in (b"\0", b"\5", b"\xff"):
            yield size + part + part + b"--b--" + end

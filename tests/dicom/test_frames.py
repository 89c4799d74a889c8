"""Frames are found by Extended Offset Table, Basic Offset Table or fragment count; tables that lie are refused (D3)."""

from __future__ import annotations

import struct

import pytest

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.dicom.frames import FrameLocator

ITEM, END = 0xE000, 0xE0DD
PREFIX = b"header before the value "


def item(value: bytes, length: int | None = None) -> bytes:
    return struct.pack("<HHL", 0xFFFE, ITEM, len(value) if length is None else length) + value


def delimiter() -> bytes:
    return struct.pack("<HHL", 0xFFFE, END, 0)


def value(fragments: list[bytes], basic: list[int] | None = None, tail: bytes = b"") -> bytes:
    table = struct.pack(f"<{len(basic)}L", *basic) if basic else b""
    return PREFIX + item(table) + b"".join(map(item, fragments)) + delimiter() + tail


def locator(data: bytes, frames: int, extended: tuple[list[int], list[int]] | None = None) -> FrameLocator:
    tables = tuple(struct.pack(f"<{len(n)}Q", *n) for n in extended) if extended else None
    return FrameLocator(lambda at, n: data[at : at + n], len(PREFIX), frames, tables)


def refused(data: bytes, frames: int, extended=None) -> None:
    with pytest.raises(LeadglassError) as caught:
        list(locator(data, frames, extended))
    assert caught.value.code is ErrorCode.CANNOT_CONVERT


A, B, C = b"AAAA", b"BBBBBB", b"CC"
# offsets of A, B, C behind the table: 0, 12, 26


def test_one_fragment_per_frame_without_a_table() -> None:
    assert list(locator(value([A, B, C]), 3)) == [A, B, C]


def test_all_fragments_of_a_single_frame() -> None:
    found = locator(value([A, B, C]), 1)
    assert list(found) == [A + B + C]
    assert [f.length for f in found.fragments(0)] == [4, 6, 2]


def test_frames_by_basic_offset_table() -> None:
    assert list(locator(value([A, B, C], [0, 26]), 2)) == [A + B, C]
    assert list(locator(value([A, B, C], [0, 12]), 2)) == [A, B + C]


def test_frames_by_extended_offset_table_and_their_true_lengths() -> None:
    assert list(locator(value([A, B, C]), 3, ([0, 12, 26], [4, 5, 2]))) == [A, B[:5], C]


def test_it_is_a_sequence_and_knows_its_end() -> None:
    data = value([A, B, C], [0, 12, 26], b"trailing")
    found = locator(data, 3)
    assert (len(found), found[1], found[-1], found[1:]) == (3, B, C, [B, C])
    with pytest.raises(IndexError):
        found[3]
    assert data[found.end() :] == b"trailing"
    assert data[locator(data[: len(data)], 3).end() :] == b"trailing"


def test_ten_thousand_fragments() -> None:
    assert len(locator(value([A] * 10_000), 1)[0]) == 40_000
    assert locator(value([A] * 10_000), 10_000)[9_999] == A


def test_a_table_is_used_without_walking_everything() -> None:
    data = value([bytes(100_000)] * 20, [n * 100_008 for n in range(20)])
    reads: list[int] = []

    def read(at: int, n: int) -> bytes:
        reads.append(n)
        return data[at : at + n]

    FrameLocator(read, len(PREFIX), 20).frame(19)
    assert len(reads) <= 6


LIES = {
    "fewer fragments than frames": (value([A, B]), 3, None),
    "more fragments than frames, no table": (value([A, B, C]), 2, None),
    "no fragments": (value([]), 1, None),
    "table with too few entries": (value([A, B, C], [0, 12]), 3, None),
    "table with too many entries": (value([A, B, C], [0, 12, 26]), 2, None),
    "offset into a fragment": (value([A, B, C], [0, 14, 26]), 3, None),
    "offset behind the end": (value([A, B, C], [0, 12, 4000]), 3, None),
    "offset on the delimiter": (value([A, B, C], [0, 12, 36]), 3, None),
    "offsets descending": (value([A, B, C], [0, 26, 12]), 3, None),
    "offsets equal": (value([A, B, C], [0, 12, 12]), 3, None),
    "first offset not zero": (value([A, B, C], [12, 26]), 2, None),
    "table of odd size": (PREFIX + item(b"\0\0\0\0\0\0") + item(A) + delimiter(), 1, None),
    "fragment of undefined length": (PREFIX + item(b"") + item(A, 0xFFFFFFFF) + delimiter(), 1, None),
    "fragment length 0xFFFFFFFE": (PREFIX + item(b"") + item(A, 0xFFFFFFFE) + delimiter(), 1, None),
    "table length 0xFFFFFFFC": (PREFIX + item(b"", 0xFFFFFFFC) + item(A) + delimiter(), 1, None),
    "missing delimiter": (value([A, B])[:-8], 2, None),
    "cut in a fragment": (value([A, B])[:-10], 2, None),
    "no table item": (PREFIX + delimiter(), 1, None),
    "nothing at all": (PREFIX, 1, None),
    "zero frames": (value([A]), 0, None),
    "negative frames": (value([A]), -1, None),
    "999,999 frames": (value([A]), 999_999, None),
    "both tables": (value([A, B], [0, 12]), 2, ([0, 12], [4, 6])),
    "extended offset into a fragment": (value([A, B]), 2, ([0, 14], [4, 6])),
    "extended offset of 2^63": (value([A, B]), 2, ([0, 1 << 63], [4, 6])),
    "extended length too long": (value([A, B]), 2, ([0, 12], [4, 8])),
    "extended length of 2^63": (value([A, B]), 2, ([0, 12], [4, 1 << 63])),
    "extended length zero": (value([A, B]), 2, ([0, 12], [4, 0])),
    "extended table too short": (value([A, B]), 2, ([0], [4, 6])),
    "extended lengths too short": (value([A, B]), 2, ([0, 12], [4])),
}


@pytest.mark.parametrize("name", LIES)
def test_a_table_that_lies_is_refused(name: str) -> None:
    refused(*LIES[name])

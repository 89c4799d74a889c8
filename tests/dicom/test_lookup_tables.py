"""Descriptors and segments that lie are refused before anything of their size is made (D4)."""

from __future__ import annotations

import struct

import pytest

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.dicom.lookup_tables import read_segmented, read_table


def descriptor(entries: int, first: int = 0, bits: int = 16) -> bytes:
    return struct.pack("<HHH", entries, first & 0xFFFF, bits)


def words(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}H", *values)


def values(data: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(data) // 2}H", data))


def test_a_table_in_words_and_in_bytes() -> None:
    assert values(read_table(descriptor(3), words(5, 6, 70), signed=False).data) == [5, 6, 70]
    assert values(read_table(descriptor(3, bits=8), b"\5\6\x46\0", signed=False).data) == [5, 6, 70]


def test_zero_entries_are_65536() -> None:
    assert read_table(descriptor(0), words(*[1] * 65536), signed=False).entries == 65536


def test_the_first_value_has_a_sign_where_pixels_have() -> None:
    assert read_table(descriptor(1, -1000), words(1), signed=True).first == -1000
    assert read_table(descriptor(1, -1000), words(1), signed=False).first == 64536


@pytest.mark.parametrize(
    ("described", "data"),
    [
        (b"", words(1)),
        (b"\1\0", words(1)),
        (descriptor(1, bits=0), words(1)),
        (descriptor(1, bits=17), words(1)),
        (descriptor(0), b""),
        (descriptor(0), words(1, 2, 3)),
        (descriptor(65535, bits=8), bytes(65534)),
    ],
)
def test_d4_a_descriptor_that_lies_is_refused(described: bytes, data: bytes) -> None:
    with pytest.raises(LeadglassError) as caught:
        read_table(described, data, signed=False)
    assert caught.value.code is ErrorCode.CANNOT_CONVERT


def test_segments_of_every_kind() -> None:
    segments = words(0, 2, 10, 20, 1, 2, 40, 2, 2, 0, 0)  # 10 20, a line to 40, then both again
    assert values(read_segmented(descriptor(8), segments, signed=False).data) == [10, 20, 30, 40, 10, 20, 30, 40]


def test_segments_in_bytes() -> None:
    segments = bytes((0, 2, 10, 20, 1, 2, 40, 2, 2, 0, 0, 0, 0, 0))
    assert values(read_segmented(descriptor(8, bits=8), segments, signed=False).data) == [10, 20, 30, 40] * 2


@pytest.mark.parametrize(
    "segments",
    [
        words(),
        words(0),
        words(0, 0),
        words(0, 65535, 1),
        words(1, 3, 5),  # a line from nowhere
        words(0, 1, 7, 1, 65535, 9),
        words(0, 1, 7, 2, 65535, 0, 0),  # copies that would never end
        words(0, 1, 7, 2, 1, 6, 0),  # a copy of itself
        words(0, 1, 7, 2, 1, 65535, 65535),
        words(0, 1, 7, 2, 2, 0, 0, 0, 1, 8),  # a copy of a copy
        words(3, 1, 1),
        words(0, 1, 7),  # fewer than were announced
        words(*[0, 0] * 30_000),
    ],
)
def test_d4_segments_that_lie_are_refused(segments: bytes) -> None:
    with pytest.raises(LeadglassError) as caught:
        read_segmented(descriptor(100), segments, signed=False)
    assert caught.value.code is ErrorCode.CANNOT_CONVERT

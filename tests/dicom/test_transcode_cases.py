"""Conversions of hand-made cases: open VRs, UN, long values, byte order, delimiters, limits, bad structure, memory."""

from __future__ import annotations

import struct
import tracemalloc
import zlib

import pytest

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MAX_NESTING
from leadglass.dicom.overlay import RootEdit
from leadglass.dicom.transcode import Transcoder, can_transcode

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
DEFLATED, BIG = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
JPEG = "1.2.840.10008.1.2.4.50"
LONG = ("OB", "OW", "SQ", "UN", "OF", "UT", "OD")
ITEM, END_ITEM, END_SEQUENCE = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
OPEN = 0xFFFFFFFF


def implicit(tag: int, value: bytes, length: int | None = None) -> bytes:
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value) if length is None else length) + value


def explicit(tag: int, vr: str, value: bytes, order: str = "<", length: int | None = None) -> bytes:
    size = len(value) if length is None else length
    if vr in LONG:
        return struct.pack(order + "HH2s2xL", tag >> 16, tag & 0xFFFF, vr.encode(), size) + value
    return struct.pack(order + "HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), size) + value


def mark(tag: int, length: int = 0, order: str = "<") -> bytes:
    return struct.pack(order + "HHL", tag >> 16, tag & 0xFFFF, length)


def convert(source: str, target: str, data: bytes, **how) -> bytes:
    transcoder = Transcoder(source, target, **how)
    return b"".join([*transcoder.feed(data), *transcoder.finish()])


def refused(source: str, target: str, data: bytes) -> str:
    with pytest.raises(LeadglassError) as caught:
        convert(source, target, data)
    assert caught.value.code is ErrorCode.CANNOT_CONVERT
    return caught.value.comment


@pytest.mark.parametrize(("representation", "vr"), [(0, "US"), (1, "SS")])
def test_us_or_ss_follows_pixel_representation_of_the_nearest_level(representation: int, vr: str) -> None:
    smallest = b"\xfe\xff"
    inner = implicit(0x00280103, struct.pack("<H", 1 - representation)) + implicit(0x00280106, smallest)
    data = (
        implicit(0x00280103, struct.pack("<H", representation))
        + implicit(0x00280106, smallest)
        + implicit(
            0x00283000,
            mark(ITEM, len(implicit(0x00283002, b"\0\0\0\0\x10\0"))) + implicit(0x00283002, b"\0\0\0\0\x10\0"),
        )
        + implicit(0x00880200, mark(ITEM, len(inner)) + inner)
        + implicit(0x7FE00010, b"\1\2")
    )
    result = convert(IMPLICIT, EXPLICIT, data)
    other = "SS" if vr == "US" else "US"
    assert explicit(0x00280106, vr, smallest) in result
    assert explicit(0x00283002, vr, b"\0\0\0\0\x10\0") in result  # inherited from the level above
    assert explicit(0x00280106, other, smallest) in result
    assert explicit(0x7FE00010, "OW", b"\1\2") in result


def test_an_open_vr_before_pixel_representation_follows_the_hint() -> None:
    data = implicit(0x00189810, b"\xff\xff")
    assert convert(IMPLICIT, EXPLICIT, data) == explicit(0x00189810, "US", b"\xff\xff")
    assert convert(IMPLICIT, EXPLICIT, data, signed=True) == explicit(0x00189810, "SS", b"\xff\xff")


def test_lut_data_is_ow_unless_it_has_one_entry() -> None:
    def lut(entries: int) -> bytes:
        return implicit(0x00283002, struct.pack("<HHH", entries, 0, 16)) + implicit(0x00283006, b"\1\0")

    assert explicit(0x00283006, "OW", b"\1\0") in convert(IMPLICIT, EXPLICIT, lut(256))
    assert explicit(0x00283006, "US", b"\1\0") in convert(IMPLICIT, EXPLICIT, lut(1))


def test_a_value_beyond_sixteen_bits_of_length_becomes_un_and_keeps_its_bytes() -> None:
    value = b"1.5\\" * 16384
    assert len(value) == 65536
    data = implicit(0x30060050, value)  # DS
    assert convert(IMPLICIT, EXPLICIT, data) == explicit(0x30060050, "UN", value)
    assert convert(IMPLICIT, BIG, data) == explicit(0x30060050, "UN", value, ">")
    assert convert(BIG, IMPLICIT, convert(IMPLICIT, BIG, data)) == data
    fits = b"1\\" * 32767
    assert convert(IMPLICIT, EXPLICIT, implicit(0x30060050, fits)) == explicit(0x30060050, "DS", fits)


def test_private_creators_are_lo_and_private_values_un() -> None:
    data = implicit(0x00091010 & ~0x1000, b"ACME 1.1") + implicit(0x00091001, b"\1\2\3\4")
    assert convert(IMPLICIT, EXPLICIT, data) == (
        explicit(0x00090010, "LO", b"ACME 1.1") + explicit(0x00091001, "UN", b"\1\2\3\4")
    )


def test_un_is_little_endian_in_every_syntax() -> None:
    data = explicit(0x00091001, "UN", b"\1\2\3\4")
    assert convert(EXPLICIT, BIG, data) == explicit(0x00091001, "UN", b"\1\2\3\4", ">")
    assert convert(EXPLICIT, IMPLICIT, data) == implicit(0x00091001, b"\1\2\3\4")


def test_un_of_undefined_length_holds_implicit_items_and_becomes_a_sequence() -> None:
    inner = implicit(0x00280010, b"\x02\0") + implicit(0x00100010, b"DOE^JOHN")
    items = mark(ITEM, OPEN) + inner + mark(END_ITEM) + mark(END_SEQUENCE)
    data = explicit(0x00091001, "UN", items, length=OPEN) + explicit(0x00100020, "LO", b"ID")
    assert convert(EXPLICIT, IMPLICIT, data) == implicit(0x00091001, items, OPEN) + implicit(0x00100020, b"ID")
    big = (
        explicit(0x00091001, "SQ", b"", ">", OPEN)
        + mark(ITEM, OPEN, ">")
        + explicit(0x00280010, "US", b"\0\x02", ">")
        + explicit(0x00100010, "PN", b"DOE^JOHN", ">")
        + mark(END_ITEM, 0, ">")
        + mark(END_SEQUENCE, 0, ">")
        + explicit(0x00100020, "LO", b"ID", ">")
    )
    assert convert(EXPLICIT, BIG, data) == big


def test_a_sequence_of_defined_length_leaves_with_undefined_length_and_empty_ones_stay_empty() -> None:
    inner = explicit(0x00080100, "SH", b"A1")
    data = (
        explicit(0x00081110, "SQ", mark(ITEM, len(inner)) + inner + mark(ITEM, 0))
        + explicit(0x00081115, "SQ", b"")
        + explicit(0x00081140, "SQ", mark(END_SEQUENCE), length=OPEN)
    )
    assert convert(EXPLICIT, IMPLICIT, data) == (
        implicit(0x00081110, b"", OPEN)
        + mark(ITEM, OPEN)
        + implicit(0x00080100, b"A1")
        + mark(END_ITEM)
        + mark(ITEM, 0)
        + mark(END_SEQUENCE)
        + implicit(0x00081115, b"")
        + implicit(0x00081140, b"", OPEN)
        + mark(END_SEQUENCE)
    )


@pytest.mark.parametrize(
    ("tag", "vr", "width"),
    [
        (0x00280009, "AT", 2),
        (0x00280010, "US", 2),
        (0x00189219, "SS", 2),
        (0x00186020, "SL", 4),
        (0x00186018, "UL", 4),
        (0x00189073, "FD", 8),
        (0x00089459, "FL", 4),
        (0x7FE00008, "OF", 4),
        (0x7FE00009, "OD", 8),
        (0x7FE00010, "OW", 2),
        (0x7FE00010, "OB", 1),
    ],
)
def test_each_vr_turns_by_its_own_width(tag: int, vr: str, width: int) -> None:
    value = bytes(range(16))
    turned = b"".join(value[i : i + width][::-1] for i in range(0, 16, width))
    if vr == "AT":
        turned = b"".join(value[i : i + 2][::-1] for i in range(0, 16, 2))
    assert convert(EXPLICIT, BIG, explicit(tag, vr, value)) == explicit(tag, vr, turned, ">")
    assert convert(BIG, EXPLICIT, explicit(tag, vr, turned, ">")) == explicit(tag, vr, value)


def test_group_lengths_are_left_out_and_odd_values_padded() -> None:
    data = (
        explicit(0x00100000, "UL", b"\x20\0\0\0")
        + explicit(0x00100010, "PN", b"DOE")
        + explicit(0x00091001, "UN", b"\1")
    )
    assert convert(EXPLICIT, IMPLICIT, data) == implicit(0x00100010, b"DOE ") + implicit(0x00091001, b"\1\0")


def test_an_unknown_vr_keeps_its_bytes() -> None:
    future = struct.pack("<HH2s2xL", 0x0018, 0x9999, b"ZZ", 4) + b"\1\2\3\4"
    old = struct.pack("<HH2sH", 0x0018, 0x9998, b"ZY", 4) + b"\5\6\7\x08"
    assert convert(EXPLICIT, IMPLICIT, old + future) == (
        implicit(0x00189998, b"\5\6\7\x08") + implicit(0x00189999, b"\1\2\3\4")
    )


def test_stray_delimiters_are_passed_over() -> None:
    data = explicit(0x00100020, "LO", b"ID") + mark(END_ITEM) + mark(END_SEQUENCE) + explicit(0x00100040, "CS", b"O ")
    assert convert(EXPLICIT, IMPLICIT, data) == implicit(0x00100020, b"ID") + implicit(0x00100040, b"O ")


ONE = explicit(0x00080100, "SH", b"A1")
BAD = {
    "cut in a header": ONE[:5],
    "cut in a value": ONE[:-1],
    "open sequence": explicit(0x00081110, "SQ", b"", length=OPEN),
    "open item": explicit(0x00081110, "SQ", mark(ITEM, OPEN), length=OPEN),
    "element longer than its item": explicit(0x00081110, "SQ", mark(ITEM, 8) + ONE) + ONE,
    "item longer than its sequence": explicit(0x00081110, "SQ", mark(ITEM, 100) + ONE) + ONE * 20,
    "undefined length on text": explicit(0x00420011, "UT", b"", length=OPEN),
    "wrong delimiter": explicit(0x00081110, "SQ", mark(ITEM, OPEN) + mark(END_SEQUENCE), length=OPEN),
    "element in a sequence": explicit(0x00081110, "SQ", ONE, length=OPEN) + ONE,
    "item outside a sequence": mark(ITEM, 4) + b"abcd",
    "no VR": struct.pack("<HHL", 0x10, 0x10, 4) + b"ABCD",
    "compressed pixels": explicit(0x7FE00010, "OB", mark(ITEM) + mark(END_SEQUENCE), length=OPEN),
    "one level too many": explicit(0x00081110, "SQ", mark(ITEM, OPEN), length=OPEN) * (MAX_NESTING + 1),
    "five thousand levels": explicit(0x00081110, "SQ", mark(ITEM, OPEN), length=OPEN) * 5000,
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_followed_is_refused(name: str) -> None:
    refused(EXPLICIT, IMPLICIT, BAD[name])


def test_sixty_four_levels_pass() -> None:
    opening = explicit(0x00081110, "SQ", mark(ITEM, OPEN), length=OPEN) * MAX_NESTING
    data = opening + (mark(END_ITEM) + mark(END_SEQUENCE)) * MAX_NESTING
    assert len(convert(EXPLICIT, IMPLICIT, data)) == (8 * 4) * MAX_NESTING


def test_items_beyond_the_limit_are_refused() -> None:
    refused(EXPLICIT, IMPLICIT, explicit(0x00081110, "SQ", mark(ITEM) * 500_001))


@pytest.mark.parametrize("data", [b"\xff" * 20, zlib.compress(ONE * 999, wbits=-15)[:-9], b""])
def test_a_broken_deflated_stream_is_refused(data: bytes) -> None:
    refused(DEFLATED, EXPLICIT, data)


def test_compressed_syntaxes_have_no_direct_way() -> None:
    assert can_transcode(JPEG, JPEG)
    assert not can_transcode(JPEG, EXPLICIT)
    assert not can_transcode(EXPLICIT, JPEG)
    with pytest.raises(LeadglassError):
        Transcoder(JPEG, IMPLICIT)


def test_the_same_syntax_passes_untouched() -> None:
    assert convert(EXPLICIT, EXPLICIT, b"anything at all") == b"anything at all"


def test_edits_replace_insert_and_leave_out_at_the_outermost_level_alone() -> None:
    inner = explicit(0x00100020, "LO", b"IN")
    sequence = explicit(0x00101002, "SQ", mark(ITEM, len(inner)) + inner)
    data = (
        explicit(0x00100020, "LO", b"OLD ")
        + sequence
        + explicit(0x00880200, "SQ", sequence[12:])
        + explicit(0x00890010, "LO", b"X ")
    )
    edits = {
        0x00080005: RootEdit("CS", b"ISO_IR 100"),
        0x00100020: RootEdit("LO", b"NEW1"),
        0x00880200: None,
        0x7FE00010: RootEdit("OW", b"\1\2"),
    }
    result = convert(EXPLICIT, BIG, data, edits=edits)
    assert result == (
        explicit(0x00080005, "CS", b"ISO_IR 100", ">")
        + explicit(0x00100020, "LO", b"NEW1", ">")
        + explicit(0x00101002, "SQ", b"", ">", OPEN)
        + mark(ITEM, OPEN, ">")
        + explicit(0x00100020, "LO", b"IN", ">")
        + mark(END_ITEM, 0, ">")
        + mark(END_SEQUENCE, 0, ">")
        + explicit(0x00890010, "LO", b"X ", ">")
        + explicit(0x7FE00010, "OW", b"\2\1", ">")
    )


@pytest.mark.parametrize("target", [IMPLICIT, BIG, DEFLATED])
def test_memory_stays_small_however_large_the_value(target: str) -> None:
    size = 1 << 28
    head = explicit(0x7FE00010, "OW", b"", length=size)
    block = bytes(1 << 20)
    tracemalloc.start()
    transcoder = Transcoder(EXPLICIT, target)
    total = sum(len(p) for p in transcoder.feed(head))
    for _ in range(size >> 20):
        total += sum(len(p) for p in transcoder.feed(block))
    total += sum(len(p) for p in transcoder.finish())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
    assert target == DEFLATED or total == size + (8 if target == IMPLICIT else 12)


def test_a_deflate_bomb_opens_in_small_pieces() -> None:
    size = 1 << 28
    stream = zlib.compressobj(9, wbits=-15)
    packed = stream.compress(explicit(0x7FE00010, "OW", b"", length=size))
    packed += b"".join(stream.compress(bytes(1 << 20)) for _ in range(size >> 20)) + stream.flush()
    transcoder = Transcoder(DEFLATED, IMPLICIT)
    tracemalloc.start()
    total = sum(len(p) for p in transcoder.feed(packed)) + sum(len(p) for p in transcoder.finish())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == size + 8
    assert peak < 8 << 20

"""Hostile and broken data sets: adversarial cases C1, C4-C7, C9, C10. Refused or noted, never silent, never costly."""

import base64
import struct
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MAX_ELEMENTS, MAX_HEADER_BYTES, MAX_INDEXED_VALUE, MAX_ITEMS, MAX_NESTING, MIB
from leadglass.dicom import uids
from leadglass.dicom.scan import HeaderScanner, text_of

UNDEFINED = 0xFFFFFFFF
LONG = {"OB", "OW", "UN", "SQ", "UT", "UC", "UR", "OF", "OD"}
STUDY, SERIES, ROWS, PIXELS = 0x0020000D, 0x0020000E, 0x00280010, 0x7FE00010
ENCODINGS = (uids.EXPLICIT_VR_LE, uids.IMPLICIT_VR_LE, uids.EXPLICIT_VR_BE)


def head(tag, vr, length, ts=uids.EXPLICIT_VR_LE):
    order = ">" if ts == uids.EXPLICIT_VR_BE else "<"
    words = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF)
    if ts == uids.IMPLICIT_VR_LE or tag >> 16 == 0xFFFE:
        return words + struct.pack(order + "I", length)
    if vr in LONG:
        return words + vr.encode() + b"\0\0" + struct.pack(order + "I", length)
    return words + vr.encode() + struct.pack(order + "H", length)


def el(tag, vr, value, ts=uids.EXPLICIT_VR_LE, length=None):
    return head(tag, vr, len(value) if length is None else length, ts) + value


def item(content, ts=uids.EXPLICIT_VR_LE, defined=True):
    if defined:
        return head(0xFFFEE000, "", len(content), ts) + content
    return head(0xFFFEE000, "", UNDEFINED, ts) + content + head(0xFFFEE00D, "", 0, ts)


def seq(tag, content, ts=uids.EXPLICIT_VR_LE, defined=True):
    if defined:
        return el(tag, "SQ", content, ts)
    return head(tag, "SQ", UNDEFINED, ts) + content + head(0xFFFEE0DD, "", 0, ts)


def nested(depth, ts, defined):
    content = b""
    for _ in range(depth):
        content = seq(0x0040A730, item(content, ts, defined), ts, defined)
    return content


IDENTITY = el(STUDY, "UI", b"1.2.3\0") + el(SERIES, "UI", b"1.2.4\0")


def scan(data, ts=uids.EXPLICIT_VR_LE, piece=65_536):
    scanner = HeaderScanner(ts)
    for start in range(0, len(data), piece):
        scanner.feed(memoryview(data)[start : start + piece])
    return scanner.finish()


def refused(data, ts=uids.EXPLICIT_VR_LE, piece=65_536):
    with pytest.raises(LeadglassError) as caught:
        scan(data, ts, piece)
    assert caught.value.code is ErrorCode.UNPARSABLE
    assert len(caught.value.comment) <= 64
    return caught.value.comment


# --- C4: depth ---


@pytest.mark.parametrize("ts", ENCODINGS)
@pytest.mark.parametrize("defined", [True, False])
@pytest.mark.parametrize("depth", [50, MAX_NESTING])
def test_c4_depth_within_the_limit(ts, defined, depth):
    assert scan(nested(depth, ts, defined), ts).warnings == ()


@pytest.mark.parametrize("ts", ENCODINGS)
@pytest.mark.parametrize("defined", [True, False])
@pytest.mark.parametrize("depth", [MAX_NESTING + 1, 200, 5_000])
def test_c4_depth_beyond_the_limit(ts, defined, depth):
    # Explicit-length nesting grows by 20 bytes a level, so even 5,000 levels fit in 32 bits.
    assert refused(nested(depth, ts, defined), ts) == "Sequences are nested too deep"


# --- C5: numbers ---


@pytest.mark.parametrize("defined", [True, False])
def test_c5_a_million_empty_items(defined):
    items = head(0xFFFEE000, "", 0) * 1_000_000
    assert refused(seq(0x00081140, items, defined=defined)) == "The data set has too many items"


def test_c5_items_at_the_limit():
    assert scan(seq(0x00081140, head(0xFFFEE000, "", 0) * MAX_ITEMS)).elements == 1


def test_c5_more_than_a_million_elements():
    many = b"".join(
        struct.pack("<HH2sH", 0x0009 + (n >> 16) * 2, n & 0xFFFF, b"LO", 0) for n in range(1, MAX_ELEMENTS + 2)
    )
    assert refused(many) == "The data set has too many attributes"


def test_c5_more_than_a_million_stray_delimiters():
    assert refused(head(0xFFFEE00D, "", 0) * (MAX_ELEMENTS + 1)) == "The data set has too many attributes"


def test_c5_a_million_values_in_one_element():
    value = b"1\\" * 1_000_000
    found = scan(IDENTITY + el(0x00280030, "UT", value))
    assert 0x00280030 not in found.values
    assert found.warnings == ("A value is too long for the catalog",)


# --- C6: lengths, VRs, groups, order, delimiters ---


@pytest.mark.parametrize("ts", ENCODINGS)
def test_c6_a_length_beyond_the_end(ts):
    data = el(STUDY, "UI", b"1.2.3\0", ts)
    assert refused(data + head(0x00204000, "LT", 60_000, ts) + b"x" * 100, ts) == "The data set is cut short"
    assert refused(data + head(0x00420011, "OB", 0xFFFFFFFE, ts) + b"x" * 100, ts) == "The data set is cut short"


@pytest.mark.parametrize("vr", ["UT", "UR", "UC"])
def test_c6_undefined_length_on_what_is_no_sequence(vr):
    assert "undefined length" in refused(el(0x00204000, vr, b"abcdefgh", length=UNDEFINED))


def test_c6_an_odd_length_is_noted():
    found = scan(el(0x00100020, "LO", b"abc") + IDENTITY)
    assert text_of(found, 0x00100020) == "abc"
    assert found.warnings == ("A value has an odd length",)


def test_c6_a_wrong_vr_is_kept_as_it_was_sent():
    found = scan(IDENTITY + el(ROWS, "UL", struct.pack("<I", 512)))
    assert found.values[ROWS] == ("UL", struct.pack("<I", 512))
    assert len(found.warnings) == 1


@pytest.mark.parametrize(
    "unknown",
    [
        b"\x08\x00\x07\x00ZZ\x00\x00\x04\x00\x00\x00abcd",
        b"\x08\x00\x07\x00ZZ\x04\x00abcd",
        b"\x08\x00\x07\x00??\x04\x00abcd",
    ],
)
def test_c6_an_unknown_vr_is_passed_over(unknown):
    found = scan(unknown + IDENTITY)
    assert text_of(found, STUDY) == "1.2.3"
    assert found.warnings == ("A VR is not known",)


def test_c6_un_of_a_catalogued_attribute_takes_the_dictionary_vr():
    assert scan(el(STUDY, "UN", b"1.2.3\0")).values[STUDY] == ("UI", b"1.2.3\0")


def test_c6_un_of_undefined_length_holds_implicit_items():
    inner = el(0x00080100, "SH", b"AB", uids.IMPLICIT_VR_LE)
    data = IDENTITY + head(0x00291010, "UN", UNDEFINED) + item(inner) + head(0xFFFEE0DD, "", 0)
    assert scan(data).warnings == ()


def test_c6_a_group_length_that_lies_is_noted():
    wrong = el(0x00080000, "UL", struct.pack("<I", 99)) + el(0x00080060, "CS", b"CT")
    found = scan(wrong + el(0x00200000, "UL", struct.pack("<I", len(IDENTITY))) + IDENTITY)
    assert found.warnings == ("A group length is wrong",)
    assert text_of(found, 0x00080060) == "CT"


def test_c6_group_2_in_the_data_set_is_noted():
    found = scan(el(0x00020010, "UI", b"1.2.840.10008.1.2.1\0") + IDENTITY)
    assert found.warnings == ("An attribute has a group that does not belong in a data set",)
    assert text_of(found, SERIES) == "1.2.4"


def test_c6_a_command_group_is_refused():
    assert "group" in refused(el(0x00000002, "UI", b"1.2\0") + IDENTITY)


def test_c6_of_a_repeated_attribute_the_first_counts():
    found = scan(el(STUDY, "UI", b"1.2.3\0") + el(STUDY, "UI", b"9.9.9\0") + el(SERIES, "UI", b"1\0"))
    assert text_of(found, STUDY) == "1.2.3"
    assert found.warnings == ("An attribute is repeated",)


def test_c6_attributes_out_of_order_are_found_and_noted():
    found = scan(el(0x00100020, "LO", b"ID") + el(0x00080060, "CS", b"CT") + IDENTITY)
    assert text_of(found, 0x00080060) == "CT"
    assert found.warnings == ("Attributes are out of order",)
    assert not found.late_identity


def test_c6_a_late_identifier_is_told():
    scanner = HeaderScanner(uids.EXPLICIT_VR_LE)
    scanner.feed(IDENTITY)
    assert scanner.identified
    assert not scanner.partial.late_identity
    scanner.feed(el(0x00100020, "LO", b"ID"))
    assert scanner.finish().late_identity


@pytest.mark.parametrize("stray", [head(0xFFFEE00D, "", 0), head(0xFFFEE0DD, "", 0)])
def test_c6_stray_delimiters_are_noted(stray):
    found = scan(el(0x00080060, "CS", b"CT") + stray + IDENTITY)
    assert found.warnings == ("A delimiter stands where none belongs",)
    assert text_of(found, SERIES) == "1.2.4"


def test_c6_an_item_delimiter_left_out_is_noted():
    inner = head(0xFFFEE000, "", UNDEFINED) + el(0x00080100, "SH", b"AB")
    found = scan(seq(0x00081032, inner, defined=False) + IDENTITY)
    assert found.warnings == ("A delimiter is missing",)
    assert text_of(found, SERIES) == "1.2.4"


@pytest.mark.parametrize(
    "broken",
    [
        head(0xFFFEE000, "", 4) + b"abcd",  # an item outside
        head(0xFFFEE111, "", 0),  # no delimiter that is known
        head(0xFFFE0001, "", 0),
        head(0xFFFF0001, "LO", 0),
        seq(0x00081140, el(0x00080100, "SH", b"AB")),  # an attribute where an item belongs
        seq(0x00081140, head(0xFFFEE000, "", 100) + b"x" * 10),  # an item longer than its sequence
        seq(0x00081140, item(head(0x00080100, "SH", 100) + b"x" * 10)),  # an attribute longer than its item
        seq(0x00081140, item(b"abc")),  # an item that ends inside a header
    ],
)
def test_c6_broken_structure(broken):
    refused(broken + IDENTITY)


def test_c6_the_study_uid_must_come_in_time():
    data = b"".join(el(0x00090000 + n, "OB", bytes(MIB)) for n in range(0x1000, 0x1000 + MAX_HEADER_BYTES // MIB + 1))
    assert refused(data + IDENTITY) == "The Study Instance UID does not come in time"


# --- C7: the transfer syntax is not the one that was agreed on ---


def test_c7_explicit_declared_implicit_sent():
    data = el(0x00080005, "CS", b"ISO_IR 100", uids.IMPLICIT_VR_LE) + el(STUDY, "UI", b"1.2.3\0", uids.IMPLICIT_VR_LE)
    assert "transfer syntax" in refused(data)
    assert "transfer syntax" in refused(data, uids.EXPLICIT_VR_BE)


def test_c7_implicit_declared_explicit_sent():
    assert "transfer syntax" in refused(el(0x00080005, "CS", b"ISO_IR 100") + IDENTITY, uids.IMPLICIT_VR_LE)


def test_c7_byte_order_turned_round():
    refused(el(0x00080005, "CS", b"ISO_IR 100") + IDENTITY, uids.EXPLICIT_VR_BE)
    refused(el(0x00080005, "CS", b"ISO_IR 100", uids.EXPLICIT_VR_BE) + el(STUDY, "UI", b"1\0", uids.EXPLICIT_VR_BE))


def test_c7_jpeg_declared_raw_sent_is_noted():
    found = scan(IDENTITY + el(PIXELS, "OW", bytes(100)), uids.JPEG_BASELINE)
    assert found.warnings == ("Pixel data are native though the transfer syntax encapsulates them",)


def test_c7_native_declared_encapsulated_sent_is_noted():
    data = IDENTITY + seq(PIXELS, item(b"") + item(b"abcd"), defined=False).replace(b"SQ", b"OB")
    assert scan(data).warnings == ("Pixel data are encapsulated though the transfer syntax is not",)


def test_c7_deflated_declared_plain_sent():
    assert "deflated" in refused(IDENTITY + bytes(100), uids.DEFLATED_EXPLICIT_VR_LE)


@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\xff" * 64, b"\x89PNG\r\n\x1a\n" * 9, bytes(64), b"%PDF-1.4 ... "],
)
@pytest.mark.parametrize("ts", (*ENCODINGS, uids.JPEG_BASELINE, uids.DEFLATED_EXPLICIT_VR_LE))
def test_c7_garbage(garbage, ts):
    refused(garbage, ts)


# --- C9: cut at every boundary ---


def encapsulated():
    fragments = item(b"\0\0\0\0") + item(b"JPEG" * 5) + item(b"more")
    return IDENTITY + seq(PIXELS, fragments, defined=False).replace(b"SQ", b"OB")


def boundaries(data, complete):
    """Every length at which `data` may be cut and is then not a whole data set."""
    return [n for n in range(1, len(data)) if n not in complete]


def test_c9_encapsulated_pixel_data_cut_anywhere():
    data = encapsulated()
    first = len(el(STUDY, "UI", b"1.2.3\0"))
    assert scan(data, uids.JPEG_BASELINE).warnings == ()
    for cut in boundaries(data, {first, len(IDENTITY)}):
        assert "cut short" in refused(data[:cut], uids.JPEG_BASELINE), cut


@pytest.mark.parametrize("ts", (*ENCODINGS, uids.DEFLATED_EXPLICIT_VR_LE))
def test_c9_native_pixel_data_cut_anywhere(ts):
    inner = uids.EXPLICIT_VR_LE if ts == uids.DEFLATED_EXPLICIT_VR_LE else ts
    first = el(STUDY, "UI", b"1.2.3\0", inner)
    second = first + seq(0x00400275, item(el(0x00080100, "SH", b"AB", inner), inner, False), inner, False)
    data = second + el(PIXELS, "OW", bytes(40), inner)
    if ts == uids.DEFLATED_EXPLICIT_VR_LE:
        packer = zlib.compressobj(wbits=-15)
        data = packer.compress(data) + packer.flush()
    complete = set() if ts == uids.DEFLATED_EXPLICIT_VR_LE else {len(first), len(second)}
    assert scan(data, ts).pixel_data_offset == len(second)
    for cut in boundaries(data, complete):
        assert "cut short" in refused(data[:cut], ts), cut


def test_c9_pixel_data_cut_at_the_edge_of_a_feed():
    scanner = HeaderScanner(uids.EXPLICIT_VR_LE)
    scanner.feed(IDENTITY + head(PIXELS, "OW", 1_000_000))
    scanner.feed(bytes(999_999))
    with pytest.raises(LeadglassError):
        scanner.finish()


def test_c9_padding_behind_the_last_attribute_is_noted():
    assert scan(IDENTITY + b"\0").warnings == ("Padding follows the last attribute",)
    assert "cut short" in refused(IDENTITY + b"\x08")


# --- C10 and C1: claims and bombs cost nothing ---


@pytest.mark.parametrize("ts", ENCODINGS)
def test_c10_a_claim_of_4_gib_takes_no_memory(ts):
    data = el(STUDY, "UI", b"1.2.3\0", ts) + head(PIXELS, "OW", 0xFFFFFFFE, ts)
    scanner = HeaderScanner(ts)
    scanner.feed(data)
    piece = bytes(MIB)
    tracemalloc.start()
    for _ in range(200):
        scanner.feed(piece)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 * 1024
    with pytest.raises(LeadglassError):
        scanner.finish()


def test_c10_a_claim_on_a_catalogued_value_takes_no_memory():
    scanner = HeaderScanner(uids.IMPLICIT_VR_LE)
    scanner.feed(head(0x00100010, "PN", 0xFFFFFFF0, uids.IMPLICIT_VR_LE))
    piece = bytes(64 * 1024)
    tracemalloc.start()
    for _ in range(100):
        scanner.feed(piece)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 * 1024


def test_c10_a_captured_sequence_is_let_go_when_it_is_too_long():
    content = b"".join(item(el(0x00080104, "LO", b"x" * 1000)) for _ in range(100))
    found = scan(seq(0x00081032, content, defined=False) + IDENTITY)
    assert len(content) > MAX_INDEXED_VALUE
    assert 0x00081032 not in found.values
    assert found.warnings == ("A value is too long for the catalog",)


def deflate_bomb(size):
    packer = zlib.compressobj(9, wbits=-15)
    out = [packer.compress(IDENTITY + head(PIXELS, "OW", size))]
    zeros = bytes(MIB)
    out += [packer.compress(zeros) for _ in range(size // MIB)]
    return b"".join(out) + packer.flush()


def test_c1_a_deflate_bomb_is_refused_in_bounded_memory():
    bomb = deflate_bomb(200 * MIB)
    assert len(bomb) < 250_000
    tracemalloc.start()
    assert "inflates beyond" in refused(bomb, uids.DEFLATED_EXPLICIT_VR_LE)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * MIB


def test_c1_an_honest_deflated_image_passes():
    found = scan(deflate_bomb(32 * MIB), uids.DEFLATED_EXPLICIT_VR_LE)
    assert text_of(found, STUDY) == "1.2.3"
    assert found.warnings == ()


def test_c1_bytes_behind_a_deflated_stream():
    packer = zlib.compressobj(wbits=-15)
    data = packer.compress(IDENTITY) + packer.flush()
    assert scan(data + b"\0", uids.DEFLATED_EXPLICIT_VR_LE).warnings == ()
    assert scan(data + b"script", uids.DEFLATED_EXPLICIT_VR_LE).warnings == ("Bytes follow the deflated stream",)


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 65_536])
@pytest.mark.parametrize(("behind", "noted"), [(b"", False), (b"\0", False), (b"\0\0", True), (b"x", True)])
def test_c1_what_is_behind_a_deflated_stream_is_judged_once_however_it_comes_in(behind, noted, piece):
    packer = zlib.compressobj(wbits=-15)
    data = packer.compress(IDENTITY) + packer.flush() + behind
    warnings = scan(data, uids.DEFLATED_EXPLICIT_VR_LE, piece).warnings
    assert warnings == (("Bytes follow the deflated stream",) if noted else ())


def test_c1_the_padding_byte_of_a_deflated_stream_in_a_feed_of_its_own():
    data = base64.b64decode("AwLjYGBlcA5gZXAO5pUwAJAA")[2:]  # found by fuzzing
    whole = scan(data, uids.DEFLATED_EXPLICIT_VR_LE)
    assert scan(data, uids.DEFLATED_EXPLICIT_VR_LE, 3) == whole
    assert scan(data, uids.DEFLATED_EXPLICIT_VR_LE, 1) == whole


# --- what services rely on ---


def test_identified_only_when_the_value_is_whole():
    scanner = HeaderScanner(uids.EXPLICIT_VR_LE)
    scanner.feed(el(0x00100020, "LO", b"ID") + IDENTITY[:10])
    assert not scanner.identified
    scanner.feed(IDENTITY[10:14])
    assert scanner.identified
    assert text_of(scanner.partial, STUDY) == "1.2.3"
    assert text_of(scanner.partial, 0x00100020) == "ID"


def test_identified_when_it_was_passed():
    scanner = HeaderScanner(uids.EXPLICIT_VR_LE)
    scanner.feed(el(0x00100020, "LO", b"ID") + el(ROWS, "US", b"\0\2"))
    assert scanner.identified
    assert text_of(scanner.partial, STUDY) == ""


@pytest.mark.parametrize("ts", ENCODINGS)
@pytest.mark.parametrize("defined", [True, False])
@pytest.mark.parametrize("piece", [1, 5, 65_536])
def test_sequences_are_kept_as_explicit_little_endian(ts, defined, piece):
    code = el(0x00080100, "SH", b"AB", ts) + el(0x00080104, "LO", b"Chest ", ts)
    data = seq(0x00081032, item(code, ts, defined), ts, defined) + el(STUDY, "UI", b"1.2.3\0", ts)
    found = scan(data, ts, piece)
    vr, raw = found.values[0x00081032]
    assert vr == "SQ"
    assert el(0x00080100, "SH", b"AB") + el(0x00080104, "LO", b"Chest ") in raw
    assert raw.startswith(b"\xfe\xff\x00\xe0")


def test_big_endian_numbers_are_kept_little_endian():
    data = el(STUDY, "UI", b"1\0", uids.EXPLICIT_VR_BE) + el(ROWS, "US", b"\x02\x00", uids.EXPLICIT_VR_BE)
    assert scan(data, uids.EXPLICIT_VR_BE).values[ROWS] == ("US", b"\x00\x02")


def test_an_unknown_transfer_syntax():
    with pytest.raises(LeadglassError):
        HeaderScanner("1.2.3.4")


def test_an_empty_data_set_is_for_services_to_judge():
    assert scan(b"").values == {}


# --- mutations: nothing but UNPARSABLE is ever raised, and the size of the pieces does not matter ---


def rich(ts):
    code = el(0x00080100, "SH", b"AB", ts) + el(0x00080104, "LO", b"Chest ", ts)
    data = el(0x00080000, "UL", b"\x10\0\0\0", ts) + el(0x00080060, "CS", b"CT", ts)
    data += seq(0x00081032, item(code, ts, False) + item(code, ts), ts, False) + seq(
        0x00081140, item(nested(3, ts, True), ts), ts
    )
    data += el(0x00100010, "PN", b"A^B ", ts) + el(STUDY, "UI", b"1.2.3\0", ts) + el(0x00291010, "UN", b"abcdefgh", ts)
    return data + el(ROWS, "US", b"\0\2", ts) + el(PIXELS, "OW", bytes(16), ts)


def outcome(data, ts, piece):
    try:
        return scan(data, ts, piece)
    except LeadglassError as error:
        assert error.code is ErrorCode.UNPARSABLE
        return error.code


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(ENCODINGS),
    st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=4), st.integers(0, 8)), max_size=4),
    st.sampled_from([1, 3, 50]),
)
def test_mutated_data_sets(ts, edits, piece):
    data = bytearray(rich(ts))
    assert outcome(bytes(data), ts, 65_536).elements > 8
    for at, new, dropped in edits:
        data[at : at + dropped] = new
    assert outcome(bytes(data), ts, piece) == outcome(bytes(data), ts, 65_536)

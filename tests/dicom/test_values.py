"""The neutral form and data set bytes turn into each other without loss, in every native transfer syntax."""

import io
import math

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.core.attributes import Attribute
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MAX_IDENTIFIER_LENGTH
from leadglass.core.records import HeaderValue
from leadglass.dicom import uids
from leadglass.dicom.dictionary import tag_of
from leadglass.dicom.part10 import build_file_header
from leadglass.dicom.scan import HeaderScanner
from leadglass.dicom.values import decode_value, read_attributes, write_attributes

NATIVE = [uids.EXPLICIT_VR_LE, uids.IMPLICIT_VR_LE, uids.EXPLICIT_VR_BE, uids.DEFLATED_EXPLICIT_VR_LE]

word = st.text(st.sampled_from("abcXYZ 019.äöüΔ山田*?-"), min_size=1, max_size=12).map(str.strip).filter(bool)
ascii_word = st.text(st.sampled_from("ABCXYZ019_ "), min_size=1, max_size=12).map(str.strip).filter(bool)


def attribute(keyword, vr, values):
    return st.tuples(st.just(tag_of(keyword)), values.map(lambda v: Attribute(vr, tuple(v))))


def many(strategy, most=4):
    return st.lists(strategy, max_size=most)


def numbers(low, high):
    return many(st.integers(low, high).map(str))


LEAVES = st.one_of(
    attribute("PatientName", "PN", st.lists(word, max_size=1)),
    attribute("StudyDescription", "LO", st.lists(word, max_size=1)),
    attribute("OtherPatientNames", "PN", many(word)),
    attribute("ModalitiesInStudy", "CS", many(ascii_word)),
    attribute("StudyInstanceUID", "UI", many(st.sampled_from(["1.2.3", "1.2.34"]))),
    attribute("ImageComments", "LT", st.lists(word, max_size=1)),
    attribute("Rows", "US", numbers(0, 65_535)),
    attribute("ReferencePixelX0", "SL", numbers(-(2**31), 2**31 - 1)),
    attribute("SimpleFrameList", "UL", numbers(0, 2**32 - 1)),
    attribute("ExtendedOffsetTable", "OV", st.lists(st.binary(min_size=8, max_size=8), max_size=1)),
    attribute("FrameIncrementPointer", "AT", many(st.sampled_from(["00181063", "7FE00010"]))),
    attribute("RealWorldValueSlope", "FD", many(st.floats(allow_nan=False).map(repr))),
    attribute(
        "RecommendedDisplayFrameRateInFloat", "FL", st.lists(st.sampled_from(["0.1", "1.5", "3e+38"]), max_size=1)
    ),
    attribute(
        "EncapsulatedDocument",
        "OB",
        st.lists(st.binary(min_size=2, max_size=8).filter(lambda b: len(b) % 2 == 0), max_size=1),
    ),
)
TREES = st.recursive(
    st.dictionaries(st.just(0), st.nothing()) | st.lists(LEAVES, max_size=6).map(dict),
    lambda inner: st.tuples(
        st.lists(LEAVES, max_size=3),
        st.sampled_from(["RequestAttributesSequence", "ProcedureCodeSequence"]),
        st.lists(inner, max_size=3),
    ).map(lambda t: dict([*t[0], (tag_of(t[1]), Attribute("SQ", tuple(t[2])))])),
    max_leaves=8,
)


def comparable(attributes):
    """Without (0008,0005), which writing adds, and with numbers as written in one way."""
    out = {}
    for tag, a in sorted(attributes.items()):
        if tag != 0x00080005:
            out[tag] = (a.vr, tuple(comparable(v) if a.vr == "SQ" else v for v in a.values))
    return out


@settings(max_examples=150, deadline=None)
@given(TREES, st.sampled_from(NATIVE))
def test_what_is_written_reads_back(attributes, ts):
    data = write_attributes(attributes, ts, "ISO_IR 192")
    found = read_attributes(data, ts)
    assert comparable(found) == comparable(attributes)
    assert list(found) == sorted(found)
    scanner = HeaderScanner(ts)
    scanner.feed(data)
    assert scanner.finish().warnings == ()


@settings(max_examples=80, deadline=None)
@given(TREES)
def test_pydicom_reads_what_is_written(attributes):
    head = build_file_header(uids.CT_IMAGE, "1.2.3", uids.EXPLICIT_VR_LE)
    found = pydicom.dcmread(io.BytesIO(head + write_attributes(attributes, uids.EXPLICIT_VR_LE, "ISO_IR 192")))
    assert {int(e.tag) for e in found} - {0x00080005} == set(attributes) - {0x00080005}
    if 0x00100010 in attributes and attributes[0x00100010].values:
        assert str(found.PatientName) == attributes[0x00100010].values[0]


def test_character_set_is_written_where_it_is_needed():
    plain = {0x00100010: Attribute("PN", ("DOE^JOHN",))}
    assert 0x00080005 not in read_attributes(
        write_attributes(plain, uids.IMPLICIT_VR_LE, "ISO_IR 192"), uids.IMPLICIT_VR_LE
    )
    greek = {0x00400275: Attribute("SQ", ({0x00400007: Attribute("LO", ("Δ",))},))}
    data = write_attributes(greek, uids.IMPLICIT_VR_LE, "ISO_IR 126")
    found = read_attributes(data, uids.IMPLICIT_VR_LE)
    assert found[0x00080005].values == ("ISO_IR 126",)
    assert found[0x00400275].values[0][0x00400007].values == ("Δ",)


def test_an_item_may_have_its_own_character_set():
    item = write_attributes({0x00400007: Attribute("LO", ("Δ",))}, uids.EXPLICIT_VR_LE, "ISO_IR 126")
    raw = b"\xfe\xff\x00\xe0" + len(item).to_bytes(4, "little") + item
    found = decode_value(HeaderValue("SQ", raw), ("ISO_IR 100",))
    assert found.values[0][0x00400007].values == ("Δ",)


def test_a_missing_character_set_is_assumed():
    data = b"\x10\x00\x10\x00PN\x02\x00\xc4 "
    assert read_attributes(data, uids.EXPLICIT_VR_LE)[0x00100010].values == ("Ä",)
    assert read_attributes(data, uids.EXPLICIT_VR_LE, "ISO_IR 126")[0x00100010].values == ("Δ",)


@pytest.mark.parametrize(
    ("value", "values"),
    [
        (HeaderValue("LO", b" A \\ B "), ("A", "B")),
        (HeaderValue("LO", b"A\\\\B "), ("A", "", "B")),
        (HeaderValue("LO", b"    "), ()),
        (HeaderValue("LO", b""), ()),
        (HeaderValue("UI", b"1.2\\1.3\0"), ("1.2", "1.3")),
        (HeaderValue("UI", b"1.2 \0"), ("1.2",)),
        (HeaderValue("LT", b" keep \\ this "), (" keep \\ this",)),
        (HeaderValue("US", b"\x00\x02\x01"), ("512",)),
        (HeaderValue("AT", b"\x18\x00\x63\x10"), ("00181063",)),
        (HeaderValue("FL", b"\xcd\xcc\xcc\x3d"), ("0.1",)),
        (HeaderValue("UN", b"\1\2"), (b"\1\2",)),
        (HeaderValue("ZZ", b"text"), (b"text",)),
        (HeaderValue("SQ", b""), ()),
    ],
)
def test_decode_value(value, values):
    assert decode_value(value, ("ISO_IR 100",)).values == values


def test_numbers_of_no_finite_size_are_text_too():
    raw = b"\x00\x00\x80\x7f\x00\x00\xc0\x7f"
    first, second = decode_value(HeaderValue("FL", raw), ()).values
    assert math.isinf(float(first))
    assert math.isnan(float(second))


def test_a_list_of_uids_too_long_for_its_vr_is_still_read():
    uid_list = Attribute("UI", tuple(f"1.2.3.{n}" for n in range(20_000)))
    for ts in NATIVE:
        data = write_attributes({0x0020000D: uid_list}, ts, "")
        assert read_attributes(data, ts)[0x0020000D] == uid_list


def test_what_cannot_be_written():
    for attributes in (
        {0x00280010: Attribute("US", ("70000",))},
        {0x00280010: Attribute("US", ("x",))},
        {0x00100010: Attribute("PN", ("山",))},
        {0x00080060: Attribute("CS", ("Ä",))},
    ):
        with pytest.raises(LeadglassError) as caught:
            write_attributes(attributes, uids.EXPLICIT_VR_LE, "ISO_IR 100")
        assert caught.value.code is ErrorCode.CANNOT_CONVERT


def test_bounds():
    with pytest.raises(LeadglassError) as caught:
        read_attributes(bytes(MAX_IDENTIFIER_LENGTH + 1), uids.IMPLICIT_VR_LE)
    assert caught.value.code is ErrorCode.UNPARSABLE
    deep = {}
    for _ in range(66):
        deep = {0x00400275: Attribute("SQ", (deep,))}
    with pytest.raises(LeadglassError):
        write_attributes(deep, uids.EXPLICIT_VR_LE, "")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(NATIVE))
def test_noise_is_refused_or_read(noise, ts):
    for data in (noise, b"\x08\x00\x05\x00CS" + noise, b"\x08\x00\x40\x11SQ\x00\x00\xff\xff\xff\xff" + noise):
        try:
            read_attributes(data, ts)
        except LeadglassError as error:
            assert error.code is ErrorCode.UNPARSABLE

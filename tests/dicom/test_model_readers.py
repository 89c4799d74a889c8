"""Metadata from clients: what is well meant is understood, what is hostile is refused with our error and at no cost."""

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass.core.attributes import Attribute
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MAX_MODEL_DOCUMENT, MAX_NESTING
from leadglass.dicom.json_model import json_maker
from leadglass.dicom.json_reader import read_json
from leadglass.dicom.model_reader import BulkReference
from leadglass.dicom.model_writer import Bulk, Fragments, data_set_pieces
from leadglass.dicom.uids import EXPLICIT_VR_LE, JPEG_BASELINE
from leadglass.dicom.values import read_attributes
from leadglass.dicom.xml_reader import read_xml


def one(**attributes) -> bytes:
    """A document of attributes t00100010=..."""
    return json.dumps({key[1:]: value for key, value in attributes.items()}).encode()


def value(vr: str, *values):
    return read_json(one(t00091001={"vr": vr, "Value": list(values)}))[0].attributes[0x00091001].values


def xml(content: str) -> bytes:
    return f'<NativeDicomModel xml:space="preserve">{content}</NativeDicomModel>'.encode()


def attribute(tag: str, vr: str, content: str) -> bytes:
    return xml(f'<DicomAttribute tag="{tag}" vr="{vr}">{content}</DicomAttribute>')


def refused_json(document: bytes):
    with pytest.raises(LeadglassError) as caught:
        read_json(document)
    assert caught.value.code is ErrorCode.UNPARSABLE


def refused_xml(document: bytes):
    with pytest.raises(LeadglassError) as caught:
        read_xml(document)
    assert caught.value.code is ErrorCode.UNPARSABLE


@pytest.mark.parametrize(
    ("vr", "given", "expected"),
    [
        ("DS", [1.5, 0.1 + 0.2, 1e-300, "1.50", None, -1234567890.123456789], ("1.5", "0.3", "1e-300", "1.50", "",
                                                                            "-1234567890.1235")),
        ("IS", [1, 2.0, "+3", None], ("1", "2", "+3", "")),
        ("US", [1, "2", 3.0], ("1", "2", "3")),
        ("UV", [2**64 - 1, str(2**64 - 1)], (str(2**64 - 1),) * 2),
        ("FD", [1, "NaN", "-Infinity", None], ("1.0", "nan", "-inf", "nan")),
        ("AT", ["0010abcd"], ("0010ABCD",)),
        ("PN", [{"Alphabetic": "A^B", "Phonetic": "C"}, "D^E", None, {}], ("A^B==C", "D^E", "", "")),
        ("LO", ["a", None, "b"], ("a", "", "b")),
    ],
)  # fmt: skip
def test_json_values_as_clients_write_them(vr, given, expected):
    assert value(vr, *given) == expected


@pytest.mark.parametrize(
    "document",
    [
        b"", b"{", b"nul", b"[1]", b'"x"', b"\xff\xfe", b'{"00100010": null}', b'{"00100010": []}', b'{"00100010": {}}',
        b'{"00100010": {"vr": "XX"}}', b'{"00100010": {"vr": ["PN"]}}', b'{"PatientName": {"vr": "PN"}}',
        b'{"0010001": {"vr": "PN"}}', b'{"00100010": {"vr": "PN"}, "00100010": {"vr": "PN"}}',
        b'{"0010001a": {"vr": "PN"}, "0010001A": {"vr": "PN"}}', b'{"FFFEE000": {"vr": "UN"}}',
        b'{"00091001": {"vr": "FD", "Value": [NaN]}}', b'{"00091001": {"vr": "FD", "Value": [Infinity]}}',
        b'{"00091001": {"vr": "FD", "Value": ["1,5"]}}', b'{"00091001": {"vr": "US", "Value": [1.5]}}',
        b'{"00091001": {"vr": "US", "Value": [null]}}', b'{"00091001": {"vr": "US", "Value": [true]}}',
        b'{"00091001": {"vr": "AT", "Value": ["1"]}}', b'{"00091001": {"vr": "LO", "Value": "x"}}',
        b'{"00091001": {"vr": "LO", "Value": [[]]}}', b'{"00091001": {"vr": "PN", "Value": [{"Alphabetic": 1}]}}',
        b'{"00091001": {"vr": "OB", "Value": ["AA=="]}}', b'{"00091001": {"vr": "OB", "InlineBinary": "A"}}',
        b'{"00091001": {"vr": "OB", "InlineBinary": "AA==", "BulkDataURI": "x"}}',
        b'{"00091001": {"vr": "SQ", "Value": ["x"]}}', b'{"00091001": {"vr": "SQ", "BulkDataURI": "x"}}',
        b'{"00091001": {"vr": "OB", "BulkDataURI": ""}}', b'{"00091001": {"vr": "OB", "BulkDataURI": 1}}',
        b'{"00080005": {"vr": "CS", "BulkDataURI": "x"}}',
        b'{"00091001": {"vr": "OB", "BulkDataURI": "' + b"x" * 3000 + b'"}}',
        b"[" * 100_000, b'{"a":' * 100_000, b"1" * 100_000, b"{}," * 2_000_000,
    ],
    ids=lambda d: d[:60],
)  # fmt: skip
def test_json_that_is_refused(document):
    refused_json(document)


def nested_json(depth: int) -> bytes:
    inner = '{"vr":"SQ"}'
    for _ in range(depth):
        inner = f'{{"vr":"SQ","Value":[{{"00081140":{inner}}}]}}'
    return f'{{"00081140":{inner}}}'.encode()


def nested_xml(depth: int) -> bytes:
    head, tail = '<DicomAttribute tag="00081140" vr="SQ"><Item number="1">', "</Item></DicomAttribute>"
    return xml(head * depth + tail * depth)


def test_nesting_is_bounded_in_both():
    for read, document in ((read_json, nested_json), (lambda d: [read_xml(d)], nested_xml)):
        assert b"".join(data_set_pieces(read(document(MAX_NESTING))[0], pytest.fail))
        for depth in (MAX_NESTING + 1, 5_000):
            with pytest.raises(LeadglassError):
                read(document(depth))


def test_long_documents_are_refused_unread():
    document = b'{"00091001":{"vr":"UT","Value":["' + b"x" * MAX_MODEL_DOCUMENT + b'"]}}'
    for refused in (refused_json, refused_xml):
        refused(document)


def test_many_small_values_cost_little():
    """Neither braces nor commas nor numbers of values make more of themselves than a few hundred MB."""
    document = b'[{"00091001":{"vr":"LO","Value":[' + b'"",' * 1_000_000 + b'""]}}]'
    tracemalloc.start()
    read_json(document)
    refused_json(b"[" + b"[]," * 3_000_000 + b"[]]")
    refused_xml(xml('<DicomAttribute tag="00091001" vr="LO"><Value number="99999999"/></DicomAttribute>'))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100 * 2**20


@pytest.mark.parametrize(
    "document",
    [
        b"", b"<a/>", b"not xml", xml("<Value/>"), xml('<DicomAttribute vr="LO"/>'),
        xml('<DicomAttribute tag="00100010"/>'),
        xml('<DicomAttribute tag="00100010" vr="ZZ"/>'), xml('<DicomAttribute tag="00100010" vr="PN"/>' * 2),
        xml('<DicomAttribute tag="00091001" vr="LO"><Value number="2"/><Value number="1"/></DicomAttribute>'),
        xml('<DicomAttribute tag="00091001" vr="LO"><Value number="0"/></DicomAttribute>'),
        attribute("00091001", "LO", "<Value>a</Value><InlineBinary>AA==</InlineBinary>"),
        xml('<DicomAttribute tag="00091001" vr="OB"><InlineBinary>A</InlineBinary></DicomAttribute>'),
        xml('<DicomAttribute tag="00091001" vr="OB"><BulkData/></DicomAttribute>'),
        xml('<DicomAttribute tag="00091001" vr="SQ"><Value>a</Value></DicomAttribute>'),
        xml('<DicomAttribute tag="00091001" vr="LO"><Item/></DicomAttribute>'),
        attribute("00100010", "PN", "<PersonName><Alphabetic/><Alphabetic/></PersonName>"),
        xml('<DicomAttribute tag="00091001" vr="US"><Value>x</Value></DicomAttribute>'),
        xml('<x:DicomAttribute xmlns:x="urn:other" tag="00091001" vr="US"/>'),
        b'<!DOCTYPE a [<!ENTITY b "c">]><NativeDicomModel/>', b"<!DOCTYPE NativeDicomModel><NativeDicomModel/>",
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><NativeDicomModel/>', xml("&undefined;"),
        b'<?xml version="1.0" encoding="x-unknown"?><NativeDicomModel/>',
        b'<?xml version="1.0" encoding="shift_jis"?><NativeDicomModel/>', xml("\x0c"), xml("<a>" * 100_000),
    ],
    ids=lambda d: d[:90],
)  # fmt: skip
def test_xml_that_is_refused(document):
    refused_xml(document)


def test_xml_as_other_programs_write_it():
    document = """<?xml version="1.0" encoding="ISO-8859-1"?>
    <NativeDicomModel xml:space="preserve">
      <DicomAttribute tag="00080005" vr="CS"><Value number="1">ISO_IR 100</Value></DicomAttribute>
      <DicomAttribute tag="00090010" vr="LO"><Value number="1">ACME</Value></DicomAttribute>
      <DicomAttribute tag="00090001" vr="LO" privateCreator="ACME"><Value number="1">&lt;a&gt;</Value></DicomAttribute>
      <DicomAttribute tag="00090002" vr="LO" privateCreator="OTHER"><Value number="3">c</Value></DicomAttribute>
      <DicomAttribute tag="00100010" vr="PN" keyword="PatientName"><PersonName number="1">
        <Alphabetic><FamilyName>M\u00fcller</FamilyName><GivenName>Eva</GivenName></Alphabetic>
        <Phonetic><FamilyName>x</FamilyName></Phonetic>
      </PersonName></DicomAttribute>
      <DicomAttribute tag="7FE00010" vr="OW"><BulkData uuid="1-2"/></DicomAttribute>
    </NativeDicomModel>""".encode("latin-1")
    model = read_xml(document)
    assert model.attributes == {
        0x00080005: Attribute("CS", ("ISO_IR 192",)),
        0x00090010: Attribute("LO", ("ACME",)),
        0x00090011: Attribute("LO", ("OTHER",)),
        0x00091001: Attribute("LO", ("<a>",)),
        0x00091102: Attribute("LO", ("", "", "c")),
        0x00100010: Attribute("PN", ("M\u00fcller^Eva==x",)),
        0x7FE00010: Attribute("OW"),
    }
    assert model.references == (BulkReference("7FE00010", 0x7FE00010, "OW", "1-2"),)


# --- writing ---

IMAGE = json.dumps(
    {
        "00020010": {"vr": "UI", "Value": ["1.2.840.10008.1.2.1"]},
        "00080000": {"vr": "UL", "Value": [4]},
        "7FE00010": {"vr": "OW", "BulkDataURI": "pixels"},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Müller"}]},
        "00081140": {"vr": "SQ", "Value": [{}, {"00091001": {"vr": "US", "BulkDataURI": "inner"},
                                                "00080005": {"vr": "CS", "Value": ["ISO_IR 100"]}}]},
        "FFFAFFFA": {"vr": "SQ"},
    }
).encode()  # fmt: skip


def test_bulk_data_in_their_places():
    (model,) = read_json(b"[" + IMAGE + b"]")
    assert model.transfer_syntax_uid == "1.2.840.10008.1.2.1"
    assert {(r.path, r.uri) for r in model.references} == {("7FE00010", "pixels"), ("00081140/2/00091001", "inner")}
    bulk = {"pixels": Bulk(5, [b"ab", b"", b"cde"]), "inner": Bulk(4, iter([b"\1\0\2\0"]))}
    data = b"".join(data_set_pieces(model, lambda reference: bulk[reference.uri]))
    found = read_attributes(data, EXPLICIT_VR_LE)
    assert list(found) == [0x00080005, 0x00081140, 0x00100010, 0x7FE00010, 0xFFFAFFFA]
    assert found[0x7FE00010].values == (b"abcde\0",)
    assert found[0x00100010].values == ("Müller",)
    assert found[0x00081140].values == ({}, {0x00091001: Attribute("US", ("1", "2"))})


def test_compressed_frames_become_fragments():
    (model,) = read_json(b'{"7FE00010": {"vr": "OW", "BulkDataURI": "x"}}')
    frames = Fragments([Bulk(3, [b"abc"]), Bulk(2, [b"d", b"e"])])
    data = b"".join(data_set_pieces(model, lambda reference: frames))
    layout = json_maker().make(lambda s, n: data[s : s + n], JPEG_BASELINE, "", length=len(data)).layout
    assert layout.encapsulated
    assert data.endswith(b"\xfe\xff\x00\xe0\4\0\0\0abc\0\xfe\xff\x00\xe0\2\0\0\0de\xfe\xff\xdd\xe0\0\0\0\0")


@pytest.mark.parametrize(
    "answer",
    [Bulk(3, [b"ab"]), Bulk(3, [b"abcd"]), Bulk(-1, []), Bulk(2**32, []), Fragments([Bulk(2**33, [])])],
    ids=["short", "long", "negative", "too long", "frame too long"],
)
def test_bulk_data_that_lie(answer):
    (model,) = read_json(b'{"7FE00010": {"vr": "OW", "BulkDataURI": "x"}}')
    with pytest.raises(LeadglassError) as caught:
        list(data_set_pieces(model, lambda reference: answer))
    assert caught.value.code is ErrorCode.UNPARSABLE


def test_fragments_elsewhere_and_large_items_are_refused():
    for document in ('{"00420011": %s}', '{"00081140": {"vr": "SQ", "Value": [{"7FE00010": %s}]}}'):
        (model,) = read_json((document % '{"vr": "OB", "BulkDataURI": "x"}').encode())
        with pytest.raises(LeadglassError):
            list(data_set_pieces(model, lambda reference: Fragments([])))
    with pytest.raises(LeadglassError):
        list(data_set_pieces(model, lambda reference: Bulk(2**30, iter([]))))


def test_what_dicom_cannot_carry_is_our_error():
    for entry in ({"vr": "CS", "Value": ["\u00fc"]}, {"vr": "US", "Value": ["70000"]}, {"vr": "LO", "Value": ["\x1b"]}):
        (model,) = read_json(one(t00091001=entry))
        with pytest.raises(LeadglassError):
            list(data_set_pieces(model, pytest.fail))


KEYS = ["00100010", "00091001", "00080005", "vr", "Value", "InlineBinary", "BulkDataURI", "x"]
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5) | st.sampled_from(["PN", "AAAA"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
)


@given(JSON)
def test_any_json_is_read_or_refused(found):
    try:
        models = read_json(json.dumps(found).encode())
        for model in models:
            b"".join(data_set_pieces(model, lambda reference: Bulk(0, [])))
    except LeadglassError:
        pass

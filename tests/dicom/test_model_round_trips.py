"""Data sets to JSON or XML and back: nothing is lost, and what is read from the one is what is read from the other."""

import json
import math
from base64 import b64decode

import pytest
from collection import collection
from hypothesis import given
from hypothesis import strategies as st

from leadglass.core.attributes import Attribute
from leadglass.dicom.bulk import find_bulk
from leadglass.dicom.json_model import attributes_json, json_maker
from leadglass.dicom.json_reader import read_json
from leadglass.dicom.model_writer import Bulk, Fragments, data_set_pieces
from leadglass.dicom.scan import HeaderScanner
from leadglass.dicom.scan_encoding import to_little_endian
from leadglass.dicom.uids import DEFLATED_EXPLICIT_VR_LE, EXPLICIT_VR_LE, JPEG_BASELINE
from leadglass.dicom.values import read_attributes, write_attributes
from leadglass.dicom.xml_model import attributes_xml, xml_maker
from leadglass.dicom.xml_reader import read_xml


def reader(data: bytes):
    return lambda start, length: data[start : start + length]


def refused(reference):
    pytest.fail("no bulk data were expected")


def through_json(data: bytes, syntax: str = EXPLICIT_VR_LE, bulk_above: int = 1024):
    return read_json(json_maker(bulk_above).make(reader(data), syntax, "x:", length=len(data)).document)[0]


def through_xml(data: bytes, syntax: str = EXPLICIT_VR_LE, bulk_above: int = 1024):
    return read_xml(xml_maker(bulk_above).make(reader(data), syntax, "x:", length=len(data)).document)


def finds(data: bytes, syntax: str):
    """Resolves references as a client would that had fetched them."""

    def resolve(reference):
        place = find_bulk(reader(data), syntax, reference.uri.removeprefix("x:"))
        raw = data[place.offset : place.offset + place.length]
        if place.encapsulated:
            return Fragments([Bulk(4, [b"\xff\xd8", b"\xff\xd9"])])
        return Bulk(len(raw), [raw if place.little else to_little_endian(place.vr, raw)])

    return resolve


# --- every file ---

REFUSED = {"DICOMDIR-nooffset", "MR_truncated.dcm", "SC_rgb_jpeg.dcm", "emri_small_jpeg_2k_lossless_too_short.dcm",
           "no_meta.dcm", "rtplan_truncated.dcm"}  # fmt: skip
# Of the files themselves, not of how they are written.
NOT_OURS = {
    "An attribute has another VR than the standard says",
    "An attribute has a group that does not belong in a data set",
}
FILES = [s for s in collection() if s.name not in REFUSED and s.syntax != DEFLATED_EXPLICIT_VR_LE]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("specimen", FILES, ids=lambda s: s.name)
def test_files_come_back(specimen):
    data, syntax = specimen.data, specimen.syntax
    first = json_maker().make(reader(data), syntax, "x:")
    again = JPEG_BASELINE if first.layout.encapsulated else EXPLICIT_VR_LE
    for through in (through_json, through_xml):
        model = through(data, syntax)
        written = b"".join(data_set_pieces(model, finds(data, syntax)))
        scanner = HeaderScanner(again)
        scanner.feed(written)
        assert not [w for w in scanner.finish().warnings if w not in NOT_OURS]
        second = json_maker().make(reader(written), again, "x:")
        assert told(second.document) == told(first.document)


def told(document: bytes) -> dict:
    """What a document says, apart from character sets and padding."""
    found = plain(json.loads(document))
    if "7FE00010" in found:
        found["7FE00010"].pop("vr")  # OB where it is compressed (PS3.5 A.4), whatever the file said
    return found


def plain(attributes: dict) -> dict:
    attributes.pop("00080005", None)
    for entry in attributes.values():
        if entry["vr"] == "SQ":
            entry["Value"] = [plain(item) for item in entry.get("Value", [])]
        if "InlineBinary" in entry:
            raw = b64decode(entry["InlineBinary"])
            entry["InlineBinary"] = raw + bytes(len(raw) % 2)
    return attributes


# --- made data sets ---

LETTERS = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\\^=\ufffe\uffff")
TEXT = st.text(LETTERS, min_size=1, max_size=9)
CLEAN = TEXT.map(str.strip).filter(bool)
NAME = st.lists(st.lists(CLEAN, min_size=1, max_size=5).map("^".join), min_size=1, max_size=3).map("=".join)


def several(one):
    return st.lists(one, min_size=1, max_size=4).map(tuple)


def holes(one):
    """Values with nothing between them, but not nothing alone."""
    return st.lists(one | st.just(""), min_size=1, max_size=4).filter(any).map(tuple)


def packed(vr, numbers):
    return several(numbers).map(lambda values: Attribute(vr, tuple(map(str, values))))


FLOATS = st.floats().map(lambda number: math.nan if math.isnan(number) else number)  # one of many patterns

PLAIN = st.one_of(
    holes(CLEAN).map(lambda v: Attribute("LO", v)),
    holes(NAME).map(lambda v: Attribute("PN", v)),
    st.text(st.characters(codec="utf-8", exclude_characters="\x1b\0"), min_size=1, max_size=9)
    .map(lambda t: t.rstrip(" ")).filter(bool).map(lambda t: Attribute("UT", (t,))),
    holes(st.integers(-(2**31), 2**31 - 1).map(str)).map(lambda v: Attribute("IS", v)),
    holes(st.decimals(-999, 999, places=3).map(str)).map(lambda v: Attribute("DS", v)),
    packed("US", st.integers(0, 2**16 - 1)),
    packed("SL", st.integers(-(2**31), 2**31 - 1)),
    packed("SV", st.integers(-(2**63), 2**63 - 1)),
    packed("FD", FLOATS),
    several(st.integers(0, 2**32 - 1).map("{:08X}".format)).map(lambda v: Attribute("AT", v)),
    st.binary(min_size=1, max_size=12).map(lambda b: Attribute("OB", (b + b"\0" * (len(b) % 2),))),
    st.sampled_from(["LO", "PN", "SQ", "OB", "DS", "FD"]).map(Attribute),
)  # fmt: skip
PUBLIC = st.sampled_from([0x00081030, 0x00100010, 0x00180050, 0x00200013, 0x0040A160, 0x00409098, 0x00720068])
PRIVATE = st.sampled_from([0x00091001, 0x000910FF, 0x00091101, 0x00110001, 0x00191001])
CREATORS = st.fixed_dictionaries(
    {}, optional={tag: st.sampled_from(["A", "B", 'Q"<&'])
                  .map(lambda name: Attribute("LO", (name,))) for tag in (0x00090010, 0x00090011, 0x00190010)}
)  # fmt: skip


def data_sets(attributes):
    public = st.dictionaries(PUBLIC | PRIVATE, attributes, max_size=5)
    return st.builds(lambda others, creators: {**others, **creators}, public, CREATORS)


DATA_SETS = data_sets(
    st.recursive(PLAIN, lambda inner: several(data_sets(inner)).map(lambda items: Attribute("SQ", items)), max_leaves=6)
)


@given(DATA_SETS, st.sampled_from([4, 1024]))
def test_bytes_come_back(attributes, bulk_above):
    data = write_attributes(attributes, EXPLICIT_VR_LE, "ISO_IR 192")
    for through in (through_json, through_xml):
        model = through(data, bulk_above=bulk_above)
        assert b"".join(data_set_pieces(model, finds(data, EXPLICIT_VR_LE))) == data


@given(DATA_SETS)
def test_answers_come_back(attributes):
    data = write_attributes(attributes, EXPLICIT_VR_LE, "ISO_IR 192")
    answer = read_attributes(data, EXPLICIT_VR_LE)
    for model in (read_json(attributes_json(answer))[0], read_xml(attributes_xml(answer))):
        assert b"".join(data_set_pieces(model, refused)) == data

"""Defects of values that are tolerated: named without a value of the object, and none where there is none."""

import pytest

from leadglass.core.records import HeaderValue
from leadglass.dicom.defects import value_defects
from leadglass.dicom.dictionary import tag_of, vr_of
from leadglass.dicom.scan import HeaderScan

CT, HANGING_PROTOCOL = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.38.1"
WELL = {
    "SpecificCharacterSet": b"ISO_IR 100",
    "SOPClassUID": CT.encode(),
    "SOPInstanceUID": b"1.2.0.3\0",
    "StudyDate": b"20240101",
    "StudyTime": b"",
    "AccessionNumber": b"",
    "ReferringPhysicianName": b"",
    "PatientName": b"M\xfcller^J\xf6rg",
    "PatientID": b"1",
    "PatientBirthDate": b"",
    "PatientSex": b"",
    "StudyInstanceUID": b"1.2.10",
    "SeriesInstanceUID": b"0.2.3",
    "StudyID": b"",
    "SeriesNumber": b"",
}


def defects(sop_class=CT, assumed="ISO_IR 100", **changes):
    values = {key: raw for key, raw in {**WELL, **changes}.items() if raw is not None}
    header = {tag_of(key): HeaderValue(vr_of(tag_of(key)), raw) for key, raw in values.items()}
    return value_defects(HeaderScan(header, (), None, len(header)), sop_class, assumed)


def test_an_object_without_defects_has_none():
    assert defects() == ()


@pytest.mark.parametrize(
    ("changes", "phrase"),
    [
        ({"SpecificCharacterSet": b"ISO_IR 999"}, "A character set is not known"),
        ({"SpecificCharacterSet": b"ISO-IR 100"}, "A character set is misspelt"),
        ({"SpecificCharacterSet": b"ISO_IR 192"}, "A text is not in its character set"),
        (
            {"PatientName": b"a\x1b$Zb", "SpecificCharacterSet": b"\\ISO 2022 IR 87"},
            "A text is not in its character set",
        ),
        ({"SpecificCharacterSet": None, "assumed": "ISO_IR 192"}, "A text is not in its character set"),
        ({"StudyInstanceUID": b"1.02.3"}, "A UID has leading zeros or an empty component"),
        ({"StudyInstanceUID": b"1..3"}, "A UID has leading zeros or an empty component"),
        ({"SOPInstanceUID": b"1.3."}, "A UID has leading zeros or an empty component"),
        ({"SOPInstanceUID": b"1.3 "}, "A UID has other padding than one NUL"),
        ({"SeriesInstanceUID": b"1.3\0\0\0"}, "A UID has other padding than one NUL"),
        ({"PatientSex": None, "StudyID": None}, "Missing: PatientSex, StudyID"),
    ],
)
def test_each_defect_has_its_phrase(changes, phrase):
    assert defects(**changes) == (phrase,)


def test_objects_without_a_patient_lack_nothing():
    assert defects(HANGING_PROTOCOL, PatientName=None, PatientID=None, StudyID=None) == ()

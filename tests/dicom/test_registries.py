"""The registries hold what the standard registers, and the order of acceptance is the one that is promised."""

import pytest
from pydicom._uid_dict import UID_dictionary

from leadglass.dicom import index_keys, uids
from leadglass.dicom.dictionary import keyword_of, tag_of, vr_of
from leadglass.dicom.sop_classes import STORAGE_SOP_CLASSES, is_patientless
from leadglass.dicom.transfer_syntaxes import TRANSFER_SYNTAXES, choose, lookup


def test_every_composite_storage_class_of_the_dictionary_is_there():
    wanted = {u for u, e in UID_dictionary.items() if e[1] == "SOP Class" and e[4].endswith("Storage")}
    wanted -= {uids.MEDIA_STORAGE_DIRECTORY}
    assert wanted <= STORAGE_SOP_CLASSES.keys()


@pytest.mark.parametrize(
    "uid", [uids.VERIFICATION, uids.STORAGE_COMMITMENT_PUSH, uids.MEDIA_STORAGE_DIRECTORY, uids.STUDY_ROOT_FIND]
)
def test_services_are_not_storage(uid):
    assert uid not in STORAGE_SOP_CLASSES


def test_retired_and_private_classes_are_kept():
    assert "1.2.840.10008.5.1.4.1.1.3" in STORAGE_SOP_CLASSES
    assert "1.3.12.2.1107.5.9.1" in STORAGE_SOP_CLASSES


def test_patientless():
    assert is_patientless("1.2.840.10008.5.1.4.39.1")
    assert not is_patientless(uids.CT_IMAGE)


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("1.2.840", True),
        ("1.02.3", True),
        ("1" * 64, True),
        ("1" * 65, False),
        ("", False),
        ("1.2a", False),
        ("1.2\n", False),
        ("1.2\0", False),
        ("../..", False),
        ("..", False),
        (".", False),
        ("1..2", True),
        ("١.٢", False),
    ],
)
def test_valid_uid(text, valid):
    assert uids.is_valid_uid(text) is valid


def test_implementation_identity_is_valid():
    assert uids.is_valid_uid(uids.IMPLEMENTATION_CLASS_UID)
    assert len(uids.IMPLEMENTATION_VERSION_NAME) <= 16


def test_layout_of_known_syntaxes():
    implicit = lookup(uids.IMPLICIT_VR_LE)
    assert implicit and not implicit.explicit_vr and not implicit.encapsulated
    big = lookup(uids.EXPLICIT_VR_BE)
    assert big and not big.little_endian and not big.encapsulated
    jpeg = lookup(uids.JPEG_BASELINE)
    assert jpeg and jpeg.encapsulated and jpeg.lossy
    ls = lookup(uids.JPEG_LS_LOSSLESS)
    assert ls and ls.encapsulated and not ls.lossy
    assert lookup("1.2.3") is None


def test_order_of_acceptance():
    lossy, lossless, other_lossless = uids.JPEG_BASELINE, uids.RLE_LOSSLESS, uids.JPEG_LS_LOSSLESS
    everything = [
        lossy,
        uids.EXPLICIT_VR_BE,
        uids.DEFLATED_EXPLICIT_VR_LE,
        lossless,
        other_lossless,
        uids.IMPLICIT_VR_LE,
        uids.EXPLICIT_VR_LE,
    ]
    order = []
    while everything:
        chosen = choose(everything)
        order.append(chosen)
        everything.remove(chosen)
    assert order == [
        uids.EXPLICIT_VR_LE,
        uids.IMPLICIT_VR_LE,
        lossless,
        other_lossless,
        uids.DEFLATED_EXPLICIT_VR_LE,
        uids.EXPLICIT_VR_BE,
        lossy,
    ]


def test_pixels_elsewhere_and_unknown_are_never_accepted():
    elsewhere = [uid for uid, syntax in TRANSFER_SYNTAXES.items() if syntax.pixels_elsewhere]
    assert len(elsewhere) == 7
    assert choose([*elsewhere, "1.2.3.4"]) is None


def test_a_device_may_narrow_what_is_accepted():
    assert choose([uids.EXPLICIT_VR_LE, uids.IMPLICIT_VR_LE], {uids.IMPLICIT_VR_LE}) == uids.IMPLICIT_VR_LE
    assert choose([uids.EXPLICIT_VR_LE], {uids.IMPLICIT_VR_LE}) is None


def test_dictionary():
    assert vr_of(tag_of("PatientName")) == "PN"
    assert keyword_of(0x00100010) == "PatientName"
    assert (vr_of(0x60003000), keyword_of(0x60020010)) == ("OW", "OverlayRows")
    assert vr_of(0x00290000) == "UL"
    assert vr_of(0x00290010) == "LO"
    assert vr_of(0x00291010) == "UN"
    assert keyword_of(0x00291010) == ""
    with pytest.raises(KeyError):
        tag_of("NoSuchKeyword")


def test_required_keys_are_catalogued():
    for keyword in (
        "PatientName",
        "PatientID",
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "SOPInstanceUID",
        "SOPClassUID",
    ):
        assert tag_of(keyword) in index_keys.ALL
    assert {0x00080005, 0x00080201, 0x00400275, 0x00081032, 0x00101002} <= index_keys.ALL

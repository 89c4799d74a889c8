"""Every storage SOP class is sorted by whether it has pictures; the names of the standard are the witness."""

from __future__ import annotations

import pytest
from pydicom._uid_dict import UID_dictionary

from leadglass.dicom.picture_kinds import PICTURED, PictureKind, picture_kind
from leadglass.dicom.sop_classes import STORAGE_SOP_CLASSES

ROOT = "1.2.840.10008.5.1.4.1.1."


def named(*words: str) -> dict[str, str]:
    """Registered storage classes whose name has one of these words."""
    return {
        uid: name
        for uid, name in STORAGE_SOP_CLASSES.items()
        if uid in UID_dictionary and any(word in name for word in words)
    }


@pytest.mark.parametrize("uid", named(" SR Storage", "Report", "Encapsulated", "Waveform", "Presentation State"))
def test_what_says_that_it_is_no_image_is_none(uid: str) -> None:
    assert picture_kind(uid) not in PICTURED, STORAGE_SOP_CLASSES[uid]


@pytest.mark.parametrize("uid", named("Image Storage"))
def test_what_says_that_it_is_an_image_is_one_or_a_film(uid: str) -> None:
    films = named("Video")
    expected = (PictureKind.FILM,) if uid in films else PICTURED
    assert picture_kind(uid) in expected, STORAGE_SOP_CLASSES[uid]


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        *(("2", PictureKind.IMAGE), ("481.1", PictureKind.IMAGE), ("481.5", PictureKind.PLAN)),
        *(("481.2", PictureKind.DERIVED), ("66.4", PictureKind.DERIVED), ("66", PictureKind.OTHER)),
        *(("7.4", PictureKind.CAPTURE), ("88.59", PictureKind.REPORT), ("104.1", PictureKind.DOCUMENT)),
        *(("104.3", PictureKind.MODEL), ("9.1.1", PictureKind.WAVEFORM), ("11.1", PictureKind.STATE)),
        *(("77.1.1.1", PictureKind.FILM), ("77.1.6", PictureKind.IMAGE), ("4.2", PictureKind.OTHER)),
        ("99999", PictureKind.UNKNOWN),
    ],
)
def test_kinds(number: str, kind: PictureKind) -> None:
    assert picture_kind(ROOT + number) is kind


def test_private_classes_may_have_pictures() -> None:
    assert picture_kind("1.2.840.113619.4.2") is PictureKind.UNKNOWN
    assert picture_kind("1.2.3") is PictureKind.UNKNOWN

"""What is written into pictures: a name in a script that can be written, and nothing that breaks a line."""

from __future__ import annotations

import numpy as np
import pytest
from objects import encoded
from pictures import grey_image

from leadglass.core.pictures import Grey, Window
from leadglass.dicom.annotation import Words
from leadglass.dicom.picture_header import read_picture_header
from leadglass.dicom.uids import EXPLICIT_VR_LE


def words(**attributes: object) -> Words:
    data = encoded(grey_image(np.zeros((2, 2), np.uint8), SpecificCharacterSet="ISO_IR 192", **attributes))
    return Words(read_picture_header(lambda at, n: data[at : at + n], EXPLICIT_VR_LE, len(data)), "ISO_IR 100")


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Notreal^Figment^Ann", ("Notreal Figment Ann",)),
        ("Παραδειγματίδης^Φανταστικός", ("Παραδειγματίδης Φανταστικός",)),
        ("Mihon^Kakuu=見本^架空=みほん^かくう", ("Mihon Kakuu",)),
        ("見本^架空=Mihon^Kakuu", ("Mihon Kakuu",)),
        ("ตัวอย่าง^สมมติ", ()),
        ("", ()),
        ("A" * 500, ("A" * 64,)),
    ],
)
def test_the_first_group_that_can_be_written(name: str, written: tuple[str, ...]) -> None:
    assert words(PatientName=name).patient() == written


def test_patient_and_technique() -> None:
    made = words(
        PatientName="Notreal^Figment",
        PatientID="LG-1",
        PatientBirthDate="19640209",
        PatientSex="F",
        Modality="CT",
        StudyDate="20240304",
        SeriesNumber=2,
        InstanceNumber=17,
        SliceThickness="3",
    )
    assert made.patient() == ("Notreal Figment", "LG-1", "1964-02-09 F")
    shown = made.technique(0, Grey(window=Window(40, 400)))
    assert shown == ("CT 2024-03-04", "Se 2 Im 17", "Th 3 mm", "C 40 W 400")


def test_control_characters_and_marks_of_direction_are_left_out() -> None:
    assert words(PatientID="a\u202eb\tc").patient() == ("a b c",)

"""The words that are written into a picture (PS3.18 8.3.5.1.1)."""

from __future__ import annotations

from typing import Final

from leadglass.core.pictures import Grey
from leadglass.dicom import picture_header as tags
from leadglass.dicom.charset import decode_text, parse_specific_character_set
from leadglass.dicom.picture_header import PictureHeader

_LONGEST: Final = 64  # characters of a line
# Latin, Greek, Cyrillic, Armenian, Hebrew and Arabic; Latin and Greek with more marks, punctuation
_WRITABLE: Final = ((0x20, 0x06FF), (0x1E00, 0x206F), (0xFB1D, 0xFDFF), (0xFE70, 0xFEFC))


class Words:
    """Texts of one header. `assumed_character_set` counts where it names none."""

    def __init__(self, header: PictureHeader, assumed_character_set: str) -> None:
        self._values = header.attributes.values
        self._frames = header.layout.number_of_frames
        self._sets, _ = parse_specific_character_set(
            self._values.get(tags.SPECIFIC_CHARACTER_SET), assumed_character_set
        )

    def patient(self) -> tuple[str, ...]:
        """Name, identifier, date of birth and sex. The name is left out if no group of it can be written."""
        groups = self._text(tags.PATIENT_NAME, "PN").split("=")
        name = next((group for group in groups if group and _can_be_written(group)), "")
        born = " ".join(filter(None, (_date(self._text(tags.BIRTH_DATE, "DA")), self._text(tags.SEX, "CS"))))
        return _lines(" ".join(name.split("^")), self._text(tags.PATIENT_ID, "LO"), born)

    def technique(self, frame: int, grey: Grey | None) -> tuple[str, ...]:
        """Study, series and image; slice; window."""
        number = f"Se {self._text(tags.SERIES_NUMBER, 'IS')} Im {self._text(tags.INSTANCE_NUMBER, 'IS')}"
        if self._frames > 1:
            number += f" Fr {frame + 1}/{self._frames}"
        place = [f"{name} {text} mm" for name, text in (
            ("Pos", self._text(tags.SLICE_LOCATION, "DS")), ("Th", self._text(tags.SLICE_THICKNESS, "DS"))
        ) if text]  # fmt: skip
        study = f"{self._text(tags.MODALITY, 'CS')} {_date(self._text(tags.STUDY_DATE, 'DA'))}"
        window = grey.window if grey is not None else None
        shown = f"C {window.center:g} W {window.width:g}" if window is not None else ""
        return _lines(study, self._text(tags.SERIES_DESCRIPTION, "LO"), number, "  ".join(place), shown)

    def _text(self, tag: int, vr: str) -> str:
        return decode_text(self._values.get(tag, b"")[:1024], vr, self._sets).strip(" \0")


def _can_be_written(text: str) -> bool:
    """Whether the font has these scripts (sandbox.lettering): a row of boxes names nobody."""
    return all(any(first <= ord(mark) <= last for first, last in _WRITABLE) for mark in text)


def _date(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if len(text) == 8 and text.isdigit() else ""


def _lines(*texts: str) -> tuple[str, ...]:
    """What can be printed of each, on one line."""
    plain = ("".join(mark if mark.isprintable() else " " for mark in text)[:_LONGEST].strip() for text in texts)
    return tuple(" ".join(text.split()) for text in plain if text)

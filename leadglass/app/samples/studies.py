"""Which sample studies there are: what each patient has, and in which transfer syntax it is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from pydicom.dataset import Dataset

from leadglass.app.samples.blank import Series, Study
from leadglass.app.samples.body import Body
from leadglass.app.samples.compress import compressed
from leadglass.app.samples.documents import encapsulated_pdf, structured_report
from leadglass.app.samples.enhanced import enhanced_ct
from leadglass.app.samples.head import SEQUENCES, Head
from leadglass.app.samples.images import (
    SLICE_MM,
    chest_radiograph,
    ct_series,
    heart_ultrasound,
    mr_series,
    scanned_page,
)
from leadglass.app.samples.patients import PATIENTS
from leadglass.dicom import uids

Recipe = Callable[[Study], Iterator[Dataset]]


def _ct(
    syntax: str = uids.EXPLICIT_VR_LE,
    slices: int = 8,
    start: float = 150.0,
    size: float = 1.0,
    step: float = SLICE_MM,
    *,
    nodule: bool = False,
) -> Recipe:
    def recipe(study: Study) -> Iterator[Dataset]:
        series = Series(study, 2, "CT", "Chest and upper belly, venous, 3 mm", "CHEST")
        body = Body(study.patient.key, size, nodule)
        for image in ct_series(series, body, [start + step * number for number in range(slices)]):
            yield compressed(image, syntax)

    return recipe


def _mr(syntax: str = uids.EXPLICIT_VR_LE, sequences: int = 4, slices: int = 24, *, lesion: bool = False) -> Recipe:
    def recipe(study: Study) -> Iterator[Dataset]:
        head = Head(study.patient.key, lesion)
        for number, sequence in enumerate(SEQUENCES[:sequences], 1):
            series = Series(study, number, "MR", sequence.description, "HEAD")
            for image in mr_series(series, head, sequence, slices):
                yield compressed(image, syntax)

    return recipe


def _chest(syntax: str = uids.EXPLICIT_VR_LE, size: float = 1.0) -> Recipe:
    def recipe(study: Study) -> Iterator[Dataset]:
        series = Series(study, 1, "DX", "Chest PA", "CHEST")
        yield compressed(chest_radiograph(series, Body(study.patient.key, size)), syntax)

    return recipe


def _heart(syntax: str = uids.EXPLICIT_VR_LE) -> Recipe:
    def recipe(study: Study) -> Iterator[Dataset]:
        yield compressed(heart_ultrasound(Series(study, 1, "US", "Four chambers, colour", "HEART")), syntax)

    return recipe


def _enhanced(study: Study) -> Iterator[Dataset]:
    heights = [float(height) for height in np.arange(120, 312, 8)]
    yield enhanced_ct(Series(study, 3, "CT", "Chest, one object", "CHEST"), Body(study.patient.key), heights)


def _page(syntax: str = uids.EXPLICIT_VR_LE) -> Recipe:
    def recipe(study: Study) -> Iterator[Dataset]:
        yield compressed(scanned_page(Series(study, 90, "OT", "Cover sheet"), study), syntax)

    return recipe


def _letter(study: Study) -> Iterator[Dataset]:
    yield encapsulated_pdf(Series(study, 95, "DOC", "Referral letter"))


def _reported(images: Recipe, findings: str, conclusion: str) -> Recipe:
    """`images`, and behind them a report that refers to up to two of them."""

    def recipe(study: Study) -> Iterator[Dataset]:
        seen: list[Dataset] = []
        for image in images(study):
            if len(seen) < 2:
                seen.append(image)
            yield image
        yield structured_report(Series(study, 99, "SR", "Report"), findings, conclusion, seen)

    return recipe


_NODULE_REPORT = ("A round density of 18 mm in the right upper lobe of a phantom.", "It was put there on purpose.")
_STROKE_REPORT = ("Bright area in the left hemisphere on FLAIR and DWI.", "An invented finding in an invented head.")

# study key: (patient, date, time, description, what it holds)
_PLAN: dict[str, tuple[str, str, str, str, tuple[Recipe, ...]]] = {
    "it-ct": (
        *("it", "20240304", "091500", "CT chest and upper belly"),
        (_reported(_ct(slices=120, start=0.0, nodule=True), *_NODULE_REPORT), _page()),
    ),
    "it-dx": ("it", "20231120", "140000", "Chest radiograph", (_chest(),)),
    "de-mr": ("de", "20240117", "103000", "MR head", (_reported(_mr(lesion=True), *_STROKE_REPORT),)),
    "de-dx": ("de", "20240118", "080500", "Chest radiograph", (_chest(uids.JPEG_2000_LOSSLESS, 0.94),)),
    "el-ct": ("el", "20240205", "113000", "CT chest, enhanced object", (_enhanced,)),
    "el-us": ("el", "20240205", "151000", "Echocardiography", (_heart(uids.JPEG_BASELINE),)),
    "ru-us": ("ru", "20240305", "101500", "Echocardiography", (_heart(), _page())),
    "ru-ct": ("ru", "20240306", "174500", "CT chest", (_ct(uids.JPEG_LS_LOSSLESS, size=0.95),)),
    "ja-ct": ("ja", "20240212", "090000", "CT upper belly", (_ct(uids.IMPLICIT_VR_LE, start=90),)),
    "ja-mr": ("ja", "20240213", "093000", "MR head", (_mr(uids.JPEG_LS_LOSSLESS, 2, 12),)),
    "ar-dx": ("ar", "20240221", "120000", "Chest radiograph", (_chest(uids.RLE_LOSSLESS, 0.92), _letter)),
    "ar-mr": ("ar", "20240222", "130000", "MR head", (_mr(uids.DEFLATED_EXPLICIT_VR_LE, 3, 10),)),
    "th-mr": ("th", "20240311", "083000", "MR head", (_mr(uids.RLE_LOSSLESS, 3, 12),)),
    "th-page": ("th", "20240311", "082000", "Papers", (_page(uids.JPEG_BASELINE), _letter)),
    "pl-ct": ("pl", "20240318", "161500", "CT chest", (_ct(uids.JPEG_2000_LOSSLESS, 10, 200),)),
    "zh-ct": ("zh", "20240402", "110000", "CT chest", (_ct(uids.HTJ2K_LOSSLESS, 10, 180, 1.05),)),
    "zh-mr": ("zh", "20240403", "111500", "MR head", (_mr(uids.HTJ2K_LOSSLESS, 2, 8),)),
    "ko-ct": ("ko", "20240409", "070000", "CT chest", (_ct(uids.DEFLATED_EXPLICIT_VR_LE, 6, 220, 0.9),)),
    "ko-us": ("ko", "20240410", "074500", "Echocardiography", (_heart(uids.RLE_LOSSLESS),)),
    "en-mr": ("en", "20240415", "150000", "MR head", (_mr(uids.JPEG_2000_LOSSLESS, 4, 10, lesion=True),)),
    "tr-page": ("tr", "20240423", "100000", "Papers", (_page(uids.RLE_LOSSLESS),)),
    "he-mr": ("he", "20240501", "091000", "MR head", (_mr(uids.EXPLICIT_VR_BE, 1, 6),)),
    "pt-ct": ("pt", "20240506", "134500", "CT chest", (_ct(start=210, size=1.04, step=6.0), _letter)),
}


def all_studies() -> Iterator[tuple[Study, Iterator[Dataset]]]:
    """Every sample study with its data sets, which are made as they are asked for."""
    for key, (patient, date, time, description, recipes) in _PLAN.items():
        study = Study(key, PATIENTS[patient], date, time, description)
        yield study, (dataset for recipe in recipes for dataset in recipe(study))

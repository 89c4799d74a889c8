"""An Enhanced CT: one multi-frame object with functional groups (PS3.3 A.38)."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset

from leadglass.app.samples.blank import Series, add_grey, blank, code, item
from leadglass.app.samples.body import FIELD, Body
from leadglass.app.samples.identifiers import uid_for
from leadglass.app.samples.images import RESCALE_INTERCEPT, SUPINE_AXES, stored_values
from leadglass.app.samples.solids import Grid
from leadglass.dicom import uids

SIZE = 256


def enhanced_ct(series: Series, body: Body, heights: list[float]) -> Dataset:
    """One object with a frame of 256 x 256 for each height (millimetres)."""
    image = blank(series, uids.ENHANCED_CT_IMAGE, 1)
    image.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    image.AcquisitionDateTime = series.study.date + series.study.time
    image.AcquisitionNumber = 1
    image.PatientPosition = "FFS"
    image.FrameOfReferenceUID = series.frame_of_reference
    image.PositionReferenceIndicator = ""
    image.DeviceSerialNumber = "0000"
    image.VolumetricProperties, image.VolumeBasedCalculationTechnique = "VOLUME", "NONE"
    image.PixelPresentation = "MONOCHROME"
    image.ContentQualification = "RESEARCH"
    image.BurnedInAnnotation, image.LossyImageCompression = "NO", "00"
    image.PresentationLUTShape = "IDENTITY"
    image.AcquisitionContextSequence = []
    _dimensions(image, series)
    image.SharedFunctionalGroupsSequence = [_shared(heights)]
    image.PerFrameFunctionalGroupsSequence = [
        _frame(series, number, height) for number, height in enumerate(heights, 1)
    ]
    grid = Grid.square(SIZE, FIELD)
    add_grey(image, np.stack([stored_values(body.slice_at(height, grid, noise=9.0)) for height in heights]))
    return image


def _dimensions(image: Dataset, series: Series) -> None:
    organisation = uid_for("dimensions", series.study.key)
    image.DimensionOrganizationSequence = [item(DimensionOrganizationUID=organisation)]
    image.DimensionIndexSequence = [
        item(
            DimensionOrganizationUID=organisation,
            DimensionIndexPointer=pointer,
            FunctionalGroupPointer=0x00209111,
        )
        for pointer in (0x00209056, 0x00209057)
    ]


def _shared(heights: list[float]) -> Dataset:
    spacing = f"{FIELD / SIZE:.6f}"
    return item(
        PixelMeasuresSequence=[item(PixelSpacing=[spacing, spacing], SliceThickness=f"{heights[1] - heights[0]:g}")],
        PlaneOrientationSequence=[item(ImageOrientationPatient=SUPINE_AXES)],
        PixelValueTransformationSequence=[
            item(RescaleIntercept=str(RESCALE_INTERCEPT), RescaleSlope="1", RescaleType="HU")
        ],
        FrameVOILUTSequence=[item(WindowCenter="50", WindowWidth="400")],
        FrameAnatomySequence=[item(FrameLaterality="U", AnatomicRegionSequence=[code("51185008", "SCT", "Chest")])],
        CTImageFrameTypeSequence=[
            item(
                FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"],
                PixelPresentation="MONOCHROME",
                VolumetricProperties="VOLUME",
                VolumeBasedCalculationTechnique="NONE",
            )
        ],
    )


def _frame(series: Series, number: int, height: float) -> Dataset:
    edge = f"{(FIELD / SIZE - FIELD) / 2:.4f}"
    moment = f"{series.study.date}{series.study.time}.{number:03d}"
    return item(
        FrameContentSequence=[
            item(
                StackID="1",
                InStackPositionNumber=number,
                DimensionIndexValues=[1, number],
                FrameAcquisitionNumber=1,
                FrameReferenceDateTime=moment,
                FrameAcquisitionDateTime=moment,
                FrameAcquisitionDuration=250.0,
            )
        ],
        PlanePositionSequence=[item(ImagePositionPatient=[edge, edge, f"{height:.4f}"])],
    )

"""The phantoms as DICOM images: CT, MR, radiograph, ultrasound and secondary capture."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from leadglass.app.samples import head as heads
from leadglass.app.samples import ultrasound as echoes
from leadglass.app.samples.blank import MAKER, Series, Study, add_colour, add_grey, blank, item
from leadglass.app.samples.body import FIELD, Body
from leadglass.app.samples.pages import cover_page
from leadglass.app.samples.radiograph import SPACING, radiograph
from leadglass.app.samples.solids import Grid, Plane
from leadglass.dicom import uids

CT_SIZE = 512
SLICE_MM = 3.0
RESCALE_INTERCEPT = -1024
SUPINE_AXES = [1, 0, 0, 0, 1, 0]


def stored_values(hounsfield: Plane) -> NDArray[np.uint16]:
    """Hounsfield units as 12 bit stored values, to be rescaled by slope 1 and RESCALE_INTERCEPT."""
    return np.clip(np.rint(hounsfield - RESCALE_INTERCEPT), 0, 4095).astype(np.uint16)


def ct_series(series: Series, body: Body, heights: Iterator[float] | list[float]) -> Iterator[Dataset]:
    """One CT Image for each height of `body` (millimetres), 512 x 512."""
    grid = Grid.square(CT_SIZE, FIELD)
    for number, height in enumerate(heights, 1):
        image = blank(series, uids.CT_IMAGE, number)
        image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        image.KVP = "120"
        image.SliceThickness = f"{SLICE_MM:g}"
        image.XRayTubeCurrent = "180"
        image.ConvolutionKernel = "SAMPLE_B30"
        image.PatientPosition = "FFS"
        image.AcquisitionNumber = 1
        image.ContrastBolusAgent = "Invented contrast"
        _place(image, series, (-FIELD / 2, -FIELD / 2, height), FIELD / CT_SIZE)
        image.WindowCenter, image.WindowWidth = ["50", "-500"], ["400", "1500"]
        image.WindowCenterWidthExplanation = ["SOFT TISSUE", "LUNG"]
        image.RescaleIntercept, image.RescaleSlope, image.RescaleType = str(RESCALE_INTERCEPT), "1", "HU"
        add_grey(image, stored_values(body.slice_at(height, grid)))
        yield image


def mr_series(series: Series, head: heads.Head, sequence: heads.Sequence, slices: int = 24) -> Iterator[Dataset]:
    """One MR Image for each of `slices` cuts through `head`."""
    gap = heads.HEIGHT / slices
    for number in range(1, slices + 1):
        height = 4 + (number - 1) * gap
        image = blank(series, uids.MR_IMAGE, number)
        image.ImageType = ["ORIGINAL", "PRIMARY", "M", "NONE"]
        image.ScanningSequence = "IR" if sequence.inversion_ms else "EP" if sequence.b_value else "SE"
        image.SequenceVariant = "SK"
        image.ScanOptions = ""
        image.MRAcquisitionType = "2D"
        image.SliceThickness = f"{gap * 0.9:.1f}"
        image.SpacingBetweenSlices = f"{gap:g}"
        image.RepetitionTime, image.EchoTime = f"{sequence.repetition_ms:g}", f"{sequence.echo_ms:g}"
        image.EchoTrainLength = 1
        if sequence.inversion_ms:
            image.InversionTime = f"{sequence.inversion_ms:g}"
        if sequence.b_value:
            image.DiffusionBValue = sequence.b_value
        image.MagneticFieldStrength = "1.5"
        image.PatientPosition = "HFS"
        _place(image, series, (-heads.FIELD / 2, -heads.FIELD / 2, height), heads.FIELD / sequence.size)
        image.WindowCenter, image.WindowWidth = "450", "900"
        add_grey(image, head.slice_at(height, sequence))
        yield image


def _place(image: Dataset, series: Series, corner: tuple[float, float, float], spacing: float) -> None:
    """Image plane module (PS3.3 C.7.6.2); `corner` is the edge of the first pixel, millimetres."""
    image.FrameOfReferenceUID = series.frame_of_reference
    image.PositionReferenceIndicator = ""
    image.PixelSpacing = [f"{spacing:.6f}"] * 2
    image.ImageOrientationPatient = SUPINE_AXES
    first = (corner[0] + spacing / 2, corner[1] + spacing / 2, corner[2])
    image.ImagePositionPatient = [f"{value:.4f}" for value in first]
    image.SliceLocation = f"{corner[2]:.2f}"


def chest_radiograph(series: Series, body: Body) -> Dataset:
    """A Digital X-Ray Image for presentation, from the front."""
    image = blank(series, uids.DIGITAL_XRAY_IMAGE, 1)
    image.ImageType = ["ORIGINAL", "PRIMARY", ""]
    image.PresentationIntentType = "FOR PRESENTATION"
    image.PresentationLUTShape = "IDENTITY"
    image.PixelIntensityRelationship, image.PixelIntensityRelationshipSign = "LOG", -1
    image.RescaleIntercept, image.RescaleSlope, image.RescaleType = "0", "1", "US"
    image.LossyImageCompression = "00"
    image.BurnedInAnnotation = "YES"
    image.ImageLaterality = "U"
    image.ViewPosition = "PA"
    image.PatientOrientation = ["L", "F"]
    image.KVP = "125"
    image.Exposure = "2"
    image.DetectorType = "DIRECT"
    image.ImagerPixelSpacing = [f"{SPACING:g}"] * 2
    image.AcquisitionContextSequence = []
    image.WindowCenter, image.WindowWidth = "1900", "3600"
    add_grey(image, radiograph(body))
    return image


def heart_ultrasound(series: Series) -> Dataset:
    """A colour Ultrasound Multi-frame Image with its region calibrated and personal data burned in."""
    image = blank(series, uids.ULTRASOUND_MULTIFRAME_IMAGE, 1)
    image.ImageType = ["ORIGINAL", "PRIMARY", "TTE", "0011"]
    image.LossyImageCompression = "00"
    image.BurnedInAnnotation = "YES"
    image.FrameIncrementPointer = 0x00181063
    image.FrameTime = f"{echoes.FRAME_TIME_MS:g}"
    image.CineRate = round(1000 / echoes.FRAME_TIME_MS)
    left, top, right, bottom = echoes.SECTOR_BOX
    scale = echoes.DEPTH_CM / echoes.DEPTH_PIXELS
    image.SequenceOfUltrasoundRegions = [
        item(
            RegionSpatialFormat=1,
            RegionDataType=1,
            RegionFlags=0,
            RegionLocationMinX0=left,
            RegionLocationMinY0=top,
            RegionLocationMaxX1=right,
            RegionLocationMaxY1=bottom,
            PhysicalUnitsXDirection=3,
            PhysicalUnitsYDirection=3,
            PhysicalDeltaX=scale,
            PhysicalDeltaY=scale,
        )
    ]
    add_colour(image, echoes.ultrasound(series.study))
    return image


def scanned_page(series: Series, study: Study) -> Dataset:
    """A Secondary Capture of a cover page full of personal data."""
    image = blank(series, uids.SECONDARY_CAPTURE_IMAGE, 1)
    image.ImageType = ["DERIVED", "SECONDARY"]
    image.ConversionType = "SD"
    image.SecondaryCaptureDeviceManufacturer = MAKER
    image.DateOfSecondaryCapture = study.date
    image.BurnedInAnnotation = "YES"
    add_colour(image, cover_page(study))
    return image

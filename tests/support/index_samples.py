"""Entries as the scan and the vault would hand them to the catalog."""

from leadglass.core.identity import InstanceIdentity, PatientKey
from leadglass.core.records import HeaderValue, InstanceEntry, Location, RecordTrailer
from leadglass.dicom.dictionary import tag_of, vr_of

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
SEGMENT = "0" * 32


def header(**values):
    """Raw values by keyword; text is UTF-8 unless bytes are given."""
    found = {}
    for keyword, value in values.items():
        raw = value if isinstance(value, bytes) else str(value).encode()
        tag = tag_of(keyword)
        found[tag] = HeaderValue(vr_of(tag), raw + (b" " if len(raw) % 2 else b""))
    return dict(sorted(found.items()))


def entry(
    sop,
    *,
    study="1.2.3",
    series=None,
    patient="P1",
    issuer="",
    offset=0,
    segment=SEGMENT,
    received_at=1,
    sop_class=CT,
    assumed="ISO_IR 100",
    **values,
):
    series = f"{study}.1" if series is None else series
    values.setdefault("SpecificCharacterSet", "ISO_IR 192")
    values.setdefault("Modality", "CT")
    known = {key: value for key, value in values.items() if value is not None}
    trailer = RecordTrailer(
        InstanceIdentity(sop_class, sop, study, series, PatientKey(issuer, patient)),
        EXPLICIT,
        received_at,
        sop.encode().ljust(32, b"d")[:32],
        "ct1",
        "CT1",
        "10.0.0.1",
        "",
        assumed,
    )
    location = Location(segment, offset, 1000)
    return InstanceEntry(trailer, location, b"k" * 16, header(PatientID=patient, **known))


def realistic(number, *, study, series, patient, offset, segment=SEGMENT, sop=None):
    """A CT slice with the attributes that a scanner fills."""
    return entry(
        sop or f"{series}.{number}",
        study=study,
        series=series,
        patient=patient,
        offset=offset,
        segment=segment,
        PatientName="Rossi^Maria",
        PatientBirthDate="19700101",
        PatientSex="F",
        StudyDate="20240102",
        StudyTime="101112",
        AccessionNumber=f"A{patient}",
        ReferringPhysicianName="Bianchi^Anna",
        StudyDescription="CT THORAX",
        SeriesNumber="2",
        SeriesDescription="Axial 1.0",
        BodyPartExamined="CHEST",
        InstanceNumber=str(number),
        ImageType="ORIGINAL\\PRIMARY\\AXIAL",
        AcquisitionDate="20240102",
        AcquisitionTime="101112.123456",
        ContentDate="20240102",
        ContentTime="101112.123456",
        ImagePositionPatient=f"-170.5\\-170.5\\{number}.25",
        ImageOrientationPatient="1\\0\\0\\0\\1\\0",
        PixelSpacing="0.6640625\\0.6640625",
        SliceThickness="1.0",
        SliceLocation=f"{number}.25",
        WindowCenter="40",
        WindowWidth="400",
        KVP="120",
        RescaleIntercept="-1024",
        RescaleSlope="1",
        PhotometricInterpretation="MONOCHROME2",
        Rows=b"\0\2",
        Columns=b"\0\2",
        BitsAllocated=b"\x10\0",
        BitsStored=b"\x0c\0",
        SamplesPerPixel=b"\1\0",
        PixelRepresentation=b"\0\0",
    )

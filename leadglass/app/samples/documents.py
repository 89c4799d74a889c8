"""Documents: a structured report and an encapsulated PDF."""

from __future__ import annotations

from pydicom.dataset import Dataset

from leadglass.app.samples.blank import Series, blank, code, item
from leadglass.app.samples.pages import letter_pdf
from leadglass.dicom import uids


def structured_report(series: Series, findings: str, conclusion: str, seen: list[Dataset]) -> Dataset:
    """A Basic Text SR after TID 2000 (PS3.16), with references to the images that were `seen`."""
    report = blank(series, uids.BASIC_TEXT_SR, 1)
    patient = series.study.patient
    report.ReferencedPerformedProcedureStepSequence = []
    report.PerformedProcedureCodeSequence = []
    report.CompletionFlag, report.VerificationFlag = "COMPLETE", "UNVERIFIED"
    if seen:
        report.CurrentRequestedProcedureEvidenceSequence = [_evidence(series, seen)]
    report.ValueType = "CONTAINER"
    report.ConceptNameCodeSequence = [code("18748-4", "LN", "Diagnostic Imaging Report")]
    report.ContinuityOfContent = "SEPARATE"
    report.ContentTemplateSequence = [item(MappingResource="DCMR", TemplateIdentifier="2000")]
    report.ContentSequence = [
        _content(
            "CODE",
            code("121049", "DCM", "Language of Content Item and Descendants"),
            "HAS CONCEPT MOD",
            ConceptCodeSequence=[code("en", "RFC5646", "English")],
        ),
        _content(
            "PNAME", code("121008", "DCM", "Person Observer Name"), "HAS OBS CONTEXT", PersonName=patient.physician
        ),
        _section(code("121070", "DCM", "Findings"), code("121071", "DCM", "Finding"), findings, seen),
        _section(code("121076", "DCM", "Conclusions"), code("121077", "DCM", "Conclusion"), conclusion, []),
    ]
    return report


def _content(kind: str, name: Dataset, relation: str, **values: object) -> Dataset:
    return item(RelationshipType=relation, ValueType=kind, ConceptNameCodeSequence=[name], **values)


def _section(heading: Dataset, name: Dataset, text: str, seen: list[Dataset]) -> Dataset:
    images = [
        item(RelationshipType="CONTAINS", ValueType="IMAGE", ReferencedSOPSequence=[_reference(image)])
        for image in seen
    ]
    section = _content("CONTAINER", heading, "CONTAINS", ContinuityOfContent="SEPARATE")
    section.ContentSequence = [_content("TEXT", name, "CONTAINS", TextValue=text), *images]
    return section


def _reference(image: Dataset) -> Dataset:
    return item(ReferencedSOPClassUID=image.SOPClassUID, ReferencedSOPInstanceUID=image.SOPInstanceUID)


def _evidence(series: Series, seen: list[Dataset]) -> Dataset:
    by_series: dict[str, list[Dataset]] = {}
    for image in seen:
        by_series.setdefault(str(image.SeriesInstanceUID), []).append(_reference(image))
    return item(
        StudyInstanceUID=series.study.uid,
        ReferencedSeriesSequence=[
            item(SeriesInstanceUID=uid, ReferencedSOPSequence=references) for uid, references in by_series.items()
        ],
    )


def encapsulated_pdf(series: Series) -> Dataset:
    """A letter as Encapsulated PDF."""
    document = blank(series, uids.ENCAPSULATED_PDF, 1)
    document.ConversionType = "WSD"
    document.BurnedInAnnotation = "YES"
    document.AcquisitionDateTime = ""
    document.DocumentTitle = "Referral letter"
    document.ConceptNameCodeSequence = [code("57133-1", "LN", "Referral note")]
    document.MIMETypeOfEncapsulatedDocument = "application/pdf"
    document.EncapsulatedDocument = letter_pdf(series.study)
    return document

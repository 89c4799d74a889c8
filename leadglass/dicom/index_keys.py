"""Which attributes of an object the catalog keeps, per level of the information model (PS3.4 C.6.1, C.6.2).

Required and optional keys of Patient and Study Root, and what workstations and worklists commonly ask for beside them.
A sequence among them is kept whole.
"""

from __future__ import annotations

from typing import Final

from leadglass.dicom.dictionary import tag_of


def _tags(keywords: str) -> tuple[int, ...]:
    return tuple(sorted(tag_of(keyword) for keyword in keywords.split()))


PATIENT_KEYS: Final = _tags("""
    PatientName PatientID IssuerOfPatientID TypeOfPatientID IssuerOfPatientIDQualifiersSequence PatientBirthDate
    PatientBirthTime PatientSex OtherPatientIDs OtherPatientNames OtherPatientIDsSequence EthnicGroup PatientComments
    PatientSpeciesDescription PatientSpeciesCodeSequence PatientBreedDescription ResponsiblePerson
    ResponsibleOrganization QualityControlSubject ReferencedPatientSequence PatientIdentityRemoved
""")

STUDY_KEYS: Final = _tags("""
    StudyInstanceUID StudyID StudyDate StudyTime AccessionNumber IssuerOfAccessionNumberSequence
    ReferringPhysicianName ReferringPhysicianIdentificationSequence ConsultingPhysicianName StudyDescription
    ProcedureCodeSequence NameOfPhysiciansReadingStudy PhysiciansOfRecord AdmittingDiagnosesDescription
    AdmittingDiagnosesCodeSequence PatientAge PatientSize PatientWeight Occupation AdditionalPatientHistory
    MedicalAlerts Allergies PregnancyStatus AdmissionID IssuerOfAdmissionIDSequence ReferencedStudySequence
    RequestingService ReasonForStudy
""")

SERIES_KEYS: Final = _tags("""
    SeriesInstanceUID Modality SeriesNumber SeriesDate SeriesTime SeriesDescription SeriesDescriptionCodeSequence
    BodyPartExamined Laterality PatientPosition ProtocolName OperatorsName PerformingPhysicianName Manufacturer
    ManufacturerModelName InstitutionName InstitutionAddress InstitutionalDepartmentName StationName DeviceSerialNumber
    SoftwareVersions FrameOfReferenceUID PositionReferenceIndicator RequestAttributesSequence
    PerformedProcedureStepID PerformedProcedureStepStartDate PerformedProcedureStepStartTime
    PerformedProcedureStepEndDate PerformedProcedureStepEndTime PerformedProcedureStepDescription
    PerformedProtocolCodeSequence ReferencedPerformedProcedureStepSequence AnatomicRegionSequence PresentationIntentType
    CommentsOnThePerformedProcedureStep ScheduledProcedureStepID RequestedProcedureID
""")

IMAGE_KEYS: Final = _tags("""
    SOPClassUID SOPInstanceUID InstanceNumber InstanceCreationDate InstanceCreationTime InstanceCreatorUID ImageType
    ContentDate ContentTime AcquisitionDate AcquisitionTime AcquisitionDateTime AcquisitionNumber AcquisitionUID
    SynchronizationFrameOfReferenceUID Rows Columns BitsAllocated BitsStored SamplesPerPixel PhotometricInterpretation
    PixelRepresentation PlanarConfiguration NumberOfFrames ImageComments ImageLaterality ViewPosition ViewCodeSequence
    SliceThickness SliceLocation ImagePositionPatient ImageOrientationPatient PixelSpacing ImagerPixelSpacing
    WindowCenter WindowWidth RescaleIntercept RescaleSlope KVP ContrastBolusAgent ConversionType BurnedInAnnotation
    LossyImageCompression LossyImageCompressionRatio LossyImageCompressionMethod TriggerTime EchoTime RepetitionTime
    ContentLabel ContentDescription ContentCreatorName PresentationCreationDate PresentationCreationTime
    DocumentTitle MIMETypeOfEncapsulatedDocument ConceptNameCodeSequence CompletionFlag CompletionFlagDescription
    VerificationFlag VerificationDateTime ObservationDateTime ContentTemplateSequence
    ReferencedRequestSequence RelatedSeriesSequence ReferencedSeriesSequence
    ContainerIdentifier SpecimenDescriptionSequence RTPlanLabel RTPlanDate StructureSetLabel StructureSetDate
    DoseSummationType DoseType QualityControlImage DerivationDescription
""")

SPECIFIC_CHARACTER_SET: Final = 0x00080005
TIMEZONE_OFFSET: Final = 0x00080201

ALL: Final[frozenset[int]] = frozenset(
    PATIENT_KEYS + STUDY_KEYS + SERIES_KEYS + IMAGE_KEYS + (SPECIFIC_CHARACTER_SET, TIMEZONE_OFFSET)
)

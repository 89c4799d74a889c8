"""Which files of pydicom's collections the archive refuses, with the reason: part of the comment that it answers."""

NO_IDENTITY = "absent or not the one announced"
NO_GROUP = "no Study or Series Instance UID"
CUT_SHORT = "cut short"

REFUSED: dict[str, str] = {
    "DICOMDIR": NO_IDENTITY,
    "DICOMDIR-bigEnd": NO_IDENTITY,
    "DICOMDIR-empty.dcm": NO_IDENTITY,
    "DICOMDIR-implicit": NO_IDENTITY,
    "DICOMDIR-nooffset": "longer than the sequence",
    "DICOMDIR-nopatient": NO_IDENTITY,
    "DICOMDIR-reordered": NO_IDENTITY,
    "JPEGLSNearLossless_08.dcm": NO_GROUP,
    "JPEGLSNearLossless_16.dcm": NO_GROUP,
    "MR_truncated.dcm": CUT_SHORT,
    "SC_rgb_jls_lossy_line.dcm": NO_GROUP,
    "SC_rgb_jls_lossy_sample.dcm": NO_GROUP,
    "SC_rgb_jpeg.dcm": "not in the transfer syntax",
    "UN_sequence.dcm": NO_IDENTITY,
    "bad_sequence.dcm": "not a UID",
    "chrSQEncoding.dcm": NO_IDENTITY,
    "chrSQEncoding1.dcm": NO_IDENTITY,
    "emri_small_jpeg_2k_lossless_too_short.dcm": CUT_SHORT,
    "empty_charset_LEI.dcm": NO_IDENTITY,
    "meta_missing_tsyntax.dcm": NO_IDENTITY,
    "nested_priv_SQ.dcm": NO_IDENTITY,
    "no_meta_group_length.dcm": NO_IDENTITY,
    "no_meta.dcm": CUT_SHORT,  # begins in the middle of an element
    "priv_SQ.dcm": NO_IDENTITY,
    "rtplan_truncated.dcm": CUT_SHORT,
}

# The same over STOW-RS, where nothing is announced.
REFUSED_BY_WEB: dict[str, str] = {
    **{name: "is absent" if reason == NO_IDENTITY else reason for name, reason in REFUSED.items()},
    "no_meta.dcm": "not a DICOM file",
}

# Which of the others storescu of DCMTK 3.6.7 does not send; newer ones may.
UNSENT = {
    "explicit_VR-UN.dcm": "it does not find the SOP class in it",
    "rtdose_rle.dcm": "nor in this one",
    "rtdose_rle_1frame.dcm": "nor in this one",
}

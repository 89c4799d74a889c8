"""The DICOM network protocol without I/O: bytes in, events out, bytes to send."""

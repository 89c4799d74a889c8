"""The DICOM door: DIMSE handlers over net. It translates, and asks services; it holds no authority of its own."""

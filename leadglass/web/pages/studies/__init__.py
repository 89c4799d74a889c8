"""Pages about studies: the list, a study, the quick look, the upload."""

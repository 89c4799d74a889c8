"""Administration: who and what gets in, how the archive stands. Nothing here opens it wider than its safety rules."""

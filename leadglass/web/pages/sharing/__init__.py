"""Pages about shares: those of who shares, at the archive's listener, and those of strangers, at their own."""

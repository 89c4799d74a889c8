"""Bytes at rest: segments, records, key ring, local disk, scrub."""

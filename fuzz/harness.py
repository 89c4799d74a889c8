"""What the fuzz targets share. A target is a module with `check(data)`, which raises on a fault, and `seeds()`."""

from __future__ import annotations

from collections.abc import Iterator


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """`data` in pieces of `size` bytes; none of no data."""
    for start in range(0, len(data), size):
        yield data[start : start + size]

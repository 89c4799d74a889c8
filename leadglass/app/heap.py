"""How the C library keeps memory that was given back. Its defaults suit programs with small objects: a buffer of half
a mebibyte goes back to the system each time, and fresh pages for the next cost more than the encryption that goes
into it."""

from __future__ import annotations

import ctypes

from leadglass.core.limits import MIB

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h of glibc
_KEPT = 16 * MIB  # at the end of each arena
_FROM_ARENAS = 8 * MIB  # larger blocks are mapped and unmapped one by one
_ARENAS = 2  # threads share them, so that what one has freed serves another


def keep_buffers() -> None:
    """Have buffers of images used again. Without effect where the C library is not glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in (
            (_M_ARENA_MAX, _ARENAS),
            (_M_MMAP_THRESHOLD, _FROM_ARENAS),
            (_M_TRIM_THRESHOLD, _KEPT),
        ):
            mallopt(option, value)

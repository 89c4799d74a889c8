"""Fixed identifiers and random streams: the same name gives the same UID and the same noise on every machine."""

from __future__ import annotations

import hashlib

import numpy as np


def _digest(*parts: str | int) -> bytes:
    return hashlib.blake2b("|".join(map(str, ("leadglass sample", *parts))).encode(), digest_size=16).digest()


def uid_for(*parts: str | int) -> str:
    """A UID under 2.25 (PS3.5 B.2) that `parts` alone decide."""
    return f"2.25.{int.from_bytes(_digest(*parts), 'big')}"


def random_for(*parts: str | int) -> np.random.Generator:
    """A random stream that `parts` alone decide."""
    return np.random.Generator(np.random.PCG64(int.from_bytes(_digest("random", *parts), "big")))

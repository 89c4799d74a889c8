"""A 64-bit key for a SOP Instance UID: small, hard to steer, and near its neighbours' keys.

Most devices count up behind the last dot. The upper 40 bits depend on what stands before it, so that a series' keys lie
on one or two pages of the index, the lower 24 on the whole UID. Both are keyed hashes with a salt of the catalog:
nobody outside can make UIDs collide. A key is a hint; the UID itself is compared before a row counts.
"""

from __future__ import annotations

from hashlib import blake2b

SALT_LENGTH = 16


def uid_key(uid: str, salt: bytes) -> int:
    """The key of `uid` as a signed 64-bit integer."""
    whole = uid.encode("utf-8", "surrogatepass")
    head = whole[: whole.rfind(b".") + 1]
    return int.from_bytes(
        blake2b(head, digest_size=5, key=salt).digest() + blake2b(whole, digest_size=3, key=salt).digest(),
        "big",
        signed=True,
    )

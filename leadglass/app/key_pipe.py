"""Handing keys to a worker over a pipe: never in argv, environment or a file."""

from __future__ import annotations

import os

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.keys.keyset import KEY_NAMES, KeySet

_KEY_SIZE = 32
_ID_SIZE = 16
SIZE = _ID_SIZE + _KEY_SIZE * len(KEY_NAMES)


def write_keys(descriptor: int, keys: KeySet) -> None:
    """Write the keys and close the descriptor."""
    by_name = keys.by_name()
    with os.fdopen(descriptor, "wb") as pipe:
        pipe.write(keys.archive_id + b"".join(by_name[name] for name in KEY_NAMES))


def read_keys(descriptor: int) -> KeySet:
    """Read the keys and close the descriptor. UNAVAILABLE if the pipe holds anything else."""
    with os.fdopen(descriptor, "rb") as pipe:
        content = pipe.read(SIZE + 1)
    if len(content) != SIZE:
        raise LeadglassError(ErrorCode.UNAVAILABLE, "The worker was not given its keys.")
    starts = range(_ID_SIZE, SIZE, _KEY_SIZE)
    return KeySet(
        archive_id=content[:_ID_SIZE],
        **{name: content[start : start + _KEY_SIZE] for name, start in zip(KEY_NAMES, starts, strict=True)},
    )

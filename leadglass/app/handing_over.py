"""Handing secrets over: into files for their owner alone, new ones only, all or none."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from leadglass.core.errors import ErrorCode, LeadglassError


@contextlib.contextmanager
def handed_over(files: Mapping[Path, bytes]) -> Iterator[None]:
    """Write `files` with mode 0600, then run the block; if either fails, none of them stays.

    LeadglassError(USAGE) if one is there already or cannot be written: nothing is ever overwritten.
    """
    written: list[Path] = []
    try:
        for path, content in files.items():
            _write(path, content)
            written.append(path)
        yield
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise


def _write(path: Path, content: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise LeadglassError(ErrorCode.USAGE, f"{path} is there already; choose another --out.") from None
    except OSError as error:
        raise LeadglassError(ErrorCode.USAGE, f"{path} cannot be written: {error.strerror}.") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise LeadglassError(ErrorCode.USAGE, f"{path} cannot be written: {error.strerror}.") from error

"""Secrets that a person types or keeps in a file. Never in the command line itself: the process list shows that."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

from leadglass.core.errors import ErrorCode, LeadglassError


def secret(prompt: str, file: Path | None, *, new: bool = False) -> str:
    """From the first line of `file`, else from the terminal (a new one twice), else from standard input (scripts)."""
    if file is not None:
        return _first_line(file)
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    typed = getpass.getpass(f"{prompt}: ")
    if new and getpass.getpass(f"{prompt}, again: ") != typed:
        raise LeadglassError(ErrorCode.USAGE, "The two are not the same; nothing was changed.")
    return typed


def read_file(path: Path) -> bytes:
    """A small file that a person names. LeadglassError(USAGE) if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise LeadglassError(ErrorCode.USAGE, f"{path} cannot be read: {error.strerror}.") from error


def _first_line(path: Path) -> str:
    try:
        return read_file(path).decode("utf-8").splitlines()[0]
    except (UnicodeDecodeError, IndexError):
        raise LeadglassError(ErrorCode.USAGE, f"{path} does not begin with a line of text.") from None

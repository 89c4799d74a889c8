"""Obtaining the master key from where the configuration says. Only the supervisor and commands do this."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path

from leadglass.app.config import KeySource
from leadglass.app.home import Home
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.keys import derive, keyset, sources
from leadglass.keys.keyset import KeySet

Ask = Callable[[str], str]


def key_file(source: KeySource) -> Path | None:
    """The key file on disk, if the master key comes from one."""
    return Path(source.value).expanduser() if source.kind == "file" else None


def obtain(source: KeySource, home: Home, ask: Ask) -> bytes:
    """The master key. `ask` prompts for a passphrase. UNAVAILABLE if it cannot be had, USAGE if the source is off."""
    if source.kind == "file":
        return sources.from_file(Path(source.value).expanduser())
    if source.kind == "credential":
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        if not folder:
            comment = "There is no systemd credential here: CREDENTIALS_DIRECTORY is not set."
            raise LeadglassError(ErrorCode.UNAVAILABLE, comment)
        return sources.from_credential(Path(folder), source.value)
    if source.kind == "fd":
        return sources.from_descriptor(_descriptor(source.value))
    if source.kind == "command":
        return sources.from_command(shlex.split(source.value))
    parameters = keyset.passphrase_parameters(home.keyset)
    if parameters is None:
        raise LeadglassError(ErrorCode.USAGE, "This archive's keys do not open with a passphrase.")
    return derive.from_passphrase(ask("Passphrase of the archive: "), parameters)


def open_keys(source: KeySource, home: Home, ask: Ask) -> KeySet:
    """The opened keyset. DAMAGED if the master key is not this archive's."""
    return keyset.open_keyset(home.keyset, obtain(source, home, ask))


def _descriptor(text: str) -> int:
    if not text.isdigit():
        raise LeadglassError(ErrorCode.USAGE, "keys.value must be the number of an open file descriptor.")
    return int(text)

"""Where the master key comes from: a file outside the archive, a systemd credential, a descriptor, a command.

A passphrase is the fifth source: `derive.from_passphrase` with the parameters that the keyset file keeps. In every
other source the key is 64 hex digits, white space around them aside, or 32 raw bytes.
"""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.keys.derive import KEY_SIZE

_MAX_SOURCE = 4096
COMMAND_TIMEOUT_SECONDS = 60.0  # a hardware token may ask for a touch


def generate_master() -> bytes:
    """A fresh random master key."""
    return os.urandom(KEY_SIZE)


def write_master_file(path: Path, master: bytes) -> None:
    """Write `master` to a new file of mode 0600, synced. USAGE if the file exists, OUT_OF_RESOURCES if it fails."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(master.hex().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as problem:
        raise LeadglassError(ErrorCode.USAGE, "There is a master key file already.") from problem
    except OSError as problem:
        raise LeadglassError(ErrorCode.OUT_OF_RESOURCES, "The master key file could not be written.") from problem


def from_file(path: Path) -> bytes:
    """The master key in a file; a symbolic link is not followed. UNAVAILABLE or DAMAGED if it holds none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as problem:
        raise LeadglassError(ErrorCode.UNAVAILABLE, "The master key file cannot be opened.") from problem
    return _read_and_close(descriptor)


def from_credential(directory: Path, name: str) -> bytes:
    """The master key in a systemd credential; `directory` is what $CREDENTIALS_DIRECTORY named."""
    if "/" in name or name in {"", ".", ".."}:
        raise LeadglassError(ErrorCode.USAGE, "A credential's name is a plain file name.")
    return from_file(directory / name)


def from_descriptor(descriptor: int) -> bytes:
    """The master key from an open file descriptor, read to its end and closed."""
    return _read_and_close(descriptor)


def from_command(arguments: Sequence[str], timeout: float = COMMAND_TIMEOUT_SECONDS) -> bytes:
    """The master key that a command prints. No shell; USAGE if it is empty, UNAVAILABLE if it fails or takes
    longer than `timeout` seconds.
    """
    if not arguments:
        raise LeadglassError(ErrorCode.USAGE, "The command for the master key is empty.")
    try:
        # The command is the administrator's own configuration, run as a list, without a shell.
        finished = subprocess.run(  # noqa: S603
            list(arguments), stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=True
        )
    except (OSError, ValueError, subprocess.SubprocessError) as problem:
        raise LeadglassError(ErrorCode.UNAVAILABLE, "The command for the master key failed.") from problem
    return parse(finished.stdout)


def parse(content: bytes) -> bytes:
    """The key in what a source gave. DAMAGED if it is neither 64 hex digits nor 32 bytes."""
    if len(content) == KEY_SIZE:
        return content
    try:
        key = bytes.fromhex(content.strip().decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != KEY_SIZE:
        raise LeadglassError(ErrorCode.DAMAGED, "The master key is neither 64 hex digits nor 32 bytes.")
    return key


def file_risks(path: Path, archive: Path, owner: int) -> list[str]:
    """What is wrong with keeping a key in `path`: one plain sentence each, none if it is well kept.

    `archive` is the archive's directory (the key must be outside), `owner` the user id that runs the archive.
    """
    try:
        info = path.lstat()
    except OSError:
        return ["The key file cannot be looked at."]
    if stat.S_ISLNK(info.st_mode):
        return ["The key file is a symbolic link."]
    risks = []
    if not stat.S_ISREG(info.st_mode):
        risks.append("The key file is not a plain file.")
    if info.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        risks.append("The key file can be read or written by others: its mode should be 0600.")
    if info.st_uid not in {owner, 0}:
        risks.append("The key file belongs to another user.")
    if path.resolve().is_relative_to(archive.resolve()):
        risks.append("The key file lies inside the archive's own directory.")
    return risks


def _read_and_close(descriptor: int) -> bytes:
    content = b""
    try:
        while len(content) <= _MAX_SOURCE and (piece := os.read(descriptor, _MAX_SOURCE)):
            content += piece
    except OSError as problem:
        raise LeadglassError(ErrorCode.UNAVAILABLE, "The master key cannot be read.") from problem
    finally:
        os.close(descriptor)
    return parse(content)

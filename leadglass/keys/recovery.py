"""The recovery kit: a page to print that holds the master key and the keyset's keys under a passphrase of its own.

It brings back both the master key and a lost keyset file. Every line of the sealed part ends in a check, so that a
typing error is found in its line. Format: docs/formats/keys.md.
"""

from __future__ import annotations

import base64
import os
import re
import zlib
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.keys.derive import KEY_SIZE, Argon2Parameters, from_passphrase
from leadglass.keys.keyset import ARCHIVE_ID_SIZE, KEY_NAMES, KeySet, create, open_keyset

VERSION = 1
_BEGIN = "-----BEGIN LEADGLASS RECOVERY KIT-----"
_END = "-----END LEADGLASS RECOVERY KIT-----"
_LINE = 24  # base32 characters a line, in groups of four
_MAX_KIT = 64 * 1024
_INSTRUCTIONS = """\
LEADGLASS RECOVERY KIT

Archive {archive}

Without the master key nobody can read this archive's images, you included. This kit
brings the master key and the keyset back. Print it, keep one copy in a safe in another
building, and keep its passphrase somewhere else.

To use it, type or scan everything from the BEGIN line to the END line into a text file
and run, with the archive's directory in place:

    leadglass keys test FILE

It asks for the passphrase and says whether this kit opens the archive. The last group
of each numbered line is a check on that line: a typing error is found in its line. Lower
and upper case are the same; O and I are letters, never digits.

"""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a kit holds."""

    master: bytes = field(repr=False)
    keyset: KeySet


def export(master: bytes, keyset: KeySet, passphrase: str) -> str:
    """The kit as text of plain ASCII. Blocks for the passphrase's derivation."""
    parameters = Argon2Parameters.fresh()
    nonce = os.urandom(12)
    plain = master + b"".join(keyset.by_name()[name] for name in KEY_NAMES)
    sealing = AESGCM(from_passphrase(passphrase, parameters))
    box = nonce + sealing.encrypt(nonce, plain, _associated(keyset.archive_id, parameters))
    lines = [
        _BEGIN,
        f"version: {VERSION}",
        f"archive: {keyset.archive_id.hex()}",
        f"argon2id: salt={parameters.salt.hex()} time={parameters.time}"
        f" memory={parameters.memory_kib} lanes={parameters.lanes}",
        *_encode_lines(box),
        _END,
    ]
    return _INSTRUCTIONS.format(archive=keyset.archive_id.hex()) + "\n".join(lines) + "\n"


def open_kit(text: str, passphrase: str) -> Recovered:
    """What the kit holds. DAMAGED (naming the line) if it was mistyped, NOT_AUTHORISED if the passphrase is wrong."""
    body = _body(text)
    archive, parameters = _parse_head(body[:3])
    box = _decode_lines(body[3:])
    try:
        key = from_passphrase(passphrase, parameters)
        plain = AESGCM(key).decrypt(box[:12], box[12:], _associated(archive, parameters))
    except InvalidTag as problem:
        raise LeadglassError(ErrorCode.NOT_AUTHORISED, "The passphrase does not open this kit.") from problem
    keys = [plain[start:end] for start, end in pairwise(range(0, len(plain) + 1, KEY_SIZE))]
    if len(plain) != KEY_SIZE * (1 + len(KEY_NAMES)):
        raise LeadglassError(ErrorCode.DAMAGED, "The recovery kit does not hold what it should.")
    return Recovered(keys[0], KeySet(archive, *keys[1:]))


def prove(text: str, passphrase: str, path: Path) -> Recovered:
    """Prove that the kit opens the keyset file at `path` and holds the same keys.

    Raises what `open_kit` and `open_keyset` raise, and NOT_AUTHORISED if the kit is of another archive or of keys
    that are no longer in use.
    """
    recovered = open_kit(text, passphrase)
    if open_keyset(path, recovered.master) != recovered.keyset:
        raise LeadglassError(ErrorCode.NOT_AUTHORISED, "The kit is not of this keyset: export it again.")
    return recovered


def restore(text: str, passphrase: str, path: Path) -> Recovered:
    """Write the keyset file anew from the kit. USAGE if there is one already; else as `open_kit`."""
    recovered = open_kit(text, passphrase)
    create(path, recovered.master, keyset=recovered.keyset)
    return recovered


def _associated(archive: bytes, parameters: Argon2Parameters) -> bytes:
    numbers = f"{parameters.time} {parameters.memory_kib} {parameters.lanes}"
    return f"leadglass recovery kit v{VERSION} {archive.hex()} {parameters.salt.hex()} {numbers}".encode()


def _check(number: int, line: str) -> str:
    """Four base32 characters: the upper 20 bits of CRC-32 over the line's number and characters."""
    crc = zlib.crc32(f"{number} {line}".encode())
    return base64.b32encode(crc.to_bytes(4, "big"))[:4].decode()


def _encode_lines(box: bytes) -> list[str]:
    letters = base64.b32encode(box).decode().rstrip("=")
    lines = []
    for number, start in enumerate(range(0, len(letters), _LINE), 1):
        line = letters[start : start + _LINE]
        groups = " ".join(line[at : at + 4] for at in range(0, len(line), 4))
        lines.append(f"{number:02}: {groups} - {_check(number, line)}")
    return lines


def _decode_lines(lines: list[str]) -> bytes:
    letters = ""
    for number, text in enumerate(lines, 1):
        match = re.fullmatch(r"0*(\d{1,4}): ?([A-Z2-7 ]+)- ?([A-Z2-7]{4})", text.upper())
        line = match[2].replace(" ", "") if match else ""
        if match is None or int(match[1]) != number or _check(number, line) != match[3]:
            raise LeadglassError(ErrorCode.DAMAGED, f"Line {number:02} of the recovery kit is mistyped.")
        letters += line
    try:
        return base64.b32decode(letters + "=" * (-len(letters) % 8))
    except ValueError as problem:
        raise LeadglassError(ErrorCode.DAMAGED, "The recovery kit is not complete.") from problem


def _body(text: str) -> list[str]:
    lines = [line.strip() for line in text[:_MAX_KIT].splitlines() if line.strip()]
    if _BEGIN not in lines or _END not in lines or len(lines) < lines.index(_BEGIN) + 5:
        raise LeadglassError(ErrorCode.DAMAGED, "This is not a whole recovery kit: its BEGIN or END line is missing.")
    return lines[lines.index(_BEGIN) + 1 : lines.index(_END)]


def _parse_head(lines: list[str]) -> tuple[bytes, Argon2Parameters]:
    values = "\n".join(lines).lower()
    match = re.fullmatch(
        r"version: (\d{1,4})\narchive: ([0-9a-f]+)\n"
        r"argon2id: salt=([0-9a-f]+) time=(\d{1,9}) memory=(\d{1,9}) lanes=(\d{1,9})",
        values,
    )
    if match is None or len(match[2]) != ARCHIVE_ID_SIZE * 2 or len(match[3]) % 2:
        raise LeadglassError(ErrorCode.DAMAGED, "The head of the recovery kit is mistyped.")
    if int(match[1]) != VERSION:
        raise LeadglassError(ErrorCode.UNAVAILABLE, "A newer version of the program wrote this recovery kit.")
    numbers = (int(match[4]), int(match[5]), int(match[6]))
    return bytes.fromhex(match[2]), Argon2Parameters(bytes.fromhex(match[3]), *numbers)

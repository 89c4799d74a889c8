"""Whose scopes are believed: Ed25519 keys that were enrolled here, and the signature beside a scope file.

What binds is the permission; the signature shows that the file is the one that was permitted, unchanged.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.exposure.scope import Scope
from leadglass.exposure.service import parsed

_CONTEXT = b"leadglass scope 1\n"  # a signature of something else says nothing about a scope
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_MAX_KEY = 16 * 1024  # bytes of a key file
OWN = "own"


def default_folder() -> Path:
    """Where this user's keys lie."""
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "leadglass" / "scan"


class Trust:
    """The keys in a folder: `own.key`, and the public ones that were enrolled, under `trusted`."""

    def __init__(self, folder: Path) -> None:
        self._own = folder / "own.key"
        self._trusted = folder / "trusted"

    def enrol(self, name: str, pem: bytes) -> None:
        """Believe scopes signed by this key from now on. USAGE if it is none or the name is no simple one."""
        if not _NAME.fullmatch(name):
            raise LeadglassError(ErrorCode.USAGE, "A key's name has letters, digits, dots and dashes.")
        key = _public(pem, "The file")
        self._trusted.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._trusted / f"{name}.pem"
        path.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    def names(self) -> list[str]:
        """Of the enrolled keys."""
        return sorted(path.stem for path in self._trusted.glob("*.pem"))

    def own_key(self) -> Ed25519PrivateKey:
        """This user's key, made and enrolled at its first use."""
        if not self._own.exists():
            key = Ed25519PrivateKey.generate()
            self._own.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self._own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            self.enrol(OWN, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        try:
            loaded = load_pem_private_key(self._own.read_bytes(), password=None)
        except ValueError as error:
            raise LeadglassError(ErrorCode.DAMAGED, f"{self._own} is not a private key.") from error
        if not isinstance(loaded, Ed25519PrivateKey):
            raise LeadglassError(ErrorCode.USAGE, f"{self._own} is not an Ed25519 key.")
        return loaded

    def sign(self, scope_file: Path) -> Path:
        """Put this user's signature beside a scope file."""
        path = signature_of(scope_file)
        signature = self.own_key().sign(_CONTEXT + scope_file.read_bytes())
        path.write_bytes(base64.b64encode(signature) + b"\n")
        return path

    def who_signed(self, data: bytes, signature: bytes) -> str:
        """The name of the enrolled key that signed these bytes. UNSAFE if none did."""
        try:
            raw = base64.b64decode(signature.strip(), validate=True)
        except (binascii.Error, ValueError) as error:
            raise LeadglassError(ErrorCode.UNSAFE, "The signature beside the scope is none.") from error
        for name in self.names():
            key = _public((self._trusted / f"{name}.pem").read_bytes(), f"The enrolled key {name}")
            try:
                key.verify(raw, _CONTEXT + data)
            except InvalidSignature:
                continue
            return name
        raise LeadglassError(
            ErrorCode.UNSAFE,
            "The scope was changed after it was signed, or its key is not enrolled here (leadglass scan trust).",
        )


def signature_of(scope_file: Path) -> Path:
    """Where the signature of a scope file lies."""
    return scope_file.with_name(scope_file.name + ".sig")


def binds_nobody(scope: Scope) -> bool:
    """Whether it has only this machine's own addresses, as the laboratory's has: it needs no signature."""
    here = all(network.is_loopback for network in scope.networks)
    return here and not scope.names and all(parsed(resolver.address).is_loopback for resolver in scope.resolvers)


def check_permission(scope: Scope, data: bytes, signature: bytes | None, trust: Trust, now: float) -> str:
    """Who signed the scope, "" if nobody has to. UNSAFE if it is not signed by an enrolled key, or not in force."""
    who = ""
    if not binds_nobody(scope):
        if signature is None:
            raise LeadglassError(
                ErrorCode.UNSAFE, "The scope is not signed: `leadglass scan sign` puts your signature beside it."
            )
        who = trust.who_signed(data, signature)
    if not scope.in_force(now):
        what = "has ended" if now >= scope.valid_until else "has not begun"
        raise LeadglassError(ErrorCode.UNSAFE, f"The permission {what}.")
    return who


def _public(pem: bytes, what: str) -> Ed25519PublicKey:
    if len(pem) > _MAX_KEY:
        raise LeadglassError(ErrorCode.USAGE, f"{what} is too long for a key.")
    try:
        key = load_pem_public_key(pem)
    except ValueError as error:
        raise LeadglassError(ErrorCode.USAGE, f"{what} is not a public key in PEM.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise LeadglassError(ErrorCode.USAGE, f"{what} is not an Ed25519 key.")
    return key

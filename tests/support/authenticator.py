"""An authenticator and the browser before it, in software: makes passkeys and signs with them (WebAuthn Level 3)."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from leadglass.access.passkeys import Site

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40  # flags of authenticator data


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass
class Authenticator:
    """One credential on one device. What is changed makes it lie."""

    site: Site
    count: int = 0
    flags: int = PRESENT | VERIFIED
    counts: bool = True  # some devices always say 0
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def create(self, options: str, **changes: Any) -> str:
        """What the browser answers to navigator.credentials.create(options)."""
        asked = json.loads(options)
        attestation: dict[str, Any] = {
            "fmt": changes.pop("fmt", "none"),
            "attStmt": changes.pop("statement", {}),
            "authData": self._data(self.flags | ATTESTED) + self._attested(),
        }
        response = {
            "clientDataJSON": self._client("webauthn.create", asked["challenge"], **changes),
            "attestationObject": b64(cbor2.dumps(attestation)),
        }
        return self._answer(response)

    def get(self, options: str, **changes: Any) -> str:
        """What the browser answers to navigator.credentials.get(options)."""
        asked = json.loads(options)
        self.count += self.counts
        data = self._data(self.flags)
        client = self._client("webauthn.get", asked["challenge"], **changes)
        signed = data + hashlib.sha256(base64.urlsafe_b64decode(client + "=" * (-len(client) % 4))).digest()
        signature = self.key.sign(signed, ec.ECDSA(hashes.SHA256()))
        return self._answer({"clientDataJSON": client, "authenticatorData": b64(data), "signature": b64(signature)})

    def _answer(self, response: dict[str, str]) -> str:
        identifier = b64(self.credential_id)
        return json.dumps({"id": identifier, "rawId": identifier, "type": "public-key", "response": response})

    def _client(self, kind: str, challenge: str, /, **changes: Any) -> str:
        data = {"type": kind, "challenge": challenge, "origin": self.site.origin, "crossOrigin": False, **changes}
        return b64(json.dumps(data).encode())

    def _data(self, flags: int) -> bytes:
        return hashlib.sha256(self.site.rp_id.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _attested(self) -> bytes:
        numbers = self.key.public_key().public_numbers()
        public = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        length = len(self.credential_id).to_bytes(2, "big")
        return bytes(16) + length + self.credential_id + cbor2.dumps(public)

"""Passkeys (W3C WebAuthn Level 3): what a browser is asked, and whether its answer holds. Pure.

The authenticator must have verified its user (PIN, finger, face), so that a passkey is two factors by itself; it is
discoverable, so that it is asked for without a name. Which device made it does not matter: no attestation is asked for.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

import webauthn
from cbor2 import CBORError
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from webauthn.helpers import base64url_to_bytes, parse_attestation_object
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AttestationFormat,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from leadglass.core.accounts import Account, Passkey

MAX_ANSWER: Final = 16 * 1024  # characters; with an attestation that was not asked for it has 4 KiB
MAX_CREDENTIAL_ID: Final = 1023  # bytes; WebAuthn Level 3 4, "credential ID"
TIMEOUT_MS: Final = 120_000  # that the browser gives its user

_NAME: Final = "Leadglass"
_NEEDED: Final = UserVerificationRequirement.REQUIRED
# What parsers of JSON, CBOR and keys raise on bytes that somebody made up.
_FAULTS: Final = (
    WebAuthnException,
    CBORError,
    InvalidSignature,
    UnsupportedAlgorithm,
    binascii.Error,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
    MemoryError,
)


class UnacceptableAnswer(ValueError):  # noqa: N818 - what it is
    """An answer that proves nothing."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where passkeys are used: an origin as browsers write it, and its host name (the RP ID)."""

    origin: str
    rp_id: str

    @property
    def has_passkeys(self) -> bool:
        """Whether browsers make passkeys here: for a name, not for an address."""
        try:
            ip_address(self.rp_id.strip("[]"))
        except ValueError:
            return True
        return False


def request_options(site: Site, challenge: bytes, allowed: Sequence[Passkey]) -> str:
    """What navigator.credentials.get() is given, as JSON; without `allowed` any passkey of the site will do."""
    options = webauthn.generate_authentication_options(
        rp_id=site.rp_id,
        challenge=challenge,
        timeout=TIMEOUT_MS,
        allow_credentials=_described(allowed) or None,
        user_verification=_NEEDED,
    )
    return webauthn.options_to_json(options)


def creation_options(site: Site, challenge: bytes, account: Account, handle: bytes) -> str:
    """What navigator.credentials.create() is given, as JSON. `handle` names the account to the authenticator and says
    nothing of its owner."""
    options = webauthn.generate_registration_options(
        rp_id=site.rp_id,
        rp_name=_NAME,
        user_name=account.name,
        user_id=handle,
        user_display_name=account.display,
        challenge=challenge,
        timeout=TIMEOUT_MS,
        attestation=AttestationConveyancePreference.NONE,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, require_resident_key=True, user_verification=_NEEDED
        ),
        exclude_credentials=_described(account.passkeys) or None,
    )
    return webauthn.options_to_json(options)


def credential_of(answer: str) -> bytes:
    """Which credential an answer claims to be of. UnacceptableAnswer if it says none."""
    if len(answer) > MAX_ANSWER:
        raise UnacceptableAnswer
    try:
        return base64url_to_bytes(json.loads(answer)["rawId"])
    except _FAULTS:
        raise UnacceptableAnswer from None


def sign_count_of(site: Site, challenge: bytes, answer: str, passkey: Passkey) -> int:
    """The counter of an answer that `passkey` signed for this challenge, here, its user verified, and that is not one
    of before. UnacceptableAnswer otherwise."""
    if len(answer) > MAX_ANSWER:
        raise UnacceptableAnswer
    try:
        return webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=True,
        ).new_sign_count
    except _FAULTS:
        raise UnacceptableAnswer from None


def registered(site: Site, challenge: bytes, answer: str, label: str, added: int) -> Passkey:
    """The passkey that a browser made for this challenge, here, its user verified. UnacceptableAnswer otherwise."""
    if len(answer) > MAX_ANSWER or not challenge:
        raise UnacceptableAnswer
    try:
        _require_plain(answer)
        made = webauthn.verify_registration_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except _FAULTS:
        raise UnacceptableAnswer from None
    if len(made.credential_id) > MAX_CREDENTIAL_ID:
        raise UnacceptableAnswer
    return Passkey(made.credential_id, made.credential_public_key, made.sign_count, label, added)


def _require_plain(answer: str) -> None:
    """Attestation statements carry certificates for us to parse; they were not asked for, so only `none` and what the
    key itself signed (`packed` without certificates) are looked at."""
    response = json.loads(answer)["response"]
    attestation = parse_attestation_object(base64url_to_bytes(response["attestationObject"]))
    if attestation.fmt not in (AttestationFormat.NONE, AttestationFormat.PACKED) or attestation.att_stmt.x5c:
        raise UnacceptableAnswer


def _described(passkeys: Sequence[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=passkey.credential_id) for passkey in passkeys]

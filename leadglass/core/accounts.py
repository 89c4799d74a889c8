"""People: their accounts, what they prove themselves with, and what they do here by roles."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Role(Enum):
    """What a person does here. `access.study_policy` says which rights each means."""

    ADMINISTRATOR = "administrator"
    CLINICIAN = "clinician"
    TECHNOLOGIST = "technologist"
    RESEARCHER = "researcher"
    AUDITOR = "auditor"


@dataclass(frozen=True, slots=True)
class Passkey:
    """A WebAuthn credential (W3C WebAuthn Level 3). `public_key` is COSE; `label` is what its owner calls it."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    label: str
    added: int


@dataclass(frozen=True, slots=True)
class Account:
    """A person's account. Times are nanoseconds since the epoch, UTC; 0 means never.

    `name` is what its owner signs in with. Without `password_hash` (argon2id, PHC string) no password lets in: the
    owner has to open a one-time link first. `totp_secret` is the key of RFC 6238, `totp_step` the last time step
    that was used up; `recovery` holds digests of the codes that are left. `institutions` and `referring` are part
    of the reach (core.reach), in normalised form. `subject` is `subject@issuer` of an OpenID provider.
    """

    name: str
    display: str
    roles: frozenset[Role]
    created: int
    created_by: str
    password_hash: str = field(default="", repr=False)
    totp_secret: bytes = field(default=b"", repr=False)
    totp_step: int = 0
    recovery: frozenset[bytes] = field(default=frozenset(), repr=False)
    passkeys: tuple[Passkey, ...] = ()
    institutions: frozenset[str] = frozenset()
    referring: frozenset[str] = frozenset()
    subject: str = ""
    language: str = ""
    disabled: int = 0

    @property
    def second_factor(self) -> bool:
        """Whether something beside the password is asked for."""
        return bool(self.totp_secret or self.passkeys)

    @property
    def at_provider_alone(self) -> bool:
        """Whether its owner signs in at the OpenID provider, and in no other way unless an administrator makes one."""
        return bool(self.subject) and not self.password_hash

"""An enrolled DICOM device: the noun that access decides on, state keeps and doors look at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from leadglass.core.limits import DEFAULT_QUERY_LIMIT, IDLE_TIMEOUT_SECONDS
from leadglass.core.principal import Right


class CertificateBinding(Enum):
    """How a device's certificate is recognised."""

    ISSUED = "issued"  # by the archive's own CA (`--cert`, `--csr`): `value` is the certificate's SHA-256
    PINNED = "pinned"  # an existing certificate (`--pin`): `value` is its SHA-256, `authority` its own PEM
    AUTHORITY = "authority"  # another CA (`--ca`): `value` is the subject, `authority` its PEM


class DuplicatePolicy(Enum):
    """What happens when a SOP Instance UID comes again with other values."""

    VERSION = "version"  # keep both, serve the first, list the second under conflicts
    REFUSE = "refuse"  # 0xC001


@dataclass(frozen=True, slots=True)
class DeviceCertificate:
    """One certificate, or kind of certificate, that a device may present."""

    binding: CertificateBinding
    value: str
    authority: str = ""
    not_after: str = ""  # ISO 8601 date-time, UTC; empty for AUTHORITY


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a device listens."""

    host: str
    port: int
    ae_title: str
    tls: bool


@dataclass(frozen=True, slots=True)
class Device:
    """A device: a name, how it is recognised, where it listens, its defaults and rights (architecture: access)."""

    name: str
    ae_titles: tuple[str, ...]
    networks: tuple[str, ...]  # CIDR or single addresses, as text
    rights: frozenset[Right]
    certificates: tuple[DeviceCertificate, ...] = ()
    listens: Endpoint | None = None
    destinations: tuple[str, ...] = ()  # names of devices it may C-MOVE to, itself aside
    issuer: str = ""  # Issuer of Patient ID where the object has none
    institution: str = ""
    character_set: str = "ISO_IR 100"  # assumed where (0008,0005) is missing
    transfer_syntaxes: tuple[str, ...] = ()  # when not empty, the only ones accepted from it
    private_sop_classes: tuple[str, ...] = ()
    query_limit: int = DEFAULT_QUERY_LIMIT
    idle_timeout: float = IDLE_TIMEOUT_SECONDS
    max_associations: int = 32
    duplicates: DuplicatePolicy = DuplicatePolicy.VERSION
    passcode_hash: str = ""  # argon2id; when set, user identity type 2 over TLS must carry it
    plain: bool = False  # may call without TLS
    enabled: bool = True
    sample: bool = False  # made by `demo`; an archive not made by it refuses to start with one

"""What the vault keeps of one SOP instance and where it lies; what the catalog learns of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from leadglass.core.identity import InstanceIdentity


@dataclass(frozen=True, slots=True)
class Location:
    """Where a record lies: segment name (random, 32 hex digits), offset of its header, length of its data set."""

    segment: str
    offset: int
    data_set_length: int


@dataclass(frozen=True, slots=True)
class RecordTrailer:
    """What is kept, encrypted, behind the data set: enough to rebuild the Part 10 file and the catalog.

    `received_at` is nanoseconds since the epoch, UTC; `digest` BLAKE3-256 of the data set bytes as received.
    `principal` and `address` are the store's journal event: who sent it, from where. `order` tells which of two came
    first: nanoseconds like `received_at`, but of a clock that is never set back; 0 means `received_at`. `mends` says
    that an earlier record of the same bytes was damaged when this one came: it takes that one's place.
    """

    identity: InstanceIdentity
    transfer_syntax_uid: str
    received_at: int
    digest: bytes
    principal: str
    ae_title: str
    address: str
    institution: str
    assumed_character_set: str  # the device's, used where (0008,0005) is missing
    file_meta: bytes = b""  # File Meta Information kept aside (import), without preamble and prefix
    order: int = 0
    mends: bool = False

    @property
    def came(self) -> int:
        """What a rebuilt catalog goes by."""
        return self.order or self.received_at


class HeaderValue(NamedTuple):
    """A raw value of an indexed attribute, as in the object: VR and bytes (sequences re-encoded Explicit VR LE,
    binary numbers little endian). A tuple because a scan makes some sixty per instance."""

    vr: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class InstanceEntry:
    """What the catalog learns of one stored instance. `header` holds indexed attributes (dicom.index_keys)."""

    trailer: RecordTrailer
    location: Location
    key_id: bytes
    header: Mapping[int, HeaderValue]


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """A row of the catalog as retrieval needs it."""

    identity: InstanceIdentity
    transfer_syntax_uid: str
    location: Location
    key_id: bytes
    digest: bytes
    version: int = 1


@dataclass(frozen=True, slots=True)
class SeriesState:
    """A series as it is now. `stamp` changes whenever another instance, or another version of one, is served;
    `key_id` is that of one of its records."""

    study_uid: str
    series_uid: str
    key_id: bytes
    instances: int
    stamp: str


@dataclass(frozen=True, slots=True)
class ReplayMark:
    """Everything of `segment` before `offset` is in the catalog. `sealed` segments are never looked at again."""

    segment: str
    offset: int
    sealed: bool = False


@dataclass(frozen=True, slots=True)
class Damage:
    """A stretch of a segment that is not a good record though good ones may follow. Kept, skipped, reported."""

    segment: str
    offset: int
    length: int
    reason: str


@dataclass(frozen=True, slots=True)
class CheckedRecord:
    """A record that is as it should be. `position` continues the check behind it."""

    location: Location
    identity: InstanceIdentity
    digest: bytes
    position: str


@dataclass(frozen=True, slots=True)
class RingFinding:
    """Something off in the key ring. `copy` is ring.a, ring.b or both; `offset` -1 means the copy as a whole."""

    copy: str
    offset: int
    reason: str

"""Ports: what services need of the rooms below them, and of the doors. A port's comment is its contract, and one
suite under tests/contracts/ proves every implementation of it.

Unless a method says otherwise it is synchronous, may block, is called off the event loop and may be called from
several threads.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol, TypeAlias

from leadglass.core.device import Device
from leadglass.core.errors import LeadglassError
from leadglass.core.events import JournalEvent
from leadglass.core.identity import InstanceIdentity, KeyScope
from leadglass.core.listing import StudyPage, StudySearch
from leadglass.core.query import FindPage, Query, Selection, never
from leadglass.core.records import (
    CheckedRecord,
    Damage,
    InstanceEntry,
    Location,
    RecordTrailer,
    ReplayMark,
    RingFinding,
    SeriesState,
    StoredInstance,
)
from leadglass.core.tokens import ApiToken, Grant

Buffer: TypeAlias = bytes | bytearray | memoryview

# --- providers ---------------------------------------------------------------------------------------------------


class ProviderDocuments(Protocol):
    """Small documents of a configured server (an OpenID provider's keys, its userinfo endpoint)."""

    def document(self, url: str, bearer: str = "") -> bytes:
        """What `url` answers, with `bearer` shown where given. NOT_AUTHORISED if the server refuses it, UNAVAILABLE if
        there is no answer of bounded size within seconds."""
        ...

    def exchanged(self, url: str, fields: Mapping[str, str], name: str = "", secret: str = "") -> bytes:
        """What `url` answers to a form of these fields, `name` and `secret` shown where there is one (RFC 6749 2.3.1);
        errors as of `document`."""
        ...


# --- vault -----------------------------------------------------------------------------------------------------


class StudyKey(Protocol):
    """An opened study key. Its bytes stay inside the vault."""

    @property
    def key_id(self) -> bytes:
        """16 random bytes that name the key in record headers and in the ring."""
        ...


class SealedRecord(Protocol):
    """A record that is complete in memory (or in a segment of its own) and not yet durable."""

    @property
    def size(self) -> int:
        """Bytes it will take in a segment."""
        ...


class RecordWriter(Protocol):
    """Encrypts one record as its bytes arrive. Never blocks, except `spill` and, for spilled records, `finish`."""

    @property
    def buffered(self) -> int:
        """Bytes held in memory and not yet spilled."""
        ...

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take more of the data set; the buffer may be reused when this returns."""
        ...

    def spill(self) -> None:
        """Write what is buffered into a segment of the record's own (blocking; for records over SMALL_RECORD)."""
        ...

    def digest(self) -> bytes:
        """BLAKE3-256 of the data set bytes so far."""
        ...

    def finish(self, trailer: RecordTrailer) -> SealedRecord:
        """End the record. After it the writer is spent."""
        ...

    def abort(self) -> None:
        """Forget the record; nothing of it becomes visible. Safe to call at any time, again too."""
        ...


class RecordReader(Protocol):
    """One stored record, opened and authenticated: its identity was compared with the one asked for."""

    @property
    def trailer(self) -> RecordTrailer:
        """What the writer sealed the record with."""
        ...

    @property
    def data_set_length(self) -> int:
        """Bytes of the data set as received."""
        ...

    def read(self, start: int, length: int) -> bytes:
        """Data set bytes [start, start+length), cut at the end. LeadglassError DAMAGED if they do not authenticate."""
        ...

    def pieces(self, start: int, length: int) -> list[bytes]:
        """As `read`, in pieces as they come to lie in memory, without joining them."""
        ...

    def pieces_at_hand(self, start: int, length: int) -> list[bytes] | None:
        """As `pieces` if that takes no waiting for the medium, else None. Allowed on the event loop for pieces of
        less than a MiB together."""
        ...

    def chunks(self) -> Iterator[Buffer]:
        """The whole data set in order, in pieces of at most a few MiB, each authenticated before it is given."""
        ...

    def close(self) -> None:
        """Let go of the medium. Safe to call again."""
        ...


@dataclass(frozen=True, slots=True)
class ReplayedRecord:
    """A good record met while a segment is replayed. `end` is the offset behind it."""

    location: Location
    key_id: bytes
    end: int
    reader: RecordReader


class Vault(Protocol):
    """Bytes at rest."""

    def known_key(self, scope: KeyScope) -> StudyKey | None:
        """The study key of `scope` if it exists and is in memory. Never blocks."""
        ...

    def obtain_key(self, scope: KeyScope) -> StudyKey:
        """The study key of `scope`, made and synced in both copies of the ring first if it is new; once, however
        many ask together."""
        ...

    def begin(self, key: StudyKey) -> RecordWriter:
        """A writer for a new record under `key`, with a fresh salt. Never blocks."""
        ...

    def prepare(self, key: StudyKey) -> None:
        """Do ahead, in an idle moment, what the next `begin` with `key` will need. Never blocks."""
        ...

    def append(self, records: Sequence[SealedRecord]) -> list[Location]:
        """Write records, in order, to this process's segment (spilled ones are in place already). Not yet durable,
        but on the way: what the caller does before `sync`, it does while the medium works.
        On a failed write the segment is given up and LeadglassError OUT_OF_RESOURCES is raised: none of `records`
        counts. Called from one thread only."""
        ...

    def sync(self) -> list[ReplayMark]:
        """Make all that was appended durable (fdatasync); the marks behind it, one per segment touched since the
        last sync. On failure the segment is given up and LeadglassError OUT_OF_RESOURCES raised. One thread only."""
        ...

    def open(self, location: Location, identity: InstanceIdentity, *, whole: bool = False) -> RecordReader:
        """The record at `location`. NOT_FOUND if its segment is gone, DAMAGED if it does not authenticate or is of
        another instance. `whole` says that all of it is wanted: a small one is then read from the medium at once."""
        ...

    def segments(self) -> list[str]:
        """Names of all segments that can be replayed now: those of living writers are left out."""
        ...

    def replay(self, segment: str, offset: int) -> Iterator[ReplayedRecord | Damage]:
        """Records of `segment` from `offset` (0: its start) on. A bad stretch with a good record anywhere behind it
        is Damage; a tail with nothing good behind it ends the segment."""
        ...

    def adopt(self, segment: str) -> ReplayMark:
        """Seal a dead writer's segment behind its last good record; the final mark."""
        ...

    def check(
        self, read_data: bool, from_position: str | None = None
    ) -> Iterator[CheckedRecord | Damage | RingFinding]:
        """Compare the ring's copies, then go through every segment; with `read_data` every data set is read from the
        medium and compared with its digest. `from_position` continues behind a CheckedRecord. Nothing is changed."""
        ...

    def close(self) -> None:
        """Seal this process's segment and let go of everything."""
        ...


class Derived(Protocol):
    """What was made of a study's images and can be made again, encrypted with the study's key.

    `key_id` is that of one of the study's records, `stamp` tells the state of the study that it was made of."""

    def get(self, key_id: bytes, kind: str, name: str, stamp: str) -> bytes | None:
        """What was put under the same words; None if nothing was, or under another stamp, or it is damaged."""
        ...

    def put(self, key_id: bytes, kind: str, name: str, stamp: str, content: bytes) -> None:
        """Keep `content` if there is room. Never fails: what is not kept is made again."""
        ...


# --- index -----------------------------------------------------------------------------------------------------


class AddOutcome(Enum):
    """What became of an entry."""

    ADDED = "added"
    VERSION = "version"  # another object has this SOP Instance UID: kept, not served, listed under conflicts
    KNOWN = "known"  # this location, or another with the same bytes in the same syntax, is in the catalog already


class Added(NamedTuple):
    """What `Catalog.add` says of an entry: the outcome, and whether its study lies in the trash."""

    outcome: AddOutcome
    in_trash: bool = False


class Catalog(Protocol):
    """What is known of the stored instances; derived, rebuilt by `reindex`."""

    def add(
        self,
        entries: Sequence[InstanceEntry],
        marks: Sequence[ReplayMark],
        settle: Callable[[], Sequence[ReplayMark]] | None = None,
    ) -> list[Added]:
        """Add entries and replay marks in one transaction. One thread only. OUT_OF_RESOURCES if it cannot.

        `settle` is called once the rows stand in the transaction and gives further marks; only after it returned is
        there a commit. If it raises, nothing counts and its error goes on.
        """
        ...

    def lookup(self, sop_instance_uid: str) -> StoredInstance | None:
        """The served version of an instance, in the trash or not. A point look-up, allowed on the event loop."""
        ...

    def is_trashed(self, sop_instance_uid: str) -> bool:
        """Whether the served version lies in the trash, by itself or with its study."""
        ...

    def versions(self, sop_instance_uid: str) -> list[StoredInstance]:
        """All versions, the served one first."""
        ...

    def find(self, query: Query, stopped: Callable[[], bool] = never) -> FindPage:
        """Entities that match, with every requested return key that is supported; trash left out, and what lies
        outside `query.reach`: it is neither found nor counted in computed attributes.

        Times carry Timezone Offset From UTC where their zone is known. `stopped` is asked now and then: once it is
        true the search ends with what it has, cut short.
        """
        ...

    def list_studies(self, search: StudySearch) -> StudyPage:
        """A page of the studies that match (core.listing), as `find` tells of them: trash and what is out of reach left
        out."""
        ...

    def select(self, selection: Selection) -> list[StoredInstance]:
        """The served instances of a selection within its reach, in order of study, series, instance number."""
        ...

    def series_states(self, selection: Selection) -> list[SeriesState]:
        """The series that hold what `select` would give, in its order; the whole series each, whatever is named of it.
        `selection` is of a level above IMAGE."""
        ...

    def studies_of(self, selection: Selection) -> list[str]:
        """Study Instance UIDs that a selection touches, trashed ones too. A study of which any part (it may be known
        with two patients) lies outside the reach is left out: what is done to a study is done to all of it."""
        ...

    def set_trashed(self, study_uid: str, trashed: bool) -> int:
        """Hide or show a study (derived from state); how many instances it has."""
        ...

    def trashed(self) -> list[str]:
        """Study Instance UIDs that are hidden, those of studies still to come too."""
        ...

    def set_hidden(self, sop_instance_uids: Iterable[str], hidden: bool) -> int:
        """Hide or show the served version of instances (derived from state), and what then has none to show, up to its
        patient; how many were not so before. What is not known is passed over."""
        ...

    def hidden(self) -> list[str]:
        """SOP Instance UIDs that are hidden by `set_hidden`."""
        ...

    def hidden_of(self, selection: Selection) -> list[StoredInstance]:
        """As `select`, of the instances that are hidden by themselves, in studies that are not in the trash."""
        ...

    def conflicts(self) -> list[Mapping[str, str | int]]:
        """Unserved versions, and studies known with two patients."""
        ...

    def arrivals(self, since: int) -> list[tuple[int, int, int]]:
        """What came each day (UTC) from `since` (nanoseconds since the epoch) on: days since the epoch, instances of
        all versions, bytes of their data sets; days without are left out. Takes time by what came since then."""
        ...

    def unread(self) -> tuple[int, int]:
        """How many unserved versions there are, and the bytes of their data sets."""
        ...

    def last_order(self) -> int:
        """The largest `order` of a trailer that was added; 0 if none was."""
        ...

    def marks(self) -> dict[str, ReplayMark]:
        """Replay marks by segment."""
        ...

    def statistics(self) -> Mapping[str, int]:
        """Counts: patients, studies, series, instances, versions, trashed studies, bytes."""
        ...

    def instances(self) -> Iterator[StoredInstance]:
        """Every version of every instance, trash too, by segment and offset (for `check`)."""
        ...

    def clear(self) -> None:
        """Forget everything (before `reindex`)."""
        ...


@dataclass(frozen=True, slots=True)
class TrashedStudy:
    """A decision: a study was put into the trash. Times are nanoseconds since the epoch, UTC."""

    study_uid: str
    trashed_at: int
    principal: str
    reason: str


@dataclass(frozen=True, slots=True)
class TrashedInstance:
    """A decision: one instance was put into the trash, its study aside. Times as in TrashedStudy."""

    sop_instance_uid: str
    study_uid: str
    series_uid: str
    trashed_at: int
    principal: str
    reason: str


class State(Protocol):
    """Decisions; truth. Durable (synchronous=FULL) when a method returns."""

    def rights_epoch(self) -> int:
        """A number that changes whenever a right may have changed. A point look-up."""
        ...

    def devices(self) -> list[Device]:
        """Every enrolled device, by name."""
        ...

    def device(self, name: str) -> Device | None:
        """The device called `name`, or None."""
        ...

    def put_device(self, device: Device) -> None:
        """Enrol `device`, or replace the one of its name."""
        ...

    def remove_device(self, name: str) -> bool:
        """Forget a device; False if there was none."""
        ...

    def put_trash(self, entry: TrashedStudy) -> None:
        """Put a study into the trash, or replace its entry."""
        ...

    def remove_trash(self, study_uid: str) -> bool:
        """Take a study out of the trash; False if it was not there."""
        ...

    def trash(self) -> list[TrashedStudy]:
        """Every study in the trash."""
        ...

    def put_instance_trash(self, entries: Sequence[TrashedInstance]) -> None:
        """Put instances into the trash, or replace their entries, in one transaction."""
        ...

    def remove_instance_trash(self, sop_instance_uids: Sequence[str]) -> int:
        """Take instances out of the trash; how many were there."""
        ...

    def instance_trash(self) -> list[TrashedInstance]:
        """Every instance in the trash that was put there by itself."""
        ...

    def setting(self, name: str) -> str | None:
        """A small decision kept by name (recovery kit tested, CA certificate, ...)."""
        ...

    def put_setting(self, name: str, value: str) -> None:
        """Keep a small decision by name, replacing what was there."""
        ...

    def tokens(self) -> list[ApiToken]:
        """Every token, revoked and expired ones too, by name."""
        ...

    def token(self, name: str) -> ApiToken | None:
        """The token called `name`, or None."""
        ...

    def token_by_digest(self, digest: bytes) -> ApiToken | None:
        """The token with this digest, or None. A point look-up, allowed on the event loop."""
        ...

    def put_token(self, token: ApiToken) -> None:
        """Keep `token`, or replace the one of its name."""
        ...

    def revoke_token(self, name: str, moment: int) -> bool:
        """Let nobody in by this token any more; False if there is none of that name that was not revoked before."""
        ...

    def note_token_uses(self, uses: Mapping[str, int]) -> None:
        """When tokens were last used (nanoseconds), by name. No right changes by it, so the epoch stays."""
        ...

    def grants(self, principal: str | None = None) -> list[Grant]:
        """Explicit grants, all or those to one principal, in order of principal, study, patient."""
        ...

    def put_grant(self, grant: Grant) -> None:
        """Grant a study or a patient; the same again replaces who granted it and when."""
        ...

    def remove_grant(self, grant: Grant) -> bool:
        """Take back the grant of the same principal, study and patient; False if there was none."""
        ...

    def settle(self, name: str, value: str) -> str:
        """Keep a small decision unless there is one of that name already; the one that holds from now on."""
        ...


# --- journal ---------------------------------------------------------------------------------------------------


class Journal(Protocol):
    """The audit trail."""

    def record(self, event: JournalEvent, *, durable: bool = False) -> None:
        """Append an event. With `durable`, it is on disk when this returns; UNAVAILABLE if it cannot be. Without,
        it is written within a second by the journal's own thread and this never blocks."""
        ...

    @property
    def writable(self) -> bool:
        """False once a write has failed: reads, exports and deletes then stop, stores go on."""
        ...


class DeviceCaller(Protocol):
    """Calls devices to where they listen, as this archive; async."""

    async def echo(self, device: Device) -> int:
        """C-ECHO; its status. LeadglassError (UNAVAILABLE, NOT_AUTHORISED, ...) says in plain words why there is none;
        USAGE if the device has no address."""
        ...


# --- sandbox ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PixelDescription:
    """What a decoder must be told of the pixels (image pixel module, C.7.6.3)."""

    transfer_syntax_uid: str
    rows: int
    columns: int
    samples_per_pixel: int
    bits_allocated: int
    bits_stored: int
    pixel_representation: int
    photometric_interpretation: str
    planar_configuration: int
    number_of_frames: int


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """One frame as native little-endian bytes, colour by pixel (planar configuration 0)."""

    pixels: bytes
    photometric_interpretation: str


class PixelDecoder(Protocol):
    """Decodes hostile pixels where nothing can be stolen. One job serves one study for one principal."""

    def decode(self, description: PixelDescription, frames: Sequence[bytes]) -> Iterator[DecodedFrame]:
        """Each encapsulated frame, decoded. CANNOT_CONVERT if the codec fails, dies, or takes too long."""
        ...


# --- doors -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SubOperation:
    """How one C-STORE sub-operation ended: its DIMSE status (0x0000, 0xBxxx warning, else failure)."""

    sop_instance_uid: str
    status: int


@dataclass(frozen=True, slots=True)
class OutgoingDataSet:
    """A data set on its way out, in the transfer syntax that was agreed on: what was read of it, then the rest."""

    transfer_syntax_uid: str
    first: Sequence[Buffer]
    rest: AsyncIterator[Buffer] | None  # None: `first` is all of it

    async def chunks(self) -> AsyncIterator[Buffer]:
        """All of it, in order."""
        for piece in self.first:
            yield piece
        if self.rest is not None:
            async for piece in self.rest:
                yield piece


@dataclass(frozen=True, slots=True)
class OpenedInstance:
    """An instance that can be sent, or why it cannot."""

    stored: StoredInstance
    outgoing: OutgoingDataSet | LeadglassError


class OpenedInstances(Protocol):
    """Instances in order, opened ahead of who sends them. One user, on the event loop."""

    def ready(self) -> OpenedInstance | None:
        """The next one if it is opened already; None if it has to be waited for, or there is none."""
        ...

    async def next(self) -> OpenedInstance | None:
        """The next one; None behind the last."""
        ...

    def close(self) -> None:
        """Let go of what was opened and not taken."""
        ...


class OutgoingSource(Protocol):
    """Opens stored instances for sending; async, on the event loop, blocking work done in threads."""

    def open_all(
        self, instances: Sequence[StoredInstance], accepted: Callable[[StoredInstance], Sequence[str]]
    ) -> OpenedInstances:
        """Each in the first fitting syntax of what `accepted` says of it: as stored if it is among them, else
        converted. CANNOT_CONVERT if none fits, DAMAGED or NOT_FOUND if it cannot be read. Errors come in place of
        the instance, before its first byte, wherever they can be known."""
        ...


class Sender(Protocol):
    """Sends instances to an enrolled device (C-MOVE, forwarding). Implemented by scp over net; async."""

    def send(
        self,
        destination: Device,
        instances: Sequence[StoredInstance],
        source: OutgoingSource,
        *,
        originator: str = "",
        originator_message_id: int = 0,
    ) -> AsyncIterator[SubOperation]:
        """Send in order; one result per instance, as it ends. DESTINATION_UNREACHABLE if no association can be had.
        Closing the iterator ends the sending. `originator` is the Move Originator AE Title."""
        ...

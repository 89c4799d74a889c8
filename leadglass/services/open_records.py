"""Records that are read from again and again, kept open for some seconds with what was found out about them.

A viewer asks for the frames of an object one by one: its key is derived, its layout read and its offset tables walked
once. Whoever borrows a record has asked for the rights first; what is kept here says nothing of rights.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, TypeAlias

from leadglass.core.ports import RecordReader, Vault
from leadglass.core.records import Location, StoredInstance
from leadglass.dicom.frames import FrameLocator, ReadAt
from leadglass.dicom.layout import InstanceLayout
from leadglass.dicom.layout_reader import read_layout
from leadglass.dicom.media_types import media_type_of
from leadglass.dicom.native_frames import NativeFrames, native_frames
from leadglass.dicom.refusal import broken
from leadglass.dicom.transfer_syntaxes import lookup
from leadglass.dicom.walk import InflatedReader

MAX_OPEN: Final = 256  # records per process that nobody reads at the moment: a stack that somebody scrolls
IDLE_SECONDS: Final = 10.0
MAX_KEPT_FRAMES: Final = 2_000_000  # of encapsulated pixel data, all together: 8 bytes of offset each
MAX_LAYOUTS: Final = 20_000  # of records that are closed; some 500 bytes each

_Key: TypeAlias = "tuple[bytes, Location]"


class OpenRecord:
    """One record: its reader, layout and frames. For any thread. Made by OpenRecords."""

    def __init__(self, stored: StoredInstance, reader: RecordReader, layout: InstanceLayout | None) -> None:
        """Read the layout unless it is known. UNPARSABLE if the data set cannot be followed."""
        self.stored = stored
        self.key: _Key = (stored.digest, stored.location)
        self.reader = reader
        self.layout = layout or self._read_layout()
        self.users = 0
        self.used_at = 0.0
        self._lock = threading.Lock()
        self._located: FrameLocator | None = None
        self._native: NativeFrames | None = None

    @property
    def frame_count(self) -> int:
        """Frames that can be asked for: a video is one, whatever it says."""
        if not self.layout.pixel_tag:
            return 0
        if media_type_of(self.layout.transfer_syntax_uid).startswith("video/"):
            return 1
        return self.layout.number_of_frames

    @property
    def kept_frames(self) -> int:
        """Frames whose places are kept."""
        return 0 if self._located is None else len(self._located)

    def read(self) -> ReadAt:
        """Reads the data set, inflated where it is deflated; such a reader is for one user and goes forwards."""
        return InflatedReader(self.reader.read) if self.layout.deflated else self.reader.read

    def native(self) -> NativeFrames:
        """Where native frames lie. CANNOT_CONVERT if that is contradictory."""
        if self._native is None:
            self._native = native_frames(self.layout)
        return self._native

    def located(self) -> FrameLocator:
        """Where encapsulated frames lie; the tables are read once. CANNOT_CONVERT if they lie."""
        with self._lock:
            if self._located is None:
                layout = self.layout
                (at, length), (lengths_at, lengths_length) = layout.extended_offsets, layout.extended_lengths
                if bool(length) != bool(lengths_length):
                    raise broken("half of the extended offset table is missing")
                extended = None
                if length and length == lengths_length == 8 * self.frame_count:
                    extended = (self.reader.read(at, length), self.reader.read(lengths_at, lengths_length))
                elif length:
                    raise broken("an offset table does not have one entry per frame")
                self._located = FrameLocator(self.reader.read, layout.value_offset, self.frame_count, extended)
            return self._located

    def _read_layout(self) -> InstanceLayout:
        syntax = lookup(self.stored.transfer_syntax_uid)
        deflated = syntax is not None and syntax.deflated
        length = None if deflated else self.reader.data_set_length
        return read_layout(self.reader.read, self.stored.transfer_syntax_uid, length)


class OpenRecords:
    """The records kept open in this process. `now` is a clock of seconds that only goes forward."""

    def __init__(self, vault: Vault, now: Callable[[], float]) -> None:
        self._vault = vault
        self._now = now
        self._lock = threading.Lock()
        self._open: dict[_Key, OpenRecord] = {}
        self._idle: OrderedDict[_Key, OpenRecord] = OrderedDict()  # those without users, by the time they had some
        self._idle_frames = 0
        self._layouts: OrderedDict[_Key, InstanceLayout] = OrderedDict()

    def borrow_at_hand(self, stored: StoredInstance) -> OpenRecord | None:
        """The record if it is open. Never blocks. To be given back."""
        with self._lock:
            record = self._open.get((stored.digest, stored.location))
            if record is not None:
                self._use(record)
            return record

    def borrow(self, stored: StoredInstance) -> OpenRecord:
        """The record, opened if it is not. To be given back. Raises what core.ports.Vault.open does, and UNPARSABLE."""
        record = self.borrow_at_hand(stored)
        if record is not None:
            return record
        made = self._made(stored)
        with self._lock:
            record = self._open.setdefault(made.key, made)
            self._use(record)
            self._remember(record)
        if record is not made:
            made.reader.close()
        return record

    def hold(self, record: OpenRecord) -> None:
        """One more user of a record that is borrowed. To be given back too."""
        with self._lock:
            self._use(record)

    def give_back(self, record: OpenRecord) -> None:
        """The borrower reads no more."""
        with self._lock:
            record.users -= 1
            if not record.users:
                record.used_at = self._now()
                self._idle[record.key] = record
                self._idle_frames += record.kept_frames
            while len(self._idle) > MAX_OPEN or self._idle_frames > MAX_KEPT_FRAMES:
                self._close_oldest()

    def sweep(self) -> None:
        """Close what nobody has read for IDLE_SECONDS. To be called regularly."""
        before = self._now() - IDLE_SECONDS
        with self._lock:
            while self._idle and next(iter(self._idle.values())).used_at < before:
                self._close_oldest()

    def close(self) -> None:
        """Close all that nobody reads."""
        with self._lock:
            while self._idle:
                self._close_oldest()

    def _use(self, record: OpenRecord) -> None:
        if not record.users and self._idle.pop(record.key, None) is not None:
            self._idle_frames -= record.kept_frames
        record.users += 1

    def _close_oldest(self) -> None:
        key, record = self._idle.popitem(last=False)
        self._idle_frames -= record.kept_frames
        del self._open[key]
        record.reader.close()

    def _made(self, stored: StoredInstance) -> OpenRecord:
        reader = self._vault.open(stored.location, stored.identity)
        try:
            return OpenRecord(stored, reader, self._layouts.get((stored.digest, stored.location)))
        except BaseException:
            reader.close()
            raise

    def _remember(self, record: OpenRecord) -> None:
        self._layouts[record.key] = record.layout
        self._layouts.move_to_end(record.key)
        if len(self._layouts) > MAX_LAYOUTS:
            self._layouts.popitem(last=False)

"""What core.ports.Vault promises, proved of every implementation; only `local` knows how one is made."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from blake3 import blake3

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.identity import InstanceIdentity, KeyScope, PatientKey
from leadglass.core.ports import Vault
from leadglass.core.records import Damage, Location, RecordTrailer
from leadglass.vault.store import SegmentVault

Opener = Callable[[], Vault]


def local(root: Path) -> Opener:
    archive_id, ring_key = os.urandom(16), os.urandom(32)
    return lambda: SegmentVault(root, archive_id, ring_key, segment_size=1024 * 1024)


@pytest.fixture(params=[local])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Opens the same vault each time it is called."""
    return request.param(tmp_path)


@pytest.fixture
def vault(opener: Opener) -> Iterator[Vault]:
    opened = opener()
    yield opened
    opened.close()


def identity(number: int = 1, study: int = 1) -> InstanceIdentity:
    return InstanceIdentity("1.2.3", f"1.4.{number}", f"1.5.{study}", "1.6", PatientKey("issuer", f"P{study}"))


def trailer(of: InstanceIdentity, data: bytes) -> RecordTrailer:
    return RecordTrailer(of, "1.2.840.10008.1.2", 1, blake3(data).digest(), "ct", "CT", "192.0.2.1", "", "ISO_IR 100")


def store(vault: Vault, data: bytes, of: InstanceIdentity, *, spill: bool = False) -> Location:
    writer = vault.begin(vault.obtain_key(KeyScope.of(of)))
    writer.write(data)
    if spill:
        writer.spill()
    (location,) = vault.append([writer.finish(trailer(of, data))])
    vault.sync()
    return location


def fetch(vault: Vault, location: Location, of: InstanceIdentity) -> bytes:
    both = []
    for whole in (False, True):
        reader = vault.open(location, of, whole=whole)
        both.append(b"".join(reader.chunks()))
        reader.close()
    assert both[0] == both[1]
    return both[0]


@pytest.mark.parametrize("spill", [False, True])
@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 700_000])
def test_what_was_stored_comes_back_after_a_restart(opener: Opener, size: int, spill: bool) -> None:
    first = opener()
    data = os.urandom(size)
    location = store(first, data, identity(), spill=spill)
    assert location.data_set_length == size
    assert fetch(first, location, identity()) == data
    first.close()
    second = opener()
    reader = second.open(location, identity())
    assert reader.trailer == trailer(identity(), data)
    assert reader.data_set_length == size
    assert reader.read(size // 3, 1000) == data[size // 3 : size // 3 + 1000]
    assert reader.read(size, 10) == b""
    places = (0, size // 3, 65_535, 65_536, size - 1, size)
    for start in places:
        for length in (0, 1, 1000, 65_536, 131_073, size):
            pieces = reader.pieces(start, length)
            assert b"".join(pieces) == data[start : start + length]
            assert reader.pieces_at_hand(start, length) in (pieces, None)
    reader.close()
    second.close()


def test_one_key_per_scope(vault: Vault) -> None:
    one, other = KeyScope.of(identity(1, 1)), KeyScope.of(identity(1, 2))
    assert vault.known_key(one) is None
    key = vault.obtain_key(one)
    known = vault.known_key(one)
    assert known is not None
    assert known.key_id == key.key_id == vault.obtain_key(one).key_id
    assert len(key.key_id) == 16
    assert vault.obtain_key(other).key_id != key.key_id
    got: list[bytes] = []
    scope = KeyScope.of(identity(1, 3))
    threads = [threading.Thread(target=lambda: got.append(vault.obtain_key(scope).key_id)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(got)) == 1


def test_objects_without_a_patient_have_a_key_per_class(vault: Vault) -> None:
    palette = InstanceIdentity("1.2.840.1", "1.4.9", "", "", PatientKey("", ""))
    location = store(vault, b"palette", palette)
    assert fetch(vault, location, palette) == b"palette"


def test_the_writer_knows_what_it_holds(vault: Vault) -> None:
    writer = vault.begin(vault.obtain_key(KeyScope.of(identity())))
    assert writer.buffered == 0
    assert writer.digest() == blake3(b"").digest()
    writer.write(bytearray(200_000))
    assert writer.buffered >= 200_000
    assert writer.digest() == blake3(bytes(200_000)).digest()
    writer.spill()
    assert writer.buffered < 70_000
    writer.abort()
    writer.abort()


def test_a_batch_lies_in_order_and_sizes_are_true(vault: Vault) -> None:
    sealed, contents = [], []
    for number in range(10):
        data = os.urandom(1000 * number)
        writer = vault.begin(vault.obtain_key(KeyScope.of(identity(number))))
        writer.write(data)
        if number % 4 == 3:
            writer.spill()
        sealed.append(writer.finish(trailer(identity(number), data)))
        contents.append(data)
    locations = vault.append(sealed)
    marks = {mark.segment: mark for mark in vault.sync()}
    assert {location.segment for location in locations} == marks.keys()
    assert vault.sync() == []
    for number, location in enumerate(locations):
        assert fetch(vault, location, identity(number)) == contents[number]
        assert location.offset + sealed[number].size <= marks[location.segment].offset


def test_another_instance_is_not_served(vault: Vault) -> None:
    location = store(vault, b"data", identity(1))
    with pytest.raises(LeadglassError) as caught:
        vault.open(location, identity(2))
    assert caught.value.code is ErrorCode.DAMAGED


def test_a_segment_that_is_gone(vault: Vault) -> None:
    with pytest.raises(LeadglassError) as caught:
        vault.open(Location("0" * 32, 4096, 10), identity())
    assert caught.value.code is ErrorCode.NOT_FOUND


def test_what_an_aborted_record_leaves_is_nothing(opener: Opener) -> None:
    vault = opener()
    for spill in (False, True):
        writer = vault.begin(vault.obtain_key(KeyScope.of(identity())))
        writer.write(bytes(300_000))
        if spill:
            writer.spill()
        writer.abort()
    vault.close()
    again = opener()
    assert again.segments() == []
    again.close()


def test_replay_gives_every_record_once_from_any_mark(opener: Opener) -> None:
    writing = opener()
    locations = {number: store(writing, os.urandom(5000), identity(number), spill=number == 2) for number in range(5)}
    writing.close()
    vault = opener()
    found = {}
    for segment in vault.segments():
        for item in vault.replay(segment, 0):
            assert not isinstance(item, Damage)
            found[item.reader.trailer.identity.sop_instance_uid] = item.location
            assert item.end > item.location.offset
            assert b"".join(item.reader.chunks()) == fetch(vault, item.location, item.reader.trailer.identity)
            rest = [later for later in vault.replay(segment, item.end) if not isinstance(later, Damage)]
            assert all(later.location.offset >= item.end for later in rest)
        mark = vault.adopt(segment)
        assert mark.sealed
        assert list(vault.replay(segment, mark.offset)) == []
    assert found == {identity(number).sop_instance_uid: location for number, location in locations.items()}
    vault.close()


def test_segments_of_the_living_are_left_out(opener: Opener) -> None:
    writing, other = opener(), opener()
    location = store(writing, b"x", identity())
    assert location.segment not in other.segments()
    assert fetch(other, location, identity()) == b"x"
    with pytest.raises(LeadglassError) as caught:
        other.adopt(location.segment)
    assert caught.value.code is ErrorCode.IN_USE
    writing.close()
    assert location.segment in other.segments()
    other.close()

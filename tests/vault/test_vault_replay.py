"""Replay, adoption, check: damage is told from a torn tail, nothing acknowledged is lost, scrub finds what is bad."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MIB
from leadglass.core.records import CheckedRecord, Damage
from leadglass.vault.key_ring import RingFinding


def spoil(path: Path, offset: int, data: bytes = b"\xff" * 40) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def stored(archive, count: int, size: int = 20_000):
    """A crashed writer's segment with `count` records; their locations and the open new vault."""
    vault = archive.open()
    locations = [archive.store(vault, os.urandom(size), archive.identity(number)) for number in range(count)]
    archive.crash(vault)
    return locations, archive.open()


def uid(archive, *numbers):
    return [archive.identity(number).sop_instance_uid for number in numbers]


def test_a_killed_writer_s_segment_is_replayed_and_adopted(archive):
    locations, vault = stored(archive, 3)
    segment = locations[0].segment
    assert segment in vault.segments()
    assert archive.replayed(vault, segment) == (uid(archive, 0, 1, 2), [])
    assert archive.replayed(vault, segment, locations[1].offset) == (uid(archive, 1, 2), [])
    before = archive.path(segment).stat().st_size
    mark = vault.adopt(segment)
    assert mark.sealed
    assert archive.path(segment).stat().st_size < before
    assert vault.adopt(segment) == mark
    assert archive.replayed(vault, segment, mark.offset) == ([], [])
    assert archive.replayed(vault, segment) == (uid(archive, 0, 1, 2), [])
    vault.close()


def test_the_living_are_left_alone(archive):
    writer, other = archive.open(), archive.open()
    location = archive.store(writer, b"x" * 1000)
    assert location.segment not in writer.segments()
    assert location.segment not in other.segments()
    with pytest.raises(LeadglassError) as caught:
        other.adopt(location.segment)
    assert caught.value.code is ErrorCode.IN_USE
    assert archive.fetch(other, location) == b"x" * 1000
    writer.close()
    assert location.segment in other.segments()
    assert other.adopt(location.segment).sealed
    other.close()


def test_close_seals_and_removes_what_was_not_used(archive):
    vault = archive.open()
    archive.seal(vault, b"never appended")
    vault.close()
    assert archive.open().segments() == []
    vault = archive.open()
    location = archive.store(vault, b"y" * 1000)
    vault.close()
    vault = archive.open()
    assert vault.segments() == [location.segment]
    assert archive.path(location.segment).stat().st_size < 8192
    vault.close()


def test_a_bad_record_with_a_good_one_behind_is_damage(archive):
    locations, vault = stored(archive, 4)
    segment = locations[0].segment
    spoil(archive.path(segment), locations[1].offset + 500)
    uids, damage = archive.replayed(vault, segment)
    assert uids == uid(archive, 0, 2, 3)
    assert [(item.offset, item.length) for item in damage] == [
        (locations[1].offset, locations[2].offset - locations[1].offset)
    ]
    vault.adopt(segment)
    assert archive.replayed(vault, segment)[0] == uid(archive, 0, 2, 3)
    assert archive.replayed(vault, segment)[1][0].offset == locations[1].offset
    assert archive.fetch(vault, locations[3], archive.identity(3))
    vault.close()


@pytest.mark.parametrize("part", [0, 20, 100, 127, 128, 10_000])
def test_a_torn_tail_ends_the_segment(archive, part):
    locations, vault = stored(archive, 3)
    segment = locations[0].segment
    last = locations[2].offset
    spoil(archive.path(segment), last + part, bytes(MIB - last - part))
    assert archive.replayed(vault, segment) == (uid(archive, 0, 1), [])
    assert vault.adopt(segment).offset == last
    assert archive.replayed(vault, segment) == (uid(archive, 0, 1), [])
    vault.close()


def test_a_hole_inside_an_unsynced_record_is_seen(archive):
    """A power cut may keep a record's header and end and lose its middle."""
    locations, vault = stored(archive, 2, size=300_000)
    segment = locations[0].segment
    spoil(archive.path(segment), locations[1].offset + 100_000, bytes(8192))
    assert archive.replayed(vault, segment) == (uid(archive, 0), [])
    vault.close()


def test_several_bad_stretches_and_a_bad_segment_header(archive):
    locations, vault = stored(archive, 7)
    segment = locations[0].segment
    for number in (0, 2, 3, 5):
        spoil(archive.path(segment), locations[number].offset)
    spoil(archive.path(segment), 0)
    uids, damage = archive.replayed(vault, segment)
    assert uids == uid(archive, 1, 4, 6)
    assert [item.offset for item in damage] == [0, *(locations[number].offset for number in (0, 2, 5))]
    vault.close()


def test_in_a_sealed_segment_a_bad_tail_is_damage_too(archive):
    locations, vault = stored(archive, 2)
    segment = locations[0].segment
    vault.adopt(segment)
    spoil(archive.path(segment), locations[1].offset)
    uids, damage = archive.replayed(vault, segment)
    assert uids == uid(archive, 0)
    assert [item.offset for item in damage] == [locations[1].offset]
    vault.close()


def test_a_forged_footer_seals_nothing(archive):
    locations, vault = stored(archive, 2)
    segment = locations[0].segment
    vault.adopt(segment)
    path = archive.path(segment)
    spoil(path, path.stat().st_size - 60, b"\x01")
    assert archive.replayed(vault, segment) == (uid(archive, 0, 1), [])
    assert vault.adopt(segment).sealed
    vault.close()


@pytest.mark.parametrize("junk", [b"", b"LGrecord" * 2000, os.urandom(10_000), b"\0" * 9000])
def test_foreign_bytes_in_the_place_of_a_segment_do_no_harm(archive, junk):
    vault = archive.open()
    name = "ab" * 16
    archive.path(name).parent.mkdir(exist_ok=True)
    archive.path(name).write_bytes(junk)
    assert archive.replayed(vault, name)[0] == []
    assert vault.adopt(name).sealed
    vault.close()


def test_leftovers_of_killed_makers_are_removed(archive):
    vault = archive.open()
    archive.seal(vault, os.urandom(300_000), spill=True)
    part = archive.root / "segments" / "cd" / ("cd" * 16 + ".part")
    part.parent.mkdir(exist_ok=True)
    part.write_bytes(b"left behind")
    other = archive.open()
    assert not part.exists()
    assert len(list(archive.root.rglob("*.part"))) >= 1  # the living maker's is left alone
    other.close()
    vault.close()


def test_segments_roll_over_and_seal(archive):
    vault = archive.open(segment_size=200_000)
    data = {number: os.urandom(70_000) for number in range(9)}
    sealed = [archive.seal(vault, data[number], archive.identity(number)) for number in data]
    locations = vault.append(sealed)
    marks = vault.sync()
    names = {location.segment for location in locations}
    assert len(names) == 5
    assert {mark.segment for mark in marks} == names
    assert sum(mark.sealed for mark in marks) == 4
    for number, location in enumerate(locations):
        assert archive.fetch(vault, location, archive.identity(number)) == data[number]
    vault.close()


def test_a_record_larger_than_a_segment_still_fits(archive):
    vault = archive.open(segment_size=100_000)
    data = os.urandom(500_000)
    assert archive.fetch(vault, archive.store(vault, data)) == data
    vault.close()


def test_check_finds_each_kind_of_damage(archive):
    vault = archive.open()
    locations = [archive.store(vault, os.urandom(150_000), archive.identity(number)) for number in range(4)]
    clean = list(vault.check(read_data=True))
    assert [item.identity for item in clean] == [archive.identity(number) for number in range(4)]
    spoil(archive.path(locations[1].segment), locations[1].offset + 70_000)  # a chunk in the middle
    spoil(archive.path(locations[2].segment), locations[2].offset)  # a header
    spoil(archive.root / "ring-b" / "ring.b", 100)
    quick = list(vault.check(read_data=False))
    assert [item.offset for item in quick if isinstance(item, Damage)] == [locations[2].offset]
    assert [item.copy for item in quick if isinstance(item, RingFinding)] == ["ring.b"]
    whole = list(vault.check(read_data=True))
    assert [item.offset for item in whole if isinstance(item, Damage)] == [locations[1].offset, locations[2].offset]
    assert [item.location for item in whole if isinstance(item, CheckedRecord)] == [locations[0], locations[3]]
    vault.close()


def test_check_continues_where_it_was(archive):
    vault = archive.open(segment_size=100_000)
    for number in range(6):
        archive.store(vault, os.urandom(30_000), archive.identity(number))
    whole = [item for item in vault.check(read_data=True) if isinstance(item, CheckedRecord)]
    assert len(whole) == 6
    for at, item in enumerate(whole):
        assert list(vault.check(True, item.position)) == whole[at + 1 :]
    with pytest.raises(LeadglassError) as caught:
        list(vault.check(True, "nonsense"))
    assert caught.value.code is ErrorCode.USAGE
    vault.close()


def test_a_trailer_with_another_digest_is_found_by_check_only(archive):
    vault = archive.open()
    writer = vault.begin(vault.obtain_key(archive_scope(archive)))
    writer.write(b"one")
    vault.append([writer.finish(archive.trailer(archive.identity(), b"two"))])
    vault.sync()
    assert not any(isinstance(item, Damage) for item in vault.check(read_data=False))
    assert any(isinstance(item, Damage) for item in vault.check(read_data=True))
    vault.close()


def archive_scope(archive):
    from leadglass.core.identity import KeyScope

    return KeyScope.of(archive.identity())

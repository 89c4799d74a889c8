"""Records: bytes come back, nothing else is served, memory stays bounded, nothing partial becomes visible."""

from __future__ import annotations

import json
import os
import struct
import tracemalloc
from dataclasses import replace

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.identity import InstanceIdentity, KeyScope, PatientKey
from leadglass.core.limits import CHUNK_SIZE, MIB
from leadglass.core.records import Location, RecordTrailer
from leadglass.vault.record_format import RecordHeader, decode_trailer, encode_trailer, parse_header

SIZES = [0, 1, 15, 16, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 2 * CHUNK_SIZE, 5 * CHUNK_SIZE + 77]


@pytest.mark.parametrize("spill", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_bytes_come_back(archive, size, spill):
    vault = archive.open()
    data = os.urandom(size)
    location = archive.store(vault, data, spill=spill)
    reader = vault.open(location, archive.identity())
    assert b"".join(reader.chunks()) == data
    assert reader.data_set_length == size
    assert reader.trailer == archive.trailer(archive.identity(), data)
    for start, length in [(0, size), (size // 2, 10), (CHUNK_SIZE - 3, 7), (size - 1, 100), (size + 5, 5), (0, 0)]:
        assert reader.read(start, length) == data[max(start, 0) : max(start, 0) + length]
    reader.close()
    reader.close()
    vault.close()


@pytest.mark.parametrize("piece", [1, 7, 16_372, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 200_000])
def test_any_cut_of_the_stream_gives_the_same_record(archive, piece):
    vault = archive.open()
    data = os.urandom(3000 if piece < 10 else 300_001)
    writer = vault.begin(vault.obtain_key(KeyScope.of(archive.identity())))
    buffer = bytearray(piece)
    for start in range(0, len(data), piece):
        part = data[start : start + piece]
        buffer[: len(part)] = part
        writer.write(memoryview(buffer)[: len(part)])
        buffer[:] = bytes(piece)  # the caller's buffer may be reused at once
        if start % 5 == 0:
            assert writer.digest() == blake3(data[: start + len(part)]).digest()
    (location,) = vault.append([writer.finish(archive.trailer(archive.identity(), data))])
    vault.sync()
    assert archive.fetch(vault, location) == data
    vault.close()


def test_trailer_longer_than_a_chunk(archive):
    vault = archive.open()
    meta = os.urandom(3 * CHUNK_SIZE)
    writer = vault.begin(vault.obtain_key(KeyScope.of(archive.identity())))
    writer.write(b"abc")
    (location,) = vault.append([writer.finish(archive.trailer(archive.identity(), b"abc", meta))])
    reader = vault.open(location, archive.identity())
    assert reader.trailer.file_meta == meta
    assert reader.read(0, 10) == b"abc"
    reader.close()
    vault.close()


def test_buffers_used_again_do_not_leak_into_other_records(archive):
    vault = archive.open(segment_size=4 * MIB)
    instances = {number: os.urandom(150_000 + number) for number in range(12)}
    stored = {}
    for number in range(0, 12, 3):
        group = range(number, number + 3)
        sealed = [archive.seal(vault, instances[at], archive.identity(at)) for at in group]
        stored |= dict(zip(group, vault.append(sealed), strict=True))
    vault.sync()
    for number, location in stored.items():
        assert archive.fetch(vault, location, archive.identity(number)) == instances[number]
    vault.close()


@pytest.mark.parametrize("spill", [False, True])
def test_every_flipped_bit_is_found(archive, spill):
    vault = archive.open()
    data = os.urandom(200)
    location = archive.store(vault, data, spill=spill)
    length = 128 + 200 + len(encode_trailer(archive.trailer(archive.identity(), data))) + 16
    path = archive.path(location.segment)
    with path.open("r+b") as file:
        for at in range(location.offset, location.offset + length):
            file.seek(at)
            good = file.read(1)[0]
            file.seek(at)
            file.write(bytes([good ^ 1 << at % 8]))
            file.flush()
            with pytest.raises(LeadglassError) as caught:
                archive.fetch(vault, location)
            assert caught.value.code is ErrorCode.DAMAGED, at
            file.seek(at)
            file.write(bytes([good]))
            file.flush()
    assert archive.fetch(vault, location) == data
    vault.close()


def test_swapped_records_are_never_served(archive):
    vault = archive.open()
    first = archive.store(vault, b"1" * 1000, archive.identity(1))
    second = archive.store(vault, b"2" * 1000, archive.identity(2))
    path = archive.path(first.segment)
    content = bytearray(path.read_bytes())
    size = second.offset - first.offset
    a, b = (bytes(content[at : at + size]) for at in (first.offset, second.offset))
    content[first.offset : first.offset + size], content[second.offset : second.offset + size] = b, a
    path.write_bytes(content)
    for location, number in [(first, 1), (second, 2)]:
        with pytest.raises(LeadglassError) as caught:
            vault.open(location, archive.identity(number))
        assert caught.value.code is ErrorCode.DAMAGED
    vault.close()


def test_chunks_of_one_record_do_not_fit_another_place(archive):
    vault = archive.open()
    location = archive.store(vault, bytes(3 * CHUNK_SIZE))
    path = archive.path(location.segment)
    content = bytearray(path.read_bytes())
    start, size = location.offset + 128, CHUNK_SIZE + 16
    one, two = content[start : start + size], content[start + size : start + 2 * size]
    content[start : start + size], content[start + size : start + 2 * size] = two, one
    path.write_bytes(content)
    with pytest.raises(LeadglassError, match="authenticate"):
        archive.fetch(vault, location)
    vault.close()


@pytest.mark.parametrize("name", ["", "..", "/etc/passwd", "../" * 5 + "etc", "g" * 32, "A" * 32, "0" * 31, "٣" * 32])
def test_a_segment_name_is_never_a_path(archive, name):
    vault = archive.open()
    with pytest.raises(LeadglassError) as caught:
        vault.open(Location(name, 4096, 1), archive.identity())
    assert caught.value.code is ErrorCode.NOT_FOUND
    vault.close()


def test_wrong_places_are_damage_not_crashes(archive):
    vault = archive.open()
    location = archive.store(vault, b"x" * 5000)
    for wrong in [
        replace(location, offset=0),
        replace(location, offset=4097),
        replace(location, offset=1 << 40),
        replace(location, offset=-64),
        replace(location, data_set_length=4999),
    ]:
        with pytest.raises(LeadglassError) as caught:
            vault.open(wrong, archive.identity())
        assert caught.value.code is ErrorCode.DAMAGED
    with pytest.raises(LeadglassError) as caught:
        vault.open(replace(location, segment="0" * 32), archive.identity())
    assert caught.value.code is ErrorCode.NOT_FOUND
    vault.close()


def test_abort_leaves_nothing(archive):
    vault = archive.open()
    kept = archive.store(vault, b"kept")
    before = {path for path in archive.root.rglob("*") if path.is_file()}
    writer = vault.begin(vault.obtain_key(KeyScope.of(archive.identity())))
    writer.write(os.urandom(300_000))
    writer.abort()
    writer.abort()
    spilled = vault.begin(vault.obtain_key(KeyScope.of(archive.identity())))
    spilled.write(os.urandom(300_000))
    spilled.spill()
    assert {path for path in archive.root.rglob("*") if path.is_file()} != before
    spilled.abort()
    finished = vault.begin(vault.obtain_key(KeyScope.of(archive.identity())))
    finished.write(os.urandom(300_000))
    finished.spill()
    finished.finish(archive.trailer(archive.identity(), b""))
    finished.abort()
    assert {path for path in archive.root.rglob("*") if path.is_file()} == before
    with pytest.raises(LeadglassError):
        writer.write(b"more")
    vault.close()
    vault = archive.open()
    assert vault.segments() == [kept.segment]
    assert archive.replayed(vault, kept.segment) == ([archive.identity().sop_instance_uid], [])
    vault.close()


def test_abort_after_append_takes_nothing_back(archive):
    vault = archive.open()
    writer = vault.begin(vault.obtain_key(KeyScope.of(archive.identity())))
    writer.write(b"d" * 100_000)
    writer.spill()
    (location,) = vault.append([writer.finish(archive.trailer(archive.identity(), b"d" * 100_000))])
    vault.sync()
    writer.abort()
    assert archive.fetch(vault, location) == b"d" * 100_000
    vault.close()


def test_a_spilled_record_is_invisible_until_appended(archive):
    vault = archive.open()
    record = archive.seal(vault, os.urandom(400_000), spill=True)
    other = archive.open()
    assert other.segments() == []
    vault.append([record])
    vault.sync()
    assert len(other.segments()) == 1
    other.close()
    vault.close()


def test_a_large_instance_streams_in_bounded_memory(archive):
    vault = archive.open()
    piece = os.urandom(256 * 1024)
    digest = blake3()
    tracemalloc.start()
    writer = vault.begin(vault.obtain_key(KeyScope.of(archive.identity())))
    for _ in range(320):  # 80 MiB
        writer.write(piece)
        digest.update(piece)
        if writer.buffered > 4 * MIB:
            writer.spill()
    record = writer.finish(replace(archive.trailer(archive.identity(), b""), digest=writer.digest()))
    (location,) = vault.append([record])
    marks = vault.sync()
    reader = vault.open(location, archive.identity())
    back = blake3()
    for chunk in reader.chunks():
        back.update(chunk)
    reader.close()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert back.digest() == digest.digest()
    assert peak < 24 * MIB
    assert [mark.sealed for mark in marks if mark.segment == location.segment] == [True]
    vault.close()


text = st.text(max_size=40)


@given(text, text, st.integers(0, 2**63), st.binary(min_size=32, max_size=32), st.binary(max_size=300))
def test_any_trailer_comes_back(patient, words, received, digest, meta):
    identity = InstanceIdentity("1.2", words, "1.3", "", PatientKey(words, patient))
    trailer = RecordTrailer(identity, "1.2", received, digest, words, patient, words, patient, words, meta)
    assert decode_trailer(encode_trailer(trailer)) == trailer
    assert encode_trailer(decode_trailer(encode_trailer(trailer))) == encode_trailer(trailer)


def test_a_later_program_may_add_to_the_trailer(archive):
    values = json.loads(encode_trailer(archive.trailer(archive.identity(), b"x")))
    values["later"] = {"anything": [1]}
    assert decode_trailer(json.dumps(values).encode()) == archive.trailer(archive.identity(), b"x")


@given(st.binary(max_size=200))
def test_any_bytes_as_trailer_are_damage_at_most(data):
    try:
        decode_trailer(data)
    except LeadglassError as problem:
        assert problem.code is ErrorCode.DAMAGED


@given(st.integers(0, 2**44), st.integers(1, 2**24))
def test_header_comes_back(data_set_length, trailer_length):
    header = RecordHeader(b"k" * 16, b"s" * 32, data_set_length, trailer_length)
    assert parse_header(header.pack()) == header
    assert parse_header(header.pack()[:-1]) is None


def test_header_layout_is_the_documented_one():
    packed = RecordHeader(bytes(range(16)), bytes(range(32)), 525_000, 600).pack()
    assert len(packed) == 128
    assert packed[:16] == b"LGrecord" + struct.pack(">HHI", 1, 0, 65536)
    assert packed[16:32] == bytes(range(16))
    assert packed[32:64] == bytes(range(32))
    assert struct.unpack(">QI", packed[64:76]) == (525_000, 600)
    assert packed[76:124] == bytes(48)

"""An archive is read by its documentation alone (outsider.py), from the master key to the bytes of an instance."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import outsider
import pytest
from archives import device, make, opened
from blake3 import blake3
from cryptography.exceptions import InvalidTag
from objects import data_set, encoded, store, study_uid, uid, whole_study

from leadglass.app.archive import Archive
from leadglass.app.home import Home
from leadglass.core.limits import MIB
from leadglass.core.principal import SYSTEM, Principal, PrincipalKind, Right
from leadglass.dicom.uids import EXPLICIT_VR_BE, EXPLICIT_VR_LE, IMPLICIT_VR_LE
from leadglass.keys import keyset, recovery

PALETTE = "1.2.840.10008.5.1.4.39.1"
SENDER = Principal(PrincipalKind.DEVICE, "ct", frozenset({Right.STORE}), "192.0.2.7", "CT")


class Stored(NamedTuple):
    syntax: str
    data: bytes


def instances() -> Iterator[tuple[str, str, Stored]]:
    """SOP Instance UID, SOP class and bytes of what is stored, several of each kind that the pages tell apart."""
    for number, syntax in enumerate((EXPLICIT_VR_LE, IMPLICIT_VR_LE, EXPLICIT_VR_BE), 1):
        made = data_set(1, number, size=70_000 * number)
        yield uid(1, number), made.SOPClassUID, Stored(syntax, encoded(made, syntax))
    for size, number in ((65_536 * 3, 4), (9 * MIB, 5)):  # the trailer begins a chunk; a segment of its own
        made = data_set(2, number, size=size, SpecificCharacterSet="ISO_IR 192", PatientName="Κύρος^Ωμέγα")
        made.PatientID = "Ω-🩻"
        yield uid(2, number), made.SOPClassUID, Stored(EXPLICIT_VR_LE, encoded(made))
    made = data_set(3, 6, SOPClassUID=PALETTE, StudyInstanceUID=None, SeriesInstanceUID=None, PatientID=None)
    yield uid(3, 6), PALETTE, Stored(EXPLICIT_VR_LE, encoded(made))


async def fill(archive: Archive) -> dict[str, Stored]:
    kept = {}
    for name, sop_class, item in instances():
        await store(archive, item.data, name, syntax=item.syntax, principal=SENDER, sop_class_uid=sop_class)
        kept[name] = item
    return kept


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make(tmp_path, [device("ct")])


def keys_of(home: Home) -> outsider.Keys:
    master = outsider.master_of_file(home.root.parent / "key" / "master.key")
    return outsider.open_keyset(home.root / "keyset.json", master)


def assert_reads(vault: Path, keys: outsider.Keys, kept: dict[str, Stored]) -> list[outsider.Record]:
    records = list(outsider.read_records(vault, keys))
    assert {record.trailer["instance"]: record.data_set for record in records} == {
        name: item.data for name, item in kept.items()
    }
    for record in records:
        trailer = record.trailer
        assert trailer["v"] == 1
        assert trailer["syntax"] == kept[trailer["instance"]].syntax
        assert trailer["blake3"] == blake3(record.data_set).hexdigest()
        assert (trailer["principal"], trailer["ae"], trailer["address"]) == ("ct", "CT", "192.0.2.7")
    return records


async def test_every_instance_is_read(home: Home) -> None:
    with opened(home) as archive:
        kept = await fill(archive)
        assert_reads(home.root / "vault", keys_of(home), kept)  # unsealed, as a dead writer leaves it
    assert len(assert_reads(home.root / "vault", keys_of(home), kept)) == len(kept)  # sealed


async def test_the_two_copies_of_the_ring_hold_the_same_keys(home: Home) -> None:
    with opened(home) as archive:
        await fill(archive)
    vault, keys = home.root / "vault", keys_of(home)
    first, second = (outsider.read_ring(vault / f"ring-{letter}" / f"ring.{letter}", keys) for letter in "ab")
    assert first == second
    assert sorted(key.scope for key in first.values()) == [
        ["", "", "", PALETTE],
        ["", "P1", study_uid(1), ""],
        ["", "Ω-🩻", study_uid(2), ""],
    ]


async def test_a_recovery_kit_opens_the_archive_without_its_keyset(home: Home) -> None:
    with opened(home) as archive:
        kept = await fill(archive)
    master = outsider.master_of_file(home.root.parent / "key" / "master.key")
    kit = recovery.export(master, keyset.open_keyset(home.keyset, master), "a long passphrase")
    (home.root / "keyset.json").unlink()
    found, keys = outsider.open_kit(kit, "a long passphrase")
    assert found == master
    assert_reads(home.root / "vault", keys, kept)


async def test_the_catalog_tells_where_an_instance_lies(home: Home) -> None:
    with opened(home) as archive:
        kept = await fill(archive)
    keys = keys_of(home)
    records = {(record.segment, record.offset): record for record in outsider.read_records(home.root / "vault", keys)}
    catalog = outsider.open_database(home.root / "index" / "catalog.db", keys.by_name["catalog"])
    (salt,) = catalog.execute("SELECT value FROM meta WHERE name = 'uid_salt'").fetchone()
    for name, item in kept.items():
        sql = """SELECT i.uid, g.name, i.offset, i.length, i.digest, t.text, i.key_id, i.attributes, i.id >> 24
            FROM instances i JOIN segments g ON g.id = i.segment JOIN terms t ON t.id = i.syntax
            WHERE i.uid_key = ? AND i.uid = ? AND i.served = 1"""
        (row,) = catalog.execute(sql, (outsider.uid_key(name, salt), name)).fetchall()
        record = records[row[1], row[2]]
        assert (record.data_set, len(item.data), record.key_id) == (item.data, row[3], row[6])
        assert (row[4].hex(), row[5]) == (record.trailer["blake3"], item.syntax)
        (series,) = catalog.execute("SELECT series_uid FROM series WHERE id = ?", (row[8],)).fetchone()
        assert series == record.trailer["series"]
        assert outsider.unpack_attributes(row[7])[0x00200013][1].strip() == name.rpartition(".")[2].encode()
    catalog.close()


async def test_decisions_are_read_from_state(home: Home) -> None:
    with opened(home) as archive:
        await fill(archive)
        archive.trash.delete(SYSTEM, whole_study(1), "scanned the phantom")
    state = outsider.open_database(home.root / "index" / "state.db", keys_of(home).by_name["state"])
    assert state.execute("SELECT name FROM devices").fetchall() == [("ct",)]
    assert state.execute("SELECT study_uid, reason FROM trash").fetchall() == [(study_uid(1), "scanned the phantom")]
    assert state.execute("PRAGMA application_id").fetchone() == (0x4C475354,)
    state.close()


async def test_the_journal_is_read_and_its_chain_holds(home: Home) -> None:
    with opened(home) as archive:
        await fill(archive)
        archive.trash.delete(SYSTEM, whole_study(1), "scanned the phantom")
    with opened(home) as archive:
        head = str(archive.journal.head())
        assert archive.journal.flush()
        shutil.copytree(home.root / "journal", home.root.parent / "journal")  # as it stands before it is closed
    keys, folder = keys_of(home), home.root.parent / "journal"
    files = {file.file_id: file for file in (outsider.read_journal(path, keys) for path in folder.glob("*.journal"))}
    events = [event for file in files.values() for event in file.events]
    assert [event["d"] for event in events if event["w"] == "study-trashed"] == [{"study": study_uid(1)}]
    signed, printed = outsider.read_roots(folder, keys)
    assert printed == head
    for record in signed:
        file = files[record.file_id]
        assert (file.heads[record.count], file.offsets[record.count]) == (record.head, record.offset)
    followers = [file for file in files.values() if any(file.predecessor)]
    assert len(followers) == len(files) - 1 > 0
    for file in followers:
        assert files[file.predecessor].heads[file.predecessor_count] == file.predecessor_head


def test_the_outsider_is_one() -> None:
    text = (Path(outsider.__file__)).read_text()
    assert "leadglass" not in "".join(line for line in text.splitlines() if "import" in line)


async def test_the_outsider_believes_nothing_that_was_changed(home: Home) -> None:
    """The reader authenticates what it reads, else it would prove nothing about the pages."""
    with opened(home) as archive:
        await fill(archive)
        location = archive.catalog.lookup(uid(1, 1))
        assert location is not None
    place = location.location
    segment = next((home.root / "vault" / "segments").rglob(place.segment))
    content = bytearray(segment.read_bytes())
    content[place.offset + 200] ^= 1
    segment.write_bytes(content)
    with pytest.raises(InvalidTag):
        list(outsider.read_records(home.root / "vault", keys_of(home)))

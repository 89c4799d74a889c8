"""STOW-RS of metadata and bulk data, in JSON and XML: the same values come back, whatever the order and the size."""

from __future__ import annotations

import json
import struct

import pytest
import webbed
from objects import CT, data_set, encoded, image, read_back, study_uid, uid
from pydicom.dataset import Dataset
from stowing import STUDIES, failed, others, part10, related, stored

from leadglass.app.archive import Archive
from leadglass.core.principal import SYSTEM, Right
from leadglass.dicom import uids
from leadglass.dicom.values import read_attributes
from leadglass.dicom.xml_model import xml_maker
from leadglass.services.budget import BufferBudget
from leadglass.web.body import BodyLimits
from leadglass.web.doorway import Uploads
from leadglass.web.model_intake import Stream

STORER = webbed.program("storer", frozenset({Right.STORE}))
JSON, XML = "application/dicom+json", "application/dicom+xml"
PIXELS = {
    "Rows": 20,
    "Columns": 50,
    "BitsAllocated": 16,
    "BitsStored": 16,
    "HighBit": 15,
    "PixelRepresentation": 0,
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
}


def one(number: int = 1, **changes) -> Dataset:
    """An image of 2,000 bytes of pixels, with a nested sequence and text beyond ASCII."""
    made = data_set(1, number, **(PIXELS | changes))
    made.SpecificCharacterSet = "ISO_IR 192"
    made.PatientName = "Müller^Jörg=山田"
    item = Dataset()
    item.CodeValue, item.CodeMeaning = "T-D4000", "Abdomen"
    made.AnatomicRegionSequence = [item]
    made.PixelSpacing = [0.5, 0.25]
    return made


def as_json(*sets: Dataset, names: dict[int, str]) -> tuple[bytes, str]:
    """A metadata part in which the attributes of `names` stand elsewhere."""

    def without(made: Dataset, number: int) -> dict:
        found = made.to_json_dict(bulk_data_threshold=1 << 30)
        for tag, name in names.items():
            found[f"{tag:08X}"] = {"vr": found[f"{tag:08X}"]["vr"], "BulkDataURI": name.format(number)}
        return found

    content = json.dumps([without(made, number) for number, made in enumerate(sets, 1)]).encode()
    return content, f"Content-Type: {JSON}"


def as_xml(made: Dataset, prefix: str) -> tuple[bytes, str]:
    """A metadata part; its bulk data are named by prefix and tag."""
    data = encoded(made)
    model = xml_maker().make(lambda start, length: data[start : start + length], uids.EXPLICIT_VR_LE, prefix)
    return model.document, f"Content-Type: {XML}; transfer-syntax={uids.EXPLICIT_VR_LE}"


def bulk(content: bytes, location: str, *, kind: str = "application/octet-stream", length: bool = False):
    said = f"\r\nContent-Length: {len(content)}" if length else ""
    return content, f"Content-Type: {kind}\r\nContent-Location: {location}{said}"


async def post(archive: Archive, *parts, root: str = JSON, uploads: Uploads | None = None, path: str = ""):
    body, header = related(*parts, root=root)
    async with webbed.client(archive, STORER, uploads=uploads) as http:
        return await http.post(STUDIES + path, content=body, headers=header)


async def values(archive: Archive, number: int = 1):
    """What came back, in the neutral form."""
    (found,) = await archive.retrieve.select(SYSTEM, image(1, number))
    assert found.transfer_syntax_uid == uids.EXPLICIT_VR_LE
    return read_attributes(read_back(archive, found), found.transfer_syntax_uid)


PIXEL_DATA = 0x7FE00010


@pytest.mark.parametrize("length", [True, False], ids=["length said", "length of the image"])
async def test_metadata_in_json_and_pixel_data_become_the_instance(archive: Archive, length: bool) -> None:
    made = one()
    answer = await post(
        archive, as_json(made, names={PIXEL_DATA: "bulk/{}"}), bulk(made.PixelData, "bulk/1", length=length)
    )
    assert (answer.status_code, stored(answer)) == (200, [uid(1, 1)])
    assert await values(archive) == read_attributes(encoded(made), uids.EXPLICIT_VR_LE)


async def test_metadata_in_xml_become_the_instances(archive: Archive) -> None:
    first, second = one(1), one(2, size=4_000, Rows=40)
    parts = [as_xml(first, "a/"), as_xml(second, "b/")]
    parts += [bulk(second.PixelData, "b/7FE00010"), bulk(first.PixelData, "a/7FE00010")]
    answer = await post(archive, *parts, root=XML)
    assert (answer.status_code, set(stored(answer))) == (200, {uid(1, 1), uid(1, 2)})
    for number, made in ((1, first), (2, second)):
        assert await values(archive, number) == read_attributes(encoded(made), uids.EXPLICIT_VR_LE)


async def test_what_needs_no_bulk_data_is_stored_at_once(archive: Archive) -> None:
    report = one()
    del report.PixelData
    answer = await post(archive, as_json(report, names={}))
    assert answer.status_code == 200
    assert await values(archive) == read_attributes(encoded(report), uids.EXPLICIT_VR_LE)


@pytest.mark.parametrize("turned", [False, True])
async def test_parts_come_in_any_order_and_two_of_an_instance_too(archive: Archive, turned: bool) -> None:
    sets = [one(number) for number in (1, 2, 3)]
    for number, made in enumerate(sets):
        made.EncapsulatedDocument = bytes([number]) * 500
    names = {PIXEL_DATA: "p{}", 0x00420011: "d{}"}
    parts = [bulk(made.PixelData, f"p{n}") for n, made in enumerate(sets, 1)]
    parts += [bulk(made.EncapsulatedDocument, f"d{n}") for n, made in enumerate(sets, 1)]
    answer = await post(archive, as_json(*sets, names=names), *(parts[::-1] if turned else parts))
    assert (answer.status_code, len(stored(answer))) == (200, 3)
    for number, made in enumerate(sets, 1):
        assert await values(archive, number) == read_attributes(encoded(made), uids.EXPLICIT_VR_LE)


async def test_instances_may_share_a_part(archive: Archive) -> None:
    sets = [one(number) for number in (1, 2)]
    for made in sets:
        made.PixelData = sets[0].PixelData
    answer = await post(archive, as_json(*sets, names={PIXEL_DATA: "same"}), bulk(sets[0].PixelData, "same"))
    assert len(stored(answer)) == 2


@pytest.mark.parametrize(
    ("kind", "syntax"),
    [
        ("image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.50"),
        ("image/jp2", "1.2.840.10008.1.2.4.90"),
        ("image/dicom-rle", "1.2.840.10008.1.2.5"),
        ("application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.70"),
    ],
)
@pytest.mark.parametrize("length", [True, False])
async def test_compressed_pixel_data_are_encapsulated(archive: Archive, kind: str, syntax: str, length: bool) -> None:
    frame = b"\xff\xd8" + bytes(range(256)) * 3 + b"\xff\xd9\0"
    parts = as_json(one(), names={PIXEL_DATA: "p"}), bulk(frame, "p", kind=kind, length=length)
    answer = await post(archive, *parts)
    assert answer.status_code == 200, answer.headers
    (found,) = await archive.retrieve.select(SYSTEM, image(1, 1))
    assert found.transfer_syntax_uid == syntax
    item = b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\x00\xe0" + struct.pack("<I", len(frame) + 1) + frame + b"\0"
    assert read_back(archive, found).endswith(item + b"\xfe\xff\xdd\xe0\0\0\0\0")


async def test_each_frame_of_compressed_pixel_data_is_a_fragment(archive: Archive) -> None:
    frames = [bytes([number]) * 100 for number in range(5)]
    parts = [bulk(frame, "p", kind="image/jls") for frame in frames]
    answer = await post(archive, as_json(one(NumberOfFrames=5), names={PIXEL_DATA: "p"}), *parts)
    assert answer.status_code == 200
    (found,) = await archive.retrieve.select(SYSTEM, image(1, 1))
    items = b"".join(b"\xfe\xff\x00\xe0" + struct.pack("<I", 100) + frame for frame in frames)
    assert items in read_back(archive, found)


async def test_a_large_value_passes_through_and_does_not_wait_in_memory(archive: Archive, monkeypatch) -> None:
    size, most = 30 * 1024 * 1024, [0]
    original = Stream.put

    def watched(self, data):
        original(self, data)
        most[0] = max(most[0], sum(map(len, self._waiting)), archive.ingest._tools.budget.used)

    monkeypatch.setattr(Stream, "put", watched)
    memory = BufferBudget(1_000_000)
    made = one(Rows=15 * 1024, Columns=1024)
    made.PixelData = bytes(range(256)) * (size // 256)
    small = one(Rows=15 * 1024, Columns=1024)
    body, header = related(as_json(small, names={PIXEL_DATA: "p"}), bulk(made.PixelData, "p"), root=JSON)

    async def pieces():
        for at in range(0, len(body), 65_536):
            yield body[at : at + 65_536]

    async with webbed.client(archive, STORER, uploads=Uploads(BodyLimits(), 1 << 40, memory)) as http:
        answer = await http.post(STUDIES, content=pieces(), headers=header)
    assert answer.status_code == 200
    assert 0 < most[0] < 12 * 1024 * 1024
    (found,) = await archive.retrieve.select(SYSTEM, image(1, 1))
    assert read_back(archive, found).endswith(made.PixelData)
    assert memory.used == 0


async def test_what_must_wait_has_a_bound(archive: Archive) -> None:
    memory = BufferBudget(60_000)
    sets = [one(1), one(2)]
    parts = [bulk(bytes(50_000), "d1"), bulk(bytes(50_000), "d2"), bulk(bytes(50_000), "d2")]
    for made in sets:
        made.EncapsulatedDocument = b"xx"
    answer = await post(
        archive,
        as_json(*sets, names={PIXEL_DATA: "p{}", 0x00420011: "d{}"}),
        *parts,
        uploads=Uploads(BodyLimits(), 1 << 40, memory),
    )
    assert answer.status_code == 409
    assert 0xA700 in failed(answer).values()
    assert memory.used == 0


# --- what is refused -----------------------------------------------------------------------------------------------


async def test_instances_whose_bulk_data_do_not_come_are_refused(archive: Archive) -> None:
    sets = [one(1), one(2)]
    answer = await post(archive, as_json(*sets, names={PIXEL_DATA: "p{}"}), bulk(sets[0].PixelData, "p1"))
    assert (answer.status_code, stored(answer), failed(answer)) == (202, [uid(1, 1)], {uid(1, 2): 0xC000})


@pytest.mark.parametrize("change", [-2, 2, 100_000])
@pytest.mark.parametrize("length", [True, False])
async def test_bulk_data_of_another_length_than_the_image_are_refused(archive, change: int, length: bool) -> None:
    made = one()
    content = (made.PixelData + bytes(max(change, 0)))[: len(made.PixelData) + change]
    part = bulk(content, "p", length=False)
    if length:
        part = (part[0], part[1] + f"\r\nContent-Length: {len(made.PixelData)}")
    answer = await post(archive, as_json(made, names={PIXEL_DATA: "p"}), part, as_json(one(2), names={}))
    assert (stored(answer), failed(answer)) == ([uid(1, 2)], {uid(1, 1): 0xC000})


async def test_the_path_s_study_holds_for_metadata_too(archive: Archive) -> None:
    sets = [one(1, StudyInstanceUID="1.2.3"), one(2)]
    answer = await post(archive, as_json(*sets, names={}), path=f"/{study_uid(1)}")
    assert (stored(answer), failed(answer)) == ([uid(1, 2)], {uid(1, 1): 0xA900})


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        pytest.param(JSON, b"", id="nothing"),
        pytest.param(JSON, b"not json", id="no json"),
        pytest.param(JSON, b"[" * 100_000, id="e3 depth"),
        pytest.param(JSON, b'{"00080018":' * 100_000, id="e3 depth of objects"),
        pytest.param(JSON, b'[{"00100020":{"vr":"LO"},"00100020":{"vr":"LO"}}]', id="e3 duplicate keys"),
        pytest.param(JSON, b'[{"00189087":{"vr":"FD","Value":[NaN]}}]', id="e3 NaN"),
        pytest.param(JSON, b'"' + b"x" * 70_000_000 + b'"', id="e3 a long string"),
        pytest.param(XML, b"<a/>", id="other xml"),
        pytest.param(
            XML,
            b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><NativeDicomModel>&e;</NativeDicomModel>',
            id="e2 external entity",
        ),
        pytest.param(
            XML,
            b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><NativeDicomModel>&b;</NativeDicomModel>',
            id="e2 billion laughs",
        ),
    ],
)
async def test_e2_e3_metadata_that_are_none_are_refused(archive: Archive, kind: str, document: bytes) -> None:
    answer = await post(archive, (document, f"Content-Type: {kind}"), root=kind)
    assert (answer.status_code, others(answer)) in ((409, [0xC000]), (409, [0xA700]))
    assert "passwd" not in answer.text + str(answer.headers)


async def test_bulk_data_that_nobody_names_cost_nothing(archive: Archive) -> None:
    memory = BufferBudget(10_000_000)
    parts = [bulk(bytes(100_000), f"x{number}") for number in range(200)]
    answer = await post(archive, as_json(one(), names={}), *parts, uploads=Uploads(BodyLimits(), 1 << 40, memory))
    assert (answer.status_code, len(stored(answer)), memory.used) == (200, 1, 0)


async def test_a_body_that_breaks_off_in_bulk_data_leaves_nothing(archive: Archive) -> None:
    made, memory = one(), BufferBudget(10_000_000)
    body, header = related(as_json(made, names={PIXEL_DATA: "p"}), bulk(made.PixelData, "p"), root=JSON)
    async with webbed.client(archive, STORER, uploads=Uploads(BodyLimits(), 1 << 40, memory)) as http:
        answer = await http.post(STUDIES, content=body[:-500], headers=header)
    assert answer.status_code == 400
    assert (memory.used, archive.ingest._tools.budget.used) == (0, 0)
    assert await archive.retrieve.select(SYSTEM, image(1, 1)) == []


async def test_files_and_metadata_come_together(archive: Archive) -> None:
    file = part10(encoded(data_set(1, 9)), CT, uid(1, 9))
    answer = await post(archive, as_json(one(), names={}), (file, "Content-Type: application/dicom"))
    assert set(stored(answer)) == {uid(1, 1), uid(1, 9)}

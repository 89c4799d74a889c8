"""Hostile strings and data sets by STOW-RS (adversarial cases B and C) that test_stow has not: what is kept, what is
refused, and what is never looked up, unpacked or shown."""

from __future__ import annotations

import io
import json
import socket
import struct
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import archives
import httpx
import objects
import pytest
import webbed
from asking import Asker, Given
from hosting import hosted
from objects import CT, data_set, encoded, study_uid, uid
from stowing import STUDIES, failed, others, part10, related, stored, stow

from leadglass.app.archive import Archive
from leadglass.dicom.uids import EXPLICIT_VR_LE

INSTANCE = f"{STUDIES}/{study_uid(1)}/series/{study_uid(1)}.1000/instances/{uid(1, 1)}"
PDF_CLASS = "1.2.840.10008.5.1.4.1.1.104.1"
SCRIPT = b"%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj<script>alert(1)</script>"
REVERSE = ("socket.gethostbyaddr", "socket.getnameinfo", "socket.gethostbyname")


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    """In Explicit VR Little Endian."""
    group, number = tag >> 16, tag & 0xFFFF
    value += b" " * (len(value) % 2)
    if vr in (b"SQ", b"UT", b"OB", b"UN"):
        return struct.pack("<HH2sHL", group, number, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", group, number, vr, len(value)) + value


def with_tail(tail: bytes) -> bytes:
    """A file whose data set ends with `tail`."""
    return part10(encoded(data_set(PixelData=None)) + tail, CT, uid(1, 1))


async def refused(http: httpx.AsyncClient, file: bytes, sentence: str) -> None:
    answer = await stow(http, file)
    assert answer.status_code == 409
    assert len(failed(answer)) + len(others(answer)) == 1
    assert sentence in answer.headers["warning"]
    assert (await http.get(STUDIES)).json() == []
    well = await stow(http, part10(encoded(data_set(2)), CT, uid(2, 1)))
    assert well.status_code == 200


# --- B ----------------------------------------------------------------------------------------------------------------

ASKED: list[str] = []
LISTENING = [False]


def _hook(event: str, arguments: Any) -> None:
    if LISTENING[0] and event in REVERSE:
        ASKED.append(event)


@pytest.fixture
def asked_for() -> Iterator[list[str]]:
    """Which names were asked of a resolver since; an audit hook cannot be taken away again."""
    if not hasattr(sys, "_leadglass_hook"):
        sys.addaudithook(_hook)
        sys._leadglass_hook = True  # type: ignore[attr-defined]
    ASKED.clear()
    LISTENING[0] = True
    yield ASKED
    LISTENING[0] = False


async def test_b4_nobody_s_name_is_asked_for_so_none_can_lie(archive: Archive, asked_for: list[str]) -> None:
    """A peer is its address: what a hostile resolver says of it stands nowhere."""
    async with webbed.client(archive) as http:
        assert (await stow(http, part10(encoded(data_set()), CT, uid(1, 1)))).status_code == 200
        assert (await http.get(STUDIES)).status_code == 200
    assert asked_for == []
    socket.getnameinfo(("127.0.0.1", 80), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
    assert asked_for == ["socket.getnameinfo"]  # it would have been seen


async def test_b4_a_device_s_name_is_not_asked_for_either(tmp_path: Path, asked_for: list[str]) -> None:
    async with hosted(archives.make(tmp_path, [archives.device("asker")])) as port:
        given = Given(CT, uid(1, 1), EXPLICIT_VR_LE, encoded(data_set()))
        assert [answer.status for answer in await Asker(port, "ASKER").store([given])] == [0]
        stranger = Asker(port, "NOBODY")
        with pytest.raises(Exception, match=r"(?i)reject|not"):
            await stranger.store([given])
    assert asked_for == []


@pytest.mark.parametrize(
    "name", ["../../../../leadglass-was-here", "/leadglass-was-here", "..\\..\\leadglass-was-here"]
)
async def test_b8_names_of_parts_are_no_paths(archive: Archive, tmp_path: Path, name: str) -> None:
    file = part10(encoded(data_set()), CT, uid(1, 1))
    header = f'Content-Type: application/dicom\r\nContent-Disposition: attachment; filename="{name}"'
    body, kind = related((file, f"{header}\r\nContent-Location: {name}\r\nContent-ID: <{name}>"))
    async with webbed.client(archive) as http:
        answer = await http.post(STUDIES, content=body, headers=kind)
        assert (answer.status_code, stored(answer)) == (200, [uid(1, 1)])
        whole = await http.get(f"{STUDIES}/{study_uid(1)}", headers={"accept": "application/zip"})
    assert zipfile.ZipFile(io.BytesIO(whole.content)).namelist() == ["STUDY001/SERIES001/00001.dcm"]
    assert not [path for path in (*tmp_path.rglob("*"), *Path("/").glob("was-here*")) if "was-here" in path.name]


@pytest.mark.parametrize("value", ["%", "_", "'", "' OR 1=1 --", "\\", "\x00", "*" * 10_000, "?" * 3_000, "a" * 60_000])
@pytest.mark.parametrize("key", ["PatientName", "PatientID", "StudyDate", "StudyInstanceUID"])
async def test_b5_query_keys_of_other_languages_match_nothing_else(archive: Archive, key: str, value: str) -> None:
    await objects.store_one(archive, 1)
    async with webbed.client(archive) as http:
        answer = await http.get(STUDIES, params={key: value})
        assert answer.status_code in (200, 400), answer.text
        if answer.status_code == 200 and value.strip("*\\\0"):  # without any other: a key that asks for all
            assert answer.json() == []
        assert len((await http.get(STUDIES)).json()) == 1


# --- C ----------------------------------------------------------------------------------------------------------------


def bomb() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("zeros.dcm", bytes(50_000_000))
    return made.getvalue()


async def test_c3_a_zip_is_not_unpacked(archive: Archive) -> None:
    packed = bomb()
    assert len(packed) < 100_000
    async with webbed.client(archive) as http:
        whole = await http.post(STUDIES, content=packed, headers={"content-type": "application/zip"})
        assert whole.status_code == 415
        await refused(http, packed, "not a DICOM file")


async def test_c3_a_zip_behind_a_file_stays_behind_it(archive: Archive) -> None:
    async with webbed.client(archive) as http:
        answer = await stow(http, part10(encoded(data_set()), CT, uid(1, 1)) + bomb())
        assert answer.status_code in (200, 409)
        found = (await http.get("/dicom-web/instances")).json()
    assert len(found) == len(stored(answer))


@pytest.mark.parametrize(
    ("tail", "sentence"),
    [
        (element(0x0040A730, b"SQ", b"\xfe\xff\x00\xe0\0\0\0\0" * 1_000_000), "too many items"),
        (b"".join(element(0x00410000 + n % 0xFFFF, b"LO", b"") for n in range(1_000_001)), "too many attributes"),
    ],
    ids=["items", "elements"],
)
async def test_c5_a_million_of_a_kind_are_refused(archive: Archive, tail: bytes, sentence: str) -> None:
    async with webbed.client(archive) as http:
        await refused(http, with_tail(tail), sentence)


async def test_c5_a_million_values_are_one_value(archive: Archive) -> None:
    async with webbed.client(archive) as http:
        assert (await stow(http, with_tail(element(0x00400440, b"UT", b"1\\" * 1_000_000)))).status_code == 200
        assert len((await http.get(STUDIES)).json()) == 1


@pytest.mark.parametrize(
    ("declared", "name"),
    [
        ("ISO_IR 192", b"\xc0\xafDoe^\xff"),  # overlong, and no UTF-8 at all
        ("ISO_IR 999", b"Doe^Jane"),
        ("ISO 2022 IR 87", b"\x1b$BDoe"),  # an escape without its end
        ("\\\\\\", b"\x1b\x1b\x1b"),
        ("ISO_IR 100", b"\xd8\xa7\xd9\x84"),
    ],
    ids=range(5),
)
async def test_c8_character_sets_that_lie_are_kept_and_told_readably(
    archive: Archive, declared: str, name: bytes
) -> None:
    made = data_set(PatientName=None, SpecificCharacterSet=None)
    data = element(0x00080005, b"CS", declared.encode()) + encoded(made)
    place = data.index(struct.pack("<HH2s", 0x0010, 0x0020, b"LO"))
    data = data[:place] + element(0x00100010, b"PN", name) + data[place:]
    async with webbed.client(archive) as http:
        assert (await stow(http, part10(data, CT, uid(1, 1)))).status_code == 200
        for path in (STUDIES, f"{STUDIES}/{study_uid(1)}/metadata"):
            answer = await http.get(path)
            assert answer.status_code == 200
            (found,) = json.loads(answer.content.decode("utf-8"))
            assert "\x1b" not in json.dumps(found.get("00100010"), ensure_ascii=False)
        whole = await http.get(INSTANCE, headers={"accept": "application/dicom; transfer-syntax=*"})
    assert whole.content.endswith(data)


async def test_c12_a_document_with_a_script_is_never_a_page_of_ours(archive: Archive) -> None:
    made = data_set(
        SOPClassUID=PDF_CLASS,
        PixelData=None,
        EncapsulatedDocument=SCRIPT * 30,
        MIMETypeOfEncapsulatedDocument="text/html",
    )
    async with webbed.client(archive) as http:
        assert (await stow(http, part10(encoded(made), PDF_CLASS, uid(1, 1)))).status_code == 200
        (described,) = (await http.get(f"{INSTANCE}/metadata")).json()
        for path in (f"{INSTANCE}/rendered", f"{INSTANCE}/frames/1/rendered"):
            assert (await http.get(path, headers={"accept": "*/*"})).status_code in (404, 406)
        url = described["00420011"]["BulkDataURI"]
        for accept in ("*/*", "text/html", "application/pdf", "application/octet-stream"):
            answer = await http.get(url, headers={"accept": accept})
            assert answer.status_code in (200, 406)
            assert answer.headers["x-content-type-options"] == "nosniff"
            if answer.status_code == 200:
                assert answer.headers["content-disposition"].startswith("attachment")
                assert answer.headers["content-security-policy"] == "sandbox"

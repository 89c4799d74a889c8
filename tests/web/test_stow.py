"""STOW-RS over a real archive: what is stored, what is answered, and that no body costs more than its bounds."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
import zlib

import httpx
import pytest
import webbed
from collection import Specimen, collection
from objects import CT, data_set, encoded, image, read_back, study_uid, uid, whole_study
from refused import NO_IDENTITY, REFUSED
from stowing import BOUNDARY, STUDIES, failed, others, part10, related, related_header, stored, stow

from leadglass.app.archive import Archive
from leadglass.core.limits import MAX_BODY
from leadglass.core.principal import SYSTEM, Right
from leadglass.core.query import Level, Selection
from leadglass.core.reach import Reach
from leadglass.dicom import uids
from leadglass.web import stow as door
from leadglass.web.body import BodyLimits
from leadglass.web.doorway import Uploads
from leadglass.web.intake import WINDOW

STORER = webbed.program("storer", frozenset({Right.STORE}))


def made(study: int = 1, number: int = 1, **changes) -> bytes:
    return part10(encoded(data_set(study, number, **changes)), CT, uid(study, number))


async def kept(archive: Archive, selection: Selection) -> list[bytes]:
    return [read_back(archive, item) for item in await archive.retrieve.select(SYSTEM, selection)]


# --- what is stored and what is answered ---------------------------------------------------------------------------


async def test_instances_are_stored_as_they_were_sent_and_told_with_their_urls(archive: Archive) -> None:
    files = [made(1, number, size=70_000) for number in (1, 2, 3)]
    async with webbed.client(archive, STORER) as http:
        answer = await stow(http, *files)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/dicom+json")
    assert answer.headers["cache-control"] == "no-store"
    assert await kept(archive, whole_study(1)) == [encoded(data_set(1, number, size=70_000)) for number in (1, 2, 3)]
    url = f"http://localhost:8042/dicom-web/studies/{study_uid(1)}"
    assert answer.json()["00081190"] == {"vr": "UR", "Value": [url]}
    assert answer.json()["00081199"]["Value"][1] == {
        "00081150": {"vr": "UI", "Value": [CT]},
        "00081155": {"vr": "UI", "Value": [uid(1, 2)]},
        "00081190": {"vr": "UR", "Value": [f"{url}/series/{study_uid(1)}.1000/instances/{uid(1, 2)}"]},
    }


async def test_the_order_of_the_answer_is_that_of_the_request(archive: Archive) -> None:
    numbers = [(number * 7) % 40 + 1 for number in range(40)]
    async with webbed.client(archive, STORER) as http:
        answer = await stow(http, *(made(1, number) for number in numbers))
    assert stored(answer) == [uid(1, number) for number in numbers]


async def test_a_single_file_is_a_body_too(archive: Archive) -> None:
    async with webbed.client(archive, STORER) as http:
        answer = await http.post(STUDIES, content=made(), headers={"content-type": "application/dicom"})
    assert (answer.status_code, stored(answer)) == (200, [uid(1, 1)])


async def test_sending_again_is_free(archive: Archive) -> None:
    async with webbed.client(archive, STORER) as http:
        for _ in range(3):
            answer = await stow(http, made(1, 1), made(1, 2))
            assert (answer.status_code, len(stored(answer))) == (200, 2)
    assert len(archive.catalog.versions(uid(1, 1))) == 1
    assert archive.maintenance.conflicts(SYSTEM) == []


async def test_b6_the_same_instance_twice_in_one_request_is_stored_once(archive: Archive) -> None:
    async with webbed.client(archive, STORER) as http:
        answer = await stow(http, *[made(1, 1)] * 20)
    assert (answer.status_code, len(stored(answer))) == (200, 20)
    assert len(archive.catalog.versions(uid(1, 1))) == 1


async def test_b6_other_contents_of_a_known_instance_are_kept_beside_it(archive: Archive) -> None:
    async with webbed.client(archive, STORER) as http:
        await stow(http, made())
        assert (await stow(http, made(PatientName="Other^Name"))).status_code == 200
    assert await kept(archive, image(1, 1)) == [encoded(data_set())]
    assert len(archive.catalog.versions(uid(1, 1))) == 2


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/dicom+json", "application/dicom+json"),
        ("application/json", "application/json"),
        ("application/dicom+xml", "application/dicom+xml"),
        ('multipart/related; type="application/dicom+xml"', "multipart/related"),
        ("*/*", "application/dicom+json"),
        ("application/dicom+xml;q=0.5, application/dicom+json;q=0.4", "application/dicom+xml"),
    ],
)
async def test_the_answer_is_in_the_type_that_is_accepted(archive: Archive, accept: str, kind: str) -> None:
    async with webbed.client(archive, STORER) as http:
        answer = await stow(http, made(), b"no DICOM", accept=accept)
    assert answer.status_code == 202
    assert answer.headers["content-type"].partition(";")[0] == kind
    if "xml" in accept and "json" not in kind:
        text = answer.text[answer.text.index("<?xml") : answer.text.index("</NativeDicomModel>") + 19]
        root = ET.fromstring(text)
        path = ".//{*}DicomAttribute[@keyword='OtherFailuresSequence']//{*}Value"
        assert [value.text for value in root.iterfind(path)] == [str(0xC000)]


async def test_what_cannot_be_answered_is_refused_before_it_is_read(archive: Archive) -> None:
    async with webbed.client(archive, STORER) as http:
        answer = await stow(http, made(), accept="text/html")
    assert answer.status_code == 406
    assert await kept(archive, image(1, 1)) == []


# --- what is refused -----------------------------------------------------------------------------------------------


async def test_failures_are_told_one_by_one_with_the_reasons_of_dimse(archive: Archive) -> None:
    files = {
        "good": made(1, 1),
        "no series": made(1, 2, SeriesInstanceUID=None),
        "cut short": made(1, 3)[:-100],
        "not a storage class": part10(encoded(data_set(1, 4, SOPClassUID="1.2.3")), "1.2.3", uid(1, 4)),
        "unknown syntax": part10(encoded(data_set(1, 5)), CT, uid(1, 5), "1.2.3.4"),
        "no DICOM": b"\xff\xd8\xff\xe0 JFIF",
        "nothing": b"",
    }
    async with webbed.client(archive, STORER) as http:
        answer = await stow(http, *files.values())
    assert answer.status_code == 202
    assert stored(answer) == [uid(1, 1)]
    assert failed(answer) == {uid(1, 2): 0xC000, uid(1, 3): 0xC000, uid(1, 4): 0x0122}
    assert others(answer) == [0xC000] * 3
    assert "6 not stored" in answer.headers["warning"]
    assert await kept(archive, whole_study(1)) == [encoded(data_set(1, 1))]


async def test_none_stored_is_a_conflict_and_still_told(archive: Archive) -> None:
    async with webbed.client(archive, STORER) as http:
        answer = await stow(http, b"no DICOM", made(1, 3)[:-100])
    assert (answer.status_code, others(answer), failed(answer)) == (409, [0xC000], {uid(1, 3): 0xC000})


async def test_instances_of_another_study_than_the_path_s_are_refused(archive: Archive) -> None:
    async with webbed.client(archive, STORER) as http:
        answer = await stow(http, made(1, 1), made(2, 1), study=study_uid(1))
    assert (answer.status_code, stored(answer), failed(answer)) == (202, [uid(1, 1)], {uid(2, 1): 0xA900})
    assert await kept(archive, whole_study(2)) == []


async def test_what_lies_outside_the_reach_is_refused_per_instance(archive: Archive) -> None:
    narrow = webbed.program("narrow", reach=Reach(studies=frozenset({study_uid(1)})))
    async with webbed.client(archive, narrow) as http:
        answer = await stow(http, made(1, 1), made(2, 1))
    assert (stored(answer), failed(answer)) == ([uid(1, 1)], {uid(2, 1): 0x0124})


async def test_who_may_not_store_is_not_read(archive: Archive) -> None:
    reader = webbed.program("reader", frozenset({Right.FIND, Right.RETRIEVE}))
    async with webbed.client(archive, reader) as http:
        assert (await stow(http, made())).status_code == 403
    assert await kept(archive, image(1, 1)) == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"content-type": "text/plain"}, 415, id="another type"),
        pytest.param({"content-type": ""}, 415, id="no type"),
        pytest.param({"content-type": "multipart/form-data; boundary=x"}, 415, id="a form"),
        pytest.param({"content-type": 'multipart/related; type="text/html"; boundary=x'}, 415, id="parts of another"),
        pytest.param({"content-type": 'multipart/related; type="application/dicom"'}, 400, id="e1 no boundary"),
        pytest.param(
            {"content-type": f'multipart/related; type="application/dicom"; boundary={"x" * 1000}'}, 400, id="e1 long"
        ),
        pytest.param({"content-type": f"multipart/related; boundary={'x' * 1_000_000}"}, 415, id="e1 1 MB"),
        pytest.param({"content-encoding": "gzip"}, 415, id="c2 gzip"),
        pytest.param({"content-encoding": "deflate"}, 415, id="c2 deflate"),
        pytest.param({"content-encoding": "identity, gzip, gzip"}, 415, id="c2 chained"),
    ],
)
async def test_e1_c2_e6_bodies_that_are_not_taken_get_one_sentence(archive: Archive, headers, status) -> None:
    body, header = related(made())
    async with webbed.client(archive, STORER) as http:
        answer = await http.post(STUDIES, content=body, headers=header | headers)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert await kept(archive, image(1, 1)) == []


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(f"--{BOUNDARY}--\r\n".encode(), id="no part"),
        pytest.param(f"--{BOUNDARY}\r\n".encode() + b"A: 1\r\n" * 200_000, id="header of 1 MB"),
        pytest.param(related(made())[0][:-40], id="a part without end"),
    ],
)
async def test_e1_a_body_that_holds_no_whole_instance_is_a_bad_request(archive: Archive, body: bytes) -> None:
    async with webbed.client(archive, STORER) as http:
        answer = await http.post(STUDIES, content=body, headers=related_header())
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert await kept(archive, image(1, 1)) == []


async def test_e1_what_was_whole_before_a_body_broke_off_is_stored_and_told(archive: Archive) -> None:
    body, header = related(made(1, 1), made(1, 2, size=20_000))
    async with webbed.client(archive, STORER) as http:
        answer = await http.post(STUDIES, content=body[:-10_000], headers=header)
    assert (answer.status_code, stored(answer), failed(answer)) == (202, [uid(1, 1)], {uid(1, 2): 0xC000})
    assert archive.ingest._tools.budget.used == 0


async def test_e1_a_million_parts_end_early(archive: Archive) -> None:
    async def pieces():
        for _ in range(1000):
            yield f"--{BOUNDARY}\r\n\r\n\r\n".encode() * 1000

    async with webbed.client(archive, STORER) as http:
        answer = await http.post(STUDIES, content=pieces(), headers=related_header())
    assert answer.status_code == 409
    assert len(others(answer)) <= 100_001


# --- sizes and times -----------------------------------------------------------------------------------------------


def bounded(archive: Archive, **limits) -> httpx.AsyncClient:
    """A client of a door with other bounds."""
    instance = limits.pop("instance", 1 << 40)
    return webbed.client(archive, STORER, uploads=Uploads(body=BodyLimits(**limits), instance=instance))


async def test_e1_a_length_beyond_the_bound_is_refused_unread(archive: Archive) -> None:
    async with bounded(archive, size=10_000) as http:
        answer = await http.post(STUDIES, content=b"", headers=related_header() | {"content-length": "4294967296"})
    assert answer.status_code == 413
    assert MAX_BODY > 10 * 1024**3


@pytest.mark.parametrize(("first", "status"), [(made(1, 1), 202), (b"", 413)])
async def test_a_body_beyond_the_bound_is_stopped_while_it_comes(archive: Archive, first: bytes, status: int) -> None:
    sent = 0
    body, header = related(*([first] if first else []), made(1, 2, size=400_000))

    async def pieces():
        nonlocal sent
        for at in range(0, len(body), 1000):
            sent += 1000
            yield body[at : at + 1000]

    async with bounded(archive, size=100_000) as http:
        answer = await http.post(STUDIES, content=pieces(), headers=header)
    assert answer.status_code == status
    assert sent <= 102_000
    if status == 202:
        assert (stored(answer), failed(answer)) == ([uid(1, 1)], {uid(1, 2): 0xA700})
    assert await kept(archive, image(1, 2)) == []


async def test_an_instance_beyond_its_bound_is_stopped_while_it_comes(archive: Archive) -> None:
    async with bounded(archive, instance=50_000) as http:
        assert (await stow(http, made(1, 1, size=60_000))).status_code == 413
        answer = await stow(http, made(1, 1), made(1, 2, size=60_000))
    assert (answer.status_code, stored(answer), failed(answer)) == (202, [uid(1, 1)], {uid(1, 2): 0xA700})


@pytest.mark.parametrize("whole", [0, 1])
async def test_e4_a_body_that_stands_still_times_out(archive: Archive, whole: int) -> None:
    body, header = related(*([made(1, 1)] * whole), made(1, 2))

    async def pieces():
        yield body[:-1000]
        await asyncio.Event().wait()

    async with bounded(archive, idle=0.05) as http:
        answer = await http.post(STUDIES, content=pieces(), headers=header)
    assert answer.status_code == (202 if whole else 408)
    assert await kept(archive, image(1, 2)) == []
    assert archive.ingest._tools.budget.used == 0


async def test_e4_a_body_that_drips_times_out(archive: Archive) -> None:
    async def pieces():
        while True:
            await asyncio.sleep(0.001)
            yield b"x"

    async with bounded(archive, grace=0.2, rate=1_000_000) as http:
        answer = await http.post(STUDIES, content=pieces(), headers={"content-type": "application/dicom"})
    assert answer.status_code == 408


async def test_a_client_that_goes_leaves_nothing(archive: Archive) -> None:
    body, header = related(made(1, 1), made(1, 2))
    left = iter([{"type": "http.request", "body": body[:-500], "more_body": True}, {"type": "http.disconnect"}])

    async def receive():
        return next(left)

    async def send(message):
        pass

    async with webbed.client(archive, STORER) as http:
        app = http._transport.app
        headers = [(b"host", b"localhost"), (b"authorization", b"Bearer storer")]
        headers += [(name.encode(), value.encode()) for name, value in header.items()]
        scope = {"type": "http", "method": "POST", "path": STUDIES, "query_string": b"", "headers": headers}
        await app(scope, receive, send)
    assert [len(await kept(archive, image(1, number))) for number in (1, 2)] == [1, 0]
    assert archive.ingest._tools.budget.used == 0


async def test_a_sender_whose_rights_end_is_stopped(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webbed.Known, "still_valid", lambda self, principal: False)
    monkeypatch.setattr("leadglass.web.body._RECHECK_SECONDS", 0.0)
    async with webbed.client(archive, STORER) as http:
        assert (await stow(http, made())).status_code == 401
    assert await kept(archive, image(1, 1)) == []


async def test_many_are_being_stored_while_others_come(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Completes overlap, so that group commit can share its syncs; and never more than the window."""
    at_once = [0, 0]
    original = door.FileIntake.finish

    async def watched(self):
        at_once[0] += 1
        at_once[1] = max(at_once)
        try:
            return await original(self)
        finally:
            at_once[0] -= 1

    monkeypatch.setattr(door.FileIntake, "finish", watched)
    async with webbed.client(archive, STORER) as http:
        assert (await stow(http, *(made(1, number) for number in range(1, 60)))).status_code == 200
    assert 1 < at_once[1] <= WINDOW


async def test_failures_are_in_the_journal_once_for_each_reason(archive: Archive, monkeypatch) -> None:
    events = []
    monkeypatch.setattr(archive.journal, "record", lambda event, **_: events.append(event))
    async with webbed.client(archive, STORER) as http:
        await stow(http, *[b"no DICOM"] * 30, *[made(1, 3)[:-100]] * 2)
    told = [(event.details["code"], event.details["count"]) for event in events if event.what == "store-failed"]
    assert told == [("unparsable", 30), ("unparsable", 2)]


# --- hostile instances (the scan itself: tests/dicom) ----------------------------------------------------------------

BAD_UIDS = ["..", ".", "/etc/passwd", "..\\..", "1.2\x003", "1" * 65, "abc", "", "%2e%2e", "1.2.\u0663"]


@pytest.mark.parametrize("bad", BAD_UIDS)
@pytest.mark.parametrize("keyword", ["SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"])
async def test_b1_uids_that_are_none_are_refused(archive: Archive, keyword: str, bad: str) -> None:
    placeholder = "1.2.826.7.7.7.7.7.7.7.7.7.7.7.7.7.7.7.7.7.7.7.7.7.7.7.7.7.7.7.7.7"[:64]
    raw = bad.encode("utf-8")
    data = encoded(data_set(1, 1, **{keyword: placeholder}))
    header, value = data.split(placeholder.encode())
    length = len(raw) + len(raw) % 2
    data = header[:-2] + length.to_bytes(2, "little") + raw.ljust(length, b"\0") + value[len(placeholder) % 2 :]
    async with webbed.client(archive, STORER) as http:
        answer = await stow(http, part10(data, CT, uid(1, 1)), made(7, 7))
    assert (answer.status_code, stored(answer)) == (202, [uid(7, 7)])
    assert list(failed(answer).values()) + others(answer) in ([0xC000], [0x0117], [0xA900])
    assert archive.maintenance.statistics(SYSTEM)["instances"] == 1


@pytest.mark.parametrize("bad", ["../../../etc", "%2e%2e", "a" * 10_000, "1.2.3;DROP", "1" * 65])
async def test_b1_a_path_that_names_no_study_matches_none(archive: Archive, bad: str) -> None:
    async with webbed.client(archive, STORER) as http:
        answer = await http.post(f"{STUDIES}/{bad}", content=related(made())[0], headers=related_header())
    assert answer.status_code in (404, 405, 409)
    assert await kept(archive, image(1, 1)) == []


async def test_b7_a_uid_padded_with_blanks_is_the_same_instance(archive: Archive) -> None:
    data, padded = encoded(data_set(1, 1)), uid(1, 1).encode() + b"\0"
    assert padded in data
    blank = data.replace(padded, uid(1, 1).encode() + b" ")
    async with webbed.client(archive, STORER) as http:
        answer = await stow(http, made(), part10(blank, CT, uid(1, 1)), study=study_uid(1))
        again = await stow(http, part10(blank, CT, uid(1, 1)))
    assert set(stored(answer)) == set(stored(again)) == {uid(1, 1)}


async def test_b2_b3_hostile_text_is_stored_and_never_told(archive: Archive) -> None:
    name = "<script>{{7*7}}</script>\x1b[31m=cmd|x"
    async with webbed.client(archive, STORER) as http:
        answer = await stow(http, made(PatientName=name, PatientID=name[:40]), made(1, 2, PatientName=name)[:-50])
    assert stored(answer) == [uid(1, 1)]
    assert "script" not in answer.text + str(answer.headers)


async def test_c1_a_deflate_bomb_is_refused(archive: Archive) -> None:
    head = encoded(data_set(1, 1, size=2))[:-14] + b"\xe0\x7f\x10\x00OW\0\0" + (1 << 30).to_bytes(4, "little")
    packer = zlib.compressobj(9, wbits=-15)
    bomb = packer.compress(head) + b"".join(packer.compress(bytes(1 << 20)) for _ in range(1024)) + packer.flush()
    async with webbed.client(archive, STORER) as http:
        answer = await stow(http, part10(bomb, CT, uid(1, 1), uids.DEFLATED_EXPLICIT_VR_LE), made(1, 2))
    assert (stored(answer), failed(answer)) == ([uid(1, 2)], {uid(1, 1): 0xC000})


def nested(depth: int) -> bytes:
    item = b""
    for _ in range(depth):
        inner = b"\xfe\xff\x00\xe0" + len(item).to_bytes(4, "little") + item
        item = b"\x08\x00\x40\x11SQ\0\0" + len(inner).to_bytes(4, "little") + inner
    return item


@pytest.mark.parametrize("depth", [65, 200, 5000])
async def test_c4_sequences_too_deep_are_refused(archive: Archive, depth: int) -> None:
    data = encoded(data_set(1, 1))
    place = data.index(b"\x10\x00\x10\x00PN")
    async with webbed.client(archive, STORER) as http:
        answer = await stow(http, part10(data[:place] + nested(depth) + data[place:], CT, uid(1, 1)))
    assert answer.status_code == 409
    assert 0xC000 in [*failed(answer).values(), *others(answer)]


@pytest.mark.parametrize(
    ("declared", "sent"),
    [
        pytest.param(uids.EXPLICIT_VR_LE, uids.IMPLICIT_VR_LE, id="explicit declared, implicit sent"),
        pytest.param(uids.IMPLICIT_VR_LE, uids.EXPLICIT_VR_LE, id="implicit declared, explicit sent"),
        pytest.param(uids.EXPLICIT_VR_BE, uids.EXPLICIT_VR_LE, id="big endian declared, little sent"),
        pytest.param(uids.DEFLATED_EXPLICIT_VR_LE, uids.EXPLICIT_VR_LE, id="deflated declared, plain sent"),
    ],
)
async def test_c7_another_transfer_syntax_than_the_file_says(archive: Archive, declared: str, sent: str) -> None:
    async with webbed.client(archive, STORER) as http:
        answer = await stow(http, part10(encoded(data_set(1, 1), sent), CT, uid(1, 1), declared))
    assert answer.status_code == 409
    assert archive.maintenance.statistics(SYSTEM)["instances"] == 0


async def test_c6_file_meta_that_lies_about_the_instance_is_not_believed(archive: Archive) -> None:
    async with webbed.client(archive, STORER) as http:
        answer = await stow(http, part10(encoded(data_set(1, 1)), "1.2.3", "9.9.9"))
    assert stored(answer) == [uid(1, 1)]


@pytest.mark.parametrize("cut", [1, 100, 131, 140, 300, 340, 400, 700])
async def test_c9_a_file_cut_anywhere_is_refused(archive: Archive, cut: int) -> None:
    async with webbed.client(archive, STORER) as http:
        answer = await stow(http, made()[:cut])
    assert answer.status_code == 409
    assert archive.maintenance.statistics(SYSTEM)["instances"] == 0


async def test_c10_lengths_of_gigabytes_take_nothing(archive: Archive) -> None:
    data = encoded(data_set(1, 1, size=2))
    lying = data[: data.rindex(b"OW\0\0") + 4] + (0xFFFFFFFE).to_bytes(4, "little") + b"\1\2"
    async with webbed.client(archive, STORER) as http:
        answer = await stow(http, *[part10(lying, CT, uid(1, 1))] * 50)
    assert (answer.status_code, failed(answer)) == (409, {uid(1, 1): 0xC000})
    assert archive.ingest._tools.budget.used == 0


async def test_c11_a_polyglot_s_preamble_is_not_kept(archive: Archive) -> None:
    file = b"MZ" + b"\x90" * 126 + made()[128:]
    async with webbed.client(archive, STORER) as http:
        assert (await stow(http, file)).status_code == 200
    (stored_one,) = await archive.retrieve.select(SYSTEM, image(1, 1))
    reader = archive.vault.open(stored_one.location, stored_one.identity)
    assert b"MZ" not in reader.trailer.file_meta
    reader.close()


# --- the collections of pydicom -------------------------------------------------------------------------------------


def rounds() -> list[list[Specimen]]:
    """Groups in which no SOP Instance UID comes twice: many files are variants of one instance."""
    groups: list[list[Specimen]] = []
    for item in collection():
        key = item.sop_instance or item.name
        group = next((g for g in groups if key not in {other.sop_instance or other.name for other in g}), None)
        if group is None:
            groups.append(group := [])
        group.append(item)
    return groups


ROUNDS = rounds()
# Said in other words than over DIMSE, where the association tells what a file lacks.
OTHERWISE = {name: "absent" for name, reason in REFUSED.items() if reason == NO_IDENTITY}
OTHERWISE["no_meta.dcm"] = "not a DICOM file"


@pytest.mark.parametrize("number", range(len(ROUNDS)))
async def test_every_file_of_pydicom_comes_back_byte_for_byte_or_is_refused_for_a_reason(archive, number) -> None:
    wrong = []
    async with webbed.client(archive, STORER) as http:
        for item in ROUNDS[number]:
            answer = await stow(http, item.path.read_bytes())
            refusal = OTHERWISE.get(item.name, REFUSED.get(item.name))
            told = (item.name, answer.status_code, answer.headers.get("warning", ""), refusal)
            if refusal is not None:
                if answer.status_code != 409 or refusal not in told[2]:
                    wrong.append(told)
            elif answer.status_code != 200:
                wrong.append(told)
            else:
                named = Selection(Level.IMAGE, sop_instance_uids=(item.sop_instance,))
                if await kept(archive, named) != [item.data]:
                    wrong.append((item.name, "other bytes"))
    assert not wrong, "\n".join(map(str, wrong))

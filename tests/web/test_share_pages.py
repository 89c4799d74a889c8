"""The pages of who shares: making a share, where its secrets stand, what became of it, taking it back."""

from __future__ import annotations

import html
import io
import re
import zipfile
from dataclasses import replace

import httpx
import pytest
import pyzipper
from objects import store_one, study_uid
from signed_in import ORIGIN, RULES, Somebody, client, signed_in

from leadglass.app.archive import Archive
from leadglass.app.web_wiring import doorway_of
from leadglass.core.accounts import Role
from leadglass.core.shares import Opening, Share
from leadglass.core.tokens import Grant
from leadglass.web.app import WebDoor
from leadglass.web.desk import ARCHIVE, SHARES
from leadglass.web.neighbour import Neighbour

TYPED = {"recipient": "Dr. Verdi", "days": "14", "openings": "0", "study": study_uid(1)}


@pytest.fixture
async def sharer(archive: Archive) -> Somebody:
    for number in (1, 2):
        await store_one(archive, number)
        archive.state.put_grant(Grant("rossi", study_uid(number)))
    await store_one(archive, 3)
    return signed_in(archive, "rossi", Role.CLINICIAN)


def with_listener(archive: Archive) -> httpx.AsyncClient:
    """A client of the archive's pages, where there is a listener for shares too."""
    doorway = replace(doorway_of(archive), shares_site=Neighbour(listens=True, tls=True, port=8444))
    door = WebDoor(doorway, RULES, lambda: True, ARCHIVE)
    return httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url=ORIGIN)


def value_of(text: str, field: str) -> str:
    found = re.search(rf'<input id="{field}"[^>]* value="([^"]*)"', text)
    assert found
    return html.unescape(found[1])


def only(archive: Archive) -> Share:
    (share,) = archive.state.people.shares()
    return share


async def test_a_share_is_made_and_its_secrets_are_shown_once_and_open_it(archive: Archive, sharer: Somebody) -> None:
    async with with_listener(archive) as http:
        form = await http.get(f"/shares/new?study={study_uid(1)}&study={study_uid(2)}", headers=sharer.headers)
        assert "cannot be recalled" in form.text and "Rossi, Anna2" in form.text
        typed = {
            **TYPED,
            "study": [study_uid(1), study_uid(2)],
            "download": "yes",
            "openings": "3",
            "note": "as agreed",
        }
        made = await http.post("/shares/new", data=typed, headers=sharer.changing)
        assert made.status_code == 200
        link, passcode = value_of(made.text, "link"), value_of(made.text, "passcode")
        listed = await http.get("/shares", headers=sharer.headers)
        assert link not in listed.text and passcode not in listed.text and "Dr. Verdi" in listed.text
        assert "Rossi, Anna1" in listed.text and "Rossi, Anna2" in listed.text
    share = only(archive)
    assert (share.studies, share.most_openings) == ((study_uid(1), study_uid(2)), 3)
    assert (share.download, share.later, share.note) == (True, False, "as agreed")
    assert link.startswith("https://localhost:8444/s/")
    async with client(archive, SHARES) as http:
        form_headers = {"origin": ORIGIN, "sec-fetch-site": "same-origin"}
        path = link.removeprefix("https://localhost:8444")
        assert (await http.post(path, data={"passcode": passcode}, headers=form_headers)).status_code == 303


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"recipient": ""}, "Say who the recipient is"),
        ({"days": "91"}, "from 1 to 90 days"),
        ({"days": "soon"}, "from 1 to 90 days"),
        ({"openings": "-1"}, "up to 100 times"),
        ({"note": "x" * 501}, "one line of up to 500"),
    ],
)
async def test_what_was_typed_is_kept_and_what_is_wrong_is_said(
    archive: Archive, sharer: Somebody, typed: dict[str, str], says: str
) -> None:
    async with with_listener(archive) as http:
        given = {**TYPED, "later": "yes", **typed}
        answer = await http.post("/shares/new", data=given, headers=sharer.changing)
    assert answer.status_code == 422 and says in answer.text
    assert value_of(answer.text, "recipient") == given["recipient"]
    assert re.search(r'id="later"[^>]* checked', answer.text) and not re.search(
        r'id="download"[^>]* checked', answer.text
    )
    assert archive.state.people.shares() == []


async def test_what_is_out_of_reach_is_not_shared(archive: Archive, sharer: Somebody) -> None:
    async with with_listener(archive) as http:
        for studies in ([study_uid(3)], [study_uid(1), study_uid(3)], []):
            asked = await http.get("/shares/new", params={"study": studies}, headers=sharer.headers)
            assert asked.status_code == 404
            typed = {**TYPED, "study": studies}
            assert (await http.post("/shares/new", data=typed, headers=sharer.changing)).status_code == 404
    assert archive.state.people.shares() == []


async def test_without_a_listener_for_shares_nothing_is_made(archive: Archive, sharer: Somebody) -> None:
    async with client(archive) as http:
        form = await http.get(f"/shares/new?study={study_uid(1)}", headers=sharer.headers)
        assert (
            'serves = "shares"' in html.unescape(form.text)
            and '<form method="post" action="/shares/new"' not in form.text
        )
        await http.post("/shares/new", data=TYPED, headers=sharer.changing)
    assert archive.state.people.shares() == []


async def test_the_sharer_sees_openings_and_misses_and_takes_it_back(archive: Archive, sharer: Somebody) -> None:
    async with with_listener(archive) as http:
        await http.post("/shares/new", data=TYPED, headers=sharer.changing)
        share = only(archive)
        opening = Opening(1_800_000_000_000_000_000, "198.51.100.9", "<b>a browser</b>")
        archive.state.people.change_share(
            share.identifier, lambda kept: replace(kept, openings=1, opened=(opening,), misses=4)
        )
        listed = (await http.get("/shares", headers=sharer.headers)).text
        assert "2027-01-15 08:00 UTC" in listed and "198.51.100.9" in listed and "4 of 10" in listed
        assert "<b>a browser" not in listed
        other = signed_in(archive, "bianchi", Role.CLINICIAN)
        path = f"/shares/{share.identifier}/revoke"
        assert "Dr. Verdi" not in (await http.get("/shares", headers=other.headers)).text
        assert (await http.post(path, headers=other.changing)).status_code == 404
        assert (await http.post(path, headers=sharer.changing)).headers["location"] == "/shares?done=revoked"
        assert only(archive).revoked
        assert "taken back" in (await http.get("/shares?done=revoked", headers=sharer.headers)).text


async def test_an_administrator_sees_and_takes_back_everybodys(archive: Archive, sharer: Somebody) -> None:
    chief = signed_in(archive, "chief", Role.ADMINISTRATOR)
    async with with_listener(archive) as http:
        await http.post("/shares/new", data=TYPED, headers=sharer.changing)
        listed = await http.get("/shares/all", headers=chief.headers)
        assert "by rossi" in listed.text and study_uid(1) not in listed.text
        await http.post(f"/shares/all/{only(archive).identifier}/revoke", headers=chief.changing)
    assert only(archive).revoked


async def test_who_has_a_locked_share_is_told_at_the_start(archive: Archive, sharer: Somebody) -> None:
    async with with_listener(archive) as http:
        assert (await http.get("/", headers=sharer.headers)).headers["location"] == "/studies"
        await http.post("/shares/new", data=TYPED, headers=sharer.changing)
        share = only(archive)
        archive.state.people.change_share(share.identifier, lambda kept: replace(kept, misses=10))
        start = await http.get("/", headers=sharer.headers)
        assert start.status_code == 200 and "A share was locked" in start.text and "Dr. Verdi" in start.text
        assert "locked" in (await http.get("/shares", headers=sharer.headers)).text
        await http.post(f"/shares/{share.identifier}/revoke", headers=sharer.changing)
        assert (await http.get("/", headers=sharer.headers)).status_code == 303


async def test_a_study_leaves_for_another_practice_encrypted(archive: Archive, sharer: Somebody) -> None:
    path = f"/studies/{study_uid(1)}/export"
    async with client(archive) as http:
        assert path in (await http.get(f"/studies/{study_uid(1)}", headers=sharer.headers)).text
        assert "AES-256" in (await http.get(path, headers=sharer.headers)).text
        offered = await http.post(path, headers=sharer.changing)
        passphrase = value_of(offered.text, "passphrase")
        ticket = re.search(r'name="ticket" value="([^"]+)"', offered.text)
        assert ticket and passphrase not in ticket[1]
        file = await http.post(f"{path}/file", data={"ticket": ticket[1]}, headers=sharer.changing)
        assert file.headers["content-disposition"] == 'attachment; filename="dicom-encrypted.zip"'
        for wrong in ("", "x" * 54):
            refused = await http.post(f"{path}/file", data={"ticket": wrong}, headers=sharer.changing)
            assert refused.status_code == 403
        elsewhere = f"/studies/{study_uid(2)}/export/file"
        assert (await http.post(elsewhere, data={"ticket": ticket[1]}, headers=sharer.changing)).status_code == 403
        assert (await http.get(f"/studies/{study_uid(3)}/export", headers=sharer.headers)).status_code == 404
    (entry,) = zipfile.ZipFile(io.BytesIO(file.content)).infolist()
    assert entry.flag_bits & 1 and entry.compress_type == 99  # encrypted, as WinZip's AES is marked
    assert b"DICM" not in file.content and b"Rossi" not in file.content
    with pyzipper.AESZipFile(io.BytesIO(file.content)) as opened:
        opened.setpassword(passphrase.encode())
        content = opened.read("STUDY001/SERIES001/00001.dcm")
        assert content[128:132] == b"DICM" and b"Rossi" in content
        assert opened.infolist()[0].wz_aes_strength == 3  # 256 bits
        opened.setpassword(b"another one")
        with pytest.raises(RuntimeError):
            opened.read("STUDY001/SERIES001/00001.dcm")

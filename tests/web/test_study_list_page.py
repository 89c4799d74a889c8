"""The list of studies: what is looked for is posted and comes back in the form; strangers' texts stay texts."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from objects import data_set, encoded, store, store_one, study_uid, uid
from signed_in import Somebody, account, again, client, signed_in

from leadglass.app.archive import Archive
from leadglass.core.accounts import Role
from leadglass.web.pages import studies as area
from leadglass.web.pages.studies.values import date, name, plain, time

HTMX = {"hx-request": "true"}
HOSTILE = [
    "<script>alert(1)</script>^<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "{{ 777*777 }}^{% raw %}",
    "Rossi\u202e^txt.exe\u0007",
    "x" * 9000 + "^" + "y" * 900,
    "' onmouseover='alert(1)",
    "Rossi\r\nSet-Cookie: x=y",
]


async def asked(
    archive: Archive, who: Somebody, form: dict[str, str], path: str = "/studies", **more: str
) -> httpx.Response:
    async with client(archive) as http:
        return await http.post(path, data=form, headers={**who.changing, **more})


async def test_the_list_is_searched_by_what_is_posted(archive: Archive) -> None:
    for number in (1, 2, 3):
        await store_one(archive, number)
    who = signed_in(archive, "rossi", Role.CLINICIAN, institutions=frozenset())
    everything = signed_in(archive, "tech", Role.ADMINISTRATOR)
    async with client(archive) as http:
        everybody = await http.get("/studies", headers=everything.headers)
    assert all(f"/studies/{study_uid(number)}" in everybody.text for number in (1, 2, 3))
    found = await asked(archive, everything, {"text": "anna2", "order": "name"})
    assert found.text.count('<th scope="row">') == 1 and f"/studies/{study_uid(2)}" in found.text
    assert 'value="anna2"' in found.text and '<option value="name" selected' in found.text
    part = await asked(archive, everything, {"text": "anna2"}, **HTMX)
    assert "<html" not in part.text and part.text.count('<th scope="row">') == 1
    nothing = await asked(archive, who, {"text": "anna2"})
    assert "/emergency?next=/studies" in nothing.text and study_uid(2) not in nothing.text


@pytest.mark.parametrize(
    ("form", "found"),
    [({"name": "anna1"}, 1), ({"patient_id": "p2"}, 1), ({"modalities": "mr, ct"}, 2), ({"modalities": "mr"}, 0),
     ({"since": "2024-03-01"}, 1), ({"until": "2024-03-01"}, 1), ({"order": "nonsense", "text": "rossi"}, 2)],
)  # fmt: skip
async def test_filters(archive: Archive, form: dict[str, str], found: int) -> None:
    for number in (1, 2):
        await store_one(archive, number)
    answer = await asked(archive, signed_in(archive, "tech", Role.ADMINISTRATOR), form)
    assert answer.text.count('<th scope="row">') == found


@pytest.mark.parametrize("form", [{"offset": "-1"}, {"offset": "999999"}, {"since": "nonsense"}, {"text": "x" * 201}])
async def test_what_makes_no_sense_is_said_and_kept(archive: Archive, form: dict[str, str]) -> None:
    answer = await asked(archive, signed_in(archive, "tech", Role.ADMINISTRATOR), form)
    assert 400 <= answer.status_code < 500
    if "text" in form:
        assert form["text"] in answer.text and 'role="alert"' in answer.text


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_strangers_texts_stay_texts(archive: Archive, hostile: str) -> None:
    made = data_set(1, SpecificCharacterSet="ISO_IR 192")
    made.add_new(0x00100010, "PN", "placeholder")
    raw = encoded(made).replace(b"placeholder ", hostile.encode()[:8000] + b" " * (len(hostile.encode()[:8000]) % 2), 1)
    length = len(hostile.encode()[:8000]) + len(hostile.encode()[:8000]) % 2
    raw = raw.replace(b"PN" + (12).to_bytes(2, "little"), b"PN" + length.to_bytes(2, "little"), 1)
    await store(archive, raw, uid(1, 1))
    who = signed_in(archive, "tech", Role.ADMINISTRATOR)
    async with client(archive) as http:
        shown = await http.get("/studies", headers=who.headers)
    assert shown.text.count('<th scope="row">') == 1
    for bad in ("<script>alert", "<img src=x", "<svg onload", "' onmouseover='", "\u202e", "\x07", "x" * 200, "603729"):
        assert bad not in shown.text.replace(study_uid(1), ""), bad
    kept = await asked(archive, who, {"text": hostile[:200].replace("\r\n", " ")})
    assert "<script>alert" not in kept.text and "<img src=x" not in kept.text and "<svg onload" not in kept.text


async def test_searches_are_kept_and_come_back(archive: Archive) -> None:
    await store_one(archive, 1)
    owner = account(archive, "tech", Role.ADMINISTRATOR)
    who = again(archive, owner)
    kept = await asked(archive, who, {"title": "<b>mine", "text": "anna", "modalities": "CT"}, "/studies/saved")
    assert 'value="&lt;b&gt;mine"' in kept.text and "<b>mine" not in kept.text
    back = await asked(archive, who, {"saved": "<b>mine"})
    assert 'value="anna"' in back.text and 'value="CT"' in back.text
    wrong = await asked(archive, who, {"title": "", "text": "anna"}, "/studies/saved")
    assert wrong.status_code == 422 and 'role="alert"' in wrong.text and 'value="anna"' in wrong.text
    gone = await asked(archive, who, {"title": "<b>mine"}, "/studies/saved/remove")
    assert "&lt;b&gt;mine" not in gone.text
    other = await asked(archive, signed_in(archive, "other", Role.TECHNOLOGIST), {"saved": "<b>mine"})
    assert 'value="anna"' not in other.text


async def test_nothing_that_is_looked_for_stands_in_an_address(archive: Archive) -> None:
    who = signed_in(archive, "tech", Role.ADMINISTRATOR)
    answer = await asked(archive, who, {"text": "secretname"})
    assert "secretname" not in "".join(line for line in answer.text.splitlines() if "href" in line or "action" in line)
    async with client(archive) as http:
        assert "secretname" not in (await http.get("/studies?text=secretname", headers=who.headers)).text


async def test_a_page_of_fifty_and_what_it_loads_weigh_little(archive: Archive) -> None:
    for number in range(1, 53):
        await store(archive, encoded(data_set(number, PatientName="W" * 64 + "^" + "M" * 60)), uid(number, 1))
    who = signed_in(archive, "tech", Role.ADMINISTRATOR)
    async with client(archive) as http:
        answer = await http.get("/studies", headers=who.headers)
        linked = {part.split('"')[0] for part in answer.text.split('"/static/')[1:]}
        loaded = [await http.get(f"/static/{one}", headers={"accept-encoding": "gzip"}) for one in linked]
    assert answer.text.count('<th scope="row">') == 50
    wire = sum(int(one.headers.get("content-length", len(one.content))) for one in loaded)
    assert len(linked) >= 4 and len(answer.content) + wire < 120_000  # the rest of 150 kB is for thumbnails in view
    assert "http://" not in answer.text.replace("http://localhost", "") and "https://" not in answer.text


def test_values_as_people_read_them() -> None:
    assert name("Rossi^Anna^Maria^Dr.") == "Rossi, Anna Maria (Dr.)"
    assert name("Yamada^Tarou=山田^太郎=やまだ^たろう") == "Yamada, Tarou (山田, 太郎) (やまだ, たろう)"
    assert name("^^^") == name("") == "" and name("=x") == "x"
    assert (date("20240517"), date("2024"), time("081500.12"), time("8")) == ("2024-05-17", "2024", "08:15", "")
    assert plain("a\u202eb\u0000c\n d") == "abc d" and len(plain("x" * 10_000)) == 120


def test_the_area_has_no_script_in_its_templates() -> None:
    assert area.__file__ is not None
    for template in (Path(area.__file__).parent.parent / "templates" / "studies").iterdir():
        text = template.read_text("utf-8")
        assert " on" + "click" not in text and "style=" not in text and "|safe" not in text

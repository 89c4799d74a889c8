"""The listener for shares: a stranger with link and passcode sees what was shared; everybody else, and everything else,
is told that there is nothing."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass, replace

import httpx
import pytest
from objects import data_set, encoded, store, store_one, study_uid, uid
from signed_in import FROM_HERE, HTML, ORIGIN, RULES, account, again, client, signed_in

from leadglass.app.archive import Archive
from leadglass.app.web_wiring import doorway_of
from leadglass.core.accounts import Account, Role
from leadglass.core.sessions import Audience
from leadglass.core.shares import Share
from leadglass.core.tokens import Grant
from leadglass.services.sessions import Known
from leadglass.services.shares import MadeShare, WantedShare
from leadglass.web.app import WebDoor
from leadglass.web.browser import COOKIES
from leadglass.web.desk import ARCHIVE, SHARES, VIEWER
from leadglass.web.pages.page import Entry
from leadglass.web.shared_routes import SHARED_ROUTES

COOKIE = COOKIES[Audience.SHARE]
PICTURE = f"/dicom-web/studies/{study_uid(1)}/thumbnail"


@dataclass
class Shared:
    """An archive with two studies, one person who shares, and a stranger."""

    archive: Archive
    sharer: Account

    def make(self, **changes: object) -> MadeShare:
        wanted = replace(WantedShare("Dr. Verdi", (study_uid(1),)), **changes)  # type: ignore[arg-type]
        cookie = self.archive.sessions.begin(self.sharer, Audience.PAGES, Known())
        person = self.archive.sessions.person(cookie, Audience.PAGES, "")
        assert person is not None
        return self.archive.shares.create(person.principal, wanted)

    async def opened(self, http: httpx.AsyncClient, made: MadeShare) -> dict[str, str]:
        """What a stranger's browser sends who has opened it."""
        answer = await enter(http, made.link, made.passcode)
        assert (answer.status_code, answer.headers["location"]) == (303, "/shared")
        found = re.match(rf"{COOKIE}=([^;]+); Path=/; HttpOnly; Secure; SameSite=Strict$", answer.headers["set-cookie"])
        assert found
        person = self.archive.sessions.person(found[1], Audience.SHARE, "")
        assert person is not None
        return {"cookie": f"{COOKIE}={found[1]}", "x-csrf-token": person.csrf, **HTML}

    def kept(self, made: MadeShare) -> Share:
        share = self.archive.state.people.share(made.share.identifier)
        assert share is not None
        return share


async def enter(http: httpx.AsyncClient, link: str, passcode: str, **headers: str) -> httpx.Response:
    return await http.post(f"/s/{link}", data={"passcode": passcode}, headers={**FROM_HERE, **HTML, **headers})


@pytest.fixture
async def shared(archive: Archive) -> Shared:
    await store_one(archive, 1)
    await store(archive, encoded(data_set(1, 2, InstanceNumber=2)), uid(1, 2))
    await store_one(archive, 2)
    sharer = account(archive, "rossi", Role.CLINICIAN)
    for number in (1, 2):
        archive.state.put_grant(Grant("rossi", study_uid(number)))
    return Shared(archive, sharer)


async def test_a_stranger_opens_a_link_and_looks_at_what_was_shared(shared: Shared) -> None:
    made = shared.make(note="as agreed")
    async with client(shared.archive, SHARES) as http:
        door = await http.get(f"/s/{made.link}", headers=HTML)
        assert door.status_code == 200 and "passcode" in door.text
        headers = await shared.opened(http, made)
        home = await http.get("/shared", headers=headers)
        assert "Rossi, Anna1" in home.text and "as agreed" in home.text and "Shared by Rossi" in home.text
        study = await http.get(f"/studies/{study_uid(1)}", headers=headers)
        assert study.status_code == 200 and "/zip" not in study.text
        look = await http.get(f"/studies/{study_uid(1)}/series/{study_uid(1)}.1000/look?at=2", headers=headers)
        assert f"instances/{uid(1, 2)}/frames/1/rendered" in look.text
        for page in (home, study, look):  # nothing of the archive's own pages
            assert "Shared by Rossi" in page.text and "/administration" not in page.text
            assert not set(re.findall(r'(?:href|action)="(/[^"?]*)', page.text)) & {
                "/",
                "/studies",
                "/shares",
                "/account",
            }
        picture = await http.get(PICTURE, headers={**headers, "accept": "image/*"})
        assert picture.status_code == 200 and picture.headers["content-type"].startswith("image/")


async def test_to_fetch_a_link_counts_nothing_and_is_the_same_for_every_link(shared: Shared) -> None:
    made = shared.make()
    async with client(shared.archive, SHARES) as http:
        good = await http.get(f"/s/{made.link}", headers=HTML)
        other = await http.get(f"/s/{'A' * 43}", headers=HTML)
        assert good.text.replace(made.link, "") == other.text.replace("A" * 43, "")
        await http.head(f"/s/{made.link}")
        assert not {"Rossi", "Verdi", "1.2.826"} & set(re.findall(r"Rossi|Verdi|1\.2\.826", good.text))
    assert shared.kept(made) == made.share


async def test_e12_what_is_wrong_has_one_answer(shared: Shared) -> None:
    made, expired = shared.make(), shared.make()
    shared.archive.state.people.change_share(expired.share.identifier, lambda kept: replace(kept, expires=1))
    revoked = shared.make()
    shared.archive.state.people.change_share(revoked.share.identifier, lambda kept: replace(kept, revoked=1))
    answers = set()
    async with client(shared.archive, SHARES) as http:
        for link in (made.link, expired.link, revoked.link, "A" * 43, "x", "é"):
            answer = await enter(http, link, "3333-3333-3333")
            assert answer.status_code == 403 and "set-cookie" not in answer.headers
            answers.add(re.sub(r'action="/s/[^"]*"', "", answer.text))
        why = await enter(http, expired.link, expired.passcode)
    assert len(answers) == 1
    assert why.status_code == 403 and "has expired" in why.text


async def test_e10_a_passcode_is_taken_from_our_own_page_only(shared: Shared) -> None:
    made = shared.make()
    async with client(shared.archive, SHARES) as http:
        for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {}):
            answer = await http.post(f"/s/{made.link}", data={"passcode": made.passcode}, headers=headers)
            assert answer.status_code == 403 and "set-cookie" not in answer.headers
    assert shared.kept(made).openings == 0


async def test_a_download_is_there_only_where_it_was_allowed(shared: Shared) -> None:
    path = f"/studies/{study_uid(1)}/zip"
    async with client(shared.archive, SHARES) as http:
        headers = await shared.opened(http, shared.make())
        assert (await http.get(path, headers=headers)).status_code == 403
        headers = await shared.opened(http, shared.make(download=True))
        assert path in (await http.get(f"/studies/{study_uid(1)}", headers=headers)).text
        answer = await http.get(path, headers=headers)
        names = zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
        assert names == ["STUDY001/SERIES001/00001.dcm", "STUDY001/SERIES001/00002.dcm"]
        assert (await http.get(path.replace(study_uid(1), study_uid(2)), headers=headers)).status_code == 404


async def test_e8_a_shares_cookie_reaches_no_other_study(shared: Shared) -> None:
    async with client(shared.archive, SHARES) as http:
        headers = await shared.opened(http, shared.make(download=True))
        for route in SHARED_ROUTES:
            path = re.sub(r"\{list\}", "1", route.path).replace("{study}", study_uid(2))
            path = path.replace("{series}", f"{study_uid(2)}.1000").replace("{instance}", uid(2, 1))
            assert (await http.get(path, headers={**headers, "accept": "*/*"})).status_code == 404, path
        for path in (f"/studies/{study_uid(2)}", f"/studies/{study_uid(2)}/series/{study_uid(2)}.1000/look"):
            assert (await http.get(path, headers=headers)).status_code == 404


async def test_what_is_over_shows_nothing_from_the_next_request_on(shared: Shared) -> None:
    people = shared.archive.state.people
    async with client(shared.archive, SHARES) as http:
        made = shared.make()
        headers = await shared.opened(http, made)
        people.change_share(made.share.identifier, lambda kept: replace(kept, revoked=1))
        assert (await http.get("/shared", headers=headers)).status_code == 404
        assert (await http.get(PICTURE, headers={**headers, "accept": "*/*"})).status_code == 404
        headers = await shared.opened(http, shared.make())
        assert (await http.get(PICTURE, headers={**headers, "accept": "*/*"})).status_code == 200
        people.change_account("rossi", lambda kept: replace(kept, disabled=1))
        assert (await http.get("/shared", headers=headers)).status_code == 404
        people.change_account("rossi", lambda kept: replace(kept, disabled=0))
        shared.archive.state.remove_grant(Grant("rossi", study_uid(1)))
        assert "1.2.826" not in (await http.get("/shared", headers=headers)).text
        assert (await http.get(PICTURE, headers={**headers, "accept": "*/*"})).status_code == 404


async def test_who_leaves_is_out_and_takes_nothing_along(shared: Shared) -> None:
    async with client(shared.archive, SHARES) as http:
        headers = await shared.opened(http, shared.make())
        assert (await http.post("/leave", headers={**headers, **FROM_HERE, "x-csrf-token": "no"})).status_code == 403
        answer = await http.post("/leave", headers={**headers, **FROM_HERE})
        assert answer.status_code == 200 and "clear-site-data" in answer.headers
        assert "Max-Age=0" in answer.headers["set-cookie"]
        assert (await http.get("/shared", headers=headers)).status_code == 404


def asked_for(path: str) -> str:
    return re.sub(r"\{(?!study\})\w+(:\w+)?\}", "1", path).replace("{study}", study_uid(1))


FOREIGN = [
    (line.method, asked_for(line.path))
    for desk in (ARCHIVE, VIEWER)
    for line in (*desk.routes, *desk.pages)
    if (line.method, line.path) not in {(ours.method, ours.path) for ours in (*SHARES.routes, *SHARES.pages)}
]


async def test_e7_the_listener_for_shares_answers_nothing_else_to_anybody(shared: Shared) -> None:
    """Every line of the other listeners' tables, to a stranger, to somebody of the archive, and to who opened one."""
    administrator = signed_in(shared.archive, "admin", *(set(Role) - {Role.RESEARCHER}))
    async with client(shared.archive, SHARES) as http:
        inside = await shared.opened(http, shared.make())
        everybody = {
            "nobody": dict(FROM_HERE),
            "a page's cookie": administrator.changing,
            "a page's cookie by the share's name": {
                **administrator.changing,
                "cookie": f"{COOKIE}={administrator.cookie}",
            },
            "a token": {"authorization": "Bearer anything", **FROM_HERE},
            "who opened one": {**inside, **FROM_HERE},
        }
        nowhere = (await http.get("/surely/not/there", headers=HTML)).text
        for who, headers in everybody.items():
            for method, path in [*FOREIGN, ("GET", "/healthz"), ("GET", "/readyz"), ("OPTIONS", "/dicom-web")]:
                answer = await http.request(method, path, headers=headers)
                there = {405} if who == "who opened one" else set()
                assert answer.status_code in {404, *there}, (who, method, path)
                if method == "GET" and "text/html" in headers.get("accept", ""):
                    assert answer.text == nowhere, (who, path)


CLOSED = [page for page in SHARES.pages if page.entry is not Entry.OPEN]


async def test_e7_no_other_cookie_gets_in_and_a_shares_cookie_nowhere_else(shared: Shared) -> None:
    administrator = signed_in(shared.archive, "admin", *(set(Role) - {Role.RESEARCHER}))
    viewer = again(shared.archive, administrator.account, Audience.VIEWER, Known(studies=frozenset({study_uid(1)})))
    async with client(shared.archive, SHARES) as http:
        inside = await shared.opened(http, shared.make())
        for cookie in (administrator.cookie, viewer.cookie, "garbage", ""):
            for name in COOKIES.values():
                headers = {"cookie": f"{name}={cookie}", **FROM_HERE}
                for line in CLOSED:
                    assert (await http.request(line.method, asked_for(line.path), headers=headers)).status_code == 404
                for route in SHARED_ROUTES:
                    assert (await http.get(asked_for(route.path), headers=headers)).status_code == 404
    share = inside["cookie"].partition("=")[2]
    for desk in (ARCHIVE, VIEWER):
        async with client(shared.archive, desk) as http:
            for name in COOKIES.values():
                headers = {**inside, **FROM_HERE, "cookie": f"{name}={share}", "accept": "*/*"}
                for line in (*desk.routes, *(page for page in desk.pages if page.entry is not Entry.OPEN)):
                    answer = await http.request(line.method, asked_for(line.path), headers=headers)
                    assert answer.status_code == 401, line.path


async def test_every_answer_is_kept_and_found_by_nobody(shared: Shared) -> None:
    async with client(shared.archive, SHARES) as http:
        made = shared.make()
        headers = await shared.opened(http, made)
        for path in (f"/s/{made.link}", "/shared", "/nothing", PICTURE, f"/studies/{study_uid(1)}"):
            answer = await http.get(path, headers={**headers, "accept": "*/*"})
            assert answer.headers.get_list("cache-control") == ["no-store"], path
            assert "noindex" in answer.headers["x-robots-tag"]
            # To our own listener at most: where nothing is told, browsers call our own forms those of nobody.
            assert answer.headers["referrer-policy"] in ("no-referrer", "same-origin")
        sheet = re.search(r'href="(/static/[^"]+css)"', (await http.get("/shared", headers=headers)).text)
        assert sheet and "immutable" in (await http.get(sheet[1])).headers["cache-control"]


async def test_e13_no_link_is_in_what_is_counted_or_logged(shared: Shared, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    made = shared.make()
    door = WebDoor(doorway_of(shared.archive), RULES, lambda: True, SHARES)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url=ORIGIN) as http:
        await http.get(f"/s/{made.link}")
        await enter(http, made.link, "3333")
        headers = await shared.opened(http, made)
        await http.get("/shared", headers=headers)
    facts = repr(door.traffic.facts())
    assert "'/s/{token}'" in facts
    ours = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    for secret in (made.link, made.passcode):
        assert secret not in facts + repr([record.getMessage() for record in ours])

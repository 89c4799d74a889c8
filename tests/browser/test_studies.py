"""The list, the quick look and the upload as people use them: by keys, by finger, with ZIPs of several makes."""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import archives
import pytest
from objects import data_set, encoded
from people_site import CHIEF, CLINICIAN, Site
from playwright.sync_api import TimeoutError  # noqa: A004

from leadglass.dicom.part10 import build_file_header
from leadglass.dicom.uids import EXPLICIT_VR_LE

ROWS = "#found tbody tr"
FEWER = "([rows, before]) => document.querySelectorAll(rows).length < before"
SHOWN = "() => document.getElementById('picture').alt === document.getElementById('where').innerText"
PIXELS = """image => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const found = new Set();
  for (const [index, value] of context.getImageData(0, 0, canvas.width, canvas.height).data.entries())
    if (index % 4 === 0) found.add(value);
  return found.size;
}"""


def file_of(study: int, number: int) -> bytes:
    made = data_set(study, number, PatientName="Upload^Ulla")
    return build_file_header(made.SOPClassUID, made.SOPInstanceUID, EXPLICIT_VR_LE) + encoded(made)


def test_a_study_is_found_as_somebody_types_and_opened_by_keys(visitor: Callable[..., Any]) -> None:
    who = visitor()
    who.sign_in(CHIEF)
    page = who.page
    before = page.locator(ROWS).count()
    page.keyboard.press("/")
    page.keyboard.type("mus jor", delay=20)
    page.wait_for_function(FEWER, arg=[ROWS, before])
    page.wait_for_load_state("networkidle")
    assert "Jördis" in page.locator("#found").inner_text() and "mus" not in page.url
    who.picture("studies-search")
    for _ in range(20):  # answers to the last letters may still come, and take the row away that has the focus
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        with contextlib.suppress(TimeoutError):
            page.wait_for_url("**/studies/*", timeout=3000)
            break
    assert "/studies/" in page.url
    who.picture("study")


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_the_quick_look_goes_from_frame_to_frame(visitor: Callable[..., Any], phone: bool) -> None:
    who = visitor(phone=phone)
    page = who.page
    who.sign_in(CHIEF)
    page.locator("#text").fill("ct")
    page.keyboard.press("Enter")
    page.wait_for_load_state("networkidle")
    page.locator(f"{ROWS} th a").first.click()
    page.locator("a.tile").first.click()
    page.wait_for_selector("#picture")
    page.wait_for_load_state("networkidle")
    assert page.eval_on_selector("#picture", PIXELS) > 20
    first = page.locator("#where").inner_text()
    page.keyboard.press("ArrowDown")
    page.wait_for_function("first => document.getElementById('where').innerText !== first", arg=first)
    page.wait_for_function(SHOWN)
    before = page.locator("#picture").get_attribute("src")
    page.locator("#window").select_option(index=2)
    page.wait_for_function("src => document.getElementById('picture').getAttribute('src') !== src", arg=before)
    assert page.eval_on_selector("#picture", PIXELS) > 1
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    who.picture("look-phone" if phone else "look")


def test_the_quick_look_works_without_scripts(visitor: Callable[..., Any]) -> None:
    who = visitor(javascript=False)
    who.sign_in(CHIEF)
    page = who.page
    page.locator("#text").fill("ct")
    page.keyboard.press("Enter")
    page.locator(f"{ROWS} th a").first.click()
    page.locator("a.tile").first.click()
    page.get_by_role("link", name="Next image").click()
    assert "at=2" in page.url and "/frames/1/rendered" in (page.locator("#picture").get_attribute("src") or "")


def packed(files: dict[str, bytes], method: int, *, stream: bool = False) -> bytes:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return not stream

        def seek(self, *_: int) -> int:
            if stream:
                raise OSError
            return super().seek(*_)

    out = Pipe()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def test_archives_and_files_are_uploaded_and_what_is_refused_is_named(
    visitor: Callable[..., Any], site: Site, tmp_path: Path
) -> None:
    who = visitor()
    who.sign_in(CHIEF)
    who.open("/upload")
    given = {
        "plain.dcm": file_of(91, 1),
        "deflated.zip": packed(
            {"a/1": file_of(91, 2), "DICOMDIR": b"x", "notes.txt": b"no image"}, zipfile.ZIP_DEFLATED
        ),
        "stored.zip": packed({"a/2": file_of(91, 3)}, zipfile.ZIP_STORED),
        "nested.zip": packed({"inner.zip": packed({"x": b"y"}, zipfile.ZIP_STORED)}, zipfile.ZIP_DEFLATED),
        "piped.zip": packed({"b/3": file_of(91, 4)}, zipfile.ZIP_STORED, stream=True),
        "bzip.zip": packed({"b/4": file_of(91, 5)}, zipfile.ZIP_BZIP2),
        "cut.zip": packed({"b/5": file_of(91, 6)}, zipfile.ZIP_DEFLATED)[:300],
        "<b>odd.dcm": b"",
    }
    lying = bytearray(packed({"c": b"\0" * 100_000}, zipfile.ZIP_DEFLATED))
    end = lying.rfind(b"PK\x01\x02")
    lying[end + 24 : end + 28] = (10).to_bytes(4, "little")  # says that it is small
    given["lying.zip"] = bytes(lying)
    files = [{"name": name, "mimeType": "application/octet-stream", "buffer": body} for name, body in given.items()]
    who.page.locator("#files").set_input_files(files)
    who.page.wait_for_selector("#to-studies:not([hidden])", timeout=60_000)
    who.picture("upload")
    assert "4 files stored, 6 not" in who.page.locator("#state").inner_text()
    refused = who.page.locator("#refused").inner_text()
    for name, why in (
        ("notes.txt", ""), ("inner.zip", "ZIP within a ZIP"), ("b/4", "not taken"), ("cut.zip", "damaged"),
        ("<b>odd.dcm", "empty"), ("lying.zip", "damaged"),
    ):  # fmt: skip
        line = next(line for line in refused.split("\n") if name in line) if why == "" else refused
        assert name in line and why in refused
    who.page.locator("#to-studies").click()
    assert "Upload, Ulla" in who.page.locator(".patient").inner_text()
    with archives.opened(site.home) as archive:
        assert sum(one.identity.study_uid.endswith(".91") for one in archive.catalog.instances()) == 4


def test_what_the_archive_gives_as_a_zip_can_be_uploaded_again(visitor: Callable[..., Any]) -> None:
    who = visitor()
    who.sign_in(CHIEF)
    page = who.page
    page.locator(f"{ROWS} th a").first.click()
    with page.expect_download() as going:
        page.get_by_role("link", name="Download as ZIP").click()
    path = going.value.path()
    who.open("/upload")
    page.locator("#files").set_input_files(path)
    page.wait_for_selector("#to-studies:not([hidden])", timeout=60_000)
    assert "Done:" in page.locator("#state").inner_text() and "not" not in page.locator("#state").inner_text()


def test_who_finds_nothing_is_told_of_the_emergency_quietly(visitor: Callable[..., Any]) -> None:
    who = visitor()
    who.sign_in(CLINICIAN)
    who.page.locator("#text").fill("nobodyofthisname")
    who.page.keyboard.press("Enter")
    who.page.get_by_role("link", name="In an emergency").click()
    assert who.page.url.endswith("/emergency?next=/studies")

"""What people wait for at the pages, by the server's own time: `python -m bench --only people`.

The list of studies is searched as somebody types, letter by letter, in a catalog of a million studies with invented
names of an uneven spread; the quick look asks for one frame after the other of a CT series. Requests go through the
whole web door (cookie, right, service, template), without a socket: what is measured is what the server spends on
them. The weight of the list is that of the page and of all it loads, thumbnails aside.

    python -m bench.people [--studies N]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx

from bench import archive as making
from bench import material, peers, report
from bench.report import Row
from leadglass.app.archive import Archive, open_archive
from leadglass.app.cli.opening import keys_of, operator
from leadglass.app.config import read_config
from leadglass.app.importing import ImportReport, import_paths
from leadglass.app.web_wiring import doorway_of
from leadglass.core.accounts import Account, Role
from leadglass.core.identity import InstanceIdentity, PatientKey
from leadglass.core.ports import Catalog
from leadglass.core.records import HeaderValue, InstanceEntry, Location, RecordTrailer
from leadglass.core.sessions import Audience
from leadglass.dicom import uids
from leadglass.dicom.dictionary import tag_of, vr_of
from leadglass.services.sessions import Known
from leadglass.web.app import WebDoor
from leadglass.web.browser import COOKIES
from leadglass.web.guard import ListenerRules

MILLION = 1_000_000
SLICES, CT_ROOT = 250, 760
STRETCH = 25  # frames that somebody goes through, and back
ROOT = "1.2.826.0.1.3680043.10.1511.901"
SERIES = f"/dicom-web{material.series_path(CT_ROOT)}"
ORIGIN = "http://localhost:8042"
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
SYLLABLES = (
    "ro", "ssi", "ma", "ri", "an", "na", "ver", "di", "bian", "chi", "lu", "ca", "fer", "ra", "ti", "co", "sta", "gal",
    "lo", "con", "mo", "ret", "sa", "lva", "to", "re", "pel", "le", "gri", "ni",
)  # fmt: skip
ABOUT = (
    "CT Thorax", "CT Abdomen and pelvis", "MR Brain", "MR Knee left", "MR Knee right", "Chest PA and lateral",
    "US Abdomen", "Mammography screening", "MR Lumbar spine", "CT Head without contrast", "Hip right",
    "Echocardiography",
)  # fmt: skip
MODALITY = ("CT", "CT", "MR", "MR", "MR", "DX", "US", "MG", "MR", "CT", "DX", "US")
TYPED = ("thorax", "ct 2019", "mr knee", "2021-05", "P0123", "A00123", "us abdomen 2015", "a", "zzz")  # beside names
STATIC = ("leadglass.css", "studies.css", "studies.js", "pages.js", "htmx.min.js", "icon.svg")


class Names:
    """Invented names: a few hundred are frequent, most are rare."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self.family = [self._word(2, 4) for _ in range(30_000)]
        self.given = [self._word(2, 3) for _ in range(1500)]

    def _word(self, least: int, most: int) -> str:
        return "".join(self._random.choices(SYLLABLES, k=self._random.randint(least, most))).title()

    def one(self) -> str:
        """Family name and given name."""
        family = self.family[min(int(self._random.paretovariate(0.35)), len(self.family)) - 1]
        return f"{family}^{self.given[min(int(self._random.paretovariate(0.4)), len(self.given)) - 1]}"


def entry_of(number: int, name: str) -> InstanceEntry:
    """The one object of a study, as the catalog is told of it."""
    study, kind, patient = f"{ROOT}.{number}", number * 7 % len(ABOUT), f"P{number * 7919 % MILLION:07d}"
    values = {
        "StudyDate": f"20{10 + number % 15:02d}{number // 15 % 12 + 1:02d}{number // 180 % 28 + 1:02d}",
        "StudyTime": f"{8 + number % 10:02d}1500",
        "AccessionNumber": f"A{number:07d}",
        "Modality": MODALITY[kind],
        "StudyDescription": ABOUT[kind],
        "PatientName": name,
        "PatientID": patient,
        "PatientBirthDate": f"19{30 + number % 70:02d}0101",
        "PatientSex": "MFO"[number % 3],
        "SeriesNumber": "1",
        "InstanceNumber": "1",
    }
    header = {tag_of(keyword): HeaderValue(vr_of(tag_of(keyword)), value.encode()) for keyword, value in values.items()}
    identity = InstanceIdentity(CT_IMAGE, f"{study}.1.1", study, f"{study}.1", PatientKey("", patient))
    digest = number.to_bytes(32, "big")
    trailer = RecordTrailer(identity, uids.EXPLICIT_VR_LE, number, digest, "bench", "B", "127.0.0.1", "", "ISO_IR 100")
    return InstanceEntry(trailer, Location(f"{number // 1000:032x}", number % 1000 * 1024, 1024), b"k" * 16, header)


def fill(catalog: Catalog, studies: int) -> None:
    """Put the rows of so many studies into a catalog."""
    names = Names()
    for first in range(0, studies, 5000):
        catalog.add([entry_of(n, names.one()) for n in range(first, min(first + 5000, studies))], [])


class Browser:
    """Somebody who is signed in, before a web door in this process."""

    def __init__(self, opened: Archive) -> None:
        account = Account("bench", "Bench", frozenset({Role.ADMINISTRATOR}), 1, "bench")
        opened.state.people.add_account(account)
        cookie = opened.sessions.begin(account, Audience.PAGES, Known())
        person = opened.sessions.person(cookie, Audience.PAGES, "127.0.0.1")
        assert person is not None
        door = WebDoor(doorway_of(opened), ListenerRules(tls=False, names=frozenset()), lambda: True)
        headers = {
            "cookie": f"{COOKIES[Audience.PAGES]}={cookie}",
            "origin": ORIGIN,
            "sec-fetch-site": "same-origin",
            "x-csrf-token": person.csrf,
        }
        transport = httpx.ASGITransport(door, client=("127.0.0.1", 1))
        self.http = httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=headers)

    async def timed(self, method: str, path: str, **more: object) -> tuple[float, httpx.Response]:
        """Milliseconds of one request, and its answer."""
        before = time.perf_counter()
        answer = await self.http.request(method, path, **more)  # type: ignore[arg-type]
        return (time.perf_counter() - before) * 1e3, answer


async def typed(browser: Browser, texts: Iterator[str]) -> list[float]:
    """Milliseconds of a search for each letter as it is typed."""
    times = []
    for text in texts:
        for end in range(1, len(text) + 1):
            form = {"text": text[:end]}
            headers = {"hx-request": "true", "accept": "text/html"}
            taken, answer = await browser.timed("POST", "/studies", data=form, headers=headers)
            if answer.status_code != 200:
                raise SystemExit(f"a search was answered with {answer.status_code}")
            times.append(taken)
    return times


def texts(names: Names, count: int) -> Iterator[str]:
    """What people type: names, names turned round, and other words."""
    for number in range(count):
        family, given = names.one().split("^")
        yield (family, f"{family} {given[:3]}", f"{given} {family}")[number % 3]
    yield from TYPED


async def weight(browser: Browser) -> int:
    """Bytes of the list and of all that it loads, thumbnails aside, as they are sent."""
    page = await browser.http.get("/studies", headers={"accept": "text/html", "accept-encoding": "gzip"})
    total = len(page.content)
    for part in page.text.split('"/static/')[1:]:
        async with browser.http.stream("GET", f"/static/{part.split(chr(34))[0]}") as answer:
            total += sum([len(piece) async for piece in answer.aiter_raw()])
    return total


async def frames(browser: Browser, count: int) -> tuple[list[float], list[float]]:
    """Milliseconds of each next frame: not made before, and made before."""
    fresh: list[float] = []
    again: list[float] = []
    for first in range(1, count, STRETCH):
        for times in (fresh, again):
            for number in range(first, min(first + STRETCH, count + 1)):
                path = f"{SERIES}/instances/{material.PREFIX}.{CT_ROOT}.1.1.{number}/frames/1/rendered"
                taken, answer = await browser.timed("GET", path, headers={"accept": "image/*,*/*;q=0.8"})
                if answer.status_code != 200:
                    raise SystemExit(f"frame {number} was answered with {answer.status_code}: {answer.text}")
                times.append(taken)
    return fresh[5:], again  # the first ones start the sandbox


def percentile(times: list[float]) -> float:
    """The 95th."""
    return sorted(times)[len(times) * 95 // 100]


@contextlib.asynccontextmanager
async def opened_archive(studies: int) -> AsyncIterator[Archive]:
    """An archive of so many studies in the catalog and one CT series that can be looked at."""
    with peers.scratch_folder() as folder:
        home = making.make(folder, peers.free_port())
        config = read_config(home.config)
        with open_archive(home, config, keys_of(home, config)) as opened:
            fill(opened.catalog, studies)
            files = material.ct_files(Path(folder) / "ct", SLICES, CT_ROOT, one_series=True)
            taken = ImportReport()
            await import_paths(opened.ingest, operator(), files, taken, lambda done, total: None)
            if taken.stored != SLICES:
                raise SystemExit(f"{taken.stored} of {SLICES} images were stored")
            yield opened


async def measure(studies: int, runs: int) -> dict[str, list[float]]:
    """Every figure, once per run."""
    found: dict[str, list[float]] = {name: [] for name in ("list", "median", "fresh", "again", "weight")}
    async with opened_archive(studies) as opened:
        browser, names = Browser(opened), Names(2)
        for run in range(runs):
            times = await typed(browser, texts(names, 60))
            found["list"].append(percentile(times))
            found["median"].append(statistics.median(times))
            if run == 0:  # what was made once stays made
                fresh, again = await frames(browser, SLICES)
                found["fresh"].append(percentile(fresh))
                found["again"].append(percentile(again))
        found["weight"].append(await weight(browser) / 1000)
        await browser.http.aclose()
    return found


def run(runs: int, studies: int = MILLION) -> list[Row]:
    """The rows of the report."""
    found = asyncio.run(measure(studies, runs))
    case = f"study list as one types, {studies:,} studies"

    def row(name: str, unit: str, key: str, bar: float | None) -> Row:
        return Row(name, unit, {"leadglass": found[key]}, bar, "", less_is_better=True)

    return [
        row(f"{case}, 95th percentile", "ms", "list", 50.0),
        row(f"{case}, median", "ms", "median", None),
        row("quick look: next frame of a CT, made for it, 95th percentile", "ms", "fresh", 40.0),
        row("quick look: next frame of a CT, made before, 95th percentile", "ms", "again", 5.0),
        row("weight of the study list with all it loads", "kB", "weight", 150.0),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--studies", type=int, default=MILLION)
    given = parser.parse_args()
    print(report.table(run(given.runs, given.studies)))


if __name__ == "__main__":
    main()

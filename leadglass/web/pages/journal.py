"""The journal: searched by time, kind, who, outcome and text; taken away as a file; verified from its beginning."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from leadglass.core.audit import JournalFilter
from leadglass.core.events import EventKind, Outcome
from leadglass.core.principal import Right
from leadglass.services.journal_export import ExportForm
from leadglass.services.journal_reading import Place
from leadglass.web.pages.page import Entry, Page, PageCall
from leadglass.web.pages.rendering import language_of, page, seen_other
from leadglass.web.pages.trying import UNPROCESSABLE
from leadglass.web.pages.words import said

HERE: Final = "/journal"
ON_A_PAGE: Final = 100
_FIELDS: Final = ("since", "until", "kind", "principal", "outcome", "text")
_KINDS: Final = {kind.value: kind for kind in EventKind}
_OUTCOMES: Final[Mapping[str, frozenset[Outcome]]] = {
    "success": frozenset({Outcome.SUCCESS}),
    "failure": frozenset(Outcome) - {Outcome.SUCCESS},
}
_FORMS: Final = {form.value: form for form in ExportForm}
_TYPES: Final = {
    ExportForm.JSON_LINES: "application/jsonl; charset=utf-8",
    ExportForm.CSV: "text/csv; charset=utf-8",
    ExportForm.AUDIT_MESSAGES: "application/xml; charset=utf-8",
}
_LONGEST: Final = 256  # characters of a text that is looked for
_SECOND: Final = 1_000_000_000  # nanoseconds


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is looked for: as it was typed, as a filter, and what is wrong with it (a key of the words)."""

    typed: Mapping[str, str]
    wanted: JournalFilter
    wrong: str = ""

    def address(self, **further: str) -> str:
        """The search again, with more beside it."""
        return "?" + urlencode({key: value for key, value in {**self.typed, **further}.items() if value})


async def search(call: PageCall) -> Response:
    """GET /journal."""
    reading = call.doorway.admin.journal
    asked = _asked(call)
    before = _place(call.request.query_params.get("before", ""))
    found = None
    if not asked.wrong:
        work = partial(reading.page, call.principal, asked.wanted, ON_A_PAGE, before)
        found = await run_in_threadpool(work)
    standing = await run_in_threadpool(reading.standing, call.principal)
    values = {
        "asked": asked,
        "kinds": tuple(_KINDS),
        "found": found,
        "before": before,
        "older": asked.address(before=_text(found.entries[-1].place)) if found and found.more else "",
        "forms": tuple(_FORMS),
        "standing": standing,
        "wrong": said(language_of(call), f"journal.{asked.wrong}") if asked.wrong else "",
    }
    return page(call, "journal/journal.html", values, status=UNPROCESSABLE if asked.wrong else 200)


async def export(call: PageCall) -> Response:
    """GET /journal/export: everything that the search finds, as a file."""
    asked, form = _asked(call), _FORMS.get(call.request.query_params.get("form", ""))
    if asked.wrong or form is None:
        return seen_other(call, HERE + asked.address())
    pieces = await run_in_threadpool(call.doorway.admin.journal.export, call.principal, asked.wanted, form)
    name = f"journal-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}.{form.value}"
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return StreamingResponse(pieces, 200, headers, _TYPES[form])


async def verify(call: PageCall) -> Response:
    """POST /journal/verify: begin, and show how it goes."""
    await run_in_threadpool(call.doorway.admin.journal.verify, call.principal)
    return await verification(call) if call.partial else seen_other(call, HERE)


async def verification(call: PageCall) -> Response:
    """GET /journal/verification: how the last one ended, and how far one at work is. A part of the page."""
    if not call.partial:
        return seen_other(call, HERE)
    standing = await run_in_threadpool(call.doorway.admin.journal.standing, call.principal)
    return page(call, "journal/verification.html", {"standing": standing})


def _asked(call: PageCall) -> _Asked:
    typed = {name: call.request.query_params.get(name, "").strip() for name in _FIELDS}
    kind, outcome = typed["kind"], typed["outcome"]
    try:
        since, until = _day(typed["since"]), _day(typed["until"])
    except ValueError:
        return _Asked(typed, JournalFilter(), "wrong_date")
    if since and until and until < since:
        return _Asked(typed, JournalFilter(), "wrong_order")
    if kind not in ("", *_KINDS) or outcome not in ("", *_OUTCOMES):
        return _Asked(typed, JournalFilter(), "wrong_choice")
    if len(typed["text"]) > _LONGEST or len(typed["principal"]) > _LONGEST:
        return _Asked(typed, JournalFilter(), "wrong_length")
    wanted = JournalFilter(
        kinds=frozenset({_KINDS[kind]}) if kind else frozenset(),
        principal=typed["principal"],
        since=_nanoseconds(since) if since else None,
        until=_nanoseconds(until + dt.timedelta(days=1)) if until else None,
        text=typed["text"],
        outcomes=_OUTCOMES.get(outcome, frozenset()),
    )
    return _Asked(typed, wanted)


def _day(text: str) -> dt.date | None:
    """A day as a browser sends it, of the years that clocks here have shown. ValueError."""
    if not text:
        return None
    found = dt.datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day, in UTC like everything here
    if not 2000 <= found.year < 2200:
        raise ValueError
    return found


def _nanoseconds(day: dt.date) -> int:
    return int(dt.datetime.combine(day, dt.time(), dt.UTC).timestamp()) * _SECOND


def _place(text: str) -> Place | None:
    """Where a page goes on; a text that was not made here means the beginning."""
    time, _, rest = text.partition(".")
    file, _, sequence = rest.partition(".")
    try:
        return (int(time), bytes.fromhex(file), int(sequence)) if len(text) < 100 and rest else None
    except ValueError:
        return None


def _text(place: Place) -> str:
    return f"{place[0]}.{place[1].hex()}.{place[2]}"


_NEEDS: Final = Right.READ_JOURNAL
PAGES: Final[tuple[Page, ...]] = (
    Page("GET", HERE, search, right=_NEEDS),
    Page("GET", HERE + "/export", export, Entry.FRESH, _NEEDS),
    Page("POST", HERE + "/verify", verify, right=_NEEDS),
    Page("GET", HERE + "/verification", verification, right=_NEEDS),
)

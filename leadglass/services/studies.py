"""Studies as people look for them: the list, searched as they type, and the searches that somebody keeps."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Final

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent
from leadglass.core.listing import MAX_LIST_OFFSET, MAX_SEARCH_TEXT, StudyOrder, StudyPage, StudySearch
from leadglass.core.ports import Catalog, Journal, State
from leadglass.core.principal import Principal, Right
from leadglass.services.admit import Gate, use_case

MAX_PAGE: Final = 200
MAX_SAVED: Final = 30  # searches of one account: they stand in one line
MAX_TITLE: Final = 60
_SETTING: Final = "saved-searches:"
_TEXTS: Final = ("text", "name", "patient_id", "accession", "description", "since", "until")


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """A search that somebody keeps under a title."""

    title: str
    search: StudySearch


class Studies:
    """The use cases behind the list of studies."""

    def __init__(
        self, gate: Gate, catalog: Catalog, state: State, journal: Journal, threads: ThreadPoolExecutor
    ) -> None:
        self.gate = gate
        self._catalog = catalog
        self._state = state
        self._journal = journal
        self._threads = threads

    @use_case(Right.FIND, EventKind.QUERY)
    async def search(self, principal: Principal, search: StudySearch) -> StudyPage:
        """A page of the studies that match. INVALID_QUERY if a field is too long or the page too far.

        The journal keeps which fields were filled and how many answers there were, not the values.
        """
        _check(search)
        loop = asyncio.get_running_loop()
        page = await loop.run_in_executor(self._threads, self._catalog.list_studies, search)
        details: dict[str, str | int] = {"keys": ",".join(search.given), "answers": len(page.matches)}
        self._note(principal, EventKind.QUERY, "study-list", details)
        return page

    @use_case(Right.FIND, EventKind.APPLICATION_ACTIVITY)
    def saved(self, principal: Principal) -> list[SavedSearch]:
        """The searches that the principal keeps, by title."""
        found = self._saved(principal)
        self._note(principal, EventKind.APPLICATION_ACTIVITY, "saved-searches-listed", {"answers": len(found)})
        return found

    @use_case(Right.FIND, EventKind.APPLICATION_ACTIVITY)
    def save(self, principal: Principal, saved: SavedSearch) -> None:
        """Keep a search, in place of one of the same title. USAGE if there is no title, or too many."""
        _check(saved.search)
        if not saved.title or len(saved.title) > MAX_TITLE or not saved.title.isprintable():
            raise LeadglassError(ErrorCode.USAGE, f"The name of a search has 1 to {MAX_TITLE} characters.")
        others = [one for one in self._saved(principal) if one.title != saved.title]
        if len(others) >= MAX_SAVED:
            raise LeadglassError(ErrorCode.USAGE, f"There are {MAX_SAVED} saved searches: remove one first.")
        self._put(principal, [*others, saved])
        self._note(principal, EventKind.APPLICATION_ACTIVITY, "search-saved", {"searches": len(others) + 1})

    @use_case(Right.FIND, EventKind.APPLICATION_ACTIVITY)
    def forget(self, principal: Principal, title: str) -> None:
        """Keep a search no longer. Nothing happens if there is none of this title."""
        left = [one for one in self._saved(principal) if one.title != title]
        self._put(principal, left)
        self._note(principal, EventKind.APPLICATION_ACTIVITY, "search-forgotten", {"searches": len(left)})

    def _saved(self, principal: Principal) -> list[SavedSearch]:
        kept = json.loads(self._state.setting(_SETTING + principal.name) or "[]")
        return sorted((_read(item) for item in kept), key=lambda one: one.title.casefold())

    def _put(self, principal: Principal, searches: list[SavedSearch]) -> None:
        kept = [{"title": one.title, **_written(one.search)} for one in searches]
        self._state.put_setting(_SETTING + principal.name, json.dumps(kept, ensure_ascii=True))

    def _note(self, principal: Principal, kind: EventKind, what: str, details: dict[str, str | int]) -> None:
        self._journal.record(JournalEvent(kind, what, principal.name, principal.address, details=details))


def _check(search: StudySearch) -> None:
    texts = [*(getattr(search, name) for name in _TEXTS), *search.modalities]
    if any(len(text) > MAX_SEARCH_TEXT for text in texts) or len(search.modalities) > MAX_SAVED:
        raise LeadglassError(ErrorCode.INVALID_QUERY, f"A field of a search has at most {MAX_SEARCH_TEXT} characters.")
    for day in (search.since, search.until):
        if day and not (day.isascii() and day.isdigit() and len(day) == 8):
            raise LeadglassError(ErrorCode.INVALID_QUERY, "A date of a search is a year, a month and a day.")
    if not (0 <= search.offset <= MAX_LIST_OFFSET and 1 <= search.limit <= MAX_PAGE):
        raise LeadglassError(ErrorCode.INVALID_QUERY, "The list does not go on that far: narrow the search.")


def _written(search: StudySearch) -> dict[str, object]:
    known = asdict(search)
    return {**{name: known[name] for name in _TEXTS}, "modalities": search.modalities, "order": search.order.value}


def _read(item: dict[str, object]) -> SavedSearch:
    """What `_written` wrote."""
    modalities = item["modalities"]
    assert isinstance(modalities, list)
    texts = {name: str(item[name]) for name in _TEXTS}
    search = StudySearch(**texts, modalities=tuple(map(str, modalities)), order=StudyOrder(str(item["order"])))  # type: ignore[arg-type]  # texts only
    return SavedSearch(str(item["title"]), search)

"""Find: what C-FIND and, later, QIDO-RS ask of the catalog."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from leadglass.core.events import EventKind, JournalEvent
from leadglass.core.ports import Catalog, Journal
from leadglass.core.principal import Principal, Right
from leadglass.core.query import FindPage, Query, never
from leadglass.services.admit import Gate, use_case


class Find:
    """The use case behind C-FIND."""

    def __init__(self, gate: Gate, catalog: Catalog, journal: Journal, threads: ThreadPoolExecutor) -> None:
        self.gate = gate
        self._catalog = catalog
        self._journal = journal
        self._threads = threads

    @use_case(Right.FIND, EventKind.QUERY)
    async def find(self, principal: Principal, query: Query, stopped: Callable[[], bool] = never) -> FindPage:
        """Answers to `query`, in a stable order, at most `query.limit`; INVALID_QUERY if it makes no sense.

        The search ends early, and is told as cut short, once `stopped` (asked from another thread) says so.
        The journal keeps which attributes were asked for and how many answers there were, not the values.
        """
        page = await asyncio.get_running_loop().run_in_executor(self._threads, self._catalog.find, query, stopped)
        keyed = ",".join(f"{tag:08X}" for tag, attribute in query.keys.items() if attribute.values)
        details = {"level": query.level.value, "keys": keyed, "answers": len(page.matches)}
        self._journal.record(JournalEvent(EventKind.QUERY, "query", principal.name, principal.address, details=details))
        return page

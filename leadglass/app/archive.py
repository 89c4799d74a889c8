"""The composition root of an archive: rooms are opened and handed to services here and nowhere else."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from leadglass.app.config import Config
from leadglass.app.home import Home
from leadglass.core.ports import Catalog, Journal, State
from leadglass.index.catalog import SqliteCatalog
from leadglass.index.state import SqliteState
from leadglass.journal.access_ledger import AccessLedger
from leadglass.journal.writer import ChainedJournal
from leadglass.keys.keyset import KeySet
from leadglass.sandbox.pool import SandboxPool
from leadglass.services.admit import Gate
from leadglass.services.budget import BufferBudget
from leadglass.services.find import Find
from leadglass.services.ingest import Ingest
from leadglass.services.maintenance import Maintenance
from leadglass.services.recovery import Recovery
from leadglass.services.retrieve import Retrieve
from leadglass.services.trash import Trash
from leadglass.vault.store import SegmentVault

THREADS = 8  # for SQL, disk reads and decryption: blocking work that releases the interpreter


@dataclass(slots=True)
class Archive:
    """One opened archive: its rooms, and the use cases over them."""

    home: Home
    config: Config
    keys: KeySet
    vault: SegmentVault
    state: State
    catalog: Catalog
    journal: Journal
    gate: Gate
    ingest: Ingest
    find: Find
    retrieve: Retrieve
    trash: Trash
    recovery: Recovery
    maintenance: Maintenance
    threads: ThreadPoolExecutor


@contextlib.contextmanager
def open_archive(home: Home, config: Config, keys: KeySet, *, budget: BufferBudget | None = None) -> Iterator[Archive]:
    """Open every room of the archive at `home`; all are closed, in order, at the end."""
    with contextlib.ExitStack() as stack:
        journal = ChainedJournal(home.journal, keys.journal)
        stack.callback(journal.close)
        state = SqliteState(home.state, keys.state)
        stack.callback(state.close)
        catalog = SqliteCatalog(home.catalog, keys.catalog)
        stack.callback(catalog.close)
        vault = SegmentVault(home.vault, keys.archive_id, keys.ring)
        stack.callback(vault.close)
        decoder = SandboxPool()
        stack.callback(decoder.close)
        threads = ThreadPoolExecutor(THREADS, thread_name_prefix="archive")
        stack.callback(threads.shutdown)
        accesses = AccessLedger(journal, time.time)
        stack.callback(accesses.close)
        gate = Gate(journal)
        trash = Trash(gate, state, catalog, journal)
        ingest = Ingest(gate, vault, catalog, journal, trash, threads, budget or BufferBudget())
        stack.callback(ingest.close)
        yield Archive(
            home,
            config,
            keys,
            vault,
            state,
            catalog,
            journal,
            gate,
            ingest,
            Find(gate, catalog, journal, threads),
            Retrieve(gate, vault, catalog, accesses, decoder, threads),
            trash,
            Recovery(gate, vault, catalog, state, journal),
            Maintenance(gate, vault, catalog, state, journal),
            threads,
        )

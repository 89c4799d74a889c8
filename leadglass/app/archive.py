"""The composition root of an archive: rooms are opened and handed to services here and nowhere else."""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from leadglass.app.certificates import Certificates, authority_of
from leadglass.app.config import Config
from leadglass.app.facts import gather
from leadglass.app.home import Home
from leadglass.app.job_files import JobFiles
from leadglass.app.peer import DeviceCalls
from leadglass.app.watch import Watch
from leadglass.core.ports import Catalog
from leadglass.index.catalog import SqliteCatalog
from leadglass.index.state import SqliteState
from leadglass.journal.access_ledger import AccessLedger
from leadglass.journal.audit_messages import AuditSource
from leadglass.journal.book import KeptJournal
from leadglass.journal.repeats import RepeatedEvents
from leadglass.journal.writer import ChainedJournal
from leadglass.keys.keyset import KeySet
from leadglass.net.documents import HttpsDocuments
from leadglass.sandbox.pool import SandboxPool
from leadglass.scp.sender import DeviceSender
from leadglass.services.accounts import Accounts
from leadglass.services.admit import Gate
from leadglass.services.budget import BufferBudget
from leadglass.services.credentials import Credentials
from leadglass.services.device_test import DeviceTest
from leadglass.services.devices import DeviceRegister
from leadglass.services.exports import Exports
from leadglass.services.find import Find
from leadglass.services.frames import Frames
from leadglass.services.ingest import Ingest
from leadglass.services.journal_reading import JournalReading
from leadglass.services.maintenance import Maintenance
from leadglass.services.metadata import Metadata
from leadglass.services.one_time_codes import OneTimeCodes
from leadglass.services.open_records import OpenRecords
from leadglass.services.openid import OpenId
from leadglass.services.oversight import Oversight
from leadglass.services.own_account import OwnAccount
from leadglass.services.programs import Programs
from leadglass.services.provider_sign_in import ProviderSignIn
from leadglass.services.recovery import Recovery
from leadglass.services.refused import RefusedCallers
from leadglass.services.render import Render
from leadglass.services.retrieve import Retrieve
from leadglass.services.second_factors import SecondFactors
from leadglass.services.sending import Sending
from leadglass.services.sessions import Sessions
from leadglass.services.share_entrance import ShareEntrance
from leadglass.services.shares import Shares
from leadglass.services.sign_in import SignIn
from leadglass.services.studies import Studies
from leadglass.services.tokens import Tokens
from leadglass.services.trash import Trash
from leadglass.services.viewing import Viewing
from leadglass.vault.store import SegmentVault

DECODERS = 2  # at work at a time; a spare is warm beside them
# Threads for blocking work that releases the interpreter, by kind, so that none waits for another: long queries and
# images that are slow to decode delay those who ask for them, never a store.
THREADS = 8  # of storing: disk and encryption
FINDERS = 4
READERS = 8
SIGN_INS = 2  # and as many for the passcodes of shares: each takes 64 MiB while it hashes a password


@dataclass(slots=True)
class Archive:
    """One opened archive: its rooms, and the use cases over them."""

    home: Home
    config: Config
    keys: KeySet
    vault: SegmentVault
    state: SqliteState
    catalog: Catalog
    journal: ChainedJournal
    refusals: RepeatedEvents
    gate: Gate
    ingest: Ingest
    find: Find
    retrieve: Retrieve
    metadata: Metadata
    frames: Frames
    render: Render
    trash: Trash
    recovery: Recovery
    maintenance: Maintenance
    devices: DeviceRegister
    credentials: Credentials
    tokens: Tokens
    programs: Programs
    sessions: Sessions
    codes: OneTimeCodes
    sign_in: SignIn
    provider_sign_in: ProviderSignIn | None
    accounts: Accounts
    own_account: OwnAccount
    shares: Shares
    share_entrance: ShareEntrance
    exports: Exports
    viewing: Viewing
    studies: Studies
    sending: Sending
    journal_reading: JournalReading
    refused: RefusedCallers
    device_test: DeviceTest
    oversight: Oversight
    threads: ThreadPoolExecutor


def _threads(stack: contextlib.ExitStack, name: str, count: int) -> ThreadPoolExecutor:
    made = ThreadPoolExecutor(count, thread_name_prefix=name)
    stack.callback(made.shutdown)
    return made


def today() -> dt.date:
    """The day by which overrides end."""
    return dt.datetime.now(dt.UTC).date()


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
        decoder = SandboxPool(DECODERS)
        stack.callback(decoder.close)
        threads = _threads(stack, "store", THREADS)
        finding, reading = _threads(stack, "find", FINDERS), _threads(stack, "retrieve", READERS)
        decoding = _threads(stack, "decode", READERS)
        accesses = AccessLedger(journal)
        stack.callback(accesses.close)
        journal.each_cycle(accesses.flush)
        refusals = RepeatedEvents(journal)
        stack.callback(refusals.close)
        journal.each_cycle(refusals.flush)
        gate = Gate(journal)
        records = OpenRecords(vault, time.monotonic)
        stack.callback(records.close)
        journal.each_cycle(lambda _: records.sweep())
        documents = HttpsDocuments()
        provider = OpenId(config.openid, documents, threads) if config.openid else None
        programs = Programs(state, keys.token, refusals=refusals, provider=provider)
        stack.callback(programs.write_uses, at_once=True)
        sessions = Sessions(state.people, state, keys.token)
        codes = OneTimeCodes(state.people, keys.token)
        factors = SecondFactors(state.people, keys.token)
        sign_in = SignIn(
            state.people,
            sessions,
            codes,
            factors,
            token_key=keys.token,
            journal=journal,
            refusals=refusals,
            rules=config.accounts,
            threads=_threads(stack, "sign-in", SIGN_INS),
        )
        book = KeptJournal(home.journal, keys.journal, source=AuditSource(config.ae_titles[0]), flush=journal.flush)
        journal_reading = JournalReading(gate, book, journal, state, repeated=refusals)
        stack.callback(journal_reading.close)
        provider_sign_in = None
        if provider is not None and config.openid_people is not None:
            at_provider = config.openid_people
            provider_sign_in = ProviderSignIn(
                at_provider, provider, documents, sign_in, people=state.people, state=state, token_key=keys.token
            )
        trash = Trash(gate, state, catalog, journal)
        ingest = Ingest(
            gate,
            vault=vault,
            catalog=catalog,
            journal=journal,
            trash=trash,
            threads=threads,
            budget=budget or BufferBudget(),
        )
        stack.callback(ingest.close)
        retrieve = Retrieve(
            gate,
            vault=vault,
            catalog=catalog,
            accesses=accesses,
            decoder=decoder,
            threads=reading,
            decoding=decoding,
        )
        sender = DeviceSender(config.ae_titles[0], Certificates(state, keys.ca, config).for_dialing)
        yield Archive(
            home,
            config,
            keys,
            vault,
            state,
            catalog,
            journal,
            refusals,
            gate,
            ingest,
            Find(gate, catalog, journal, finding),
            retrieve,
            Metadata(
                gate,
                vault=vault,
                derived=vault.derived,
                catalog=catalog,
                accesses=accesses,
                threads=reading,
            ),
            Frames(
                gate,
                records=records,
                catalog=catalog,
                accesses=accesses,
                decoder=decoder,
                encoder=decoder,
                threads=reading,
                decoding=decoding,
            ),
            Render(gate, records=records, catalog=catalog, accesses=accesses, maker=decoder, threads=decoding),
            trash,
            Recovery(gate, vault, catalog, state, journal),
            Maintenance(gate, vault, catalog, state, journal),
            DeviceRegister(
                gate,
                state,
                journal,
                gateways=gather().gateways,
                internal=config.internal_networks,
                overridden=lambda risk, device: config.overridden(risk, today(), device) is not None,
                people=state.people,
            ),
            Credentials(gate, journal, lambda: authority_of(state, keys.ca)),
            Tokens(gate, state, journal, keys.token, people=state.people),
            programs,
            sessions,
            codes,
            sign_in,
            provider_sign_in,
            Accounts(gate, state.people, state, codes, journal=journal),
            OwnAccount(gate, sessions, state.people, codes, factors, journal=journal, rules=config.accounts),
            Shares(gate, people=state.people, state=state, catalog=catalog, journal=journal, token_key=keys.token),
            ShareEntrance(
                state.people,
                sessions,
                journal=journal,
                refusals=refusals,
                token_key=keys.token,
                threads=_threads(stack, "share", SIGN_INS),
            ),
            Exports(gate, catalog=catalog, journal=journal, token_key=keys.token),
            Viewing(
                gate,
                catalog=catalog,
                journal=journal,
                people=state.people,
                sessions=sessions,
                codes=codes,
                threads=finding,
            ),
            Studies(gate, catalog, state, journal, finding),
            Sending(gate, state, journal, retrieve=retrieve, sender=sender, board=JobFiles(home.lock.parent)),
            journal_reading,
            RefusedCallers(gate, book, journal),
            DeviceTest(gate, state, DeviceCalls(state, keys.ca, config), journal),
            Oversight(
                gate,
                watch=Watch(home, config, state, keys.ca),
                book=book,
                catalog=catalog,
                state=state,
                journal=journal,
            ),
            threads,
        )

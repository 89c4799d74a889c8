"""Walks every public name of the services: who acts is asked first, everywhere, and every exception is named here."""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import importlib
import inspect
import pkgutil
import typing
from collections.abc import Awaitable, Iterator
from types import ModuleType
from typing import Any

import pytest
from archives import device, sink
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from objects import data_set, encoded, image, store, store_one, study_uid, uid, whole_study

import leadglass.services
from leadglass.app.archive import Archive
from leadglass.core.accounts import Account, Role
from leadglass.core.audit import EVERYTHING
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent, Outcome
from leadglass.core.listing import StudySearch
from leadglass.core.pictures import RenderRequest
from leadglass.core.principal import SYSTEM, Principal, PrincipalKind, Right
from leadglass.core.query import Level, Query, Selection
from leadglass.core.reach import Reach
from leadglass.core.sessions import Audience, Session
from leadglass.core.tokens import Grant, Scope
from leadglass.index.catalog import SqliteCatalog
from leadglass.services.accounts import WantedAccount
from leadglass.services.admit import Gate
from leadglass.services.journal_export import ExportForm
from leadglass.services.oneself import OwnUseCase, StaleProofError
from leadglass.services.own_account import OwnAccount
from leadglass.services.sessions import Person
from leadglass.services.shares import WantedShare
from leadglass.services.studies import SavedSearch
from leadglass.services.tokens import Wanted

OWNER = Account("rossi", "Anna", frozenset({Role.CLINICIAN}), 1, "set-up")
WANTED_SHARE = WantedShare("Dr. Verdi", (study_uid(1),))
NOBODY = Principal(PrincipalKind.DEVICE, "nobody", frozenset(), "192.0.2.9")

# Public classes with behaviour that are no use cases.
EXEMPT_CLASSES = {
    "admit.Gate": "it is what is asked",
    "admission.Admission": "it makes principals out of callers: there is none to ask before it has decided",
    "admission.Devices": "the registry that Admission decides on; it gives nothing of patients",
    "budget.BufferBudget": "counts bytes; a part of Ingest and Reception",
    "frames.InstanceContent": "reads one instance; handed out by Frames.instance to who may retrieve it",
    "group_commit.GroupCommit": "the last steps of a store; reached only with a record that Ingest began",
    "cache.BoundedCache": "a part of Render, which asks for rights before it looks there",
    "open_records.OpenRecord": "a part of Frames: a record that is kept open",
    "open_records.OpenRecords": "a part of Frames: which records are kept open; says nothing of rights",
    "one_time_codes.OneTimeCodes": "lets in who holds a code; what a code is for is asked where one is made",
    "openid.OpenId": "proves bearers for Programs: there is nobody to ask before it has",
    "programs.Programs": "it makes principals out of bearers: there is none to ask before it has decided",
    "ingest.Reception": "one store; handed out by Ingest.begin to who may store",
    "quota_ledger.OwnLedger": "a part of Quotas: counts what principals ask for in this process",
    "quotas.Quotas": "counts what principals ask for; gives nothing of patients",
    "quotas.Lease": "one request that Quotas counted",
    "sessions.Sessions": "it makes principals out of cookies: there is none to ask before it has decided",
    "refused.Refusal": "a noun: a caller as an event that was read for a principal tells of it",
    "receipts.Receipts": "tells the time and the order; a part of Ingest",
    "passkeys.Passkeys": "a part of SignIn: compares proofs, gives nothing of patients",
    "second_factors.SecondFactors": "a part of SignIn: compares proofs, gives nothing of patients",
    "provider_sign_in.ProviderSignIn": "it makes principals out of people, as SignIn does",
    "sign_in_steps.SignInSteps": "a part of SignIn",
    "share_entrance.ShareEntrance": "it makes principals out of links: there is none to ask before it has decided",
    "sign_in.SignIn": "it makes principals out of people: there is none to ask before it has decided",
    "read_ahead.ReadAhead": "the instances that a RetrieveSource opens, ahead of who sends them",
    "read_ahead.RetrieveSource": "opens instances for one principal; handed out by Retrieve.source to who may retrieve",
}
# Public methods of use case classes that are no use cases.
EXEMPT_METHODS = {
    "viewing.Viewing.enter": "it makes a session out of a code: there is none to ask before it has decided",
    "journal_reading.JournalReading.close": "ends a verification at work; called when the archive is closed",
    "ingest.Ingest.close": "ends the commit thread; called by the composition root when the doors are closed",
}
# Public functions: pure, or parts of a use case.
EXEMPT_FUNCTIONS = {
    "sending.subject_of": "pure: a digest",
    "account_names.is_taken": "a part of Accounts: whether a name stands for anything",
    "admission.destination_of": "decides by a principal which destination it may use; gives nothing of patients",
    "admission.printable": "pure: an AE title as text",
    "admit.use_case": "it declares use cases",
    "oneself.of_oneself": "it declares use cases of a person on the own account",
    "compare.is_whole": "a part of Ingest: whether what is stored can be read",
    "compare.same_values": "a part of Ingest: compares a resend with what is stored",
    "convert.conversion_target": "pure: chooses a transfer syntax",
    "convert.needs_decoder": "pure: whether pixels are decompressed on the way",
    "convert.converted": "a part of Retrieve: converts what was opened for a principal",
    "convert.transcoded": "pure: re-encodes bytes",
    "icons.icon": "pure: draws what stands for an object without a picture, the same for every one",
    "journal_export.exported": "a part of JournalReading.export: entries as text",
    "refused.gathered": "pure: refusals among entries that were read for a principal",
    "identify.identity_of": "pure: identifiers out of a scan",
    "identify.key_scope_of": "pure: identifiers out of a scan",
    "metadata.version_of": "pure: the version of an instance as URLs carry it",
    "programs.network_of": "pure: what guesses are counted by",
    "sessions.decision_of": "pure: rights and reach of roles",
    "sessions.principal_of": "pure: what a session makes of an account",
    "sign_in_steps.replaced_by": "pure: reads a step",
    "recovery.entry_of": "a part of Recovery",
    "recovery.scan_header": "a part of Recovery",
    "representative.representatives": "pure: chooses among instances that were found for a principal",
}


def modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(leadglass.services.__path__, "leadglass.services."):
        yield importlib.import_module(found.name)


def short(module: ModuleType, name: str) -> str:
    return f"{module.__name__.removeprefix('leadglass.services.')}.{name}"


def public_methods(kind: type) -> dict[str, Any]:
    return {
        name: member
        for name, member in vars(kind).items()
        if not name.startswith("_") and not isinstance(member, property) and callable(getattr(kind, name))
    }


def is_behaviour(kind: type) -> bool:
    """Whether a class does something, beside being a noun, an enumeration, a port or an error."""
    if issubclass(kind, (enum.Enum, Exception)) or getattr(kind, "_is_protocol", False):
        return False
    return bool(public_methods(kind))


def classes() -> Iterator[tuple[str, type]]:
    for module in modules():
        for name, kind in inspect.getmembers(module, inspect.isclass):
            if kind.__module__ == module.__name__ and not name.startswith("_") and is_behaviour(kind):
                yield short(module, name), kind


def has_gate(kind: type) -> bool:
    return "gate" in inspect.signature(kind).parameters


GATED = {name: kind for name, kind in classes() if has_gate(kind)}
# Their use cases are of a person on the own account: who it is counts there, no right.
OF_PERSONS = {OwnAccount}
OWN = [
    pytest.param(kind, method, id=f"{name}.{method}")
    for name, kind in GATED.items()
    for method in public_methods(kind)
    if kind in OF_PERSONS
]
METHODS = [
    pytest.param(kind, method, id=f"{name}.{method}")
    for name, kind in GATED.items()
    for method in public_methods(kind)
    if f"{name}.{method}" not in EXEMPT_METHODS and kind not in OF_PERSONS
]


class Memory:
    """A journal that keeps what it is told."""

    writable = True

    def __init__(self) -> None:
        self.events: list[JournalEvent] = []

    def record(self, event: JournalEvent, *, durable: bool = False) -> None:
        self.events.append(event)


def test_the_walk_meets_the_use_cases() -> None:
    assert {"ingest.Ingest", "find.Find", "retrieve.Retrieve", "trash.Trash", "recovery.Recovery"} <= GATED.keys()
    assert {"maintenance.Maintenance", "devices.DeviceRegister"} <= GATED.keys()


def test_a_class_of_services_has_a_gate_or_a_reason() -> None:
    without = {name for name, kind in classes() if not has_gate(kind)}
    assert without == EXEMPT_CLASSES.keys()


def test_a_public_function_of_services_has_a_reason() -> None:
    functions = {
        short(module, name)
        for module in modules()
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }
    assert functions == EXEMPT_FUNCTIONS.keys()


def test_exempt_methods_are_there() -> None:
    there = {f"{name}.{method}" for name, kind in GATED.items() for method in public_methods(kind)}
    assert there >= EXEMPT_METHODS.keys()


@pytest.mark.parametrize(("kind", "method"), METHODS)
def test_nobody_enters_without_the_right(kind: type, method: str) -> None:
    declared = getattr(getattr(kind, method), "declared", None)
    assert declared is not None, "not declared with @use_case"
    assert isinstance(declared.right, Right)
    assert isinstance(declared.covered_by, EventKind)
    journal = Memory()
    host = kind.__new__(kind)
    host.gate = Gate(journal)  # and nothing else: whatever it did before asking would fail otherwise
    for principal in (NOBODY, dataclasses.replace(NOBODY, rights=frozenset(Right) - {declared.right})):
        with pytest.raises(LeadglassError) as refused:
            getattr(host, method)(principal)
        assert refused.value.code is ErrorCode.NOT_AUTHORISED
        event = journal.events.pop()
        assert event.kind is EventKind.SECURITY_ALERT
        assert event.outcome is Outcome.SERIOUS_FAILURE
        assert (event.principal, event.address) == ("nobody", "192.0.2.9")
        assert event.details == {"right": declared.right.value, "use_case": f"{kind.__name__}.{method}"}


def person(**changes: Any) -> Person:
    """Somebody who signed in a moment ago, with every right, but for what is changed."""
    session = Session(b"d" * 32, Audience.PAGES, "rossi", created=1, expires=2, last_seen=1, raised=1)
    principal = Principal(PrincipalKind.PERSON, "rossi", frozenset(Right), "192.0.2.9")
    of_principal = {key: changes.pop(key) for key in ("kind", "name") if key in changes}
    session = dataclasses.replace(session, **changes)
    return Person(dataclasses.replace(principal, **of_principal), session, OWNER, "csrf")


# Nobody of them is the person whose account it is, at the pages.
OTHERS = {
    "a principal of another name": person(name="bianchi"),
    "a program of the same name": person(kind=PrincipalKind.PROGRAM),
    "the operator": person(kind=PrincipalKind.OPERATOR),
    "another's session": person(owner="bianchi"),
    "a session of the viewer": person(audience=Audience.VIEWER),
    "a session of a share": person(audience=Audience.SHARE, share=True),
}


class NeverFresh:
    """Sessions in which everybody proved who it is too long ago."""

    @staticmethod
    def fresh(person: Person) -> bool:
        return False


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize(("kind", "method"), OWN)
def test_nobody_but_the_owner_enters_at_the_pages(kind: type, method: str, other: str) -> None:
    journal = Memory()
    host = kind.__new__(kind)
    host.gate, host.people = Gate(journal), NeverFresh()
    with pytest.raises(LeadglassError) as refused:
        getattr(host, method)(OTHERS[other])
    assert refused.value.code is ErrorCode.NOT_AUTHORISED
    (event,) = journal.events
    assert (event.kind, event.outcome) == (EventKind.SECURITY_ALERT, Outcome.SERIOUS_FAILURE)
    assert event.details == {"right": "own account", "use_case": f"{kind.__name__}.{method}"}


# What may be done for as long as the session lasts; everything else needs a proof of the last five minutes.
WITHOUT_PROOF = {
    "sessions": "shows where one is signed in",
    "end_session": "signs out: it takes rights away",
    "end_other_sessions": "signs out: it takes rights away",
    "choose_language": "gives no right",
}


@pytest.mark.parametrize(("kind", "method"), OWN)
def test_the_owner_proves_again_who_it_is_before_anything_that_gives_rights(kind: type, method: str) -> None:
    declared = getattr(getattr(kind, method), "declared", None)
    assert isinstance(declared, OwnUseCase), "not declared with @of_oneself"
    assert declared.fresh is (method not in WITHOUT_PROOF)
    host = kind.__new__(kind)
    host.gate, host.people = Gate(Memory()), NeverFresh()
    if declared.fresh:
        with pytest.raises(StaleProofError):
            getattr(host, method)(person())


@pytest.mark.parametrize(("kind", "method"), OWN)
def test_an_own_use_case_takes_the_person_first(kind: type, method: str) -> None:
    assert list(inspect.signature(getattr(kind, method)).parameters)[:2] == ["self", "person"]


@pytest.mark.parametrize(("kind", "method"), METHODS)
def test_a_use_case_takes_the_principal_first(kind: type, method: str) -> None:
    assert list(inspect.signature(getattr(kind, method)).parameters)[:2] == ["self", "principal"]


def certificate_request() -> bytes:
    """A PKCS#10 request as a device makes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


def own_session(who: Principal) -> Session:
    """A session of this principal at the pages."""
    return Session(b"d" * 32, Audience.PAGES, who.name, created=1, expires=2, last_seen=1)


def sharer(archive: Archive) -> Principal:
    """A person who was granted both studies."""
    archive.state.people.add_account(OWNER)
    for number in (1, 2):
        archive.state.put_grant(Grant("rossi", study_uid(number)))
    return dataclasses.replace(LIMITED, kind=PrincipalKind.PERSON, name="rossi")


def made_share(archive: Archive) -> str:
    """The identifier of a share of that person's."""
    return archive.shares.create(sharer(archive), WANTED_SHARE).share.identifier


def offered(archive: Archive) -> str:
    """A ticket of that person's."""
    return archive.exports.offer(sharer(archive), whole_study(1)).ticket


async def without_picture(work: Awaitable[object]) -> None:
    """The instances here have pixels of no size: refused, and journalled before."""
    with pytest.raises(LeadglassError):
        await work


async def unanswered(work: Awaitable[object]) -> None:
    """The device does not listen: journalled all the same."""
    with pytest.raises(LeadglassError):
        await work


async def sending(archive: Archive, who: Principal) -> None:
    """To a device that is not there: what is journalled is that it began."""
    archive.state.put_device(sink("pacs", 9))
    await archive.sending.begin(who, whole_study(1), "pacs")


async def called(archive: Archive, kind: type, method: str, who: Principal = SYSTEM) -> bool:
    """Call a use case in a way that succeeds, in the archive of one study; False if its event rides elsewhere."""
    ways: dict[str, Any] = {
        "DeviceRegister.devices": lambda: archive.devices.devices(who),
        "DeviceRegister.device": lambda: archive.devices.device(who, "ct"),
        "DeviceRegister.examine": lambda: archive.devices.examine(who, device("mr")),
        "Tokens.issue": lambda: archive.tokens.issue(who, Wanted("ci", frozenset({Scope.READ}))),
        "Tokens.tokens": lambda: archive.tokens.tokens(who),
        "Tokens.revoke": lambda: archive.tokens.revoke(who, "known"),
        "Tokens.grant": lambda: archive.tokens.grant(who, Grant("known", study_uid(1))),
        "Tokens.grants": lambda: archive.tokens.grants(who),
        "Tokens.withdraw": lambda: archive.tokens.withdraw(who, Grant("known", study_uid(2))),
        "Accounts.accounts": lambda: archive.accounts.accounts(who),
        "Accounts.account": lambda: archive.accounts.account(who, "rossi"),
        "Accounts.add": lambda: archive.accounts.add(who, WantedAccount("bianchi", "Ugo", OWNER.roles)),
        "Accounts.enable": lambda: archive.accounts.enable(who, "rossi", enabled=False),
        "Accounts.change_roles": lambda: archive.accounts.change_roles(who, "rossi", frozenset({Role.AUDITOR})),
        "Accounts.describe": lambda: archive.accounts.describe(who, "rossi", display="Anna B."),
        "Accounts.reset": lambda: archive.accounts.reset(who, "rossi"),
        "Accounts.end_sessions": lambda: archive.accounts.end_sessions(who, "rossi"),
        "Accounts.sessions": lambda: archive.accounts.sessions(who, "rossi"),
        "Accounts.emergencies": lambda: archive.accounts.emergencies(who),
        "Shares.create": lambda: archive.shares.create(sharer(archive), WANTED_SHARE),
        "Shares.own": lambda: archive.shares.own(sharer(archive)),
        "Shares.locked": lambda: archive.shares.locked(sharer(archive)),
        "Shares.revoke_own": lambda: archive.shares.revoke_own(sharer(archive), made_share(archive)),
        "Shares.shares": lambda: archive.shares.shares(who),
        "Shares.revoke": lambda: archive.shares.revoke(who, made_share(archive)),
        "Exports.offer": lambda: archive.exports.offer(sharer(archive), whole_study(1)),
        "Exports.redeem": lambda: archive.exports.redeem(sharer(archive), whole_study(1), offered(archive)),
        "Credentials.authority": lambda: archive.credentials.authority(who),
        "Credentials.issue": lambda: archive.credentials.issue(who, device("mr")),
        "Credentials.sign": lambda: archive.credentials.sign(who, device("mr"), certificate_request()),
        "DeviceRegister.enrol": lambda: archive.devices.enrol(who, device("mr")),
        "DeviceRegister.change": lambda: archive.devices.change(who, device("ct", issuer="hospital")),
        "DeviceRegister.enable": lambda: archive.devices.enable(who, "ct", enabled=False),
        "DeviceRegister.remove": lambda: archive.devices.remove(who, "ct"),
        "Sending.destinations": lambda: archive.sending.destinations(who),
        "Sending.begin": lambda: sending(archive, who),
        "Studies.search": lambda: archive.studies.search(who, StudySearch("p1")),
        "Studies.saved": lambda: archive.studies.saved(who),
        "Studies.save": lambda: archive.studies.save(who, SavedSearch("mine", StudySearch("p1"))),
        "Studies.forget": lambda: archive.studies.forget(who, "mine"),
        "Find.find": lambda: archive.find.find(who, Query(Level.STUDY, {})),
        "Render.rendered": lambda: without_picture(archive.render.rendered(who, image(1, 1), (), RenderRequest())),
        "Render.thumbnail": lambda: archive.render.thumbnail(who, whole_study(1)),
        "Frames.instance": lambda: archive.frames.instance(who, image(1, 1)),
        "Metadata.series": lambda: archive.metadata.series(who, whole_study(1), ""),
        "Metadata.instances": lambda: archive.metadata.instances(who, whole_study(1), ""),
        "Metadata.xml": lambda: archive.metadata.xml(who, whole_study(1), ""),
        "Oversight.standing": lambda: archive.oversight.standing(who),
        "Oversight.alarms": lambda: archive.oversight.alarms(who),
        "Oversight.holdings": lambda: archive.oversight.holdings(who, 30),
        "RefusedCallers.lately": lambda: archive.refused.lately(who, 7),
        "DeviceTest.echo": lambda: unanswered(archive.device_test.echo(who, "ct")),
        "JournalReading.page": lambda: archive.journal_reading.page(who, EVERYTHING, 10),
        "JournalReading.export": lambda: list(archive.journal_reading.export(who, EVERYTHING, ExportForm.CSV)),
        "JournalReading.standing": lambda: archive.journal_reading.standing(who),
        "JournalReading.verify": lambda: archive.journal_reading.verify(who),
        "Ingest.note_failed": lambda: archive.ingest.note_failed(who, LeadglassError(ErrorCode.UNPARSABLE, "cut"), 2),
        "Maintenance.statistics": lambda: archive.maintenance.statistics(who),
        "Maintenance.conflicts": lambda: archive.maintenance.conflicts(who),
        "Maintenance.check": lambda: archive.maintenance.check(who),
        "Recovery.replay": lambda: archive.recovery.replay(who),
        "Recovery.reindex": lambda: archive.recovery.reindex(who),
        "Trash.delete": lambda: archive.trash.delete(who, whole_study(1), "test"),
        "Trash.entries": lambda: archive.trash.entries(who),
        "Trash.delete_instances": lambda: archive.trash.delete_instances(who, image(1, 1), "test"),
        "Trash.undelete_instances": lambda: archive.trash.undelete_instances(who, hidden(archive)),
        "Trash.instance_entries": lambda: archive.trash.instance_entries(who),
        "Trash.undelete": lambda: archive.trash.undelete(who, [study_uid(2)]),
        "Viewing.open": lambda: archive.viewing.open(who, whole_study(1), own_session(who)),
        "Trash.restore_for_resend": lambda: store(archive, encoded(data_set(2)), uid(2, 1)),
    }
    name = f"{kind.__name__}.{method}"
    if name in {"Ingest.begin", "Retrieve.select", "Retrieve.source", "Sending.job"}:
        return False  # a store's event rides in its record; what is read is journalled when it is opened
    result = ways[name]()
    if asyncio.iscoroutine(result):
        await result
    return True


@pytest.mark.parametrize(("kind", "method"), METHODS)
async def test_a_use_case_journals_what_it_declares(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, kind: type, method: str
) -> None:
    for study in (1, 2):
        await store_one(archive, study)
    archive.trash.delete(SYSTEM, whole_study(2), "test")
    archive.tokens.issue(SYSTEM, Wanted("known", frozenset({Scope.READ})))
    archive.tokens.grant(SYSTEM, Grant("known", study_uid(2)))
    assert archive.state.people.add_account(OWNER)
    events: list[JournalEvent] = []
    monkeypatch.setattr(archive.journal, "record", lambda event, **_: events.append(event))
    if await called(archive, kind, method):
        assert getattr(kind, method).declared.covered_by in {event.kind for event in events}


def hidden(archive: Archive) -> Selection:
    """An instance that lies in the trash by itself."""
    archive.catalog.set_hidden([uid(1, 1)], True)
    return image(1, 1)


READS = {Right.FIND, Right.RETRIEVE, Right.DELETE}
LIMITED = Principal(
    PrincipalKind.PROGRAM, "limited", frozenset(Right), reach=Reach(studies=frozenset({study_uid(1), study_uid(2)}))
)
NARROWED = (
    "find",
    "list_studies",
    "select",
    "series_states",
    "studies_of",
    "hidden_of",
)  # of the catalog: they take a reach
UNNARROWED = ("lookup", "is_trashed", "versions", "conflicts", "instances", "statistics")
READING = [case for case in METHODS if getattr(*case.values).declared.right in READS]
# Use cases of those rights that ask the catalog nothing.
ASKS_NOTHING = {
    "Retrieve.source": "opens what Retrieve.select found",
    "Sending.destinations": "names of devices; no study",
    "Sending.job": "how far what began is; no study",
    "Studies.saved": "what somebody keeps; no study",
    "Studies.save": "what somebody keeps; no study",
    "Studies.forget": "what somebody keeps; no study",
    "Shares.own": "what its owner made, not what is stored",
    "Shares.locked": "what its owner made, not what is stored",
}


def test_the_walk_meets_the_use_cases_that_read() -> None:
    names = {f"{case.values[0].__name__}.{case.values[1]}" for case in READING}  # type: ignore[union-attr]
    assert {"Find.find", "Retrieve.select", "Trash.delete", "Trash.undelete", "Trash.entries"} <= names


@pytest.mark.parametrize(("kind", "method"), READING)
async def test_a_use_case_that_reads_asks_within_the_principals_reach(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, kind: type, method: str
) -> None:
    """A use case asks the catalog with the reach of who asks, and in no way that has no reach."""
    for study in (1, 2):
        await store_one(archive, study)
    archive.trash.delete(SYSTEM, whole_study(2), "test")
    asked: list[tuple[str, Reach | None]] = []

    def watch(name: str) -> None:
        original = getattr(SqliteCatalog, name)

        def watched(self: SqliteCatalog, *args: Any) -> Any:
            asked.append((name, args[0].reach if name in NARROWED else None))
            return original(self, *args)

        monkeypatch.setattr(SqliteCatalog, name, watched)

    for name in (*NARROWED, *UNNARROWED):
        watch(name)
    name = f"{kind.__name__}.{method}"
    if name == "Retrieve.select":
        await archive.retrieve.select(LIMITED, whole_study(1))
    elif name in ASKS_NOTHING:
        if name.startswith("Retrieve."):
            getattr(archive.retrieve, method)(LIMITED)
        else:
            await called(archive, kind, method, LIMITED)
    elif name == "Retrieve.source":
        archive.retrieve.source(LIMITED)
    else:
        await called(archive, kind, method, LIMITED)
    assert {reach for _, reach in asked} == (set() if name in ASKS_NOTHING else {LIMITED.reach}), asked


def taking(wanted: type) -> list[Any]:
    """Use cases with a parameter of type `wanted`."""
    return [case for case in METHODS if wanted in typing.get_type_hints(getattr(*case.values)).values()]


def test_whoever_takes_a_query_or_a_selection_reads() -> None:
    """So that the walk above covers it: a use case that takes one must need a right to read."""
    for case in (*taking(Query), *taking(Selection), *taking(StudySearch)):
        assert case in READING, case.id

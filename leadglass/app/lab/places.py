"""The light servers of the laboratory and their truth. Each has an address of its own in 127.77.0.0/16."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from leadglass.app.lab.fake_scp import Behaviour, factory
from leadglass.app.lab.holdings import Holdings, made_up
from leadglass.app.lab.odd import Garbage, Listing, Page, Tarpit
from leadglass.app.lab.truth import Place, Truth, says
from leadglass.dicom import uids
from leadglass.exposure.findings import Rung
from leadglass.exposure.proposal import GETS, MOVES, QUERIES, STORES
from leadglass.wire.ul.pdu import AssociateRJ

DICOM, WEB, TLS_PORT = 11112, 8042, 2762

_STORING = frozenset({uids.VERIFICATION, *STORES.values()})
_READING = frozenset({uids.VERIFICATION, uids.STUDY_ROOT_FIND, uids.PATIENT_ROOT_FIND, *GETS.values(), *MOVES.values()})
_WORKLIST = frozenset({uids.VERIFICATION, uids.MODALITY_WORKLIST_FIND})
_ALL_QUERIES = frozenset({uids.VERIFICATION, *QUERIES.values()})

_READ = says("read-exposure", "any-title")
_OPEN = says("read-exposure", "write-exposure", "any-title")


@dataclass(frozen=True, slots=True)
class Light:
    """A light server: what makes its connections, and whether in TLS."""

    place: Place
    protocol: Callable[[], asyncio.Protocol]
    tls: bool = False


def light_servers() -> list[Light]:
    """All of them, in the order in which they are shown."""
    number = iter(range(10, 250))

    def scp(name: str, what: str, truth: Truth, behaviour: Behaviour) -> Light:
        place = Place(name, f"127.77.0.{next(number)}", DICOM, what, truth)
        return Light(place, factory(behaviour))

    def odd(name: str, what: str, truth: Truth, protocol: Callable[[], asyncio.Protocol], port: int = DICOM) -> Light:
        return Light(Place(name, f"127.77.0.{next(number)}", port, what, truth), protocol)

    clinic = Holdings(made_up(2400, seed=1))
    small = Holdings(made_up(140, seed=2))
    silent = Holdings(made_up(900, seed=3), limit=100)
    ignoring = Holdings(made_up(1700, seed=4), ignores_ranges=True)
    undated = Holdings(made_up(1300, seed=5, undated=70))
    today = Holdings(made_up(12, seed=6))
    return [
        scp("clinic", "an archive of a clinic, open", _counted(clinic, _READ),
            Behaviour(offers=_READING, holdings=clinic)),
        scp("practice", "an archive of a practice, open for storing, too", _counted(small, _OPEN),
            Behaviour(offers=_READING | _STORING, holdings=small)),
        scp("silent-limit", "an archive that cuts answers off at 100 and does not say so",
            _counted(silent, _READ, exact=False), Behaviour(offers=_READING, holdings=silent)),
        scp("ignores-dates", "an archive that ignores ranges of dates", _counted(ignoring, _READ, exact=False),
            Behaviour(offers=_READING, holdings=ignoring)),
        scp("undated", "an archive with studies that have no date", _counted(undated, _READ, exact=False),
            Behaviour(offers=_READING, holdings=undated)),
        scp("worklist", "a worklist server", Truth(Rung.QUERY_ANSWERED, says("worklist-exposure", "any-title")),
            Behaviour(offers=_WORKLIST, holdings=today)),
        scp("checks-called", "refuses called AE titles that are not its own", Truth(Rung.PDU_ANSWERED),
            Behaviour(offers=_STORING, titles=frozenset({"INVENTED1"}))),
        scp("default-title", "answers to a title that stands in a product's manual", Truth(Rung.PDU_ANSWERED),
            Behaviour(offers=_STORING, titles=frozenset({"ORTHANC"}))),
        scp("checks-calling", "refuses calling AE titles that it does not know", Truth(Rung.PDU_ANSWERED),
            Behaviour(rejects=AssociateRJ(1, 1, 3))),
        scp("busy", "refuses for now, as a busy server does", Truth(Rung.PDU_ANSWERED),
            Behaviour(rejects=AssociateRJ(2, 3, 1))),
        scp("aborts-queries", "accepts everything and aborts a query",
            Truth(Rung.QUERY_CONTEXT_ACCEPTED, says("any-title")),
            Behaviour(offers=_ALL_QUERIES, aborts_queries=True)),
        scp("refuses-queries", "accepts everything and refuses a query",
            Truth(Rung.QUERY_CONTEXT_ACCEPTED, says("any-title")),
            Behaviour(offers=_ALL_QUERIES, refuses_queries=True)),
        scp("receiver", "a receiver that stores whatever comes",
            Truth(Rung.ECHO_ANSWERED, says("write-exposure", "any-title")), Behaviour(offers=_STORING)),
        Light(
            Place("tls", f"127.77.0.{next(number)}", TLS_PORT, "speaks TLS only, its certificate has expired",
                  Truth(Rung.COUNTED, _READ | says("certificate-unsound", "no-client-certificate"),
                        len(small.studies), small.images)),
            factory(Behaviour(offers=_READING, holdings=small)),
            tls=True,
        ),
        odd("web-on-dicom-port", "a router's page on a port of DICOM", Truth(Rung.PORT_OPEN), Page),
        odd("listing", "a web server with a directory of DICOM files", Truth(Rung.QUERY_ANSWERED, says("listing-open")),
            Listing, WEB),
        odd("tarpit", "accepts a connection and never says a word", Truth(Rung.PORT_OPEN), Tarpit),
        odd("garbage", "sends what is no protocol", Truth(Rung.PORT_OPEN), Garbage),
    ]  # fmt: skip


def crowd(count: int) -> list[Light]:
    """So many more small servers, of three kinds, for whoever wants to see a large audit: 127.78.0.0/16 and on."""
    kinds = (
        (Behaviour(offers=_STORING), Truth(Rung.ECHO_ANSWERED, says("write-exposure", "any-title"))),
        (Behaviour(rejects=AssociateRJ(1, 1, 7)), Truth(Rung.PDU_ANSWERED)),
        (Behaviour(offers=_ALL_QUERIES, refuses_queries=True), Truth(Rung.QUERY_CONTEXT_ACCEPTED, says("any-title"))),
    )
    made = [(factory(behaviour), truth) for behaviour, truth in kinds]
    lights = []
    for number in range(count):
        protocol, truth = made[number % len(made)]
        address = f"127.78.{number // 250}.{number % 250 + 1}"
        lights.append(Light(Place(f"crowd-{number}", address, DICOM, "one of many", truth), protocol))
    return lights


def _counted(holdings: Holdings, findings: frozenset[str], *, exact: bool = True) -> Truth:
    return Truth(Rung.COUNTED, findings, len(holdings.studies), holdings.images, exact)

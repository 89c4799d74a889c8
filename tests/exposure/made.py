"""Audits made of facts, for tests of what comes after looking."""

from leadglass.exposure.audit import Audit, Result
from leadglass.exposure.facts import Answer, Fact, Observation
from leadglass.exposure.rules.judge import judge
from leadglass.exposure.service import Service

YES, NO, UNKNOWN = Answer.YES, Answer.NO, Answer.UNKNOWN


def observation(*facts: Fact, address="192.0.2.1", port=104, name="") -> Observation:
    return Observation(Service(address, port, name), 1.0, 2.0, (Fact("T01", YES), *facts))


def result(*facts: Fact, **where) -> Result:
    seen = observation(*facts, **where)
    return Result(seen, judge(seen))


def audit(*results: Result, name="20260101T000000Z-0001", started=1.0, complete=True) -> Audit:
    who = ("Audit <of> ours", "Dr. Nobody", "mailto:n@example.org")
    seen = (256, (104,), 256, 9, complete, (0, 1), results)
    return Audit(name, started, started + 60, "ab" * 32, *who, *seen)


def open_archive(address="192.0.2.1", studies=1200, images=34000, **more) -> Result:
    return result(
        Fact("D01", YES, "", {"pdu": "associate-ac", "tls": False}),
        Fact("D02", YES, "", {"contexts": 12}),
        Fact("D06", YES),
        Fact("D08", YES, "", {"roots": ("study-root",)}),
        Fact("D12", YES, "", {"contexts": 3}),
        Fact("P01", YES, "", {"studies": studies, "instances": images, "exactness": "exact", "how": ("c-find",)}),
        address=address,
        **more,
    )


def shut(address="192.0.2.1") -> Result:
    return result(
        Fact("D01", YES, "", {"pdu": "associate-rj", "tls": True}),
        Fact("D02", NO),
        Fact("D03", YES),
        address=address,
    )


def silent(address="192.0.2.1") -> Result:
    return result(Fact("D01", UNKNOWN, "x"), Fact("D02", UNKNOWN, "x"), address=address)

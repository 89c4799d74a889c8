"""Every rule fires on facts that call for it, none on what could not be tested, and each says how to close it."""

import pytest

from leadglass.exposure.checks import CHECKS
from leadglass.exposure.facts import Answer, Fact, Facts
from leadglass.exposure.findings import Rung, Severity
from leadglass.exposure.rules.judge import RULES, judge
from leadglass.exposure.rules.remedies import _TABLE, product_of, remedy
from leadglass.exposure.rules.rule import SCORES
from tests.exposure.made import NO, UNKNOWN, YES, observation

D01 = Fact("D01", YES, "", {"pdu": "associate-ac", "tls": False})
D02 = Fact("D02", YES)
CASES = {
    "read-exposure": [Fact("D08", YES)],
    "worklist-exposure": [Fact("D09", YES)],
    "write-exposure": [D02, Fact("D12", YES)],
    "any-title": [D02],
    "default-title": [Fact("D05", YES)],
    "identity-ignored": [Fact("D14", YES)],
    "workflow-exposure": [D02, Fact("D13", YES)],
    "plaintext-public": [D01, Fact("D16", YES)],
    "plaintext": [D01],
    "plaintext-tls-port": [Fact("D17", YES)],
    "tls-weak": [Fact("D18", YES)],
    "certificate-unsound": [Fact("D19", YES)],
    "no-client-certificate": [Fact("D20", YES), D02],
    "iscl": [Fact("D21", YES)],
    "plain-http": [Fact("W07", YES), Fact("W08", YES)],
    "script-execution": [Fact("W04", YES, "", {"scripts": True})],
    "wado-open": [Fact("W02", YES)],
    "viewer-open": [Fact("W08", YES)],
    "listing-open": [Fact("W09", YES)],
    "console-open": [Fact("W10", YES)],
    "cors-any": [Fact("W06", YES)],
    "known-flaws-possible": [Fact("W04", YES, "", {"version": "1.12.10"})],
    "honeypot-likely": [Fact("M04", YES)],
}


def ids(*facts):
    return {finding.id for finding in judge(observation(*facts)).findings}


def test_every_rule_has_a_case_and_a_remedy():
    assert set(CASES) == set(RULES)
    assert set(RULES) - {"read-exposure", "write-exposure"} == set(_TABLE)
    assert all(rule.vector in SCORES and set(rule.checks) <= set(CHECKS) for rule in RULES.values())


@pytest.mark.parametrize("name", CASES)
def test_a_rule_fires_on_what_calls_for_it_and_says_what_to_do(name):
    facts = CASES[name]
    found = [finding for finding in judge(observation(*facts)).findings if finding.id == name]
    assert len(found) == 1
    assert len(found[0].close) > 20
    assert len(found[0].could) > 20
    assert remedy(name, Facts(facts))


@pytest.mark.parametrize("answer", [UNKNOWN, NO, Answer.SKIPPED])
def test_nothing_fires_on_what_was_not_seen(answer):
    assert ids(*(Fact(check, answer) for check in CHECKS)) == set()


def test_what_could_not_be_tested_is_listed_and_no_rung_is_guessed():
    judged = judge(observation(Fact("D01", UNKNOWN, "x"), Fact("D08", UNKNOWN, "x")))
    assert judged.untested == ("D01", "D08")
    assert judged.rung is Rung.PORT_OPEN
    assert judged.severity is Severity.NONE


@pytest.mark.parametrize(
    ("facts", "rung"),
    [
        ([], Rung.PORT_OPEN),
        ([D01], Rung.PDU_ANSWERED),
        ([D01, D02], Rung.ASSOCIATION_ACCEPTED),
        ([D01, D02, Fact("D06", YES)], Rung.ECHO_ANSWERED),
        ([D01, D02, Fact("D07", YES)], Rung.QUERY_CONTEXT_ACCEPTED),
        ([D01, D02, Fact("D08", YES)], Rung.QUERY_ANSWERED),
        ([D01, D02, Fact("D08", YES), Fact("P01", YES, "", {"studies": 0})], Rung.QUERY_ANSWERED),
        ([D01, D02, Fact("D08", YES), Fact("P01", YES, "", {"studies": 1})], Rung.COUNTED),
        ([Fact("W04", YES), Fact("P01", YES, "", {"instances": 5})], Rung.COUNTED),
    ],
)
def test_the_ladder(facts, rung):
    assert judge(observation(*facts)).rung is rung


def test_an_accepted_association_does_not_mean_that_a_stranger_can_read():
    assert "read-exposure" not in ids(D01, D02, Fact("D07", YES), Fact("D08", NO))


@pytest.mark.parametrize(
    ("version", "hit", "missed"),
    [
        ("1.5.7", "CVE-2025-0896", "CVE-2022-2119"),
        ("1.12.10", "CVE-2026-5437", "CVE-2023-33466"),
        ("1.12.11", "CVE-2026-10528", "CVE-2026-5437"),
    ],
)
def test_known_flaws_are_possible_and_never_confirmed(version, hit, missed):
    judged = judge(observation(Fact("W04", YES, "", {"version": version})))
    finding = next(finding for finding in judged.findings if finding.id == "known-flaws-possible")
    assert hit in finding.could
    assert missed not in finding.could
    assert "not confirmed" in finding.title
    assert finding.score == 0


@pytest.mark.parametrize("version", ["", "mainline", "1.13.0", "1", "9" * 30])
def test_a_version_that_is_none_has_no_flaws(version):
    assert "known-flaws-possible" not in ids(Fact("W04", YES, "", {"version": version}))


def test_the_remedy_is_the_products_own():
    orthanc = Facts([Fact("W04", YES, "", {"version": "1.12.3"})])
    assert product_of(orthanc) == "Orthanc"
    assert '"AuthenticationEnabled": true' in remedy("read-exposure", orthanc)
    dcmtk = Facts([Fact("M01", YES, "", {"product": "DCMTK", "version": "3.6.7"}), Fact("D08", YES)])
    assert "AETable" in remedy("read-exposure", dcmtk)
    assert "VPN" in remedy("read-exposure", Facts([Fact("D08", YES)]))

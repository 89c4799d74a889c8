"""An audit of the laboratory says what is so of each server: no false open, no false closed, no false exact count.

And nothing that it writes has a value of a patient: every identifying attribute of the laboratory carries a canary.
"""

import pytest
from lab_audit import assert_true, audit_lab
from lab_turn import lab_turn

from leadglass.app.audits.running import ledger_of
from leadglass.app.lab.holdings import CANARY
from leadglass.app.lab.lab import chosen
from leadglass.exposure.changes import Kind, changes, is_open
from leadglass.exposure.facts import Answer, Facts
from leadglass.exposure.findings import Rung


@pytest.fixture(scope="module", autouse=True)
def turn():
    with lab_turn():
        yield


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    audit, places = audit_lab(folder)
    return folder, audit, places


def test_every_rung_count_and_finding_is_the_true_one(lab):
    _, audit, places = lab
    assert_true(audit, places)


def test_nothing_that_is_written_has_a_value_of_a_patient(lab):
    folder, _, _ = lab
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.name == "ledger.sqlite" for path in files)
    assert [path.name for path in files if CANARY.encode() in path.read_bytes()] == []


def test_what_cannot_be_told_is_not_called_safe(lab):
    _, audit, places = lab
    names = {(place.address, place.port): place.name for place in places}
    blind = {
        names[result.observation.service.address, result.observation.service.port]
        for result in audit.results
        if "D01" in result.assessment.untested
    }
    assert {"tarpit"} <= blind
    assert not blind & {"clinic", "web-on-dicom-port", "listing"}


def test_two_that_close_are_seen_closed_and_one_that_opens_again_reopened(lab):
    folder, first, _ = lab
    second, _ = audit_lab(folder, closed=frozenset({"clinic", "receiver"}), name="20260201T000000Z-0002")
    kinds = {change.service.address: change.kind for change in changes(first, second)}
    assert kinds["127.77.0.10"] is Kind.CLOSED
    assert kinds["127.77.0.22"] is Kind.CLOSED
    assert set(kinds.values()) == {Kind.CLOSED, Kind.STILL_OPEN}
    again = {change.kind for change in changes(second, first, earlier=(first,))}
    assert again == {Kind.REOPENED, Kind.STILL_OPEN}
    kept = ledger_of(folder).audit(first.id)
    assert kept.results == first.results


def test_a_crowd_is_told_apart(tmp_path):
    audit, places = audit_lab(tmp_path, fakes=300)
    rungs = {
        (item.observation.service.address, item.observation.service.port): item.assessment.rung
        for item in audit.results
    }
    assert all(rungs[place.address, place.port] is place.truth.rung for place in places)
    assert sum(is_open(result) for result in audit.results) > 200
    assert Rung.CLOSED not in rungs.values()


def test_what_the_scope_allows_is_asked_and_told_without_a_value(tmp_path):
    slow = frozenset({"tarpit", "garbage"})
    audit, _ = audit_lab(tmp_path, closed=slow, default_titles=True, sample=5, count_patients=True)
    facts = {result.observation.service.address: Facts(result.observation.facts) for result in audit.results}
    by_name = {light.place.name: facts[light.place.address] for light in chosen(0, slow)}
    assert by_name["default-title"].value("D05", "titles") == ("ORTHANC",)
    assert by_name["checks-called"].get("D05").answer is Answer.NO
    clinic = by_name["clinic"]
    assert clinic.value("P01", "patients") == 2400
    assert {"name", "birth-date", "patient-id"} <= set(clinic.value("P03", "kinds"))
    assert clinic.value("P03", "sampled") == 5
    assert set(clinic.value("P03", "present")) == {5}
    assert clinic.yes("D14")
    assert not any(CANARY.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_what_the_scope_does_not_allow_is_not_asked(lab):
    _, audit, _ = lab
    for result in audit.results:
        facts = Facts(result.observation.facts)
        assert all(facts.get(check) is None or facts.get(check).answer is Answer.SKIPPED for check in ("D05", "P03"))
        assert facts.value("P01", "patients") is None

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass.exposure.checks import CHECKS
from leadglass.exposure.facts import MAX_TEXT, Answer, Fact, Facts, Observation, from_plain, technical, to_plain
from leadglass.exposure.findings import Assessment, Finding, Rung, Severity
from leadglass.exposure.service import Service

HERE = Service("127.0.0.1", 104)


def test_a_fact_answers_a_check_of_the_registry_and_holds_no_long_text():
    with pytest.raises(ValueError, match="registry"):
        Fact("D99", Answer.YES)
    with pytest.raises(ValueError, match="200"):
        Fact("M01", Answer.YES, values={"product": "x" * 201})
    with pytest.raises(ValueError, match="list"):
        Fact("M01", Answer.YES, values={"names": ("x",) * 257})
    with pytest.raises(ValueError, match="value"):
        Fact("M01", Answer.YES, values={"product": None})


def test_what_was_said_cannot_be_changed():
    fact = Fact("M01", Answer.YES, values={"product": "Orthanc"})
    with pytest.raises(TypeError):
        fact.values["product"] = "other"


def test_the_last_fact_counts_and_the_registry_gives_the_order():
    facts = Facts([Fact("D06", Answer.UNKNOWN), Fact("D01", Answer.YES), Fact("D06", Answer.YES, values={"status": 0})])
    assert [fact.check for fact in facts] == ["D01", "D06"]
    assert facts.yes("D06")
    assert not facts.yes("D08")
    assert facts.value("D06", "status") == 0
    assert facts.value("D08", "status") is None


@given(
    st.lists(
        st.builds(
            Fact,
            st.sampled_from(sorted(CHECKS)),
            st.sampled_from(Answer),
            st.text(max_size=20),
            st.dictionaries(
                st.text(max_size=8),
                st.one_of(st.text(max_size=9), st.integers(), st.booleans(), st.lists(st.text(max_size=4)).map(tuple)),
            ),
        )
    )
)
def test_an_observation_survives_json(facts):
    seen = Observation(HERE, 1.0, 2.5, tuple(facts))
    assert from_plain(json.loads(json.dumps(to_plain(seen)))) == seen


@given(st.one_of(st.text(), st.binary()))
def test_a_peers_word_is_cleaned(text):
    word = technical(text)
    assert len(word) <= MAX_TEXT
    assert all(" " <= char <= "~" for char in word)


@pytest.mark.parametrize(
    ("address", "port", "name"),
    [
        ("127.0.0.01", 1, ""),
        ("host.example", 1, ""),
        ("::0001", 1, ""),
        ("::1", 0, ""),
        ("::1", 65536, ""),
        ("::1", 1, "x" * 254),
    ],
)
def test_a_service_is_an_address_and_a_port(address, port, name):
    with pytest.raises(ValueError, match=r"."):
        Service(address, port, name)


def test_labels():
    assert HERE.label == "127.0.0.1:104"
    assert Service("::1", 104).label == "[::1]:104"
    assert Service("::1", 104, "pacs.example").label == "pacs.example ([::1]):104"
    assert not HERE.public
    assert Service("8.8.8.8", 104).public


def test_an_assessment_is_as_bad_as_its_worst_finding():
    def finding(severity):
        return Finding("x", "", Rung.PORT_OPEN, severity, "", 0.0, "", "", (), ())

    assert Assessment(HERE, Rung.CLOSED, (), ()).severity is Severity.NONE
    both = (finding(Severity.HIGH), finding(Severity.CRITICAL), finding(Severity.LOW))
    assert Assessment(HERE, Rung.COUNTED, both, ()).severity is Severity.CRITICAL

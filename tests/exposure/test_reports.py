"""Reports say what the audit saw, in forms that others can read, and nothing of a peer becomes markup."""

import csv
import email
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jsonschema import Draft4Validator

from leadglass.exposure.changes import changes
from leadglass.exposure.facts import Fact
from leadglass.exposure.notify.languages import LANGUAGES, language_of
from leadglass.exposure.notify.message import as_mail, messages
from leadglass.exposure.owners import Owner, read_owners
from leadglass.exposure.reports.exports import csv_text, defectdojo, sarif
from leadglass.exposure.reports.page import html_page
from leadglass.exposure.reports.plain import json_lines
from leadglass.exposure.reports.summing import sums
from tests.exposure.made import YES, audit, open_archive, result, shut, silent

OWNERS = read_owners(
    b"network,country,organisation,contact\n"
    b"192.0.2.0/24,IT,Clinica <Inventata>,mailto:sicurezza@clinica.example\n"
    b"192.0.2.16/28,DE,Praxis Erfunden,it@praxis.example\n"
    b"2001:db8::/32,US,Invented Imaging,https://imaging.example/contact\n"
)
HOSTILE = result(
    Fact("W00", YES, "", {"server": "<script>alert(1)</script>", "title": "", "status": 200, "tls": False}),
    Fact("W04", YES, "", {"version": '"><img src=x onerror=alert(1)>', "studies": 7, "instances": 70}),
    Fact("W11", YES, "", {"contact": ("mailto:<b>@evil.example",)}),
    address="192.0.2.3",
    port=8042,
)
AUDIT = audit(open_archive(), open_archive("192.0.2.17", 5, 50), HOSTILE, shut("192.0.2.5"), silent("192.0.2.6"))

# DefectDojo: Generic Findings Import, the keys that its parser knows; it refuses others.
DOJO_KEYS = {
    "title",
    "severity",
    "description",
    "date",
    "cve",
    "cwe",
    "epss_score",
    "epss_percentile",
    "cvssv3",
    "cvssv3_score",
    "cvssv4",
    "cvssv4_score",
    "mitigation",
    "impact",
    "steps_to_reproduce",
    "severity_justification",
    "references",
    "active",
    "verified",
    "false_p",
    "out_of_scope",
    "risk_accepted",
    "under_review",
    "is_mitigated",
    "thread_id",
    "mitigated",
    "numerical_severity",
    "param",
    "payload",
    "line",
    "file_path",
    "component_name",
    "component_version",
    "static_finding",
    "dynamic_finding",
    "scanner_confidence",
    "unique_id_from_tool",
    "vuln_id_from_tool",
    "sast_source_object",
    "sast_sink_object",
    "sast_source_line",
    "sast_source_file_path",
    "nb_occurences",
    "publish_date",
    "service",
    "planned_remediation_date",
    "planned_remediation_version",
    "effort_for_fixing",
    "tags",
    "endpoints",
    "vulnerability_ids",
    "files",
}


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.open = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in {"meta", "br", "rect", "circle", "line", "polyline"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_loads_nothing_and_runs_nothing():
    page = Page()
    older = audit(open_archive(), name="20251201T000000Z-0000", started=-99.0)
    text = html_page(AUDIT, OWNERS, earlier=[older], changed=changes(older, AUDIT))
    page.feed(text)
    assert page.open == []
    assert not {"script", "img", "iframe", "link", "object", "b1"} & set(page.tags)
    assert not any(name.startswith("on") or name in {"src", "href"} for name, _ in page.attributes)
    assert "Content-Security-Policy" in text
    for words in (
        "34,000",
        "Praxis Erfunden",
        "Clinica &lt;Inventata&gt;",
        "Audit &lt;of&gt; ours",
        "1 closed" * 0 + "new",
    ):
        assert words in text


def test_sums_are_those_of_what_is_open():
    total = sums(AUDIT.results, OWNERS)
    assert (total.open_services, total.untested, total.images) == (3, 1, 34050)
    assert total.by_country == {"IT": 34000, "DE": 50}
    assert total.largest_ten == 1.0


def test_csv_has_a_line_for_each_finding_and_no_formula():
    rows = list(csv.DictReader(io.StringIO(csv_text(AUDIT, OWNERS))))
    assert len(rows) == sum(len(item.assessment.findings) for item in AUDIT.results)
    worst = next(row for row in rows if row["tag"] == "read-exposure" and row["ip"] == "192.0.2.1")
    assert (worst["geo"], worst["images"], worst["exactness"], worst["score"]) == ("IT", "34000", "exact", "8.7")
    evil = read_owners(b"network,organisation\n192.0.2.0/24,=HYPERLINK(1)\n")
    assert "'=HYPERLINK(1)" in csv_text(AUDIT, evil)


def test_names_of_a_service_are_shown_and_are_no_markup():
    named = result(Fact("M02", YES, "", {"names": ("pacs.example", "<b>"), "reverse": ("ct1.example", "pacs.example")}))
    page = html_page(audit(named), OWNERS)
    assert "It goes by pacs.example, &lt;b&gt;, ct1.example." in page
    named = result(Fact("W08", YES), Fact("M02", YES, "", {"names": (), "reverse": ("ct1.example",)}))
    rows = list(csv.DictReader(io.StringIO(csv_text(audit(named), OWNERS))))
    assert {row["hostname"] for row in rows} == {"ct1.example"}


def test_defectdojo_gets_only_keys_that_it_knows():
    document = json.loads(defectdojo(AUDIT, OWNERS))
    assert set(document) <= {"name", "type", "findings"}
    assert document["findings"]
    for finding in document["findings"]:
        assert set(finding) <= DOJO_KEYS
        assert finding["severity"] in {"Critical", "High", "Medium", "Low", "Info"}
        assert finding["title"]
        assert finding["description"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", finding["date"])
        assert len(finding["title"]) <= 511  # as its database has them
        assert len(finding["unique_id_from_tool"]) <= 500
        assert all(re.fullmatch(r"tcp://(\[[0-9a-f:]+\]|[0-9a-z.-]+):\d+", place) for place in finding["endpoints"])


SARIF = json.loads((Path(__file__).parent / "schemas" / "sarif-schema-2.1.0.json").read_text())


def faults(document):
    return [fault.message for fault in Draft4Validator(SARIF).iter_errors(document)]


@pytest.mark.parametrize("seen", [AUDIT, audit(), audit(HOSTILE), audit(shut("192.0.2.5"))])
def test_sarif_is_what_its_schema_asks_for(seen):
    assert faults(json.loads(sarif(seen, OWNERS))) == []


def test_the_schema_of_sarif_finds_faults():
    document = json.loads(sarif(AUDIT, OWNERS))
    document["runs"][0]["results"][0]["level"] = "critical"
    del document["runs"][0]["results"][1]["message"]
    document["runs"][0]["tool"]["driver"]["colour"] = "red"
    assert len(faults(document)) == 3


def test_every_result_of_sarif_names_its_rule_and_its_service():
    (run,) = json.loads(sarif(AUDIT, OWNERS))["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert run["results"]
    for entry in run["results"]:
        assert rules[entry["ruleIndex"]]["id"] == entry["ruleId"]
        assert entry["message"]["text"]
        assert entry["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].startswith("tcp://")


def test_json_lines_are_the_head_and_a_line_for_each_service():
    lines = [json.loads(line) for line in json_lines(AUDIT).splitlines()]
    assert lines[0]["audit"] == AUDIT.id
    assert len(lines) == 1 + len(AUDIT.results)


def test_one_message_for_each_owner_in_their_language_with_the_numbers():
    found = {message.owner.organisation: message for message in messages(AUDIT, OWNERS)}
    assert found["Praxis Erfunden"].language == "de"
    assert "5 Studien mit 50 Bildern" in found["Praxis Erfunden"].text
    assert "72 Stunden" in found["Praxis Erfunden"].text
    italian = next(message for message in found.values() if message.language == "it")
    assert "1,200 studi" in italian.text
    for language in LANGUAGES:
        for message in messages(AUDIT, OWNERS, language):
            assert "{" not in message.text
            assert re.fullmatch(r"[a-z0-9-]+", message.name)
    assert {language_of(country) for country in ("AT", "IT", "MX", "US", "")} == {"de", "it", "es", "en"}


def test_a_mail_can_be_opened_and_goes_only_to_an_address():
    for message in messages(AUDIT, OWNERS):
        mail = email.message_from_bytes(bytes(as_mail(message, "auditor@example.org")))
        assert mail["Subject"]
        assert mail["To"] is None or re.fullmatch(r"[\w.@-]+", mail["To"])


def test_the_longest_network_is_the_owner_and_a_wrong_line_is_named():
    assert OWNERS.of("192.0.2.20").organisation == "Praxis Erfunden"
    assert OWNERS.of("192.0.2.200").country == "IT"
    assert OWNERS.of("2001:db8::7").country == "US"
    assert OWNERS.of("198.51.100.1") == Owner()
    with pytest.raises(ValueError, match="line 3"):
        read_owners(b"network,country\n192.0.2.0/24,IT\nnonsense,DE\n")
    with pytest.raises(ValueError, match="columns"):
        read_owners(b"a,b\n1,2\n")

"""The conformance statement says what the program does: all of its tables, in every form, and nothing of a site."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import commanding

from leadglass.app.conformance import TITLE, statement, texts
from leadglass.app.conformance_dicom import NAMES
from leadglass.app.statement import Section, Table, as_html, as_json, as_markdown, numbered
from leadglass.dicom import index_keys
from leadglass.dicom.dictionary import keyword_of
from leadglass.dicom.sop_classes import STORAGE_SOP_CLASSES
from leadglass.dicom.transfer_syntaxes import TRANSFER_SYNTAXES
from leadglass.scp.negotiation import SERVICE_RIGHTS
from leadglass.web.descriptions import DESCRIPTIONS
from leadglass.web.routes import ROUTES

TEXTS = texts()
KINDS = ("text/html", "text/markdown", "application/json")
HOSTILE = (Section("<script>a", ('"b" & <i>',), (Table("c|d", ("e", "f|"), (("<b>g\n|", "*h*"),)),)),)


def tables() -> dict[str, Table]:
    return {table.title: table for _, _, section in numbered(statement()) for table in section.tables}


def cells(title: str, column: str) -> list[str]:
    table = tables()[title]
    return [row[table.columns.index(column)] for row in table.rows]


def test_services_are_those_that_are_negotiated() -> None:
    assert set(NAMES) == set(SERVICE_RIGHTS)
    assert set(cells("Network services", "UID")) - {""} == set(SERVICE_RIGHTS)
    assert set(cells("Storage SOP Classes", "UID")) == set(STORAGE_SOP_CLASSES)


def test_transfer_syntaxes_are_those_that_are_taken() -> None:
    taken = {uid for uid, syntax in TRANSFER_SYNTAXES.items() if not syntax.pixels_elsewhere}
    assert set(cells("Transfer Syntaxes for storage", "UID")) == taken


def test_keys_are_those_of_the_catalog_with_the_way_they_are_matched() -> None:
    for level, keys in (("STUDY", index_keys.STUDY_KEYS), ("IMAGE", index_keys.IMAGE_KEYS)):
        assert cells(f"Keys of level {level}", "Attribute") == [keyword_of(tag) for tag in keys]
    ways = dict(zip(cells("Keys of level STUDY", "Attribute"), cells("Keys of level STUDY", "Matching"), strict=True))
    assert ways["StudyInstanceUID"] == "single value, list of UIDs"
    assert ways["StudyDate"] == "single value, range"
    assert ways["AccessionNumber"] == "single value, wildcard"
    assert ways["ProcedureCodeSequence"] == "sequence"


def test_resources_are_those_of_the_table_of_routes() -> None:
    told = set(zip(cells("Resources", "Method"), cells("Resources", "Resource"), strict=True))
    assert told == {(route.method, route.path.replace(":path", "")) for route in ROUTES}
    assert cells("Media types", "Transaction") == [DESCRIPTIONS[route.method, route.path].name for route in ROUTES]


def test_every_form_says_the_same() -> None:
    assert tuple(TEXTS) == KINDS
    html, markdown, plain = (TEXTS[kind].decode() for kind in KINDS)
    assert json.loads(plain)["title"] == TITLE
    for number, _, section in numbered(statement()):
        assert f">{number} {section.title}<" in html
        assert f"# {number} {section.title}\n" in markdown
    for uid in (*SERVICE_RIGHTS, *STORAGE_SOP_CLASSES):
        assert f"<td>{uid}</td>" in html
        assert f"| {uid} |" in markdown
        assert f'"{uid}"' in plain


class Tags(HTMLParser):
    """Every tag with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[tuple[str, tuple[tuple[str, str | None], ...]]] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add((tag, tuple(attrs)))


def test_the_page_runs_and_fetches_nothing_whatever_is_in_it() -> None:
    for page in (TEXTS["text/html"], as_html("<script>", HOSTILE)):
        tags = Tags()
        tags.feed(page.decode())
        names = {name for name, _ in tags.found}
        assert names <= {
            "html",
            "head",
            "meta",
            "title",
            "body",
            "h1",
            "h2",
            "h3",
            "p",
            "table",
            "caption",
            "tr",
            "th",
            "td",
        }
        attributes = {pair for _, attrs in tags.found for pair in attrs}
        assert attributes <= {("lang", "en"), ("charset", "utf-8"), ("border", "1")}


def test_markdown_keeps_its_tables_whatever_is_in_them() -> None:
    for text in (TEXTS["text/markdown"].decode(), as_markdown("a", HOSTILE).decode()):
        rows = [line for line in text.splitlines() if line.startswith("|")]
        widths = [len(re.findall(r"(?<!\\)\|", line)) for line in rows]
        heads = [place for place, line in enumerate(rows) if line.startswith("| ---")]
        assert heads
        for place, following in zip(heads, [*heads[1:], len(rows) + 1], strict=True):
            assert len(set(widths[place - 1 : following - 1])) == 1
    assert "<script>" not in as_markdown("a", HOSTILE).decode().replace(r"\<script\>", "")


def test_json_holds_every_cell() -> None:
    (section,) = json.loads(as_json("a", HOSTILE))["sections"]
    assert section["tables"][0]["rows"] == [["<b>g\n|", "*h*"]]


def test_the_command_prints_it_without_an_archive() -> None:
    printed = commanding.leadglass("conformance")
    assert (printed.code, printed.out.splitlines()[0]) == (0, f"# {TITLE}")
    assert commanding.leadglass("conformance", "--json").json == json.loads(TEXTS["application/json"])

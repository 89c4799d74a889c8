"""Entries of the journal as text to take away: JSON Lines, CSV for spreadsheets, audit messages of PS3.15 A.5."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from enum import Enum
from html import escape
from typing import Final

from leadglass.core.audit import JournalBook, JournalEntry, JournalFilter

COLUMNS: Final = ("time", "kind", "what", "principal", "address", "outcome", "details", "file", "sequence")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would reckon with what begins so
_XML_HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n<AuditMessages>\n'
_PIECE: Final = 200  # entries


class ExportForm(Enum):
    """In which form, by the ending of its file."""

    JSON_LINES = "jsonl"
    CSV = "csv"
    AUDIT_MESSAGES = "xml"


def exported(book: JournalBook, wanted: JournalFilter, form: ExportForm) -> Iterator[str]:
    """The text, in pieces. Behind the entries it says of which files some may be missing, if any are damaged."""
    head, foot, line, told = _FORMS[form]
    damage: list[str] = []
    piece = [head]
    for entry in book.entries(wanted, damage.append):
        piece.append(line(book, entry))
        if len(piece) >= _PIECE:
            yield "".join(piece)
            piece = []
    yield "".join((*piece, *map(told, damage), foot))


def _json_line(book: JournalBook, entry: JournalEntry) -> str:
    return json.dumps(book.document(entry)) + "\n"


def _xml(book: JournalBook, entry: JournalEntry) -> str:
    return book.audit_message(entry) + "\n"


def _csv_line(book: JournalBook, entry: JournalEntry) -> str:
    plain = {**book.document(entry)}
    plain["details"] = " ".join(f"{key}={value}" for key, value in plain["details"].items())
    return _row(tuple(_cell(str(plain[column])) for column in COLUMNS))


def _cell(text: str) -> str:
    """What peers chose stays text where a spreadsheet opens it."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _row(cells: tuple[str, ...]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def _json_damage(problem: str) -> str:
    return json.dumps({"damaged": problem}) + "\n"


def _csv_damage(problem: str) -> str:
    return _row(("", "damaged", _cell(problem)))


def _xml_damage(problem: str) -> str:
    return f"<!-- damaged: {escape(problem).replace('--', '- -')} -->\n"


_FORMS: Final = {
    ExportForm.JSON_LINES: ("", "", _json_line, _json_damage),
    ExportForm.CSV: (_row(COLUMNS), "", _csv_line, _csv_damage),
    ExportForm.AUDIT_MESSAGES: (_XML_HEAD, "</AuditMessages>\n", _xml, _xml_damage),
}

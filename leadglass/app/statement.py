"""A statement: sections with sentences and tables, as Markdown, as HTML, or as JSON. What is said is not known here."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Final

_ESCAPED: Final = str.maketrans({character: f"\\{character}" for character in "\\`*_[]<>|#"})


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of as many cells as there are columns."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, what stands below it, and the sections within."""

    title: str
    text: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    sections: tuple[Section, ...] = ()


Numbered = tuple[str, int, Section]  # "4.2", its depth from 2, and the section


def numbered(sections: Sequence[Section], above: str = "", depth: int = 2) -> Iterator[Numbered]:
    """Every section in order, with its number."""
    for place, section in enumerate(sections, 1):
        number = f"{above}{place}"
        yield number, depth, section
        yield from numbered(section.sections, f"{number}.", depth + 1)


def as_json(title: str, sections: Sequence[Section]) -> bytes:
    """The statement as one JSON object."""
    document = {"title": title, "sections": [asdict(section) for section in sections]}
    return json.dumps(document, ensure_ascii=False).encode()


def as_markdown(title: str, sections: Sequence[Section]) -> bytes:
    """The statement in CommonMark with tables."""
    lines = [f"# {_markdown(title)}", ""]
    for number, depth, section in numbered(sections):
        lines += [f"{'#' * min(depth, 6)} {number} {_markdown(section.title)}", ""]
        for sentence in section.text:
            lines += [_markdown(sentence), ""]
        for table in section.tables:
            lines += [f"**{_markdown(table.title)}**", "", *_markdown_rows(table), ""]
    return "\n".join(lines).encode()


def as_html(title: str, sections: Sequence[Section]) -> bytes:
    """The statement as a page that needs nothing else: no script, no style, no address."""
    name = html.escape(title)
    lines = ['<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8">']
    lines.append(f"<title>{name}</title></head>\n<body>\n<h1>{name}</h1>")
    for number, depth, section in numbered(sections):
        level = min(depth, 6)
        lines.append(f"<h{level}>{number} {html.escape(section.title)}</h{level}>")
        lines += [f"<p>{html.escape(sentence)}</p>" for sentence in section.text]
        for table in section.tables:
            lines.append(f'<table border="1"><caption>{html.escape(table.title)}</caption>')
            lines.append(_html_row("th", table.columns))
            lines += [_html_row("td", row) for row in table.rows]
            lines.append("</table>")
    return "\n".join([*lines, "</body>\n</html>\n"]).encode()


def _markdown(text: str) -> str:
    return " ".join(text.split()).translate(_ESCAPED)


def _markdown_rows(table: Table) -> Iterator[str]:
    yield _markdown_row(table.columns)
    yield _markdown_row(["---"] * len(table.columns), escaped=True)
    for row in table.rows:
        yield _markdown_row(row)


def _markdown_row(cells: Sequence[str], *, escaped: bool = False) -> str:
    return f"| {' | '.join(cell if escaped else _markdown(cell) for cell in cells)} |"


def _html_row(kind: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{kind}>{html.escape(cell)}</{kind}>' for cell in cells)}</tr>"

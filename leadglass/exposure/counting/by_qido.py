"""Asks for windows by QIDO-RS (PS3.18 10.6), page by page, over one connection as long as it lasts."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from leadglass.exposure.counting.rows import Answers, Ask, Row, date_of, hashed, modality_of, number_of, seconds_of
from leadglass.exposure.counting.windows import Window
from leadglass.exposure.http import Http
from leadglass.exposure.upper_layer import Ended

_PAGE = 500  # studies of one answer, and half as many after one that was longer than what is kept of a body
_FIELDS = "&".join(f"includefield={tag}" for tag in ("00080020", "00080030", "00080061", "00201206", "00201208"))


def by_qido(http: Http, root: str, secret: bytes, *, patients: bool) -> Ask:
    """To ask the service at `root`. Raises Ended where an answer is none."""

    size = _PAGE

    async def page(window: Window, limit: int, offset: int) -> tuple[list[Any], bool]:
        answer = await http.ask(_path(root, window, limit, offset), headers={"Accept": "application/dicom+json"})
        if answer.status == 204:
            return [], False
        told = None if answer.truncated else answer.json()
        if not answer.ok or not (answer.truncated or isinstance(told, list)):
            raise Ended(by_abort=False)
        return told or [], answer.truncated or "warning" in answer.headers

    async def ask(window: Window, cap: int) -> Answers:
        nonlocal size
        rows: list[Row] = []
        seen: set[bytes] = set()
        while len(rows) < cap:
            limit = min(size, cap - len(rows))
            told, more = await page(window, limit, len(rows))
            if more and not told:
                size = limit // 2
                if not size:
                    raise Ended(by_abort=False)
                continue
            new = [_row(entry, secret, patients=patients) for entry in told[:limit]]
            rows += new
            if len(told) < limit:
                return Answers(tuple(rows), whole=not more)
            if seen.issuperset(row.study for row in new):
                break  # the server knows no offset: the same page would come for ever
            seen.update(row.study for row in new)
        return Answers(tuple(rows), whole=False)

    return ask


def _path(root: str, window: Window, limit: int, offset: int) -> str:
    keys = [f"{name}={quote(value)}" for name, value in (
        ("StudyDate", window.dates), ("StudyTime", window.times), ("ModalitiesInStudy", window.modality)
    ) if value]  # fmt: skip
    return f"{root}/studies?" + "&".join([*keys, _FIELDS, f"limit={limit}", f"offset={offset}"])


def _row(entry: Any, secret: bytes, *, patients: bool) -> Row:
    if not isinstance(entry, dict):
        raise Ended(by_abort=False)

    def texts(tag: str) -> list[str]:
        found = entry.get(tag)
        values = found.get("Value") if isinstance(found, dict) else None
        return [str(value) for value in values[:16]] if isinstance(values, list) else []

    def text(tag: str) -> str:
        found = texts(tag)
        return found[0] if found else ""

    patient = text("00100020").strip(" \0")
    return Row(
        hashed(text("0020000D"), secret),
        date_of(text("00080020")),
        seconds_of(text("00080030")),
        tuple(modality_of(value) for value in texts("00080061") if value),
        number_of(text("00201206")),
        number_of(text("00201208")),
        hashed(f"{patient}\\{text('00100021')}", secret) if patients and patient else None,
    )

"""Asks for windows by QIDO-RS (PS3.18 10.6), page by page, over one connection as long as it lasts."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from leadglass.exposure.counting.rows import Answers, Ask, Row, date_of, hashed, modality_of, number_of, seconds_of
from leadglass.exposure.counting.windows import Window
from leadglass.exposure.http import Http
from leadglass.exposure.upper_layer import Ended

_PAGE = 500  # studies of one answer: below 1 MiB however long their descriptions are
_FIELDS = "&".join(f"includefield={tag}" for tag in ("00080020", "00080030", "00080061", "00201206", "00201208"))


def by_qido(http: Http, root: str, secret: bytes, *, patients: bool) -> Ask:
    """To ask the service at `root`. Raises Ended where an answer is none."""

    async def ask(window: Window, cap: int) -> Answers:
        rows: list[Row] = []
        while len(rows) < cap:
            limit = min(_PAGE, cap - len(rows))
            page = await http.ask(_path(root, window, limit, len(rows)), headers={"Accept": "application/dicom+json"})
            if page.status == 204:
                return Answers(tuple(rows), whole=True)
            told = page.json()
            if not page.ok or page.truncated or not isinstance(told, list):
                raise Ended(by_abort=False)
            rows += [_row(entry, secret, patients=patients) for entry in told[:limit]]
            if len(told) < limit:
                return Answers(tuple(rows), whole="warning" not in page.headers)
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

    patient = text("00100020")
    return Row(
        hashed(text("0020000D"), secret),
        date_of(text("00080020")),
        seconds_of(text("00080030")),
        tuple(modality_of(value) for value in texts("00080061") if value),
        number_of(text("00201206")),
        number_of(text("00201208")),
        hashed(f"{patient}\\{text('00100021')}", secret) if patients and patient else None,
    )

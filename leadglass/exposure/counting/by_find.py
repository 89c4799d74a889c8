"""Asks for windows by C-FIND, study root, over one association (PS3.4 C.6.2)."""

from __future__ import annotations

from leadglass.core.attributes import Attribute, AttributeSet
from leadglass.core.errors import LeadglassError
from leadglass.dicom.values import read_attributes, write_attributes
from leadglass.exposure.counting.rows import (
    Answers,
    Ask,
    Row,
    date_of,
    hashed,
    modality_of,
    number_of,
    seconds_of,
)
from leadglass.exposure.counting.windows import Window
from leadglass.exposure.upper_layer import Ended, Talk
from leadglass.wire.dimse.status import SUCCESS, is_pending
from leadglass.wire.ul.pdu import AcceptedContext

_LEVEL, _DATE, _TIME, _MODALITIES = 0x00080052, 0x00080020, 0x00080030, 0x00080061
_PATIENT_ID, _ISSUER, _STUDY = 0x00100020, 0x00100021, 0x0020000D
_SERIES_COUNT, _INSTANCE_COUNT = 0x00201206, 0x00201208


def by_find(talk: Talk, context: AcceptedContext, secret: bytes, *, patients: bool) -> Ask:
    """To ask over this association. Patients are told apart only if the scope allows it."""

    async def ask(window: Window, cap: int) -> Answers:
        keys = write_attributes(_keys(window, patients=patients), context.transfer_syntax, "")
        rows: list[Row] = []
        status = -1
        try:
            async for answer in talk.find(context, keys, limit=cap):
                status = answer.status
                if is_pending(status):
                    rows.append(_row(answer.identifier, context.transfer_syntax, secret, patients=patients))
        except Ended:
            if not rows:
                raise  # else what was answered counts, and the next question tells that the association is over
        return Answers(tuple(rows), whole=status == SUCCESS and len(rows) < cap)

    return ask


def _keys(window: Window, *, patients: bool) -> AttributeSet:
    def text(vr: str, value: str) -> Attribute:
        return Attribute(vr, (value,) if value else ())

    keys = {
        _DATE: text("DA", window.dates),
        _TIME: text("TM", window.times),
        _LEVEL: text("CS", "STUDY"),
        _MODALITIES: text("CS", window.modality),
        _STUDY: text("UI", ""),
        _SERIES_COUNT: text("IS", ""),
        _INSTANCE_COUNT: text("IS", ""),
    }
    if patients:
        keys |= {_PATIENT_ID: text("LO", ""), _ISSUER: text("LO", "")}
    return dict(sorted(keys.items()))


def _row(identifier: bytes, transfer_syntax: str, secret: bytes, *, patients: bool) -> Row:
    try:
        found = read_attributes(identifier, transfer_syntax, "")
    except LeadglassError:
        raise Ended(by_abort=False) from None  # what cannot be read cannot be counted
    patient = _text(found, _PATIENT_ID).strip(" \0")
    return Row(
        hashed(_text(found, _STUDY), secret),
        date_of(_text(found, _DATE)),
        seconds_of(_text(found, _TIME)),
        tuple(modality_of(value) for value in _texts(found, _MODALITIES) if value)[:16],
        number_of(_text(found, _SERIES_COUNT)),
        number_of(_text(found, _INSTANCE_COUNT)),
        hashed(f"{patient}\\{_text(found, _ISSUER)}", secret) if patients and patient else None,
    )


def _texts(attributes: AttributeSet, tag: int) -> tuple[str, ...]:
    attribute = attributes.get(tag)
    return tuple(value for value in attribute.values if isinstance(value, str)) if attribute else ()


def _text(attributes: AttributeSet, tag: int) -> str:
    texts = _texts(attributes, tag)
    return texts[0] if texts else ""

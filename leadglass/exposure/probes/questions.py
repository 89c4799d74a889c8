"""Whether a stranger's query is answered: for a study that does not exist, so that the answer holds nobody's data."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

from leadglass.core.attributes import Attribute, AttributeSet
from leadglass.dicom import uids
from leadglass.dicom.values import write_attributes
from leadglass.exposure.facts import Answer, Fact
from leadglass.exposure.site import Site
from leadglass.exposure.upper_layer import Ended, Talk
from leadglass.wire.dimse.status import SUCCESS, is_pending
from leadglass.wire.ul.pdu import AcceptedContext

_LEVEL = 0x00080052
_PATIENT_ID = 0x00100020
_STUDY_UID = 0x0020000D
_STEPS = 0x00400100  # Scheduled Procedure Step Sequence
_START_DATE = 0x00400002
_FAR_AWAY = "19000101"  # a day on which no procedure is scheduled

_NO_STUDIES = Fact("D08", Answer.NO, "No context for a query of studies was accepted.")
_NO_WORKLIST = Fact("D09", Answer.NO, "No context for the worklist was accepted.")
_ROOTS = (("study-root", uids.STUDY_ROOT_FIND), ("patient-root", uids.PATIENT_ROOT_FIND))


async def queries(site: Site, talk: Talk) -> AsyncIterator[Fact]:
    """D08 and D09, over an association that was accepted. Raises what `Talk` raises, after the facts that hold then."""
    yield await _study_query(site, talk)
    if talk.open:
        yield await _worklist_query(talk)


async def _study_query(site: Site, talk: Talk) -> Fact:
    for root, uid in _ROOTS:
        context = talk.context(uid)
        if context is not None:
            return await _ask("D08", talk, context, _made_up_study(site), {"roots": (root,)})
    return _NO_STUDIES


async def _worklist_query(talk: Talk) -> Fact:
    context = talk.context(uids.MODALITY_WORKLIST_FIND)
    if context is None:
        return _NO_WORKLIST
    step: AttributeSet = {_START_DATE: Attribute("DA", (_FAR_AWAY,))}
    return await _ask("D09", talk, context, {_STEPS: Attribute("SQ", (step,))}, {})


def _made_up_study(site: Site) -> AttributeSet:
    number = int.from_bytes(hashlib.blake2b(site.secret, digest_size=16).digest())  # as PS3.5 B.2
    return {
        _LEVEL: Attribute("CS", ("STUDY",)),
        _PATIENT_ID: Attribute("LO", ()),
        _STUDY_UID: Attribute("UI", (f"2.25.{number}",)),
    }


async def _ask(
    check: str, talk: Talk, context: AcceptedContext, keys: AttributeSet, values: dict[str, tuple[str, ...]]
) -> Fact:
    any_answer, status = False, SUCCESS
    try:
        async for answer in talk.find(context, write_attributes(keys, context.transfer_syntax, ""), limit=1):
            status = answer.status
            any_answer |= is_pending(status)
    except Ended as ended:
        if not any_answer:
            why = "The query was answered by an abort." if ended.by_abort else "The query was answered out of turn."
            return Fact(check, Answer.NO if ended.by_abort else Answer.UNKNOWN, why)
    if any_answer or status == SUCCESS:
        return Fact(check, Answer.YES, "", {**values, "status": status})
    return Fact(check, Answer.NO, "The query was refused.", {**values, "status": status})

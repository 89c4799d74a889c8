"""Gives a foreign archive of the laboratory what it is to hold: made-up studies without pixels, stored over DICOM."""

from __future__ import annotations

from collections.abc import Iterator

from leadglass.app.lab.holdings import CANARY, Holdings, Study
from leadglass.core.attributes import Attribute, AttributeSet
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.dicom import uids
from leadglass.dicom.values import write_attributes
from leadglass.net.proposals import association_request, propose_one
from leadglass.net.requestor import dial

_CLASS, _SYNTAX = uids.SECONDARY_CAPTURE_IMAGE, uids.EXPLICIT_VR_LE


async def fill(address: str, port: int, called: str, holdings: Holdings) -> None:
    """Store every instance. UNAVAILABLE if the archive does not take one."""
    contexts = propose_one([(_CLASS, (_SYNTAX,))])
    peer = await dial(address, port, association_request(called, "LABORATORY", contexts))
    context = peer.context_for(_CLASS, (_SYNTAX,))
    for study in holdings.studies:
        for uid, instance in _instances(study):
            answer = await peer.store(context, uid, write_attributes(instance, _SYNTAX, ""))
            if answer.status:
                comment = f"A server of the laboratory refused a study with 0x{answer.status:04X}."
                raise LeadglassError(ErrorCode.UNAVAILABLE, comment)
    await peer.release()


def _instances(study: Study) -> Iterator[tuple[str, AttributeSet]]:
    """SOP Instance UIDs and data sets of a study of one series."""
    for number in range(1, study.instances + 1):
        uid = f"{study.uid}.1.{number}"
        yield uid, _instance(study, uid, number)


def _instance(study: Study, uid: str, number: int) -> AttributeSet:
    return {
        0x00080016: Attribute("UI", (_CLASS,)),
        0x00080018: Attribute("UI", (uid,)),
        0x00080020: Attribute("DA", (study.date,)),
        0x00080030: Attribute("TM", (study.time,)),
        0x00080050: Attribute("SH", (f"{CANARY}A{study.number % 100}",)),
        0x00080060: Attribute("CS", (study.modality,)),
        0x00080090: Attribute("PN", (f"{CANARY}^Referrer",)),
        0x00081030: Attribute("LO", (f"{CANARY} of the invented knee",)),
        0x00100010: Attribute("PN", (f"{CANARY}^Invented{study.number}",)),
        0x00100020: Attribute("LO", (f"{CANARY}{study.number}",)),
        0x00100030: Attribute("DA", ("19000228",)),
        0x00100040: Attribute("CS", ("O",)),
        0x0020000D: Attribute("UI", (study.uid,)),
        0x0020000E: Attribute("UI", (f"{study.uid}.1",)),
        0x00200010: Attribute("SH", (f"S{study.number % 10000}",)),
        0x00200011: Attribute("IS", ("1",)),
        0x00200013: Attribute("IS", (str(number),)),
    }

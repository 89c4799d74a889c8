"""Which kinds of personal data are among the answers (P03). Only if the scope says `sample`, from ten answers at most.

Values are looked at in memory for presence and shape, and dropped; what is kept is "present in 7 of 10".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from leadglass.core.attributes import Attribute, AttributeSet
from leadglass.core.errors import LeadglassError
from leadglass.dicom import uids
from leadglass.dicom.values import read_attributes, write_attributes
from leadglass.exposure.asking import line, unknown_title
from leadglass.exposure.facts import Answer, Fact, Facts, Value
from leadglass.exposure.proposal import SYNTAXES
from leadglass.exposure.site import Probe, Site
from leadglass.exposure.upper_layer import Ended, Talk, associate, request
from leadglass.privacy.shapes import KINDS, NAMES, kinds_of
from leadglass.wire.dimse.status import is_pending
from leadglass.wire.ul.pdu import AcceptedContext, ProposedContext

_LEVEL, _STUDY = 0x00080052, 0x0020000D
_QUERY = (ProposedContext(1, uids.STUDY_ROOT_FIND, SYNTAXES), ProposedContext(3, uids.PATIENT_ROOT_FIND, SYNTAXES))
_VRS = {0x00100010: "PN", 0x00080090: "PN", 0x00100030: "DA", 0x00104000: "LT", 0x00080050: "SH", 0x00102154: "SH"}


async def _run(site: Site) -> Iterable[Fact]:
    if not site.scope.sample:
        return [Fact("P03", Answer.SKIPPED, "The scope does not allow kinds of personal data to be sampled.")]
    if not site.facts.yes("D08"):
        return [Fact("P03", Answer.SKIPPED, "Only answers of C-FIND are sampled.")]
    async with line(site, site.deadline()) as stream:
        talk = await associate(stream, request(unknown_title(site), site.scope.calling_title, _QUERY))
        context = None
        if isinstance(talk, Talk):
            context = talk.context(uids.STUDY_ROOT_FIND) or talk.context(uids.PATIENT_ROOT_FIND)
        if not isinstance(talk, Talk) or context is None:
            return [Fact("P03", Answer.UNKNOWN, "The association for the sample was not accepted.")]
        try:
            fact = await _sampled(talk, context, site.scope.sample)
        except Ended:
            return [Fact("P03", Answer.UNKNOWN, "The association ended before the sample was taken.")]
        await talk.abort()  # the peer may hold thousands of answers more
    return [fact]


async def _sampled(talk: Talk, context: AcceptedContext, sample: int) -> Fact:
    found: Counter[str] = Counter()
    looked = 0
    async for answer in talk.find(context, write_attributes(_keys(), context.transfer_syntax, ""), limit=sample):
        if not is_pending(answer.status):
            break
        try:
            found.update(kinds_of(_values(read_attributes(answer.identifier, context.transfer_syntax, ""))))
        except LeadglassError:
            return Fact("P03", Answer.UNKNOWN, "An answer could not be read.")
        looked += 1
        if looked == sample:
            break
    kinds = tuple(name for name in NAMES if found[name])
    values: dict[str, Value] = {"kinds": kinds, "present": tuple(found[name] for name in kinds), "sampled": looked}
    return Fact("P03", Answer.YES if kinds else Answer.NO, "", values)


def _keys() -> AttributeSet:
    asked = {tag: Attribute(_VRS.get(tag, "LO"), ()) for tag in KINDS}
    asked |= {_LEVEL: Attribute("CS", ("STUDY",)), _STUDY: Attribute("UI", ())}
    return dict(sorted(asked.items()))


def _values(attributes: AttributeSet) -> dict[int, str]:
    return {
        tag: str(attributes[tag].values[0])
        for tag in KINDS
        if tag in attributes and attributes[tag].values and isinstance(attributes[tag].values[0], str)
    }


def _wanted(facts: Facts) -> bool:
    return facts.yes("D08") or facts.yes("W01")


PROBE = Probe("kinds", ("P03",), _wanted, _run)

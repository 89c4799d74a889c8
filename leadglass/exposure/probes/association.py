"""One association with titles that nobody agreed on: who is let in, what is offered, is an echo or a query answered.

At most one connection in plain text, and one in TLS where the first did not speak DICOM.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from leadglass.dicom import uids
from leadglass.exposure.asking import line, unknown_title
from leadglass.exposure.facts import Answer, Fact, Facts, technical
from leadglass.exposure.fingerprints import product_of
from leadglass.exposure.probes.questions import queries
from leadglass.exposure.proposal import EVERYTHING, GETS, MOVES, OTHERS, QUERIES, STORES
from leadglass.exposure.site import Probe, Site
from leadglass.exposure.streams import Reason, Stream, Unreachable
from leadglass.exposure.upper_layer import Agreement, Ended, Request, Silence, Talk, associate, request
from leadglass.wire.ul.pdu import Abort, AssociateRJ

_CONTENT = ("D06", "D07", "D08", "D09", "D10", "D11", "D12", "D13")
CHECKS = ("D01", "D02", "D03", "D04", *_CONTENT, "D16", "M01")
_PLAIN_ENDS = (Reason.RESET, Reason.TIMEOUT)  # what a server that wants TLS may do with a plain request


async def _run(site: Site) -> Iterable[Fact]:
    asked = request(unknown_title(site), site.scope.calling_title, EVERYTHING)
    facts, silence = await _over(site, asked, tls=False)
    if silence is None:
        return facts
    try:
        secured, still = await _over(site, asked, tls=True)
    except Unreachable as ended:
        if ended.reason is Reason.STOPPED:
            raise
        return facts
    return facts if still is not None else secured


async def _over(site: Site, asked: Request, *, tls: bool) -> tuple[list[Fact], Reason | Silence | None]:
    """Facts by this way, and why DICOM was not spoken on it, None if it was."""
    deadline = site.deadline()
    try:
        async with line(site, deadline, tls=tls) as stream:
            return await _asked(site, stream, asked, tls=tls)
    except Unreachable as ended:
        if tls or ended.reason not in _PLAIN_ENDS:
            raise
        return _nothing("Nothing was said before the connection ended."), ended.reason


async def _asked(
    site: Site, stream: Stream, asked: Request, *, tls: bool
) -> tuple[list[Fact], Reason | Silence | None]:
    answer = await associate(stream, asked)
    if isinstance(answer, Silence):
        return _nothing(_SILENCES[answer]), answer
    public = site.service.public
    if isinstance(answer, Talk):
        return [*_spoken("associate-ac", public=public, tls=tls), *await _accepted(site, answer, asked)], None
    if isinstance(answer, AssociateRJ):
        return [*_spoken("associate-rj", public=public, tls=tls), *_rejected(answer)], None
    assert isinstance(answer, Abort)
    return [*_spoken("abort", public=public, tls=tls), *_aborted()], None


@lru_cache(maxsize=16)
def _spoken(pdu: str, *, public: bool, tls: bool) -> tuple[Fact, ...]:
    return (
        Fact("D01", Answer.YES, values={"pdu": pdu, "tls": tls}),
        Fact("D16", Answer.YES if public and not tls else Answer.NO),
    )


_SILENCES: Mapping[Silence, str] = {
    Silence.NOTHING: "The connection was closed without a word.",
    Silence.NOT_DICOM: "What came back is not DICOM.",
    Silence.MALFORMED: "What came back begins like DICOM and does not go on like it.",
}


def _nothing(why: str) -> list[Fact]:
    answer = Answer.NO if why == _SILENCES[Silence.NOT_DICOM] else Answer.UNKNOWN
    return [Fact("D01", answer, why), *(Fact(check, answer, why) for check in CHECKS if check != "D01")]


# --- refused ------------------------------------------------------------------------------------------------------

_TRANSIENT, _BY_USER = 2, 1  # result and source (PS3.8 table 9-21)
_CALLING, _CALLED = 3, 7


def _rejected(answer: AssociateRJ) -> list[Fact]:
    triple = {"result": answer.result, "source": answer.source, "reason": answer.reason}
    if answer.result == _TRANSIENT:
        why = "The association was refused for now, as busy servers do."
        return _refused(Answer.UNKNOWN, Answer.UNKNOWN, Answer.UNKNOWN, why, triple)
    by_user = answer.source == _BY_USER
    if by_user and answer.reason == _CALLED:
        return _refused(Answer.NO, Answer.YES, Answer.UNKNOWN, "The called AE title was refused.", triple)
    if by_user and answer.reason == _CALLING:
        why = "The calling AE title was refused; that may hide a check of the called one."
        return _refused(Answer.NO, Answer.UNKNOWN, Answer.YES, why, triple)
    return _refused(Answer.NO, Answer.UNKNOWN, Answer.UNKNOWN, "The association was refused.", triple)


def _refused(anybody: Answer, called: Answer, calling: Answer, why: str, triple: Mapping[str, int]) -> list[Fact]:
    return [
        Fact("D02", anybody, why),
        Fact("D03", called, why, triple),
        Fact("D04", calling, why, triple),
        *(Fact(check, anybody, why) for check in _CONTENT),
        Fact("M01", Answer.UNKNOWN, "Who refuses does not say what it is."),
    ]


def _aborted() -> list[Fact]:
    return _refused(Answer.NO, Answer.UNKNOWN, Answer.UNKNOWN, "The association was aborted instead of answered.", {})


# --- accepted -----------------------------------------------------------------------------------------------------

_ANYBODY = "An association with titles that nobody agreed on was accepted."
_NOT_ENFORCED = tuple(Fact(check, Answer.NO, _ANYBODY) for check in ("D03", "D04"))
_NOT_ASKED = tuple(
    Fact(check, Answer.UNKNOWN, "The association ended before it was asked.") for check in ("D06", "D08", "D09")
)


async def _accepted(site: Site, talk: Talk, asked: Request) -> list[Fact]:
    facts = Facts([_let_in(talk, asked), *_NOT_ENFORCED, *_agreed(talk.agreed)])
    facts.add(_NOT_ASKED)
    try:
        facts.add([await _echo(talk)])
        async for fact in queries(site, talk):
            facts.add([fact])
        await talk.release()
    except Ended:
        pass
    except Unreachable as ended:
        if ended.reason is Reason.STOPPED:
            raise
    return list(facts)


def _let_in(talk: Talk, asked: Request) -> Fact:
    values: dict[str, str | int] = {
        "called": asked.called,
        "calling": asked.form.calling,
        "contexts": len(talk.accepted),
        "max_pdu": talk.agreed.answer.user.max_pdu_length,
    }
    return Fact("D02", Answer.YES, _ANYBODY, values)


@lru_cache(maxsize=64)
def _agreed(agreed: Agreement) -> tuple[Fact, ...]:
    """What follows from the answer alone, whoever gave it."""
    return (*_offered(agreed), _product(agreed))


def _offered(agreed: Agreement) -> list[Fact]:
    accepted = {context.abstract_syntax for context in agreed.accepted.values()}

    def names(table: Mapping[str, str]) -> tuple[str, ...]:
        return tuple(name for name, uid in table.items() if uid in accepted)

    stores = names(STORES)
    others = tuple(name for name, group in OTHERS.items() if accepted & set(group))
    return [
        _listed("D07", "contexts", names(QUERIES)),
        _listed("D10", "roots", names(GETS)),
        _listed("D11", "roots", names(MOVES)),
        Fact("D12", _yes(stores), "", {"contexts": len(stores), "classes": stores}),
        _listed("D13", "services", others),
    ]


def _listed(check: str, name: str, found: tuple[str, ...]) -> Fact:
    return Fact(check, _yes(found), values={name: found})


def _yes(found: object) -> Answer:
    return Answer.YES if found else Answer.NO


def _product(agreed: Agreement) -> Fact:
    user = agreed.answer.user
    values: dict[str, str | tuple[str, ...]] = {
        "implementation_class": technical(user.implementation_class_uid),
        "implementation_version": technical(user.implementation_version_name),
    }
    product = product_of(user.implementation_class_uid, user.implementation_version_name)
    if product is not None:
        values |= {"product": product.name, "version": product.version, "evidence": ("implementation-class",)}
    return Fact(
        "M01", Answer.YES if product else Answer.UNKNOWN, "" if product else "It is not one that is known.", values
    )


async def _echo(talk: Talk) -> Fact:
    if talk.context(uids.VERIFICATION) is None:
        return Fact("D06", Answer.NO, "No context for verification was accepted.")
    return _echoed(await talk.echo())


@lru_cache(maxsize=16)
def _echoed(status: int) -> Fact:
    return Fact("D06", Answer.YES if status == 0 else Answer.NO, values={"status": status})


PROBE = Probe("association", CHECKS, lambda facts: True, _run)

"""What to ask for when opening an association: contexts in batches, roles, our identity (PS3.8 9.3.2, PS3.7 D.3.3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MAX_PDU_LENGTH, MAX_PRESENTATION_CONTEXTS
from leadglass.dicom import uids
from leadglass.wire.ul.pdu import AssociateRQ, ProposedContext, RoleSelection, UserIdentity, UserInformation

NATIVE_SYNTAXES = (uids.EXPLICIT_VR_LE, uids.IMPLICIT_VR_LE)


def propose(wanted: Iterable[tuple[str, Sequence[str]]]) -> list[tuple[ProposedContext, ...]]:
    """Contexts for (abstract syntax, transfer syntaxes) pairs, numbered 1, 3, 5..., as many batches as associations are
    needed: a batch has at most 128. A pair that is repeated is proposed once. Nothing wanted: no batch."""
    pairs = list(dict.fromkeys((abstract, tuple(syntaxes)) for abstract, syntaxes in wanted))
    starts = range(0, len(pairs), MAX_PRESENTATION_CONTEXTS)
    return [_numbered(pairs[start : start + MAX_PRESENTATION_CONTEXTS]) for start in starts]


def propose_whole(groups: Iterable[Sequence[tuple[str, Sequence[str]]]]) -> list[tuple[ProposedContext, ...]]:
    """The same for groups of pairs, none of which is divided between associations unless it is above 128 itself."""
    batches: list[list[tuple[str, Sequence[str]]]] = [[]]
    for group in groups:
        if len(batches[-1]) + len(group) > MAX_PRESENTATION_CONTEXTS:
            batches.append([])
        batches[-1].extend(group)
    return [contexts for batch in batches for contexts in propose(batch)]


def propose_one(wanted: Iterable[tuple[str, Sequence[str]]]) -> tuple[ProposedContext, ...]:
    """The same for a single association; USAGE if more than 128 contexts, or none, are wanted."""
    batches = propose(wanted)
    if len(batches) != 1:
        raise LeadglassError(ErrorCode.USAGE, "One association has from 1 to 128 presentation contexts.")
    return batches[0]


def each_syntax(sop_classes: Iterable[str], syntaxes: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Pairs for `propose` with a context of its own for each transfer syntax: the sender then chooses per instance."""
    return [(sop_class, (syntax,)) for sop_class in sop_classes for syntax in syntaxes]


def association_request(
    called: str,
    calling: str,
    contexts: tuple[ProposedContext, ...],
    *,
    receives: Iterable[str] = (),
    identity: UserIdentity | None = None,
) -> AssociateRQ:
    """An A-ASSOCIATE-RQ with our implementation identity. `receives` are the SOP classes to be SCP of, for C-GET."""
    user = UserInformation(
        max_pdu_length=MAX_PDU_LENGTH,
        implementation_class_uid=uids.IMPLEMENTATION_CLASS_UID,
        implementation_version_name=uids.IMPLEMENTATION_VERSION_NAME,
        roles=tuple(RoleSelection(sop_class, scu=False, scp=True) for sop_class in dict.fromkeys(receives)),
        identity=identity,
    )
    return AssociateRQ(called, calling, contexts, user)


def _numbered(pairs: Sequence[tuple[str, tuple[str, ...]]]) -> tuple[ProposedContext, ...]:
    return tuple(ProposedContext(2 * number + 1, *pair) for number, pair in enumerate(pairs))

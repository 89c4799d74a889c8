"""Asking whether a principal may. Doors hold no authority: a use case cannot be reached without passing here."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent, Outcome
from leadglass.core.listing import StudySearch
from leadglass.core.ports import Journal
from leadglass.core.principal import Principal, PrincipalKind, Right
from leadglass.core.query import Query, Selection

Args = ParamSpec("Args")
Result = TypeVar("Result")


class Gate:
    """Where every use case asks. A refusal is journalled before it is told."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def admit(self, principal: Principal, right: Right, use_case: str) -> None:
        """Return if `principal` has `right`; raise LeadglassError NOT_AUTHORISED otherwise."""
        if right in principal.rights:
            return
        self._refused(principal, right.value, use_case)
        raise LeadglassError(ErrorCode.NOT_AUTHORISED, f"This needs the right '{right.value}'.")

    def admit_owner(self, principal: Principal, owner: str, use_case: str) -> None:
        """Return if `principal` is the person whose account `owner` is; raise LeadglassError NOT_AUTHORISED
        otherwise."""
        if principal.kind is PrincipalKind.PERSON and owner and principal.name == owner:
            return
        self._refused(principal, "own account", use_case)
        raise LeadglassError(ErrorCode.NOT_AUTHORISED, "Only who has this account may do that, at the pages.")

    def _refused(self, principal: Principal, right: str, use_case: str) -> None:
        self._journal.record(
            JournalEvent(
                EventKind.SECURITY_ALERT,
                "right-refused",
                principal.name,
                principal.address,
                Outcome.SERIOUS_FAILURE,
                {"right": right, "use_case": use_case},
            )
        )


class Gated(Protocol):
    """What a class of use cases must have."""

    @property
    def gate(self) -> Gate:
        """Where its use cases ask."""
        ...


Host = TypeVar("Host", bound=Gated)


def _narrowed(principal: Principal, value: Any) -> Any:
    """`value`; a Query or Selection with the reach of `principal`, whatever reach it came with."""
    return replace(value, reach=principal.reach) if isinstance(value, Query | Selection | StudySearch) else value


@dataclass(frozen=True, slots=True)
class UseCase:
    """What a use case declares of itself: the right it needs and the event that covers it."""

    right: Right
    covered_by: EventKind


def use_case(
    right: Right, covered_by: EventKind
) -> Callable[
    [Callable[Concatenate[Host, Principal, Args], Result]], Callable[Concatenate[Host, Principal, Args], Result]
]:
    """Declare a method as a use case: it is entered only by principals that hold `right`.

    The check runs when the method is called, for coroutines and generators before their first step. Every Query,
    StudySearch and Selection among the arguments is given the principal's reach, so that no use case can forget it.
    """

    def declare(
        method: Callable[Concatenate[Host, Principal, Args], Result],
    ) -> Callable[Concatenate[Host, Principal, Args], Result]:
        @functools.wraps(method)
        def admitted(host: Host, principal: Principal, /, *args: Args.args, **kwargs: Args.kwargs) -> Result:
            host.gate.admit(principal, right, method.__qualname__)
            narrow = [_narrowed(principal, value) for value in args]
            return method(host, principal, *narrow, **{key: _narrowed(principal, kwargs[key]) for key in kwargs})

        admitted.declared = UseCase(right, covered_by)  # type: ignore[attr-defined]  # read by the services walk
        return admitted

    return declare

"""Use cases of a person on the own account: no right is needed for them, but to be that person, at the pages."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Concatenate, Final, ParamSpec, Protocol, TypeVar

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind
from leadglass.core.sessions import Audience
from leadglass.services.admit import Gate
from leadglass.services.sessions import Person, Sessions

Args = ParamSpec("Args")
Result = TypeVar("Result")

PROVE_AGAIN: Final = "Prove once more who you are, and try again."


class StaleProofError(LeadglassError):
    """It is too long ago that this person proved who it is; a sign-in that replaces the session mends it."""

    def __init__(self) -> None:
        super().__init__(ErrorCode.NOT_AUTHENTICATED, PROVE_AGAIN)


class OfPersons(Protocol):
    """What a class of such use cases must have."""

    @property
    def gate(self) -> Gate:
        """Where its use cases ask."""
        ...

    @property
    def people(self) -> Sessions:
        """Who tells whether a proof is fresh."""
        ...


Host = TypeVar("Host", bound=OfPersons)


@dataclass(frozen=True, slots=True)
class OwnUseCase:
    """What such a use case declares: whether it needs a fresh proof (Sessions.fresh), and the event that covers it."""

    fresh: bool
    covered_by: EventKind


def of_oneself(
    covered_by: EventKind, *, fresh: bool
) -> Callable[[Callable[Concatenate[Host, Person, Args], Result]], Callable[Concatenate[Host, Person, Args], Result]]:
    """Declare a method as a use case of a person on the own account. The check runs when it is called."""

    def declare(
        method: Callable[Concatenate[Host, Person, Args], Result],
    ) -> Callable[Concatenate[Host, Person, Args], Result]:
        @functools.wraps(method)
        def admitted(host: Host, person: Person, /, *args: Args.args, **kwargs: Args.kwargs) -> Result:
            at_pages = person.session.audience is Audience.PAGES and not person.session.share
            owner = person.account.name if at_pages and person.session.owner == person.account.name else ""
            host.gate.admit_owner(person.principal, owner, method.__qualname__)
            if fresh and not host.people.fresh(person):
                raise StaleProofError
            return method(host, person, *args, **kwargs)

        admitted.declared = OwnUseCase(fresh, covered_by)  # type: ignore[attr-defined]  # read by the services walk
        return admitted

    return declare

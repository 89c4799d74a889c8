"""Facts: what was seen, before anybody says what it means. They hold no patient's value, and their text is bounded.

`Fact.values` has the technical words of a service (product, versions, suites, counts), cleaned by `technical`. A
probe that needs a peer's text for anything else has no place to put it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeAlias

from leadglass.exposure.checks import CHECKS
from leadglass.exposure.service import Service

MAX_TEXT = 200  # characters of one technical word
MAX_LIST = 256  # entries of one list: more than the 128 contexts of an association

_NOTHING: Mapping[str, Any] = MappingProxyType({})

Value: TypeAlias = "str | int | bool | tuple[str, ...] | tuple[int, ...]"


class Answer(StrEnum):
    """The answer to a check. UNKNOWN is never "safe"; SKIPPED means that the scope did not allow the question."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "could-not-test"
    SKIPPED = "not-tested"


@dataclass(frozen=True, slots=True)
class Fact:
    """The answer to one check. `why` is a sentence of our own, never a peer's words.

    Raises ValueError if the check is not in the registry or a value is out of bounds.
    """

    check: str
    answer: Answer
    why: str = ""
    values: Mapping[str, Value] = field(default_factory=lambda: _NOTHING)

    def __post_init__(self) -> None:
        if self.check not in CHECKS:
            raise ValueError("a fact answers a check of the registry")
        if not self.values:
            object.__setattr__(self, "values", _NOTHING)
            return
        for value in self.values.values():
            _bounded(value)
        object.__setattr__(self, "values", MappingProxyType(dict(self.values)))

    @property
    def yes(self) -> bool:
        """Whether what was looked for is there."""
        return self.answer is Answer.YES


class Facts:
    """What is known of one service: at most one fact for a check, the last one said."""

    def __init__(self, facts: Iterable[Fact] = ()) -> None:
        self._by_check: dict[str, Fact] = {}
        self.add(facts)

    def add(self, facts: Iterable[Fact]) -> None:
        """Know these too."""
        for fact in facts:
            self._by_check[fact.check] = fact

    def __iter__(self) -> Iterator[Fact]:
        """In the order of the registry."""
        return (self._by_check[check] for check in CHECKS if check in self._by_check)

    def __contains__(self, check: str) -> bool:
        return check in self._by_check

    def get(self, check: str) -> Fact | None:
        """The fact for this check, if there is one."""
        return self._by_check.get(check)

    def yes(self, check: str) -> bool:
        """Whether the check was answered with yes."""
        fact = self._by_check.get(check)
        return fact is not None and fact.yes

    def value(self, check: str, name: str) -> Value | None:
        """A value of a fact, if there is one."""
        fact = self._by_check.get(check)
        return None if fact is None else fact.values.get(name)


@dataclass(frozen=True, slots=True)
class Observation:
    """What one audit saw of one service. Times are seconds since 1970, UTC."""

    service: Service
    started: float
    ended: float
    facts: tuple[Fact, ...]


def technical(text: str | bytes) -> str:
    """A peer's technical word as a fact may hold it: printable ASCII, other characters as `?`, at most 200."""
    words = text.decode("latin-1") if isinstance(text, bytes) else text
    return "".join(char if " " <= char <= "~" else "?" for char in words[:MAX_TEXT]).strip()


def to_plain(observation: Observation) -> dict[str, Any]:
    """For JSON: what `from_plain` reads."""
    service = observation.service
    return {
        "address": service.address,
        "port": service.port,
        "name": service.name,
        "started": observation.started,
        "ended": observation.ended,
        "facts": [
            {
                "check": fact.check,
                "answer": fact.answer.value,
                "why": fact.why,
                "values": {name: list(item) if isinstance(item, tuple) else item for name, item in fact.values.items()},
            }
            for fact in observation.facts
        ],
    }


def from_plain(plain: Mapping[str, Any]) -> Observation:
    """Back from JSON. Raises ValueError, KeyError or TypeError if it is not what `to_plain` makes."""
    facts = tuple(
        Fact(
            item["check"],
            Answer(item["answer"]),
            item["why"],
            {name: tuple(value) if isinstance(value, list) else value for name, value in item["values"].items()},
        )
        for item in plain["facts"]
    )
    service = Service(plain["address"], plain["port"], plain["name"])
    return Observation(service, plain["started"], plain["ended"], facts)


def _bounded(value: Any) -> None:
    if isinstance(value, tuple):
        if len(value) > MAX_LIST:
            raise ValueError("a list in a fact has at most 256 entries")
        for item in value:
            _bounded_item(item)
    else:
        _bounded_item(value)


def _bounded_item(item: Any) -> None:
    if isinstance(item, str):
        if len(item) > MAX_TEXT:
            raise ValueError("a text in a fact has at most 200 characters")
    elif not isinstance(item, int):
        raise ValueError("a value is a text, a number, yes or no, or a short list of them")

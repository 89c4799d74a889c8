"""What is so of each service of the laboratory: an audit that says otherwise is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field

from leadglass.exposure.findings import Rung


@dataclass(frozen=True, slots=True)
class Truth:
    """`rung` is how far a stranger gets. `findings` must be found; others may only be those of the line.

    `studies` and `images` are what is held (None: nothing can be counted); `exact` whether a count can be proven.
    """

    rung: Rung
    findings: frozenset[str] = field(default_factory=frozenset)
    studies: int | None = None
    images: int | None = None
    exact: bool = True
    product: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """One service of the laboratory."""

    name: str
    address: str
    port: int
    what: str
    truth: Truth


def says(*findings: str) -> frozenset[str]:
    """Finding ids."""
    return frozenset(findings)

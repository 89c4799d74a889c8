"""One audit: when, by which permission, and what was seen and judged. Ledger and reports are made of it."""

from __future__ import annotations

from dataclasses import dataclass

from leadglass.exposure.facts import Observation
from leadglass.exposure.findings import Assessment


@dataclass(frozen=True, slots=True)
class Result:
    """What was seen of one service, and what it means."""

    observation: Observation
    assessment: Assessment


@dataclass(frozen=True, slots=True)
class Audit:
    """`id` is made of the time it began and 4 random digits (`20261125T183000Z-9f3c`): sorts by time, safe as a name.

    `scope` is the SHA-256 of the scope file in hex, `title` what the scope calls itself. `addresses` and `ports` are
    how many of them the scope has, `contacted` how many addresses were asked, `unanswered` how many never said a word.
    `complete` is false if it was stopped before its end. Results are sorted by service.
    """

    id: str
    started: float
    ended: float
    scope: str
    title: str
    authorised_by: str
    contact: str
    addresses: int
    ports: tuple[int, ...]
    contacted: int
    unanswered: int
    complete: bool
    shard: tuple[int, int]  # this one (from 0), of how many
    results: tuple[Result, ...]

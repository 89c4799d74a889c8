"""The sums that pictures and notices are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from leadglass.exposure.audit import Audit, Result
from leadglass.exposure.changes import is_open
from leadglass.exposure.facts import Facts
from leadglass.exposure.findings import Rung
from leadglass.exposure.owners import Owner, Owners
from leadglass.exposure.reports.words import number_of

UNKNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Sums:
    """Over all services that are open to everybody; images are `Counter`s by country, organisation and network."""

    open_services: int
    untested: int
    studies: int
    images: int
    patients: int
    all_exact: bool
    by_country: Counter[str]
    by_organisation: Counter[str]
    by_network: Counter[str]
    kinds: Counter[str] = field(default_factory=Counter)
    sampled: bool = False

    @property
    def largest_ten(self) -> float:
        """Which share of all exposed images the ten largest organisations hold, 0 to 1."""
        total = sum(self.by_organisation.values())
        return sum(number for _, number in self.by_organisation.most_common(10)) / total if total else 0.0


def sums(results: Iterable[Result], owners: Owners) -> Sums:
    """Add up an audit, or one owner's part of it. Two ways into one archive are two services, and are both counted."""
    totals: Counter[str] = Counter()
    country: Counter[str] = Counter()
    organisation: Counter[str] = Counter()
    network: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    exact = True
    sampled = False
    for result in results:
        facts = Facts(result.observation.facts)
        totals["untested"] += result.assessment.rung is Rung.PORT_OPEN and "D01" in result.assessment.untested
        if not is_open(result):
            continue
        totals["open"] += 1
        for name in ("studies", "instances", "patients"):
            totals[name] += number_of(facts, name)
        exact = exact and facts.value("P01", "exactness") in (None, "exact")
        owner = owners.of(result.observation.service.address)
        images = number_of(facts, "instances")
        country[owner.country or UNKNOWN] += images
        organisation[owner.organisation or UNKNOWN] += images
        network[owner.network or UNKNOWN] += images
        named = facts.value("P03", "kinds")
        sampled = sampled or named is not None
        kinds.update(name for name in named if isinstance(name, str)) if isinstance(named, tuple) else None
    return Sums(
        totals["open"],
        totals["untested"],
        totals["studies"],
        totals["instances"],
        totals["patients"],
        exact,
        country,
        organisation,
        network,
        kinds,
        sampled,
    )


def by_owner(audit: Audit, owners: Owners) -> dict[Owner, list[Result]]:
    """The open services of each owner whose contact is known or not, in the order of the owners' names."""
    found: dict[Owner, list[Result]] = {}
    for result in audit.results:
        if is_open(result):
            owner = owners.of(result.observation.service.address, Facts(result.observation.facts))
            same = Owner("", owner.country, owner.organisation, owner.contact)
            found.setdefault(same, []).append(result)
    return dict(sorted(found.items(), key=lambda item: (item[0].organisation, item[0].contact)))

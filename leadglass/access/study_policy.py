"""Who may do what to which studies: one table. Pure.

A row says which rights somebody of that kind has at most, whether scopes choose among them, and which of the things
that were given make the reach. What is given and not named in the row counts for nothing.

| who           | rights at most                                     | chosen by | reach                             |
|---------------|----------------------------------------------------|-----------|-----------------------------------|
| system        | all                                                |           | all                               |
| operator      | all                                                |           | all                               |
| device        | echo store find retrieve commit receive            | enrolment | all                               |
| token         | echo find retrieve store delete administer journal | scopes    | unlimited lists grants            |
| openid        | echo find retrieve store delete administer journal | scopes    | unlimited lists institutions      |
|               |                                                    |           | referring grants                  |
| administrator | echo find retrieve store delete administer         |           | all                               |
| clinician     | find retrieve                                      |           | institutions referring grants     |
| technologist  | store find retrieve                                |           | institutions grants               |
| researcher    | none, until there is something de-identified       |           | nothing                           |
| auditor       | journal                                            |           | nothing                           |

`unlimited`: everything if it was given so (a token issued without a list, an entry that says so). `administer` and
`read-journal` are about the whole archive: whose rights are chosen by scopes has them only together with a reach of
everything. A device's rights are judged further by `access.policy`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from leadglass.core.principal import DEVICE_RIGHTS, Right
from leadglass.core.reach import EVERYTHING, NOTHING, Reach
from leadglass.core.tokens import Scope


class Who(Enum):
    """Kinds of principals, and the roles of people."""

    SYSTEM = "system"
    OPERATOR = "operator"
    DEVICE = "device"
    TOKEN = "token"  # noqa: S105 - a kind of principal
    OPENID = "openid"
    ADMINISTRATOR = "administrator"
    CLINICIAN = "clinician"
    TECHNOLOGIST = "technologist"
    RESEARCHER = "researcher"
    AUDITOR = "auditor"


class From(Enum):
    """What a reach is made of."""

    ALL = "all"  # everything, of itself
    UNLIMITED = "unlimited"  # everything, if it was given so
    LISTS = "lists"  # studies and patients it was made with
    INSTITUTIONS = "institutions"
    REFERRING = "referring"
    GRANTS = "grants"  # explicit grants to its name


@dataclass(frozen=True, slots=True)
class Given:
    """What somebody was given. `reach` may be EVERYTHING; names in it are normalised (core.reach)."""

    scopes: frozenset[Scope] = frozenset()
    enrolled: frozenset[Right] = frozenset()
    reach: Reach = NOTHING
    grants: Reach = NOTHING


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody may do, and to what."""

    rights: frozenset[Right]
    reach: Reach


class By(Enum):
    """What chooses among a row's rights."""

    ROLE = "role"
    SCOPES = "scopes"
    ENROLMENT = "enrolment"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    rights: frozenset[Right]
    chosen: By
    reach: frozenset[From]


RIGHTS_OF_SCOPE: Final[Mapping[Scope, frozenset[Right]]] = {
    Scope.READ: frozenset({Right.ECHO, Right.FIND, Right.RETRIEVE}),
    Scope.STORE: frozenset({Right.ECHO, Right.STORE}),
    Scope.DELETE: frozenset({Right.DELETE}),
    Scope.ADMIN: frozenset({Right.ADMINISTER, Right.READ_JOURNAL}),
}
WHOLE_ARCHIVE: Final = frozenset({Right.ADMINISTER, Right.READ_JOURNAL})

_PROGRAM: Final = frozenset().union(*RIGHTS_OF_SCOPE.values())
_READ: Final = frozenset({Right.FIND, Right.RETRIEVE})
_ALL: Final = frozenset({From.ALL})

TABLE: Final[Mapping[Who, Row]] = {
    Who.SYSTEM: Row(frozenset(Right), By.ROLE, _ALL),
    Who.OPERATOR: Row(frozenset(Right), By.ROLE, _ALL),
    Who.DEVICE: Row(frozenset(DEVICE_RIGHTS), By.ENROLMENT, _ALL),
    Who.TOKEN: Row(_PROGRAM, By.SCOPES, frozenset({From.UNLIMITED, From.LISTS, From.GRANTS})),
    Who.OPENID: Row(
        _PROGRAM,
        By.SCOPES,
        frozenset({From.UNLIMITED, From.LISTS, From.INSTITUTIONS, From.REFERRING, From.GRANTS}),
    ),
    Who.ADMINISTRATOR: Row(_READ | {Right.ECHO, Right.STORE, Right.DELETE, Right.ADMINISTER}, By.ROLE, _ALL),
    Who.CLINICIAN: Row(_READ, By.ROLE, frozenset({From.INSTITUTIONS, From.REFERRING, From.GRANTS})),
    Who.TECHNOLOGIST: Row(_READ | {Right.STORE}, By.ROLE, frozenset({From.INSTITUTIONS, From.GRANTS})),
    Who.RESEARCHER: Row(frozenset(), By.ROLE, frozenset()),
    Who.AUDITOR: Row(frozenset({Right.READ_JOURNAL}), By.ROLE, frozenset()),
}


def decide(who: Who, given: Given) -> Decision:
    """Rights and reach of `who`, by the table."""
    row = TABLE[who]
    reach = _reach(row.reach, given)
    if row.chosen is By.ROLE:
        return Decision(row.rights, reach)
    if row.chosen is By.ENROLMENT:
        return Decision(row.rights & given.enrolled, reach)
    chosen = frozenset(right for scope in given.scopes for right in RIGHTS_OF_SCOPE[scope])
    barred = frozenset() if reach.everything else WHOLE_ARCHIVE
    return Decision((row.rights & chosen) - barred, reach)


def _reach(sources: frozenset[From], given: Given) -> Reach:
    if From.ALL in sources or (From.UNLIMITED in sources and given.reach.everything):
        return EVERYTHING
    found = given.grants if From.GRANTS in sources else NOTHING
    if From.LISTS in sources:
        found |= Reach(studies=given.reach.studies, patients=given.reach.patients)
    if From.INSTITUTIONS in sources:
        found |= Reach(institutions=given.reach.institutions)
    if From.REFERRING in sources:
        found |= Reach(referring=given.reach.referring)
    return found

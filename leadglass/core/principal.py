"""Who acts. Every public function of services takes a Principal first."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from leadglass.core.reach import EVERYTHING, Reach


class Right(Enum):
    """What somebody may do. Devices hold the first six; the others belong to people and programs."""

    ECHO = "echo"
    STORE = "store"
    FIND = "find"
    RETRIEVE = "retrieve"
    COMMIT = "commit"
    RECEIVE = "receive"
    DELETE = "delete"
    ADMINISTER = "administer"
    READ_JOURNAL = "read-journal"


DEVICE_RIGHTS = (Right.ECHO, Right.STORE, Right.FIND, Right.RETRIEVE, Right.COMMIT, Right.RECEIVE)


class PrincipalKind(Enum):
    """How a principal proved who it is."""

    DEVICE = "device"  # enrolled, matched by address, title and (where bound) certificate
    OPERATOR = "operator"  # a person with the archive's home and master key, at the command line
    PROGRAM = "program"  # an API token, or a bearer token of the configured OpenID provider
    PERSON = "person"  # an account, by a session in a browser
    SHARE = "share"  # a stranger with a share's link and passcode
    SYSTEM = "system"  # the archive itself: replay, jobs


@dataclass(frozen=True, slots=True)
class Principal:
    """Who acts, from where, with which rights. `reach` narrows what is read and written to some studies.

    `name` is a device's name, an operating-system account, a token's name, `subject@issuer`, an account's name,
    `share:` and its id, or a job.
    """

    kind: PrincipalKind
    name: str
    rights: frozenset[Right]
    address: str = ""
    ae_title: str = ""
    secured: bool = False
    institution: str = ""
    reach: Reach = EVERYTHING

    def may(self, right: Right) -> bool:
        """Whether `right` is among the principal's rights."""
        return right in self.rights


SYSTEM = Principal(PrincipalKind.SYSTEM, "leadglass", frozenset(Right))

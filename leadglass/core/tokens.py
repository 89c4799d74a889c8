"""What an administrator gives to programs and people: API tokens, and grants of single studies and patients."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from leadglass.core.reach import Reach


class Scope(Enum):
    """What a token is for. `access.study_policy` says which rights each of them means."""

    READ = "read"
    STORE = "store"
    DELETE = "delete"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token as it is kept: its text is not, only `digest`, an HMAC-SHA256 under the token key.

    Times are nanoseconds since the epoch, UTC; 0 means never. Without a list of studies or patients `reach` is
    EVERYTHING.
    """

    name: str
    scopes: frozenset[Scope]
    reach: Reach
    created: int
    created_by: str
    expires: int
    digest: bytes = field(repr=False)
    last_used: int = 0
    revoked: int = 0

    def valid_at(self, now: int) -> bool:
        """Whether it lets anybody in at `now`."""
        return not self.revoked and now < self.expires


@dataclass(frozen=True, slots=True)
class Grant:
    """A study, or a patient, that a principal of this name may see beyond what it sees anyway.

    `study_uid` or `patient_id` is given; an empty `issuer` stands for any.
    """

    principal: str
    study_uid: str = ""
    patient_id: str = ""
    issuer: str = ""
    granted: int = 0
    granted_by: str = ""


def reach_of(grants: Iterable[Grant]) -> Reach:
    """What `grants` add together."""
    listed = list(grants)
    return Reach(
        studies=frozenset(grant.study_uid for grant in listed if grant.study_uid),
        patients=frozenset((grant.issuer, grant.patient_id) for grant in listed if grant.patient_id),
    )

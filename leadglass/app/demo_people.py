"""People of the demo, one of each role: their passwords are made anew at each start, and printed then."""

from __future__ import annotations

import asyncio
import secrets
from typing import Final

from leadglass.app.archive import Archive
from leadglass.app.samples.patients import PATIENTS
from leadglass.core.accounts import Role
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import Principal
from leadglass.services.accounts import WantedAccount
from leadglass.services.sessions import Known
from leadglass.services.sign_in import SignedIn

SECOND_FACTOR: Final = "\n[accounts]\nsecond_factor = []            # a demo on one machine; leave this out elsewhere\n"
CHIEF: Final = "chief"
_PEOPLE: Final = (
    (CHIEF, "Demo Administrator", Role.ADMINISTRATOR),
    ("doctor", "Demo Clinician", Role.CLINICIAN),
    ("tech", "Demo Technologist", Role.TECHNOLOGIST),
    ("audit", "Demo Auditor", Role.AUDITOR),
)
INSTITUTION: Final = "Leadglass Demo"  # of the device that sends the samples
_PHYSICIANS: Final = tuple(patient.physician for patient in list(PATIENTS.values())[:8])
_WORDS: Final = (
    "amber birch canal delta ember fjord grove heron inlet juniper kelp larch meadow nectar orchid pebble quartz reed "
    "sorrel thistle umber violet willow yarrow zephyr bramble cedar dune estuary fern glacier harbour"
)


def passphrase() -> str:
    """Six words of 32 and six digits: 50 bits, for an archive of invented patients on loopback."""
    words = _WORDS.split()
    return "-".join([*(secrets.choice(words) for _ in range(6)), f"{secrets.randbelow(10**6):06}"])


def renew(archive: Archive, operator: Principal) -> dict[str, str]:
    """Every account of the demo with a new password; the names and the passwords."""
    return {name: asyncio.run(_renewed(archive, operator, name, display, role)) for name, display, role in _PEOPLE}


async def _renewed(archive: Archive, operator: Principal, name: str, display: str, role: Role) -> str:
    try:
        invitation = archive.accounts.reset(operator, name)
    except LeadglassError as error:
        if error.code is not ErrorCode.NOT_FOUND:
            raise
        invitation = archive.accounts.add(operator, _wanted(name, display, role))
    made = passphrase()
    step = await archive.sign_in.enrol(invitation.code, made, Known(operator.address))
    if isinstance(step, SignedIn):  # nobody holds the cookie: the session is of no use
        archive.accounts.end_sessions(operator, name)
    return made


def _wanted(name: str, display: str, role: Role) -> WantedAccount:
    """The clinician sees what some physicians asked for, the technologist all that the device sent."""
    return WantedAccount(
        name,
        display,
        frozenset({role}),
        institutions=(INSTITUTION,) if role is Role.TECHNOLOGIST else (),
        referring=_PHYSICIANS if role is Role.CLINICIAN else (),
    )

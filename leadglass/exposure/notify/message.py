"""One notice for each owner, with all of their services: as text and as a mail to send."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.headerregistry import Address as MailAddress
from email.message import EmailMessage
from email.policy import SMTP

from leadglass.exposure.audit import Audit, Result
from leadglass.exposure.facts import Facts
from leadglass.exposure.notify.languages import LANGUAGES, Words, language_of
from leadglass.exposure.owners import Owner, Owners
from leadglass.exposure.reports.summing import by_owner, sums
from leadglass.exposure.reports.words import number_of, product_and_version, worst_of

_MAIL = re.compile(r"(?:mailto:)?([A-Za-z0-9._%+-]{1,64})@([A-Za-z0-9.-]{1,190}\.[A-Za-z]{2,24})")
_KINDS = (
    ("read", ("read-exposure",)),
    ("worklist", ("worklist-exposure",)),
    ("files", ("listing-open",)),
    ("write", ("write-exposure",)),
)


@dataclass(frozen=True, slots=True)
class Message:
    """What one owner is told. `name` is safe as a file's name, `mail` where it goes ("" if that is not known)."""

    name: str
    owner: Owner
    language: str
    subject: str
    text: str
    mail: str
    services: tuple[str, ...]


def messages(audit: Audit, owners: Owners, language: str = "") -> list[Message]:
    """A message for each owner of something open; in `language`, or that of the owner's country."""
    return [
        _message(audit, owner, results, language or language_of(owner.country), number)
        for number, (owner, results) in enumerate(by_owner(audit, owners).items(), 1)
    ]


def as_mail(message: Message, sender: str) -> EmailMessage:
    """The message as RFC 5322 has it, ready to be sent, or as bytes to be opened (.eml)."""
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = message.subject
    if sender:
        mail["From"] = sender
    address = _MAIL.fullmatch(message.mail)
    if address:
        mail["To"] = MailAddress(username=address.group(1), domain=address.group(2))
    mail.set_content(message.text)
    return mail


def _message(audit: Audit, owner: Owner, results: Sequence[Result], language: str, number: int) -> Message:
    words = LANGUAGES[language]
    total = sums(results, Owners())
    persons = f"{total.patients:,}" if total.patients else words.unknown_number
    who = owner.organisation or owner.contact or results[0].assessment.service.address
    parts = [
        words.opening.format(organisation=who),
        words.why,
        "\n\n".join(_service(result, words, number) for number, result in enumerate(results, 1)),
        words.nothing_taken,
        words.law_eu.format(patients=persons, studies=f"{total.studies:,}"),
        words.law_us,
        words.next,
        words.closing.format(who=audit.authorised_by, contact=audit.contact),
    ]
    mail = owner.contact.removeprefix("mailto:") if _MAIL.fullmatch(owner.contact) else ""
    return Message(
        f"{number:03}-{_file_name(who)}",
        owner,
        language,
        words.subject.format(organisation=who),
        "\n\n".join(parts) + "\n",
        mail,
        tuple(result.assessment.service.label for result in results),
    )


def _service(result: Result, words: Words, number: int) -> str:
    facts = Facts(result.observation.facts)
    ids = {finding.id for finding in result.assessment.findings}
    kind = next((kind for kind, names in _KINDS if ids & set(names)), "other")
    product = product_and_version(facts)
    lines = [
        words.service.format(
            number=number,
            label=result.assessment.service.label,
            product=f"({product})" if product else "",
            what=words.findings[kind],
        ).replace("  ", " "),
        _exposed(facts, words),
        words.close.format(remedy=worst_of(result).close),
        words.seen.format(moment=_moment(result.observation.started)),
    ]
    return "\n".join(line for line in lines if line)


def _exposed(facts: Facts, words: Words) -> str:
    studies, images = number_of(facts, "studies"), number_of(facts, "instances")
    if not studies:
        return words.exposed_unknown
    patients = number_of(facts, "patients")
    return words.exposed.format(
        least="" if facts.value("P01", "exactness") == "exact" else words.at_least,
        studies=f"{studies:,}",
        images=f"{images:,}",
        patients=f"{patients:,}" if patients else words.unknown_number,
    )


def _file_name(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60] or "owner"


def _moment(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M")

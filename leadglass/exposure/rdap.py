"""Whose a network is, from answers of RDAP (RFC 9083) that the user has fetched. Nothing is fetched here."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from leadglass.exposure.facts import technical
from leadglass.exposure.owners import AddressFile, Owner, clean
from leadglass.exposure.scope import Network

MAX_FILE = 64 * 1024 * 1024  # bytes
_MAX_DEPTH = 4  # of entities within entities; registries have two
_MAX_NETWORKS = 256  # that a range may fall into: an IPv6 range has at most 254
_MAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")
_NOBODY = ("redacted", "privacy", "withheld", "disclosed", "noreply", "no-reply", "donotreply")  # placeholders
_ROLES = ("abuse", "technical", "administrative", "registrant")  # whom to write to, the best first
_NAMED = (
    "registrant",
    "administrative",
    "technical",
)  # by whom an organisation is named; abuse desks are others' often


def read_rdap(data: bytes) -> AddressFile:
    """Answers about networks: one, a list, or one in each line. ValueError if there is none in it."""
    if len(data) > MAX_FILE:
        raise ValueError("the file is too long")
    rows = [row for answer in _answers(data) for row in _rows(answer)]
    if not rows:
        raise ValueError("there is no RDAP answer about a network in it")
    return AddressFile(rows)


def _answers(data: bytes) -> Iterator[Mapping[str, Any]]:
    text = data.decode("utf-8-sig", "replace")
    try:
        try:
            documents = [json.loads(text)]
        except json.JSONDecodeError:
            documents = [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    for document in documents:
        for answer in document if isinstance(document, list) else [document]:
            if isinstance(answer, dict):
                yield answer


def _rows(answer: Mapping[str, Any]) -> list[tuple[Network, Owner]]:
    networks = _networks(answer)
    entities = list(_entities(answer, 0))
    country = answer.get("country")
    organisation = _first(_name(entity) for role in _NAMED for entity in entities if role in _roles(entity))
    contact = _first(_contact(entity) for role in _ROLES for entity in entities if role in _roles(entity))
    owner = (
        country.upper() if isinstance(country, str) and re.fullmatch(r"[A-Za-z]{2}", country) else "",
        organisation or clean(_text(answer.get("name"))),
        contact,
    )
    return [(network, Owner(str(network), *owner)) for network in networks]


def _networks(answer: Mapping[str, Any]) -> list[Network]:
    try:
        first, last = (ipaddress.ip_address(_text(answer.get(name))) for name in ("startAddress", "endAddress"))
        return list(islice(ipaddress.summarize_address_range(first, last), _MAX_NETWORKS))
    except (ValueError, TypeError):
        return []


def _entities(of: Mapping[str, Any], depth: int) -> Iterator[Mapping[str, Any]]:
    listed = of.get("entities")
    if not isinstance(listed, list) or depth == _MAX_DEPTH:
        return
    for entity in listed:
        if isinstance(entity, dict):
            yield entity
            yield from _entities(entity, depth + 1)


def _roles(entity: Mapping[str, Any]) -> list[Any]:
    roles = entity.get("roles")
    return roles if isinstance(roles, list) else []


def _name(entity: Mapping[str, Any]) -> str:
    """Of the organisation if it is told, else of whoever it is (RFC 6350: ORG, FN)."""
    return _first(clean(value) for key in ("org", "fn") for value in _card(entity, key) if not _placeholder(value))


def _contact(entity: Mapping[str, Any]) -> str:
    mails = (value.strip() for value in _card(entity, "email"))
    return _first(technical(mail) for mail in mails if _MAIL.fullmatch(mail) and not _placeholder(mail))


def _card(entity: Mapping[str, Any], key: str) -> Iterator[str]:
    """Values of a jCard (RFC 7095): ["vcard", [[name, parameters, type, value], ...]]."""
    card = entity.get("vcardArray")
    if not isinstance(card, list) or len(card) < 2 or not isinstance(card[1], list):
        return
    for entry in card[1]:
        if isinstance(entry, list) and len(entry) > 3 and entry[0] == key and isinstance(entry[3], str):
            yield entry[3]


def _placeholder(text: str) -> bool:
    return any(word in text.lower() for word in _NOBODY)


def _first(found: Iterator[str]) -> str:
    return next((text for text in found if text), "")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""

"""`[openid]` and `[[openid.grant]]`: the provider whose bearer tokens are taken, and what they give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leadglass.access.openid import ALGORITHMS, OpenIdEntry, OpenIdSettings
from leadglass.app.toml_tables import Tables
from leadglass.core.errors import LeadglassError
from leadglass.core.reach import EVERYTHING, Reach
from leadglass.core.tokens import Scope
from leadglass.dicom.names import name_groups, normalise_text
from leadglass.dicom.uids import is_valid_uid
from leadglass.net.documents import require_safe

_KEYS = {"issuer", "audience", "algorithm", "keys", "userinfo", "groups_claim", "grant", "people", "role"}
_LISTS = ("studies", "patients", "institutions", "referring")
_SCOPES = {scope.value: scope for scope in Scope}


def openid_of(tables: Tables, raw: Mapping[str, Any]) -> OpenIdSettings | None:
    """The provider, if there is one; LeadglassError USAGE for anything unknown, unsafe or without effect."""
    if "openid" not in raw:
        return None
    table = tables.table(raw, "openid")
    tables.only(table, _KEYS, "openid")
    algorithm = tables.text(table, "algorithm", "openid")
    if algorithm not in ALGORITHMS:
        raise tables.wrong("openid.algorithm", f"must be one of {', '.join(ALGORITHMS)}")
    entries = tuple(_entry(tables, item) for item in tables.tables(table, "grant"))
    if not entries and "people" not in table:
        raise tables.wrong("openid", "lets nobody in without an [[openid.grant]] or [openid.people]")
    return OpenIdSettings(
        issuer=_needed(tables, table, "issuer"),
        audience=_needed(tables, table, "audience"),
        algorithm=algorithm,
        keys_url=_address(tables, table, "keys"),
        userinfo_url=_address(tables, table, "userinfo") if "userinfo" in table else "",
        groups_claim=tables.text(table, "groups_claim", "openid", "groups"),
        entries=entries,
    )


def _needed(tables: Tables, table: Mapping[str, Any], key: str) -> str:
    text = tables.text(table, key, "openid")
    if not text.strip():
        raise tables.wrong(f"openid.{key}", "must not be empty")
    return text


def _address(tables: Tables, table: Mapping[str, Any], key: str) -> str:
    url = tables.text(table, key, "openid")
    try:
        require_safe(url)
    except LeadglassError:
        raise tables.wrong(f"openid.{key}", "must be an https address (http for loopback addresses only)") from None
    return url


def _entry(tables: Tables, raw: Mapping[str, Any]) -> OpenIdEntry:
    name = "openid.grant"
    tables.only(raw, {"scope", "group", "rights", "everything", "issuer", *_LISTS}, name)
    scope, group = tables.text(raw, "scope", name, ""), tables.text(raw, "group", name, "")
    if not scope and not group:
        raise tables.wrong(name, "must name a scope or a group; without either it would be for everybody")
    rights = tables.texts(raw, "rights", name)
    if not rights or not set(rights) <= _SCOPES.keys():
        raise tables.wrong(f"{name}.rights", f"must hold some of {', '.join(_SCOPES)}")
    scopes = frozenset(_SCOPES[text] for text in rights)
    return OpenIdEntry(scopes, _reach(tables, raw, name, scopes), scope, group)


def _reach(tables: Tables, raw: Mapping[str, Any], name: str, scopes: frozenset[Scope]) -> Reach:
    lists = {key: tables.texts(raw, key, name, []) for key in _LISTS}
    everything = tables.truth(raw, "everything", name, default=False)
    if everything is any(lists.values()):
        raise tables.wrong(name, f"must say either everything = true or some of {', '.join(_LISTS)}")
    if everything:
        return EVERYTHING
    if Scope.ADMIN in scopes:
        raise tables.wrong(f"{name}.rights", "can hold admin only with everything = true")
    if not all(is_valid_uid(uid) for uid in lists["studies"]):
        raise tables.wrong(f"{name}.studies", "must hold Study Instance UIDs")
    issuer = tables.text(raw, "issuer", name, "")
    return Reach(
        studies=frozenset(lists["studies"]),
        patients=frozenset((issuer, text.strip()) for text in lists["patients"]),
        institutions=frozenset(normalise_text(text) for text in lists["institutions"]),
        referring=frozenset(group for text in lists["referring"] for group in name_groups(text) if group),
    )

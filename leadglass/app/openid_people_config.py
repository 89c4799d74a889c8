"""`[openid.people]` and `[[openid.role]]`: how people sign in at the provider, and which roles its groups are."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leadglass.access.openid_people import PeopleSettings, RoleEntry
from leadglass.app.toml_tables import Tables
from leadglass.core.accounts import Role
from leadglass.core.errors import LeadglassError
from leadglass.dicom.names import name_groups, normalise_text
from leadglass.net.documents import require_safe

_NAME = "openid.people"
_KEYS = {"client_id", "secret_file", "authorization", "token", "scopes", "asks_second_factor"}
_ROLES = {role.value: role for role in Role}
_MAX_SECRET = 4096


def people_of(tables: Tables, outer: Mapping[str, Any]) -> PeopleSettings | None:
    """How people sign in, if they do; LeadglassError USAGE for anything unknown, unsafe or without effect."""
    if "openid" not in outer:
        return None
    raw = tables.table(outer, "openid")
    audience = tables.text(raw, "audience", "openid")
    entries = tuple(_entry(tables, item) for item in tables.tables(raw, "role"))
    if "people" not in raw:
        if entries:
            raise tables.wrong("openid.role", "means something with [openid.people] only")
        return None
    table = tables.table(raw, "people")
    tables.only(table, _KEYS, _NAME)
    if not entries:
        raise tables.wrong(_NAME, "lets nobody in without an [[openid.role]]")
    client_id = tables.text(table, "client_id", _NAME)
    if not client_id.strip() or client_id == audience:
        # A token that says who signed in must not be one that lets a program in.
        raise tables.wrong(f"{_NAME}.client_id", "must be given, and be another one than openid.audience")
    scopes = tuple(tables.texts(table, "scopes", _NAME, ["openid", "profile"]))
    if "openid" not in scopes or not all(scope and scope.isascii() and " " not in scope for scope in scopes):
        raise tables.wrong(f"{_NAME}.scopes", 'must hold "openid", and no blanks')
    return PeopleSettings(
        client_id,
        _address(tables, table, "authorization"),
        _address(tables, table, "token"),
        entries,
        _secret(tables, table),
        scopes,
        tables.truth(table, "asks_second_factor", _NAME, default=False),
    )


def _entry(tables: Tables, raw: Mapping[str, Any]) -> RoleEntry:
    name = "openid.role"
    tables.only(raw, {"group", "role", "institutions", "referring"}, name)
    group, role = tables.text(raw, "group", name), tables.text(raw, "role", name)
    if not group.strip():
        raise tables.wrong(f"{name}.group", "must be named; without a group it would be for everybody")
    if role not in _ROLES:
        raise tables.wrong(f"{name}.role", f"must be one of {', '.join(_ROLES)}")
    institutions = tables.texts(raw, "institutions", name, [])
    referring = [group for text in tables.texts(raw, "referring", name, []) for group in name_groups(text) if group]
    return RoleEntry(group, _ROLES[role], frozenset(map(normalise_text, institutions)), frozenset(referring))


def _address(tables: Tables, table: Mapping[str, Any], key: str) -> str:
    url = tables.text(table, key, _NAME)
    try:
        require_safe(url)
    except LeadglassError:
        raise tables.wrong(f"{_NAME}.{key}", "must be an https address (http for loopback addresses only)") from None
    return url


def _secret(tables: Tables, table: Mapping[str, Any]) -> str:
    """The client's secret, from a file that its owner alone reads; none for a public client (PKCE protects both)."""
    if "secret_file" not in table:
        return ""
    key, path = f"{_NAME}.secret_file", Path(tables.text(table, "secret_file", _NAME))
    if not path.is_absolute():
        raise tables.wrong(key, "must be an absolute path")
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise tables.wrong(key, "must be readable by its owner alone (chmod 600)")
            text = file.read(_MAX_SECRET + 1).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise tables.wrong(key, f"cannot be read ({type(error).__name__})") from None
    if not text or len(text) > _MAX_SECRET or not text.isprintable():
        raise tables.wrong(key, "must hold the client's secret and nothing else")
    return text

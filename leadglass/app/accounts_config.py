"""`[accounts]`: whose sign-in asks for a second factor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leadglass.access.accounts import AccountRules
from leadglass.app.toml_tables import Tables
from leadglass.core.accounts import Role

_ROLES = {role.value: role for role in Role}


def account_rules(tables: Tables, raw: Mapping[str, Any]) -> AccountRules:
    """The rules for accounts; without a table the usual ones."""
    table = tables.table(raw, "accounts", needed=False)
    tables.only(table, {"second_factor"}, "accounts")
    if "second_factor" not in table:
        return AccountRules()
    named = tables.texts(table, "second_factor", "accounts")
    if not set(named) <= _ROLES.keys():
        raise tables.wrong("accounts.second_factor", f"must hold some of {', '.join(_ROLES)}")
    return AccountRules(frozenset(_ROLES[name] for name in named))

"""Reading TOML tables strictly: anything unknown or of another kind is refused with the place where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leadglass.core.errors import ErrorCode, LeadglassError


class Tables:
    """Reads TOML tables; errors are LeadglassError USAGE and name the file and the key."""

    def __init__(self, where: str) -> None:
        self._where = where

    def wrong(self, key: str, what: str) -> LeadglassError:
        """The error for `key`: what it must be."""
        return LeadglassError(ErrorCode.USAGE, f"{self._where}: {key} {what}.")

    def only(self, table: Mapping[str, Any], known: set[str], name: str) -> None:
        """Refuse keys of `table` that are not in `known`."""
        for key in table:
            if key not in known:
                place = f"{name}.{key}" if name else key
                raise self.wrong(place, f"is not known; known here: {', '.join(sorted(known))}")

    def table(self, raw: Mapping[str, Any], key: str, *, needed: bool = True) -> Mapping[str, Any]:
        """The table `key`."""
        value = raw.get(key, None if needed else {})
        if not isinstance(value, dict):
            raise self.wrong(f"[{key}]", "is missing" if value is None else "must be a table")
        return value

    def tables(self, raw: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
        """The tables of an array of tables; empty if there is none."""
        value = raw.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.wrong(key, f"must be written as [[{key}]]")
        return value

    def truth(self, table: Mapping[str, Any], key: str, name: str, *, default: bool) -> bool:
        """A truth value."""
        value = table.get(key, default)
        if not isinstance(value, bool):
            raise self.wrong(f"{name}.{key}", "must be true or false")
        return value

    def text(self, table: Mapping[str, Any], key: str, name: str, default: str | None = None) -> str:
        """A text."""
        value = table.get(key, default)
        if not isinstance(value, str):
            raise self.wrong(f"{name}.{key}", "must be text")
        return value

    def texts(self, table: Mapping[str, Any], key: str, name: str, default: list[str] | None = None) -> list[str]:
        """A list of texts."""
        value = table.get(key, default)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.wrong(f"{name}.{key}", "must be a list of text")
        return value

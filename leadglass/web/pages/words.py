"""The words of the pages: one folder per language, one TOML file per area (`words/en/studies.toml`).

A further language is a further folder. Tests hold every language to the same keys and places.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

ENGLISH: Final = "en"


@cache
def languages() -> tuple[str, ...]:
    """The languages there are, English first."""
    found = sorted(item.name for item in (files(__package__) / "words").iterdir() if item.is_dir())
    return (ENGLISH, *(name for name in found if name != ENGLISH))


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """All words of a language by `area.key`, or `area.table.key`."""
    words: dict[str, str] = {}
    for item in (files(__package__) / "words" / language).iterdir():
        if item.name.endswith(".toml"):
            words |= _flat(item.name.removesuffix(".toml"), tomllib.loads(item.read_text("utf-8")))
    return words


def said(language: str, key: str, /, **values: object) -> str:
    """The words for `key` with `values` in their places; KeyError if there are none."""
    text = catalogue(language)[key]
    return text.format_map(values) if values else text


def chosen(accept_language: str, own: str = "") -> str:
    """The language to speak: the reader's own, else the first of the browser's that there is, else English."""
    known = languages()
    if own in known:
        return own
    wanted: list[tuple[float, int, str]] = []
    for number, item in enumerate(accept_language.lower().split(",")[:16]):
        name, _, parameter = item.strip().partition(";")
        try:
            quality = float(parameter.strip().removeprefix("q=") or 1)
        except ValueError:
            quality = 0.0
        wanted.append((-quality, number, name.partition("-")[0]))
    return next((name for quality, _, name in sorted(wanted) if name in known and quality < 0), ENGLISH)


def _flat(prefix: str, table: Mapping[str, Any]) -> dict[str, str]:
    words: dict[str, str] = {}
    for key, value in table.items():
        words |= _flat(f"{prefix}.{key}", value) if isinstance(value, dict) else {f"{prefix}.{key}": str(value)}
    return words

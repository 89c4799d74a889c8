"""The catalogues: every language says all of it, with the same places; and which one is spoken."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from leadglass.web import pages
from leadglass.web.pages.words import catalogue, chosen, languages, said

FOLDER = Path(pages.__file__).parent
USED = re.compile(r"\bt\('([a-z_.]+)'(?:\s*[,)])")


def places(text: str) -> set[str | None]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("language", languages())
def test_every_language_says_the_same_things(language: str) -> None:
    english, other = catalogue("en"), catalogue(language)
    assert english.keys() == other.keys()
    assert {key: places(text) for key, text in english.items()} == {key: places(text) for key, text in other.items()}
    assert all(text.strip() for text in other.values())


def test_there_is_italian() -> None:
    assert "it" in languages()


def test_templates_say_only_what_is_there() -> None:
    for template in (FOLDER / "templates").rglob("*.html"):
        for key in USED.findall(template.read_text("utf-8")):
            assert key in catalogue("en"), (template.name, key)


@pytest.mark.parametrize(
    ("header", "own", "language"),
    [
        ("", "", "en"),
        ("it-IT,it;q=0.9,en;q=0.8", "", "it"),
        ("fr-FR, it;q=0.5, en;q=0.7", "", "en"),
        ("it;q=0", "", "en"),
        ("it;q=nonsense,en", "", "en"),
        ("en", "it", "it"),
        ("en", "../../etc", "en"),
        ("," * 5000, "", "en"),
    ],
)
def test_the_language_is_the_readers(header: str, own: str, language: str) -> None:
    assert chosen(header, own) == language


def test_values_stand_in_their_places() -> None:
    assert "fire {x}" in said("en", "common.emergency", reason="fire {x}")

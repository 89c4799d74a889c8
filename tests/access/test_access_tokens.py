"""The text of a token: what scanners recognise, and what is refused without a look-up."""

from __future__ import annotations

import pytest

from leadglass.access.tokens import is_token_name, is_token_text, token_digest, token_text


def test_the_text_is_as_the_format_page_says() -> None:
    assert token_text(bytes(32)) == "lg_" + "A" * 43 + "0DofJ8"
    assert len(token_text(bytes(range(32)))) == 52


def test_a_token_is_known_by_its_checksum() -> None:
    text = token_text(bytes(range(32)))
    assert is_token_text(text)
    for place in range(len(text)):
        changed = text[:place] + ("B" if text[place] != "B" else "C") + text[place + 1 :]
        assert not is_token_text(changed)


@pytest.mark.parametrize("around", ["{}\n", "\n{}", " {}", "{}x", "{}\0", "LG_"])
def test_nothing_may_stand_around_it(around: str) -> None:
    assert not is_token_text(around.format(token_text(bytes(32))))


def test_the_digest_needs_the_key() -> None:
    text = token_text(bytes(32))
    assert token_digest(b"k" * 32, text) != token_digest(b"l" * 32, text)
    assert len(token_digest(b"k" * 32, text)) == 32


@pytest.mark.parametrize("name", ["", "a b", "a@b", "-x", "é", "x" * 65, "a/b", "operator:x", "leadglass", "a\n"])
def test_a_name_that_could_be_taken_for_another_is_none(name: str) -> None:
    assert not is_token_name(name)

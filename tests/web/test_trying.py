"""What use cases say of forms is said in every language: the sentences are those of the code, word for word."""

from __future__ import annotations

import re
from pathlib import Path

import leadglass
from leadglass.web.pages.words import catalogue

SOURCE = Path(leadglass.__file__).parent
SENTENCES = {key: text for key, text in catalogue("en").items() if key.startswith("sentences.")}

PLACE = re.compile(r"\{[^{}]*\}")


def test_every_sentence_is_one_of_the_codes() -> None:
    """So that one that was reworded there is not left behind here, untranslated."""
    rooms = [SOURCE / room for room in ("services", "access", "net", "web")]
    code = "\n".join(path.read_text("utf-8") for room in rooms for path in room.rglob("*.py"))
    said = re.sub(r'"\s*\n\s*f?"', "", code)  # literals that go on in the next line
    said = PLACE.sub("{}", said)
    missing = [text for text in SENTENCES.values() if PLACE.sub("{}", text) not in said]
    assert not missing

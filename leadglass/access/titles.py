"""Application Entity titles (PS3.5 6.2, VR AE): at most 16 characters of the default repertoire, without backslash."""

from __future__ import annotations

MAX_TITLE_LENGTH = 16


def plain_title(text: str) -> str:
    """`text` without outer spaces and NULs (PS3.8 9.3.2: outer spaces are not significant). Case stays."""
    return text.strip(" \0")


def is_valid_title(text: str) -> bool:
    """Whether `text` can be an AE title as it stands: 1 to 16 printable ASCII characters, no backslash, trimmed."""
    return (
        0 < len(text) <= MAX_TITLE_LENGTH
        and text == plain_title(text)
        and all(" " <= character <= "~" and character != "\\" for character in text)
    )

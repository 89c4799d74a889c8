"""What an account may be called, and what roles demand. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from leadglass.core.accounts import Account, Role

MAX_DISPLAY: Final = 128  # characters of a person's name
MAX_LABEL: Final = 64  # characters of what a passkey is called
MIN_REASON: Final = 10  # characters of the reason for breaking the glass: a word is none
MAX_REASON: Final = 500

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_OURS: Final = frozenset({"leadglass"})  # the archive itself, in the journal


@dataclass(frozen=True, slots=True)
class AccountRules:
    """`[accounts]` of the configuration: whose roles need a second factor beside the password."""

    second_factor: frozenset[Role] = frozenset({Role.ADMINISTRATOR})

    def demands_second(self, account: Account) -> bool:
        """Whether one of the account's roles needs a second factor."""
        return bool(account.roles & self.second_factor)


def is_account_name(name: str) -> bool:
    """Whether an account may have this name: it stands in journals, and must not look like another kind's."""
    return _NAME.fullmatch(name) is not None and name not in _OURS


def typed_name(text: str) -> str:
    """The account's name as somebody typed it; empty if it can be none."""
    name = text.strip().lower()
    return name if is_account_name(name) else ""


def is_display(text: str) -> bool:
    """Whether this can be shown as somebody's name."""
    return is_line(text, MAX_DISPLAY)


def is_line(text: str, longest: int) -> bool:
    """Whether `text` is a line of 1 to `longest` characters without blanks at its ends."""
    return 0 < len(text) <= longest and text.isprintable() and text == text.strip()

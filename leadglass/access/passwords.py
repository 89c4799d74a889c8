"""Passwords of people: which are taken (NIST SP 800-63B 5.1.1), and how they are kept (argon2id, RFC 9106).

A password is taken as it was typed, in one Unicode form (NFC, RFC 8265 4.2). There is no rule about kinds of
characters: length counts, and that it is not among those that everybody tries first.
"""

from __future__ import annotations

import importlib.resources
import re
import unicodedata
from functools import cache
from typing import Final

import argon2

from leadglass.core.errors import ErrorCode, LeadglassError

MIN_LENGTH: Final = 12  # characters
MAX_BYTES: Final = 256
_FEW: Final = 4  # characters around a common password that make it no better
_DIGITS_AROUND: Final = 8  # digits and signs around a common word, likewise: a date, an exclamation mark
_OURS: Final = "leadglass"
_LONGEST_UNIT: Final = 4  # what is repeated: abcabcabcabc

# RFC 9106 4, the second recommended option: 64 MiB, three passes, four lanes.
_HASHER: Final = argon2.PasswordHasher()
_RUNS: Final = ("0123456789" * 2, "abcdefghijklmnopqrstuvwxyz" * 2, "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop")
# What the password of somebody unknown is compared with: it costs the same, and nothing fits.
_NOBODYS: Final = (
    f"$argon2id$v=19$m={_HASHER.memory_cost},t={_HASHER.time_cost},p={_HASHER.parallelism}$" + "A" * 22 + "$" + "A" * 43
)
_ONE_WORD: Final = re.compile(r"[\W\d_]*([^\W\d_]+)[\W\d_]*")
_LETTERS: Final = str.maketrans("013457@$!", "oieastasi")


def prepared(password: str) -> str:
    """A password in the form that is hashed, however the keyboard made it."""
    return unicodedata.normalize("NFC", "".join(" " if unicodedata.category(c) == "Zs" else c for c in password))


def require_good(password: str, name: str) -> None:
    """LeadglassError USAGE, with the reason, if nobody should have this password on the account `name`."""
    password = prepared(password[: MAX_BYTES + 1])
    if len(password) < MIN_LENGTH:
        raise LeadglassError(ErrorCode.USAGE, f"A password has {MIN_LENGTH} characters at least.")
    if len(password.encode("utf-8", "replace")) > MAX_BYTES:
        raise LeadglassError(ErrorCode.USAGE, f"A password has {MAX_BYTES} bytes at most.")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in password):
        raise LeadglassError(ErrorCode.USAGE, "A password has no control characters.")
    plain = password.casefold()
    if _is_repeated(plain):
        raise LeadglassError(ErrorCode.USAGE, "A password is not a few characters again and again.")
    if any(word and len(plain) - len(word) * plain.count(word) <= _FEW for word in (name, _OURS)):
        raise LeadglassError(ErrorCode.USAGE, "A password is not the account's name with a little around it.")
    if is_common(plain):
        raise LeadglassError(ErrorCode.USAGE, "This password, or one like it, is among those that are tried first.")


def is_common(password: str) -> bool:
    """Whether a password in lower case is one that is tried first: from the list, a run of the keyboard, or one of
    these with at most four characters around it (a word: eight digits and signs), twice, or with digits for letters."""
    forms = {password, password.translate(_LETTERS)}
    forms |= {half for form in forms if (half := _half(form))}
    return any(_is_known_word(form) or any(_is_known(core) for core in _cores(form)) for form in forms)


def hash_password(password: str) -> str:
    """The form in which a password is kept. Takes 64 MiB and some tens of milliseconds."""
    return _HASHER.hash(prepared(password))


def password_fits(password: str, kept: str) -> bool:
    """Whether `password` is the one kept. Takes the same time where nothing is kept, and then fits never."""
    text = prepared(password[: MAX_BYTES + 1])
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        text = ""
    try:
        fits = _HASHER.verify(kept or _NOBODYS, text.encode("utf-8", "replace"))
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False
    return fits and bool(kept) and bool(text)


def should_rehash(kept: str) -> bool:
    """Whether a password is kept with parameters that are no longer ours."""
    return _HASHER.check_needs_rehash(kept)


def _is_repeated(text: str) -> bool:
    return any(text == (text[:unit] * len(text))[: len(text)] for unit in range(1, _LONGEST_UNIT + 1))


def _half(text: str) -> str:
    middle = len(text) // 2
    return text[:middle] if len(text) % 2 == 0 and text[:middle] == text[middle:] else ""


def _cores(text: str) -> list[str]:
    """`text` with up to four characters off its ends."""
    length = len(text)
    return [text[head : length - tail] for head in range(_FEW + 1) for tail in range(_FEW + 1 - head)]


def _is_known(text: str) -> bool:
    if any(text in run or text in run[::-1] for run in _RUNS):
        return True
    return len(text) >= MIN_LENGTH - _FEW and f"\n{text}\n" in _list()


def _is_known_word(text: str) -> bool:
    """Whether there is one common word in it, and digits and signs around."""
    found = _ONE_WORD.fullmatch(text)
    return found is not None and len(text) - len(found[1]) <= _DIGITS_AROUND and f"\n{found[1]}\n" in _list()


@cache
def _list() -> str:
    """The packaged list, a password a line, in lower case (see the notice beside it)."""
    text = (importlib.resources.files(__package__) / "common_passwords.txt").read_text("utf-8")
    return "\n" + text

"""National numbers of persons, each with its own check where it has one. A value is looked at and not kept.

A number without check digits (the US one) is taken only in its written form and ranges, so that a running number of a
hospital is not mistaken for it. Digits are those of ASCII: other scripts have digits too, which a check does not know.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

_SSN = re.compile(r"(\d{3})-(\d{2})-(\d{4})", re.ASCII)
_FISCAL = re.compile(r"[A-Z]{6}[\dLMNPQRSTUV]{2}[ABCDEHLMPRST][\dLMNPQRSTUV]{2}[A-Z][\dLMNPQRSTUV]{3}[A-Z]", re.ASCII)
_SPANISH = re.compile(r"([XYZ]?)(\d{7,8})([A-Z])", re.ASCII)
_NHS = re.compile(r"\d{3}[ -]\d{3}[ -]\d{4}", re.ASCII)
_ODD = dict(
    zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14,
         16, 10, 22, 25, 24, 23), strict=True)
)  # fmt: skip
_SPANISH_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"


def is_us_social_security(text: str) -> bool:
    """NNN-NN-NNNN in the ranges that were ever issued (SSA, POMS RM 10201.030)."""
    found = _SSN.fullmatch(text)
    if not found:
        return False
    area, group, serial = found.groups()
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def is_italian_fiscal_code(text: str) -> bool:
    """Codice fiscale with its check letter (D.M. 23/12/1976)."""
    if not _FISCAL.fullmatch(text):
        return False
    total = sum(_ODD[char] if place % 2 == 0 else _even(char) for place, char in enumerate(text[:15]))
    return chr(ord("A") + total % 26) == text[15]


def _even(char: str) -> int:
    return int(char) if char.isdigit() else ord(char) - ord("A")


def is_german_tax_number(text: str) -> bool:
    """Steuerliche Identifikationsnummer: eleven digits, ISO 7064 MOD 11,10, one digit twice or thrice in ten."""
    if len(text) != 11 or not _digits(text) or text[0] == "0":
        return False
    repeated = [text[:10].count(digit) for digit in set(text[:10])]
    if sorted(repeated)[-1] not in (2, 3) or sum(count > 1 for count in repeated) != 1:
        return False
    product = 10
    for char in text[:10]:
        total = (int(char) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(text[10])


def is_german_insured_number(text: str) -> bool:
    """Krankenversichertennummer: a letter, eight digits and a check digit (Luhn over the letter's number)."""
    if len(text) != 10 or not "A" <= text[0] <= "Z" or not _digits(text[1:]):
        return False
    digits = f"{ord(text[0]) - 64:02}{text[1:9]}"
    total = sum(sum(divmod(int(char) * (1 + place % 2), 10)) for place, char in enumerate(digits))
    return total % 10 == int(text[9])


def is_spanish_identity(text: str) -> bool:
    """DNI or NIE with its check letter (Real Decreto 1553/2005)."""
    found = _SPANISH.fullmatch(text)
    if not found:
        return False
    prefix, number, letter = found.groups()
    if len(number) != (7 if prefix else 8):
        return False
    return _SPANISH_LETTERS[int(f"{'XYZ'.find(prefix) if prefix else ''}{number}") % 23] == letter


def is_french_social_security(text: str) -> bool:
    """NIR: thirteen digits (2A and 2B for Corsica) and a key of two, 97 less the rest by 97 (INSEE)."""
    plain = text.replace(" ", "").replace("2A", "19").replace("2B", "18") if len(text) >= 15 else text
    if len(plain) != 15 or not _digits(plain) or plain[0] not in "12378":
        return False
    return 97 - int(plain[:13]) % 97 == int(plain[13:])


def is_uk_health_number(text: str) -> bool:
    """NHS number in its written form 999 999 9999, modulus 11 (NHS Data Dictionary)."""
    if not _NHS.fullmatch(text):
        return False
    digits = [int(char) for char in text if char.isdigit()]
    check = 11 - sum(digit * (10 - place) for place, digit in enumerate(digits[:9])) % 11
    return check != 10 and check % 11 == digits[9]


def is_swiss_insurance_number(text: str) -> bool:
    """AHV number 756.NNNN.NNNN.NC, EAN-13 check."""
    plain = text.replace(".", "")
    if len(plain) != 13 or not plain.startswith("756") or not _digits(plain):
        return False
    total = sum(int(char) * (3 if place % 2 else 1) for place, char in enumerate(plain[:12]))
    return (10 - total % 10) % 10 == int(plain[12])


NATIONAL_NUMBERS: Mapping[str, Callable[[str], bool]] = MappingProxyType(
    {
        "us-social-security": is_us_social_security,
        "it-fiscal-code": is_italian_fiscal_code,
        "de-tax": is_german_tax_number,
        "de-insured": is_german_insured_number,
        "es-identity": is_spanish_identity,
        "fr-social-security": is_french_social_security,
        "uk-health": is_uk_health_number,
        "ch-insurance": is_swiss_insurance_number,
    }
)


def looks_national(text: str) -> bool:
    """Whether a value has the form of any of them."""
    plain = text.strip().upper()
    return len(plain) <= 24 and any(check(plain) for check in NATIONAL_NUMBERS.values())


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()

"""Passwords that are refused, one-time passwords by the RFC's vectors, codes and tickets, limits on guessing."""

from __future__ import annotations

import argon2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass.access.accounts import is_account_name, typed_name
from leadglass.access.back_off import FIRST_WAIT, FREE_FAILURES, LONGEST_WAIT, SignInGuard
from leadglass.access.one_time import code_text, is_code, ticket, ticket_ends
from leadglass.access.passwords import hash_password, password_fits, require_good, should_rehash
from leadglass.access.totp import (
    provisioning_uri,
    recovery_codes,
    recovery_digest,
    secret_text,
    step_of,
    totp,
)
from leadglass.core.errors import ErrorCode, LeadglassError

KEY = b"k" * 32


@pytest.mark.parametrize(
    "password",
    [
        "tramonto viola sul lago",
        "correct horse battery",
        "kX9$mm2q!!zP",
        "пароль-наш-длинный",
        "x1y2z3w4-ab8",
        "🦊🐻🐼🐨🐯🦁🐮🐷🐸🐵🐔🐧",
    ],
)
def test_good_passwords_are_taken(password: str) -> None:
    require_good(password, "rossi")


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("", "12 characters"),
        ("elevenchars", "12 characters"),
        ("e\u0301" * 11, "12 characters"),  # eleven letters, however they are written
        ("xy7!" + "ä" * 130, "256 bytes"),
        ("x9" * 5_000_000, "256 bytes"),
        ("tramonto\x00viola", "control"),
        ("tramonto\nviola sul", "control"),
        ("\udcff" * 12, "control"),
        ("aaaaaaaaaaaa", "again and again"),
        ("abcabcabcabca", "again and again"),
        ("rossi-rossi1", "account's name"),
        ("Leadglass2026", "account's name"),
        ("password1234", "tried first"),
        ("Passw0rd!Passw0rd!", "tried first"),
        ("P@ssw0rd2026", "tried first"),
        ("qwertyuiop12", "tried first"),
        ("123456789012", "tried first"),
        ("098765432109", "tried first"),
        ("1qaz2wsx3edc", "tried first"),
        ("Margherita2024!", "tried first"),
        ("iloveyou!!!!", "tried first"),
    ],
)
def test_poor_passwords_are_refused_with_the_reason(password: str, why: str) -> None:
    with pytest.raises(LeadglassError, match=why) as error:
        require_good(password, "rossi")
    assert error.value.code is ErrorCode.USAGE


def test_a_password_fits_itself_however_the_keyboard_composed_it() -> None:
    kept = hash_password("caffè freddo lungo")
    assert kept.startswith("$argon2id$")
    assert password_fits("caffe\u0300 freddo lungo", kept)
    assert not password_fits("caffe freddo lungo", kept)
    assert not password_fits("", kept)
    assert not password_fits("", "")
    assert not password_fits("nobody", "")
    assert not password_fits("caffè freddo lungo", "not a hash")


def test_a_password_is_not_cut_before_it_is_compared() -> None:
    kept = hash_password("x9!" * 85)
    assert password_fits("x9!" * 85, kept)
    assert not password_fits("x9!" * 85 + "yy", kept)
    assert not password_fits("x9!" * 86, kept)


def test_parameters_that_grew_are_noticed() -> None:
    assert should_rehash(argon2.PasswordHasher(memory_cost=8192, time_cost=1).hash("x"))
    assert not should_rehash(hash_password("x"))


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_one_time_passwords_are_those_of_the_rfc(seconds: int, code: str) -> None:
    """RFC 6238 appendix B, SHA-1."""
    assert totp(b"12345678901234567890", seconds // 30, 8) == code
    assert totp(b"12345678901234567890", seconds // 30) == code[2:]


def test_a_code_is_good_for_a_step_around_now_and_once() -> None:
    secret = b"s" * 20
    assert step_of(secret, totp(secret, 100), 100 * 30, 0) == 100
    assert step_of(secret, totp(secret, 99), 100 * 30 + 29, 0) == 99
    assert step_of(secret, totp(secret, 101), 100 * 30, 0) == 101
    assert step_of(secret, totp(secret, 98), 100 * 30, 0) is None
    assert step_of(secret, totp(secret, 102), 100 * 30 + 29, 0) is None
    assert step_of(secret, totp(secret, 100), 100 * 30, 100) is None
    assert step_of(secret, totp(secret, 99), 100 * 30, 100) is None
    code = totp(secret, 100)
    assert step_of(secret, f" {code[:3]} {code[3:]} ", 100 * 30, 99) == 100


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "12345６", "-12345", "0x1234"])
def test_what_is_no_code_is_none(code: str) -> None:
    assert step_of(b"s" * 20, code, 3000, 0) is None


def test_without_a_secret_no_code_is_right() -> None:
    assert step_of(b"", totp(b"", 100), 3000, 0) is None


def test_what_an_app_is_told() -> None:
    uri = provisioning_uri(b"12345678901234567890", "rossi", "Leadglass")
    assert uri.startswith("otpauth://totp/Leadglass:rossi?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Leadglass")
    assert secret_text(b"12345678901234567890") == "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


def test_recovery_codes_have_no_look_alikes_and_are_read_however_they_are_typed() -> None:
    (code,) = recovery_codes([bytes(range(12))])
    (other,) = recovery_codes([bytes(range(20, 32))])
    assert len(code.replace("-", "")) == 12 and not set(code + other) & set("01IO")
    assert recovery_digest(KEY, "rossi", code) == recovery_digest(KEY, "rossi", f" {code.lower().replace('-', ' ')} ")
    assert recovery_digest(KEY, "rossi", code) != recovery_digest(KEY, "bianchi", code)
    assert recovery_digest(KEY, "rossi", code) != recovery_digest(b"o" * 32, "rossi", code)


def test_account_names() -> None:
    for good in ("rossi", "a", "7", "anna.rossi_2-x", "x" * 64):
        assert is_account_name(good)
    for bad in ("", "Rossi", "-x", ".x", "x" * 65, "a b", "a@b", "operator:root", "leadglass", "è", "rossi\n"):
        assert not is_account_name(bad)
    assert typed_name(" Rossi ") == "rossi" and typed_name("a b") == ""


def test_codes_have_256_bits() -> None:
    assert is_code(code_text(bytes(32))) and len(code_text(bytes(32))) == 43
    assert not is_code(code_text(bytes(32)) + "\n") and not is_code("é" * 43)


def test_a_ticket_is_good_for_its_purpose_until_its_end() -> None:
    text = ticket(KEY, "passkey", bytes(16), 1000)
    assert ticket_ends(KEY, "passkey", text, 999) == 1000
    assert ticket_ends(KEY, "passkey", text, 1000) is None
    assert ticket_ends(KEY, "openid", text, 999) is None
    assert ticket_ends(b"o" * 32, "passkey", text, 999) is None
    for changed in (text + "A", text[:-1], "", "é", text.swapcase(), text + "="):
        assert ticket_ends(KEY, "passkey", changed, 999) is None


@given(st.text(max_size=80))
def test_nothing_invented_is_a_ticket(text: str) -> None:
    assert ticket_ends(KEY, "passkey", text, 0) is None


def test_waiting_doubles_up_to_an_hour_and_is_forgotten_after_a_day() -> None:
    guard, now = SignInGuard(), 0.0
    for _ in range(FREE_FAILURES - 1):
        assert not guard.note_wrong("net", "rossi", now)
        assert not guard.puts_off("net", "rossi", now)
    assert guard.note_wrong("net", "rossi", now)
    wait = FIRST_WAIT
    for _ in range(20):
        assert guard.puts_off("elsewhere", "rossi", now + wait - 1)
        now += wait
        assert not guard.puts_off("elsewhere", "rossi", now)
        assert not guard.note_wrong("net", "rossi", now)
        wait = min(wait * 2, LONGEST_WAIT)
    now += 24 * 3600
    guard.note_wrong("net", "rossi", now)
    assert not guard.puts_off("net", "rossi", now)


def test_who_was_let_in_before_is_bound_by_its_own_failures_alone() -> None:
    guard = SignInGuard()
    guard.note_right("home", "rossi")
    for _ in range(FREE_FAILURES):
        guard.note_wrong("elsewhere", "rossi", 0.0)
    assert guard.puts_off("elsewhere", "rossi", 1.0) and guard.puts_off("third", "rossi", 1.0)
    assert not guard.puts_off("home", "rossi", 1.0)
    for _ in range(FREE_FAILURES):
        guard.note_wrong("home", "rossi", 1.0)
    assert guard.puts_off("home", "rossi", 2.0)


def test_counting_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadglass.access.back_off.MAX_COUNTS", 8)
    guard = SignInGuard()
    for number in range(100):
        guard.note_wrong(f"net{number}", f"name{number}", 0.0)
        guard.note_right(f"net{number}", f"other{number}")
    assert len(guard._failures) <= 8 and len(guard._proved) <= 8

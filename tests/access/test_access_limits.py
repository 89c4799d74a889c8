"""Guessing is bounded, and one misconfigured or hostile caller never locks out another device of its address."""

from __future__ import annotations

from leadglass.access import limits
from leadglass.access.limits import (
    GUESSING_SECONDS,
    MAX_REFUSED_TITLES,
    MAX_WRONG_PASSCODES,
    PASSCODE_SECONDS,
    DeviceAssociations,
    PasscodeGuard,
    TitleGuard,
)
from leadglass.access.passcodes import hash_passcode, passcode_fits


def test_one_wrong_title_again_and_again_locks_out_nobody() -> None:
    guard = TitleGuard()
    for number in range(10_000):
        guard.note_refused("10.0.0.1", "WRONG", float(number))
    assert not guard.puts_off("10.0.0.1", "CT1", 10_000.0)
    assert not guard.puts_off("10.0.0.1", "WRONG", 10_000.0)


def guessed(guard: TitleGuard, now: float = 0.0) -> None:
    for number in range(MAX_REFUSED_TITLES):
        guard.note_refused("10.0.0.1", f"GUESS{number}", now)


def test_who_guesses_is_put_off_right_or_wrong_but_proved_titles_and_others_go_on() -> None:
    guard = TitleGuard()
    guard.note_admitted("10.0.0.1", "CT1")
    guessed(guard)
    assert guard.puts_off("10.0.0.1", "MR1", 1.0)
    assert guard.puts_off("10.0.0.1", "GUESS1", 1.0)
    assert not guard.puts_off("10.0.0.1", "CT1", 1.0)
    assert not guard.puts_off("10.0.0.2", "MR1", 1.0)


def test_guessing_is_forgiven_after_its_time() -> None:
    guard = TitleGuard()
    guessed(guard)
    assert guard.puts_off("10.0.0.1", "MR1", GUESSING_SECONDS - 1)
    assert not guard.puts_off("10.0.0.1", "MR1", GUESSING_SECONDS)


def test_guards_remember_a_bounded_number_of_addresses_and_titles() -> None:
    guard = TitleGuard()
    for number in range(limits.MAX_ADDRESSES + 10):
        guard.note_refused(str(number), "X", 0.0)
        guard.note_admitted(str(number), "X")
        guard.note_refused("same", str(number), 0.0)
        guard.note_admitted("same", str(number))
    assert len(guard._refused) == len(guard._proved) == limits.MAX_ADDRESSES
    assert len(guard._refused["same"]) == MAX_REFUSED_TITLES
    assert len(guard._proved["same"]) == limits.MAX_ADDRESSES


def test_wrong_passcodes_block_that_device_from_that_address_for_a_while() -> None:
    guard = PasscodeGuard()
    for number in range(MAX_WRONG_PASSCODES):
        assert not guard.blocks("10.0.0.1", "ct1", float(number))
        guard.note_wrong("10.0.0.1", "ct1", float(number))
    assert guard.blocks("10.0.0.1", "ct1", 10.0)
    assert not guard.blocks("10.0.0.1", "mr1", 10.0)
    assert not guard.blocks("10.0.0.2", "ct1", 10.0)
    assert not guard.blocks("10.0.0.1", "ct1", PASSCODE_SECONDS)


def test_the_right_passcode_clears_earlier_mistakes() -> None:
    guard = PasscodeGuard()
    for number in range(MAX_WRONG_PASSCODES - 1):
        guard.note_wrong("10.0.0.1", "ct1", float(number))
    guard.note_right("10.0.0.1", "ct1")
    guard.note_wrong("10.0.0.1", "ct1", 20.0)
    assert not guard.blocks("10.0.0.1", "ct1", 21.0)


def test_associations_are_counted_per_device() -> None:
    held = DeviceAssociations()
    assert [held.take("ct1", 2) for _ in range(3)] == [True, True, False]
    assert held.take("mr1", 1)
    held.give_back("ct1")
    assert held.take("ct1", 2)


def test_passcodes_fit_only_themselves_and_garbage_fits_nothing() -> None:
    kept = hash_passcode("correct horse battery")
    assert kept.startswith("$argon2id$")
    assert passcode_fits(b"correct horse battery", kept)
    for given in (b"", b"correct horse batter", b"\xff\xfe", b"x" * 16_384):
        assert not passcode_fits(given, kept)
    assert not passcode_fits(b"x", "not a hash")

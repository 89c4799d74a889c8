"""Numbers with a sound check are known, the same with one digit off are not, and running numbers are none of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass.privacy.national_numbers import NATIONAL_NUMBERS, looks_national
from leadglass.privacy.shapes import kinds_of

# Examples of the issuers' own documents, or made up with a sound check.
SOUND = {
    "us-social-security": "219-09-9999",
    "it-fiscal-code": "RSSMRA85T10A562S",
    "de-tax": "86095742719",
    "de-insured": "A123456780",
    "es-identity": "12345678Z",
    "fr-social-security": "255081416802538",
    "uk-health": "943 476 5919",
    "ch-insurance": "756.9217.0769.85",
}


@pytest.mark.parametrize("name", NATIONAL_NUMBERS)
def test_a_sound_number_is_known_and_no_other_kind_takes_it(name):
    assert [kind for kind, check in NATIONAL_NUMBERS.items() if check(SOUND[name])] == [name]
    assert looks_national(f" {SOUND[name].lower()} ")


@pytest.mark.parametrize("name", [name for name in NATIONAL_NUMBERS if name != "us-social-security"])
def test_a_digit_off_is_none(name):
    text = SOUND[name]
    places = [place for place, char in enumerate(text) if char.isdigit()]
    wrong = [text[:place] + str((int(text[place]) + 1) % 10) + text[place + 1 :] for place in places]
    assert not any(NATIONAL_NUMBERS[name](other) for other in wrong)


@pytest.mark.parametrize(
    "text", ["000-12-3456", "666-12-3456", "900-12-3456", "123-00-4567", "123-45-0000", "123456789", ""]
)
def test_what_was_never_issued_is_no_social_security_number(text):
    assert not looks_national(text)


@given(st.integers(0, 10**9))
def test_a_running_number_is_none(number):
    assert not looks_national(f"{number:06}")


@given(st.text(max_size=40))
def test_any_text_has_an_answer(text):
    assert looks_national(text) in (True, False)


OTHER_DIGITS = str.maketrans("0123456789", "\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669")


@pytest.mark.parametrize("name", NATIONAL_NUMBERS)
def test_digits_of_another_script_are_no_number_and_no_error(name):
    text = SOUND[name]
    for place, char in enumerate(text):
        other = text[:place] + char.translate(OTHER_DIGITS) + text[place + 1 :]
        assert looks_national(other) == (other == text)


def test_kinds_are_told_by_attribute_and_shape():
    assert kinds_of({0x00100010: "Invented^Person", 0x00100030: "19560229", 0x00101000: "12345678Z"}) == {
        "name",
        "birth-date",
        "national-number",
    }
    assert kinds_of({0x00100010: "ANONYMOUS", 0x00100030: "19000101", 0x00100020: "", 0x00081030: "CT"}) == set()
    assert kinds_of({0x00101040: "Invented Street 7", 0x00081030: "knee after a fall from the roof"}) == {
        "address",
        "free-text",
    }

"""Names compare without regard to case, accents and width, in all three component groups."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass.dicom.names import name_groups, normalise_name, normalise_text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("MÜLLER^JÜRGEN", "muller^jurgen"),
        ("Großmann", "GROSSMANN"),
        ("Łukasz^Święch", "lukasz^swiech"),
        ("Bjørn^Åse", "BJORN^ASE"),
        ("Παπαδόπουλος^Γιώργος", "ΠΑΠΑΔΟΠΟΥΛΟΣ^ΓΙΩΡΓΟΣ"),
        ("Ёлкина^Йося", "елкина^иося"),
        ("İnci^Iğdır", "inci^igdir"),
        ("ﾔﾏﾀﾞ^ﾀﾛｳ", "ヤマダ^タロウ"),
        ("Ｙａｍａｄａ", "yamada"),
        ("مُحَمَّد", "محمد"),
        ("Nguyễn^Đức", "nguyen^duc"),
        ("DOE^JOHN^^^", "Doe^John"),
        ("Doe ^ John  Paul=", "DOE^JOHN PAUL"),
        ("e\u0301", "é"),
    ],
)
def test_the_same_name(one, other):
    assert normalise_name(one) == normalise_name(other)


@pytest.mark.parametrize(
    ("one", "other"), [("กา", "กิ"), ("が", "か"), ("山田", "山本"), ("Doe^John", "Doe John"), ("ก่า", "กา"), ("и", "е")]
)
def test_not_the_same_name(one, other):
    assert normalise_name(one) != normalise_name(other)


def test_three_groups():
    assert name_groups("Yamada^Tarou=山田^太郎=やまだ^たろう") == ("yamada^tarou", "山田^太郎", "やまだ^たろう")
    assert name_groups("=山田") == ("", "山田")
    assert name_groups("") == ()


def test_wildcards_stay_and_look_alikes_do_not_become_any():
    assert normalise_name("MÜL*^J?") == "mul*^j?"
    assert "*" not in normalise_name("＊")
    assert "^" not in normalise_text("＾")


@given(st.text(max_size=30))
def test_normalising_twice_changes_nothing(text):
    once = normalise_name(text)
    assert normalise_name(once) == once
    assert normalise_text(normalise_text(text)) == normalise_text(text)


@given(st.text(st.characters(categories=["Ll", "Lu"]), max_size=20))
def test_case_does_not_matter(text):
    assert normalise_name(text.upper().casefold()) == normalise_name(text.upper())

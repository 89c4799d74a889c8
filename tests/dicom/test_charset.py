"""Text survives every character set of the standard, hostile bytes never raise (adversarial C8), pydicom agrees."""

import pydicom.charset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass.core.errors import LeadglassError
from leadglass.dicom.charset import (
    can_encode,
    decode_checked,
    decode_text,
    encode_text,
    parse_specific_character_set,
)
from leadglass.dicom.charset_tables import BY_ESCAPE, SETS, STAND_ALONE

# PS3.5 annexes H, I, J, K and examples per single-byte set: (character sets, text, bytes of the standard or None)
EXAMPLES = [
    (
        ("ISO_IR 6", "ISO 2022 IR 87"),
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
        b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
    ),
    (
        ("ISO_IR 13", "ISO 2022 IR 87"),
        "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
        b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
    ),
    (
        ("ISO_IR 6", "ISO 2022 IR 149"),
        "Hong^Gildong=洪^吉洞=홍^길동",
        b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
    ),
    (
        ("ISO_IR 6", "ISO 2022 IR 58"),
        "Zhang^XiaoDong=张^小东=",
        b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
    ),
    (("ISO_IR 192",), "Wang^XiaoDong=王^小東", "Wang^XiaoDong=王^小東".encode()),
    (("GB18030",), "Wang^XiaoDong=王^小东", "Wang^XiaoDong=王^小东".encode("gb18030")),
    (("GBK",), "Wang^XiaoDong=王^小东", "Wang^XiaoDong=王^小东".encode("gbk")),
    (("ISO_IR 6", "ISO 2022 IR 159"), "丂^丄", None),
    (("ISO_IR 100",), "Äneas^Rüdiger", b"\xc4neas^R\xfcdiger"),
    (("ISO_IR 101",), "Wałęsa^Łukasz", None),
    (("ISO_IR 109",), "Ħaġar^Ċensu", None),
    (("ISO_IR 110",), "Ķēniņš", None),
    (("ISO_IR 126",), "Διονυσιος", b"\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2"),
    (("ISO_IR 127",), "قباني^لنزار", b"\xe2\xc8\xc7\xe6\xea^\xe4\xe6\xd2\xc7\xd1"),
    (("ISO_IR 138",), "שרון^דבורה", b"\xf9\xf8\xe5\xef^\xe3\xe1\xe5\xf8\xe4"),
    (("ISO_IR 144",), "Люкceмбypг", b"\xbb\xee\xda\x63\x65\xdc\xd1\x79\x70\xd3"),
    (("ISO_IR 148",), "Çavuşoğlu", b"\xc7avu\xfeo\xf0lu"),
    (("ISO_IR 166",), "นามสกุล", None),
    (("ISO_IR 203",), "Œuvre €", None),
    (("ISO_IR 100", "ISO 2022 IR 126", "ISO 2022 IR 144"), "Dionysios=Διονυσιος=Люкс Ä", None),
]


@pytest.mark.parametrize(("sets", "text", "raw"), EXAMPLES, ids=lambda v: "+".join(v) if isinstance(v, tuple) else None)
def test_examples_of_the_standard(sets, text, raw):
    written = encode_text(text, "PN", sets)
    if raw is not None:
        assert written == raw
    assert decode_checked(written, "PN", sets) == (text, True)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("sets", "text", "raw"), EXAMPLES, ids=lambda v: "+".join(v) if isinstance(v, tuple) else None)
def test_pydicom_reads_the_same(sets, text, raw):
    if "ISO_IR 203" in sets:  # newer than pydicom's table
        assert encode_text(text, "PN", sets) == text.encode("iso8859_15")
        return
    if "ISO 2022 IR 58" in sets:  # pydicom leaves the escapes in; the bytes are those of PS3.5 annex K
        return
    names = [s if i == 0 or s in STAND_ALONE else s.replace("ISO_IR", "ISO 2022 IR") for i, s in enumerate(sets)]
    encodings = pydicom.charset.convert_encodings(names)
    written = encode_text(text, "PN", sets)
    assert pydicom.charset.decode_bytes(written, encodings, {0x5C, 0x5E, 0x3D, 0x0D, 0x0A, 0x09, 0x0C}) == text


ALL_SETS = [("ISO_IR " + n,) for n in SETS if n not in {"58", "87", "149", "159"}]
ALL_SETS += [(s,) for s in STAND_ALONE] + [("ISO_IR 6", f"ISO 2022 IR {n}") for n in SETS]
ALL_SETS += [("ISO_IR 13", "ISO 2022 IR 87", "ISO 2022 IR 159"), tuple(f"ISO 2022 IR {n}" for n in SETS)]


@given(st.sampled_from(ALL_SETS), st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30))
def test_what_is_written_reads_back(sets, text):
    try:
        raw = encode_text(text, "LO", sets)
    except LeadglassError:
        assert not can_encode(text, sets)
        return
    assert can_encode(text, sets)
    assert decode_text(raw, "LO", sets) == text


alphabet = st.sampled_from("山田太郎やまだ洪吉洞홍길동张小东ÄöüŁęΔιоЖקבالนาﾔﾏ aZ^=\\€侮\r\n")


@given(st.sampled_from(ALL_SETS), st.text(alphabet, max_size=20))
def test_mixed_scripts_read_back(sets, text):
    if can_encode(text, sets, "PN"):
        assert decode_text(encode_text(text, "PN", sets), "PN", sets) == text


@given(
    st.binary(max_size=60)
    | st.lists(st.sampled_from([*BY_ESCAPE, b"\x1b", b"A", b"\xff", b"\\", b"^", b";3"])).map(b"".join),
    st.sampled_from(["PN", "LO", "LT", "UI", "CS"]),
    st.sampled_from(ALL_SETS),
)
def test_reading_never_raises(raw, vr, sets):
    text, clean = decode_checked(raw, vr, sets)
    assert isinstance(text, str)
    if "�" in text and b"\xef\xbf\xbd" not in raw:
        assert not clean


@pytest.mark.parametrize(
    ("raw", "sets"),
    [
        (b"\xc3\x28 overlong \xc0\xaf", ("ISO_IR 192",)),
        (b"\xc3\xb6", ("ISO_IR 6",)),
        (b"\x1b$X;3", ("ISO_IR 6", "ISO 2022 IR 87")),
        (b"\x1b", ("ISO_IR 6", "ISO 2022 IR 87")),
        (b"\x1b$B;", ("ISO_IR 6", "ISO 2022 IR 87")),
        (b"\x1b-F\xc4", ("ISO_IR 100",)),
        (b"\xff", ("ISO_IR 13",)),
    ],
)
def test_c8_lies_are_told(raw, sets):
    assert not decode_checked(raw, "LO", sets)[1]


def test_c8_an_overlong_slash_stays_no_slash():
    assert "/" not in decode_text(b"\xc0\xaf", "LO", ("ISO_IR 192",))


def test_the_first_set_is_active_again_behind_a_delimiter():
    sets = ("ISO_IR 100", "ISO 2022 IR 126")
    assert decode_text(b"\x1b-F\xc4^\xc4", "PN", sets) == "Δ^Ä"
    assert decode_text(b"\x1b-F\xc4\\\xc4", "LO", sets) == "Δ\\Ä"
    assert decode_text(b"\x1b-F\xc4\\\xc4", "LT", sets) == "Δ\\Δ"


def test_a_kanji_byte_that_looks_like_a_delimiter_is_none():
    sets = ("ISO_IR 6", "ISO 2022 IR 87")
    raw = encode_text("十", "PN", sets)
    assert raw == b"\x1b$B==\x1b(B"
    assert decode_text(raw, "PN", sets) == "十"


@pytest.mark.parametrize(
    ("raw", "terms", "warned"),
    [
        (None, ("ISO_IR 101",), False),
        (b"", ("ISO_IR 101",), False),
        (b"ISO_IR 100", ("ISO_IR 100",), False),
        (b"ISO_IR 192 ", ("ISO_IR 192",), False),
        (b"\\ISO 2022 IR 87", ("ISO_IR 6", "ISO 2022 IR 87"), False),
        (b"ISO 2022 IR 13\\ISO 2022 IR 87", ("ISO_IR 13", "ISO 2022 IR 87"), False),
        (b"iso-ir 100", ("ISO_IR 100",), True),
        (b"ISO IR 192", ("ISO_IR 192",), True),
        (b"UTF-8", ("ISO_IR 192",), True),
        (b"nonsense", ("ISO_IR 101",), True),
        (b"ISO_IR 100\\nonsense", ("ISO_IR 100",), True),
        (b"ISO_IR 192\\ISO 2022 IR 87", ("ISO_IR 192",), True),
        (b"ISO_IR 100\\GB18030", ("ISO_IR 100",), True),
        (b"\xff\xfe", ("ISO_IR 101",), True),
    ],
)
def test_specific_character_set(raw, terms, warned):
    found, warning = parse_specific_character_set(raw, "ISO_IR 101")
    assert [t.replace("ISO 2022 IR", "ISO_IR") for t in found] == [t.replace("ISO 2022 IR", "ISO_IR") for t in terms]
    assert (warning is not None) is warned


def test_text_that_no_set_has_is_refused():
    assert not can_encode("山", ("ISO_IR 100",))
    assert not can_encode("Ä", ("ISO_IR 6",))
    assert not can_encode("Ä", ("ISO_IR 192",), "CS")
    assert not can_encode("\x1b(B", ("ISO_IR 192",))
    with pytest.raises(LeadglassError):
        encode_text("Ł", "PN", ("ISO_IR 100",))

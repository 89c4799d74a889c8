"""The multipart reader: how bytes are cut makes no difference, what clients send is understood, bounds hold (E1)."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MAX_PART_HEADER, MAX_PARTS, MAX_PREAMBLE
from leadglass.web.multipart import MultipartReader, PartBegin, PartData, parse_header

BOUNDARY = "b0undary"


def read(pieces, boundary: str = BOUNDARY) -> list[tuple[dict[str, str], bytes]]:
    """Whole parts: header and content."""
    reader = MultipartReader(boundary)
    parts: list[tuple[dict[str, str], bytearray]] = []
    whole = 0
    for piece in pieces:
        for event in reader.feed(piece):
            if isinstance(event, PartBegin):
                parts.append((dict(event.headers), bytearray()))
            elif isinstance(event, PartData):
                assert event.data
                parts[-1][1].extend(event.data)
            else:
                whole += 1
    reader.finish()
    assert whole == len(parts)
    return [(headers, bytes(content)) for headers, content in parts]


def body(*contents: bytes, end: bytes = b"\r\n", boundary: bytes = BOUNDARY.encode(), header: bytes = b"A: 1") -> bytes:
    made = b"".join(b"--" + boundary + end + header + end + end + content + end for content in contents)
    return made + b"--" + boundary + b"--" + end


def told(*contents: bytes) -> list[tuple[dict[str, str], bytes]]:
    return [({"a": "1"}, content) for content in contents]


def bytewise(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


TRICKY = (
    b"",
    b"\r\n",
    b"\n",
    b"\r",
    b"--b0undary_",
    b"x\r\n--b0undar",
    b"x\r\n--b0undary_",
    b"x\r\n--b0undary-y",
    b"\r\n\r\n--\r\n--b0undarY\r\n",
    b"x\r\r",
)


@pytest.mark.parametrize("end", [b"\r\n", b"\n"], ids=["CRLF", "LF"])
@pytest.mark.parametrize("cut", [lambda data: [data], bytewise], ids=["whole", "byte by byte"])
def test_contents_come_out_as_they_went_in(end, cut):
    assert read(cut(body(*TRICKY, end=end))) == told(*TRICKY)


def test_mixed_line_ends_are_understood():
    data = b"--b0undary\r\nA: 1\n\nx\n--b0undary \t\r\nA: 1\r\n\r\ny\r\n--b0undary--"
    assert read([data]) == told(b"x", b"y")


def test_preamble_and_epilogue_are_ignored_and_a_part_needs_neither_header_nor_content():
    data = b"hello\r\n\r\n--b0undary\r\n\r\nx\r\n--b0undary\r\nA: 1\r\n\r\n"
    data += b"--b0undary\r\n\r\n--b0undary--\r\nbye\r\n--b0undary\r\n"
    assert read([data]) == [({}, b"x"), ({"a": "1"}, b""), ({}, b"")]
    assert read(bytewise(data)) == read([data])


PIECES = st.sampled_from(
    [b"\r", b"\n", b"\r\n", b"--", b"-", b"b", b"A: 1", b"\r\n--b", b"\n--b--", b"--b\r\n", b" ", b"x", b"\0"]
)


def outcome(pieces):
    """What is told until the end or a refusal; neighbouring content joined."""
    events: list[object] = []
    try:
        reader = MultipartReader("b")
        for piece in pieces:
            for event in reader.feed(piece):
                if isinstance(event, PartData) and events and isinstance(events[-1], bytes):
                    events[-1] += bytes(event.data)
                else:
                    events.append(bytes(event.data) if isinstance(event, PartData) else event)
        reader.finish()
    except LeadglassError as error:
        events.append((error.code, error.comment))
    return events


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=40).map(b"".join), st.lists(st.integers(0, 80), max_size=10))
def test_any_cut_gives_the_same_events(data, cuts):
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    cut = [data[a:b] for a, b in itertools.pairwise(places)]
    assert outcome(cut) == outcome([data]) == outcome(bytewise(data))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=5), st.integers(1, 50), st.sampled_from([b"\r\n", b"\n"]))
def test_what_is_written_is_read(contents, size, end):
    contents = [content for content in contents if BOUNDARY.encode() not in content]
    data = body(*contents, end=end)
    assert read(data[at : at + size] for at in range(0, len(data), size)) == told(*contents)


def test_a_boundary_longer_than_the_standard_s_is_understood():
    """Orthanc sends two UUIDs, 73 characters."""
    long = "2a94bb76-8fa2-4c2c-841e-e6c02dbe3080-2a94bb76-8fa2-4c2c-841e-e6c02dbe3080"
    assert read([body(b"content", boundary=long.encode())], boundary=long) == told(b"content")


@pytest.mark.parametrize("boundary", ["", "x" * 129, "x" * 1024 * 1024, "a\r\nb", "a\0", "ä", 'a"b', "trailing "])
def test_e1_a_boundary_that_is_none_is_refused(boundary):
    with pytest.raises(LeadglassError) as caught:
        MultipartReader(boundary)
    assert caught.value.code is ErrorCode.USAGE


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"--b0undary", id="a boundary alone"),
        pytest.param(b"--b0undary\r\nA: 1\r\n", id="ends in a header"),
        pytest.param(b"--b0undary\r\nA: 1\r\n\r\nxxx", id="ends in a part"),
        pytest.param(b"--b0undary\r\nA: 1\r\n\r\nxxx\r\n--b0undary", id="ends in a boundary"),
        pytest.param(b"--b0undary\r\nA: " + b"1" * MAX_PART_HEADER + b"\r\n\r\n", id="a header of 16 kB"),
        pytest.param(b"--b0undary\r\n" + b"A: 1\r\n" * (1024 * 1024 // 6), id="a header of 1 MB that does not end"),
        pytest.param(b"x" * (MAX_PREAMBLE + 2), id="no boundary"),
    ],
)
def test_e1_bodies_that_do_not_hold_to_the_form_are_refused(data):
    for cut in ([data], bytewise(data[:40_000])):
        with pytest.raises(LeadglassError) as caught:
            read(cut)
        assert caught.value.code is ErrorCode.USAGE


def test_e1_a_million_parts_are_not_read():
    reader, parts = MultipartReader(BOUNDARY), 0
    piece = b"--b0undary\r\n\r\n" * 1000
    with pytest.raises(LeadglassError):
        for _ in range(1000):
            parts += sum(isinstance(event, PartBegin) for event in reader.feed(piece))
    assert parts <= MAX_PARTS


def test_nothing_but_a_delimiter_waits():
    reader = MultipartReader(BOUNDARY)
    list(reader.feed(b"--b0undary\r\n\r\n"))
    for piece in (b"x" * 100_000, b"\r\n--b0un" * 10_000, b"\n" * 100_000):
        given = sum(len(event.data) for event in reader.feed(piece) if isinstance(event, PartData))
        assert len(piece) - given < 2 * len(BOUNDARY) + 32


def test_fields_of_a_header():
    raw = b"Content-Type: multipart/related;\r\n boundary=x\nContent-Location:  /a b \r\nno field\r\n"
    raw += b"CONTENT-TYPE: second\r\n"
    assert parse_header(raw) == {"content-type": "multipart/related; boundary=x", "content-location": "/a b"}

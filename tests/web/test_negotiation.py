"""What a request asks for, as browsers, viewers and hostile peers write it."""

from __future__ import annotations

import pytest

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.web.answers import ENCODERS
from leadglass.web.codings import best_coding
from leadglass.web.negotiation import first_offered, parse_accept

OFFERS = ("application/dicom+json", "application/json", "multipart/related;application/dicom+xml")


def chosen(text: str) -> str:
    return first_offered(parse_accept(text), OFFERS)[1]


@pytest.mark.parametrize(
    ("accept", "offer"),
    [
        ("", OFFERS[0]),
        ("*/*", OFFERS[0]),
        ("application/json", OFFERS[1]),
        ("APPLICATION/JSON", OFFERS[1]),
        ("application/json;q=0.5, application/dicom+json", OFFERS[0]),
        ('multipart/related; type="application/dicom+xml"', OFFERS[2]),
        ("multipart/related; type=application/dicom+xml", OFFERS[2]),
        ("multipart/related", OFFERS[2]),
        ("multipart/*;q=1, application/json;q=0.1", OFFERS[2]),
        ("text/html, application/xhtml+xml, */*;q=0.8", OFFERS[0]),
        ("application/json;q=0, application/dicom+json", OFFERS[0]),
    ],
)
def test_the_best_offer_is_taken(accept: str, offer: str) -> None:
    assert chosen(accept) == offer


@pytest.mark.parametrize(
    "accept",
    ["text/html", "application/json;q=0", 'multipart/related; type="application/octet-stream"', "json", "a/b;q=2",
     "a/b;q=x", "/", "a/b, ,c/d", "a/b\r\nx: y", "a/b;x=\"", "x" * 9000, ", ".join(["a/b"] * 65), "*/*;q=0"],
)  # fmt: skip
def test_what_cannot_be_had_or_read_is_told(accept: str) -> None:
    with pytest.raises(LeadglassError) as caught:
        chosen(accept)
    assert caught.value.code is ErrorCode.CANNOT_CONVERT


def test_parameters_are_read_quoted_or_not() -> None:
    (found,) = parse_accept('multipart/related; type="application/dicom"; transfer-syntax=*; x="a\\"b,;c"')
    assert (found.part, found.syntax, found.parameters["x"]) == ("application/dicom", "*", 'a"b,;c')


@pytest.mark.parametrize(
    ("header", "encoding"),
    [("", ""), ("gzip", "gzip"), ("gzip, br, zstd", "zstd"), ("gzip;q=1, br;q=0.9", "gzip"), ("identity", ""),
     ("*", "zstd"), ("zstd;q=0, *", "br"), ("gzip;q=x", ""), ("deflate", ""),
     ("gzip;q=0", ""), ("gzip;q=0, identity", ""), ("*;q=0", ""), ("*;q=0, br;q=0.1", "br"), ("gzip;q=nan", ""),
     ("gzip;q=2", ""), ("GZIP ; q=0.5", "gzip"), ("ungzip", "")],
)  # fmt: skip
def test_the_content_coding_is_one_that_the_client_reads(header: str, encoding: str) -> None:
    assert best_coding(header, ENCODERS) == encoding

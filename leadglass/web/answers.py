"""Answers that many routes give: documents with an ETag, compressed as the client can read them (RFC 9110)."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import imagecodecs
from blake3 import blake3
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from leadglass.web.codings import coding_for

DICOM_JSON: Final = "application/dicom+json"
DICOM_XML: Final = "application/dicom+xml"
MODEL_OFFERS: Final = (DICOM_JSON, "application/json", f"multipart/related;{DICOM_XML}")  # of searches and metadata
NO_CACHE: Final = "no-cache"  # may be kept, and is asked for again with its ETag
_WORTH: Final = 1024  # bytes; what is shorter fits a packet anyway
_AT_ONCE: Final = 128 * 1024  # bytes that are compressed on the loop; more go to a thread


def _zstd(body: bytes) -> bytes:
    return bytes(imagecodecs.zstd_encode(body, level=3))


def _brotli(body: bytes) -> bytes:
    return bytes(imagecodecs.brotli_encode(body, level=4))


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, 4, mtime=0)


# In our order of preference.
ENCODERS: Final[Mapping[str, Callable[[bytes], bytes]]] = {"zstd": _zstd, "br": _brotli, "gzip": _gzip}


async def document(
    request: Request, body: bytes, media_type: str, headers: Mapping[str, str] | None = None, *, cache: str = NO_CACHE
) -> Response:
    """A document with an ETag of its content; 304 if the client has it; compressed if it can read that."""
    tag = f'"{blake3(body).hexdigest(length=16)}"'
    fixed = {"etag": tag, "cache-control": cache, "vary": "accept, accept-encoding, authorization", **(headers or {})}
    if unchanged(request, tag):
        return Response(None, 304, fixed)
    encoding = coding_for(request, ENCODERS) if len(body) > _WORTH else ""
    if encoding:
        encode = ENCODERS[encoding]
        body = await run_in_threadpool(encode, body) if len(body) > _AT_ONCE else encode(body)
        fixed["content-encoding"] = encoding
    return Response(body, 200, fixed, media_type)


async def multipart_document(
    request: Request, parts: Sequence[bytes], part_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Documents as the parts of a multipart/related (PS3.18 8.6.1.2); the same ones have the same ETag."""
    body, media_type = multipart_of(parts, part_type)
    return await document(request, body, media_type, headers)


def multipart_of(parts: Sequence[bytes], part_type: str) -> tuple[bytes, str]:
    """The body of a multipart/related (RFC 2387) and its Content-Type. The boundary is that of the content."""
    boundary = blake3(b"".join(parts)).hexdigest(length=16)
    head = f"--{boundary}\r\nContent-Type: {part_type}\r\n\r\n".encode()
    body = b"".join(head + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()
    return body, f'multipart/related; type="{part_type}"; boundary={boundary}'


def unchanged(request: Request, tag: str) -> bool:
    """Whether the client's If-None-Match names `tag` (weak comparison)."""
    asked = ",".join(request.headers.getlist("if-none-match"))
    return asked == "*" or tag in {item.strip().removeprefix("W/") for item in asked.split(",")}

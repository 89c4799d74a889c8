"""Bodies of STOW-RS requests, and what a Store Instances Response says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import httpx

from leadglass.dicom.part10 import build_file_header

BOUNDARY = "leadglass-test"
STUDIES = "/dicom-web/studies"


def part10(data: bytes, sop_class: str, sop_instance: str, syntax: str = "1.2.840.10008.1.2.1") -> bytes:
    """A file of a data set."""
    return build_file_header(sop_class, sop_instance, syntax) + data


def related(*parts: bytes | tuple[bytes, str], root: str = "application/dicom") -> tuple[bytes, dict[str, str]]:
    """A multipart/related body and its header. A part is its content, or that with further lines of its header."""
    body = b""
    for part in parts:
        content, header = part if isinstance(part, tuple) else (part, f"Content-Type: {root}")
        body += f"--{BOUNDARY}\r\n{header}\r\n\r\n".encode() + content + b"\r\n"
    return body + f"--{BOUNDARY}--\r\n".encode(), related_header(root)


def related_header(root: str = "application/dicom") -> dict[str, str]:
    """The Content-Type of such a body."""
    return {"content-type": f'multipart/related; type="{root}"; boundary={BOUNDARY}'}


async def stow(http: httpx.AsyncClient, *files: bytes, study: str = "", **headers: str) -> httpx.Response:
    """Post files in one request."""
    body, header = related(*files)
    return await http.post(f"{STUDIES}/{study}" if study else STUDIES, content=body, headers=header | headers)


def stored(answer: httpx.Response) -> list[str]:
    """The SOP Instance UIDs that were stored."""
    return [item["00081155"]["Value"][0] for item in _items(answer, "00081199")]


def failed(answer: httpx.Response) -> dict[str, int]:
    """SOP Instance UID -> Failure Reason."""
    return {item["00081155"]["Value"][0]: _reason(item) for item in _items(answer, "00081198")}


def others(answer: httpx.Response) -> list[int]:
    """Failure Reasons of what was no instance."""
    return [_reason(item) for item in _items(answer, "0008119A")]


def _items(answer: httpx.Response, tag: str) -> Iterable[dict[str, Any]]:
    return answer.json().get(tag, {}).get("Value", [])


def _reason(item: dict[str, Any]) -> int:
    return int(item["00081197"]["Value"][0])

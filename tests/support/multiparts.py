"""Takes multipart/related answers apart, with the standard library's own parser."""

from __future__ import annotations

import email

import httpx


def parts(answer: httpx.Response) -> list[tuple[str, bytes]]:
    """(Content-Type, content) of each part."""
    head = f"Content-Type: {answer.headers['content-type']}\r\nMIME-Version: 1.0\r\n\r\n".encode()
    boundary = email.message_from_bytes(head).get_param("boundary")
    assert isinstance(boundary, str)
    pieces = (b"\r\n" + answer.content).split(f"\r\n--{boundary}".encode())
    assert pieces[0] == b""
    assert pieces[-1] == b"--\r\n"
    found = []
    for piece in pieces[1:-1]:
        headers, _, content = piece.partition(b"\r\n\r\n")
        parsed = email.message_from_bytes(headers.strip() + b"\r\n\r\n")
        found.append((str(parsed["content-type"]), content))
    return found

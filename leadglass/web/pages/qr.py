"""QR codes as pictures in a page (ISO/IEC 18004)."""

from __future__ import annotations

import base64
import io

import segno


def qr_picture(text: str) -> str:
    """A data URL of an SVG with `text` as a QR code, dark on light as every reader expects it."""
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind="svg", scale=6, border=4, dark="#000", light="#fff")
    return "data:image/svg+xml;base64," + base64.b64encode(out.getvalue()).decode("ascii")

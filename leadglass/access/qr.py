"""QR codes as SVG: for showing an authenticator app its key. Pure."""

from __future__ import annotations

import segno


def qr_svg(text: str) -> str:
    """A QR code of `text` to put into a page: black on white, whatever the page's colours, with the quiet zone of four
    modules that readers need (ISO/IEC 18004); without style and class attributes, which a page may forbid."""
    made = segno.make(text, error="m", micro=False)
    return made.svg_inline(border=4, scale=4, dark="#000", light="#fff", svgclass=None, lineclass=None)

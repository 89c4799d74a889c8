"""What a browser may do at the viewer's origin (CSP level 3): speak to this origin, and to no other.

OHIF is a large program of others. Were one of its parts hostile, it could read what the session may read and speak to
this origin alone: requests, forms, frames, plug-ins and calls of the browser's (WebRTC) to others are closed to it. No
policy keeps a page from being left for another address; that is why the session reads little and ends soon.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# Scripts are files of this origin: no inline one, no eval, no WebAssembly. 'unsafe-inline' is for style elements alone:
# OHIF's parts write them as they run. Style attributes stay forbidden; what a script sets by itself is none.
_PAGE: Final = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "style-src-elem 'self' 'unsafe-inline'",
    "style-src-attr 'none'",
    "connect-src 'self' blob:",
    "img-src 'self' blob:",
    "font-src 'self'",
    "worker-src 'self' blob:",
    "media-src 'self' blob:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "webrtc 'block'",
)
# A worker heeds the policy of its own script's answer. Images are decoded in one, by WebAssembly whose bindings
# (Emscripten's embind) make functions of text: allowed there, where there is no page to change, and nowhere else.
_SCRIPT: Final = (
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval' 'unsafe-eval'",
    "connect-src 'self' blob:",
    "worker-src 'self' blob:",
)

# Only this origin's answers come into its process, nobody who opened its window holds on to it, and the browser asks
# for nothing that no image needs. What every answer has (web.outgoing) is not said again.
ISOLATED: Final[Mapping[str, str]] = {
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), usb=(), serial=(), bluetooth=(), payment=()",
    "x-dns-prefetch-control": "off",
}
PAGE_POLICY: Final = "; ".join(_PAGE)
SCRIPT_POLICY: Final = "; ".join(_SCRIPT)
NOTHING_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"

"""What a browser may do at the viewer's origin (CSP level 3): speak to this origin, and to no other.

OHIF is a large program of others. Were one of its parts hostile, it could read what the session may read, and send it
nowhere: every address that is not this origin is closed to it, and so are forms, frames and plug-ins.
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
)
# A worker heeds the policy of its own script's answer. Images are decoded in one, by WebAssembly whose bindings
# (Emscripten's embind) make functions of text: allowed there, where there is no page to change, and nowhere else.
_SCRIPT: Final = (
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval' 'unsafe-eval'",
    "connect-src 'self' blob:",
    "worker-src 'self' blob:",
)

# Only this origin's answers come into its process, and nobody who opened its window holds on to it.
ISOLATED: Final[Mapping[str, str]] = {
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
PAGE_POLICY: Final = "; ".join(_PAGE)
SCRIPT_POLICY: Final = "; ".join(_SCRIPT)
NOTHING_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
PERMISSIONS: Final = "camera=(), microphone=(), geolocation=(), usb=(), serial=(), bluetooth=(), payment=()"

"""OHIF's files as tools/viewer put them there: what its list names is served, in the coding that a browser reads.

A request chooses a name in that list, never a path.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from leadglass.web.answers import unchanged
from leadglass.web.codings import coding_for
from leadglass.web.viewer.policy import ISOLATED, NOTHING_POLICY, PAGE_POLICY, SCRIPT_POLICY

PACKAGED: Final = Path(__file__).parent / "dist"
CONFIG: Final = "app-config.js"
PAGE: Final = "index.html"
FORM: Final = 1  # of manifest.json, see tools/viewer
_KINDS: Final[Mapping[str, str]] = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".wasm": "application/wasm",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
}
_SUFFIXES: Final[Mapping[str, str]] = {"br": ".br", "gzip": ".gz"}
_POLICIES: Final[Mapping[str, str]] = {".html": PAGE_POLICY, ".js": SCRIPT_POLICY}
# Kept for good where the name changes with the content. Of nobody: any cache may have them.
_FOR_GOOD: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "no-cache"


@dataclass(frozen=True, slots=True)
class ViewerFile:
    """A file of the viewer. `tag` is of its content; `codings` are those that it lies there in, best first."""

    path: Path
    kind: str
    tag: str
    hashed: bool
    codings: tuple[str, ...]
    policy: str


class ViewerFiles:
    """The files of one version of OHIF, by the name that a browser asks for (without the slash)."""

    def __init__(self, version: str, files: Mapping[str, ViewerFile]) -> None:
        self.version = version
        self._files = files

    def find(self, name: str) -> ViewerFile | None:
        """The file of this name; None if there is none."""
        return self._files.get(name)

    def __len__(self) -> int:
        return len(self._files)


def read_viewer(folder: Path = PACKAGED) -> ViewerFiles | None:
    """What tools/viewer left in `folder`; None if it left nothing, or something of another form."""
    try:
        made = json.loads((folder / "manifest.json").read_text("utf-8"))
        if made["form"] != FORM:
            return None
        files = {name: _file(folder, name, facts) for name, facts in made["files"].items()}
        return ViewerFiles(str(made["version"]), {**files, CONFIG: _own(CONFIG)})
    except (OSError, ValueError, KeyError, TypeError):
        return None


async def send(request: Request, file: ViewerFile) -> Response:
    """The file, or 304 to who has it already (RFC 9110 13.1.2)."""
    coding = coding_for(request, file.codings)
    tag = f'"{file.tag}{"-" + coding if coding else ""}"'
    headers = {
        "etag": tag,
        "cache-control": _FOR_GOOD if file.hashed else _ASK_AGAIN,
        "content-security-policy": file.policy,
        **ISOLATED,
        **({"vary": "accept-encoding"} if file.codings else {}),
    }
    if unchanged(request, tag):
        return Response(None, 304, headers)
    path = file.path.with_name(file.path.name + _SUFFIXES[coding]) if coding else file.path
    body = await asyncio.to_thread(path.read_bytes)
    if coding:
        headers["content-encoding"] = coding
    return Response(body, 200, {**headers, "content-type": file.kind})


def _file(folder: Path, name: str, facts: Mapping[str, Any]) -> ViewerFile:
    codings = tuple(coding for coding, suffix in _SUFFIXES.items() if suffix[1:] in facts["codings"])
    path = folder / name
    return _described(path, str(facts["sha256"])[:32], codings, hashed=bool(facts["hashed"]))


def _own(name: str) -> ViewerFile:
    """A file of ours beside theirs."""
    path = Path(__file__).with_name(name)
    return _described(path, _tag_of(path), (), hashed=False)


def _described(path: Path, tag: str, codings: tuple[str, ...], *, hashed: bool) -> ViewerFile:
    policy = _POLICIES.get(path.suffix, NOTHING_POLICY)
    return ViewerFile(path, _KINDS[path.suffix], tag, hashed, codings, policy)


def _tag_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:32]

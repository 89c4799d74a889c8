"""Viewers by a page that they show to whoever comes, never by a page that asks who is there (W08)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from leadglass.exposure.http_answer import HttpAnswer

PATHS = (
    "/",
    "/app/explorer.html",
    "/ui/app/",
    "/stone-webviewer/index.html",
    "/ohif/",
    "/viewer",
    "/dcm4chee-arc/ui2/",
    "/weasis-pacs-connector/",
    "/oviyam2/oviyam",
)

_MARKS: Mapping[str, re.Pattern[bytes]] = {
    "orthanc-explorer": re.compile(rb"<title>\s*Orthanc Explorer", re.I),
    "ohif": re.compile(rb"<title>\s*OHIF(?! Login)|ohif-viewer|@ohif/", re.I),
    "stone": re.compile(rb"<title>\s*Stone Web Viewer", re.I),
    "weasis": re.compile(rb"weasis-pacs-connector|<title>\s*Weasis", re.I),
    "dcm4chee": re.compile(rb"<title>\s*dcm4chee-arc-ui", re.I),
    "oviyam": re.compile(rb"<title>\s*Oviyam(?! login)", re.I),
}
_SIGN_IN = re.compile(rb"<input[^<>]{1,300}type=[\"']?password", re.I)


def viewers(page: HttpAnswer) -> tuple[str, ...]:
    """Names of the viewers that this page is one of."""
    if not page.ok or _SIGN_IN.search(page.body):
        return ()
    return tuple(name for name, mark in _MARKS.items() if mark.search(page.body))
